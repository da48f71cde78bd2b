"""What in a text is a link: whatever X, Telegram, Discord, Reddit, Slack or Mastodon would make clickable, or a browser would resolve.

They differ, so the union is taken: URLs of every scheme, addresses in Markdown and HTML, bare names and e-mail addresses. A name whose dot is
broken (`example[.]com`) is none. Which links are fine is a matter for the rules.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from app.domain.wording.names import canonical, registrable

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
"""Characters that nobody sees (Unicode's default ignorables), as the inside of a regular expression's class."""

LABELS = 16
"""Parts of a name beyond which it is none."""

_SETTINGS = frozenset(
    ["about", "brave", "chrome", "chrome-extension", "edge", "moz-extension", "opera", "resource", "view-source", "vivaldi"]
)
_WEB = frozenset(["http", "https", "ftp", "ws", "wss"])
_TAIL = r"[^\s<>\"'`{}|^\u00ab\u00bb\u2014-\u205e\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\uffef]"
_URL = re.compile(
    rf"(?<![A-Za-z0-9])(?P<scheme>[A-Za-z][A-Za-z0-9+-]{{0,19}}):(?P<slashes>[/\\]{{2,}}|(?<=https:)[/\\]?|(?<=http:)[/\\]?)(?P<rest>{_TAIL}+)",
    re.I,
)
_NOT_WEB = re.compile(r"(?<![A-Za-z0-9])(?:javascript:\S+|data:[a-z]+/[\w.+-]+[;,]\S+|file:/\S+)", re.I)
_ATTRIBUTE = re.compile(r"\b(?:href|src|action|formaction|srcset)\s*=\s*(?:\"(?P<a>[^\"]*)\"|'(?P<b>[^']*)'|(?P<c>[^\s>]+))", re.I)
_A_NAME = rf"[\w-]+(?:\.[\w-]+)+(?P<tail>\.?(?::\d+)?(?:[/?#]{_TAIL}*)?)"
_NAME = re.compile(rf"(?<![\w.-]){_A_NAME}")
_GLUED_NAME = re.compile(rf"(?=[^\W\x00-\x7f]){_A_NAME}")
_ASCII_NAME = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
_ASCII_LABELS = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.[^\W\x00-\x7f]+")
_WIDER = re.compile(rf"(?P<host>(?=[^\W\x00-\x7f])[\w-]+(?:\.[\w-]+)*)(?:[:/?#]{_TAIL}*)?")
_MAIL_USER = re.compile(r"[\w.+%-]*[\w+%-]@$")
_FORWARDED = re.compile(r"(?:[a-z][a-z0-9+.-]{0,19}:[/\\]+|(?<!:)[/\\]{2})([^/\\?#\s\"'<>&;,“”„‘’«»‹›]+)", re.I)
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{12,}={0,2}")


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the text: where it stands and which hosts it leads to, its own first.

    `forwarded` are hosts that it may send a reader on to. `bare` is a name without a scheme, `mail` an address; `script` leads to no host.
    """

    start: int
    end: int
    host: str
    written: str
    hosts: tuple[str, ...] = ()
    forwarded: tuple[str, ...] = ()
    address: str = ""  # path, query and fragment
    bare: bool = False
    mail: bool = False
    script: bool = False


@dataclass(frozen=True, slots=True)
class Plain:
    """A text as a browser reads host names, and for each of its characters the span of the original; no spans where it is the original."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original span of a span of this one."""
        return (self.spans[start][0], self.spans[end - 1][1]) if self.spans else (start, end)


DROPPED = rf"{INVISIBLE}\u030a\u0333\u033f"
"""Those, and the marks that Telegram drops, as the inside of a class."""

_SPECIAL = re.compile(
    rf"(?P<entity>&(?:\#\d{{1,40}};?|\#[xX][0-9a-fA-F]{{1,40}};?|[A-Za-z]\w{{0,30}};))|(?P<invisible>[{DROPPED}])|(?P<other>[^\x00-\x7f…])"
)


@lru_cache(maxsize=64)
def plain(text: str) -> Plain:
    """Without what nobody sees, with entities resolved, every form of dot as a dot and every width of a letter as the letter."""
    letters: list[str] = []
    spans: list[tuple[int, int]] = []
    done = 0
    for found in _SPECIAL.finditer(text):
        start, end = found.span()
        letters.append(text[done:start])
        spans += zip(range(done, start), range(done + 1, start + 1), strict=True)
        piece = html.unescape(found[0]) if found["entity"] else _as_read(found[0]) if found["other"] else ""
        letters.append(piece)
        spans += [(start, end)] * len(piece)
        done = end
    if not done:
        return Plain(text)
    spans += zip(range(done, len(text)), range(done + 1, len(text) + 1), strict=True)
    return Plain("".join((*letters, text[done:])), tuple(spans))


@lru_cache(maxsize=4096)
def _as_read(char: str) -> str:
    return "." if char in "。．｡" else unicodedata.normalize("NFKC", char)


def links(seen: Plain) -> Iterator[Link]:
    """Every link of a text, by place; the same address inside an attribute and as text is one."""
    taken: list[tuple[int, int]] = []
    for found in _ATTRIBUTE.finditer(seen.text):
        value = re.sub(r"[\t\n\r]", "", found["a"] or found["b"] or found["c"] or "").strip()
        link = _of_attribute(seen, value, found.start(), found.end())
        if link:
            taken.append(found.span())
            yield link
    for link, start, end in (*_scripts(seen), *_urls(seen)):
        if not _inside(start, taken):
            taken.append((start, end))
            yield link
    for found in _names(seen.text, [end for _, end in taken]):
        if not _inside(found.start(), taken):
            yield from _of_name(seen, found)


def _scripts(seen: Plain) -> Iterator[tuple[Link, int, int]]:
    for found in _NOT_WEB.finditer(seen.text):
        end = _trimmed(seen.text, found.start(), found.end())
        yield _of_script(seen, found.start(), end), found.start(), end


def _urls(seen: Plain) -> Iterator[tuple[Link, int, int]]:
    """URLs with a scheme; what looks like one and is none may hold one."""
    at = 0
    while found := _URL.search(seen.text, at):
        end = _trimmed(seen.text, found.start(), _with_whole_host(seen.text, found))
        link = _of_url(seen, found, end)
        if link:
            yield link, found.start(), end
        at = end if link else found.start("rest")


def _names(text: str, ends: list[int]) -> Iterator[re.Match[str]]:
    """Bare names by place, those too that begin with a word of another script right where another link ends."""
    begun = set[int]()
    for begin in (0, *ends):
        found = _GLUED_NAME.match(text, begin) if begin else _NAME.search(text)
        while found and found.start() not in begun:
            begun.add(found.start())
            yield found
            tail = found.start("tail")
            end = found.end() if text[tail - 1].isascii() else tail  # what follows a word of another script is no path
            found = _GLUED_NAME.match(text, end) or _NAME.search(text, end)


def _with_whole_host(text: str, found: re.Match[str]) -> int:
    """Where a URL ends; its host may go on in another script, where that makes a name of a public ending (`http://name.みんな/`)."""
    more = None if re.search(r"[/?#:\\]", found["rest"]) else _WIDER.match(text, found.end())
    if more and registrable(canonical(found["rest"] + more["host"])):
        return more.end()
    return found.end()


def _inside(place: int, taken: list[tuple[int, int]]) -> bool:
    return any(start <= place < end for start, end in taken)


def _trimmed(text: str, start: int, end: int) -> int:
    """Where a URL ends before the punctuation of the sentence around it."""
    while end > start + 1:
        last = text[end - 1]
        pair = {")": "(", "]": "["}.get(last)
        if last in ".,;:!?*_~“”„‘’«»‹›" or (pair and text.count(last, start, end) > text.count(pair, start, end)):
            end -= 1
        else:
            break
    return end


def _of_attribute(seen: Plain, value: str, start: int, end: int) -> Link | None:
    found = _URL.match(value) or re.match(r"(?P<scheme>)(?P<slashes>[/\\]{2})(?P<rest>\S+)", value)
    if not found or "[.]" in value:
        return None
    begin, finish = seen.span(start, end)
    return _made(begin, finish, found["rest"], value)


def _of_script(seen: Plain, start: int, end: int) -> Link:
    begin, finish = seen.span(start, end)
    written = seen.text[start:end]
    return Link(begin, finish, "", written, forwarded=_leads_on(written.partition(":")[2]), script=True)


def _of_url(seen: Plain, found: re.Match[str], end: int) -> Link | None:
    scheme = found["scheme"].lower()
    if scheme in _SETTINGS:
        return None
    if scheme not in _WEB and scheme.startswith("hx"):  # a broken scheme: what follows is a bare name or nothing
        return None
    rest = seen.text[found.start("rest") : end]
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "[.]" in authority or "(.)" in authority:  # defanged on purpose; what is left of it is looked at as bare names
        return None
    begin, finish = seen.span(found.start(), end)
    link = _made(begin, finish, rest, seen.text[found.start() : end])
    return link if link and (scheme in _WEB or "." in link.host or ":" in link.host) else None


def _made(start: int, end: int, rest: str, written: str) -> Link | None:
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    address = rest[len(authority) :]
    user, _, place = unquote(authority).rpartition("@")
    place = place if place.startswith("[") else re.split(r"[!$&'()*+,;=\[\]]", place, maxsplit=1)[0]
    hosts = [canonical(_without_port(place))]
    shorter = _ASCII_NAME.match(place)
    if not place.isascii() and shorter and not registrable(hosts[0]):  # a word of another script stands right after it
        hosts.insert(0, canonical(shorter[0]))
    if user:
        hosts.append(canonical(user.partition(":")[0]))
    if not hosts[0]:
        return None
    return Link(start, end, hosts[0], written, tuple(hosts), _leads_on(address), address)


def _without_port(place: str) -> str:
    return place if place.startswith("[") and place.endswith("]") else re.sub(r":\d*$", "", place)


def _of_name(seen: Plain, found: re.Match[str]) -> Iterator[Link]:
    """A bare name, and where it is glued to words of another script, the ASCII name in it that a platform would link."""
    text, name = seen.text, found[0][: len(found[0]) - len(found["tail"])]
    host = canonical(name.strip("-_."))
    start, end = found.start(), _trimmed(text, found.start(), found.end())
    glued = [] if name.isascii() else [m for m in _ASCII_NAME.finditer(name) if _stands_apart(name, m) and len(m[0]) < len(name)]
    glued += [] if name.isascii() else [m for m in _ASCII_LABELS.finditer(name) if m.start() and registrable(canonical(m[0]))]
    mail = bool(_MAIL_USER.search(text[max(0, start - 80) : start]))
    address = text[start + len(name) : end]
    for part in glued:
        begin, finish = seen.span(start + part.start(), start + part.end())
        yield Link(
            begin, finish, canonical(part[0]), part[0], (canonical(part[0]), *_shorter(part[0])), bare=True, mail=mail and not part.start()
        )
    if not glued or (registrable(host) and all(part.end() < len(name) for part in glued)):
        begin, finish = seen.span(start, end)
        yield Link(begin, finish, host, name, (host, *_shorter(name)), _leads_on(address), address, bare=True, mail=mail)


def _shorter(name: str) -> Iterator[str]:
    """What X takes for the name where more follows it: `example.com` of `example.com.Please` and of `example.com_Please`."""
    if name.count(".") + name.count("_") <= LABELS:
        yield from (host for cut in re.finditer("[._]", name) if registrable(host := canonical(name[: cut.start()])))


def _stands_apart(name: str, part: re.Match[str]) -> bool:
    """Whether no letter of a Latin, Greek or Cyrillic alphabet touches it, in which it would be part of a word."""
    around = name[max(0, part.start() - 1) : part.start()] + name[part.end() : part.end() + 1]
    return not any(unicodedata.name(char, "").startswith(("LATIN", "GREEK", "CYRILLIC")) for char in around)


def _leads_on(address: str) -> tuple[str, ...]:
    """The hosts of the URLs that a path, query or fragment holds: as they are, percent-decoded once or twice, or in base64."""
    if len(address) < 4:
        return ()
    once = unquote(address)
    forms = [address, once, unquote(once)]
    for piece in (*_BASE64.findall(once), *(part for part in re.split("[/=&?#]", once) if _BASE64.fullmatch(part))):
        try:
            raw = base64.urlsafe_b64decode(piece.replace("+", "-").replace("/", "_").rstrip("=") + "=" * (-len(piece.rstrip("=")) % 4))
            forms.append(unquote(raw.decode()))
        except (ValueError, binascii.Error):
            continue
    hosts = (canonical(_without_port(place.rpartition("@")[2])) for form in forms for place in _FORWARDED.findall(form))
    return tuple(dict.fromkeys(host for host in hosts if host))
