"""How X weighs a text and how it gives one back: t.co links, entities, oEmbed's markup. Pure; nothing here asks X.

Rules kept here: words are compared exactly, after NFC and without the HTML escapes that X adds; a link that X replaced by t.co is
compared with its expansion where X tells it, else by its place alone. Sources: `docs/adapters/x.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote

from adapters.contract import Unsupported
from adapters.http import dig
from adapters.text import quoted, settled, unescaped

MANY_LABELS = 60
_TCO: Final = re.compile(r"https?://t\.co/[A-Za-z0-9]+")


def weight(text: str) -> int:
    """Its weighted length by twitter-text, config v3: after NFC; CJK and emoji count two, a link 23.

    Counted word by word, as no link spans whitespace: so splitting weighs each word once. Raises `Unsupported` for a word with so
    many dots that twitter-text's search for a domain in it would take seconds.
    """
    # with the space before it, as twitter-text finds other links at the very start of a text than after a space
    return sum(_weight_of(word) for word in re.findall(r"[ \t\n\r]?[^ \t\n\r]+|[ \t\n\r]", text.replace("\r\n", "\n")))


@lru_cache(maxsize=4096)
def _weight_of(word: str) -> int:
    from twitter_text import parse_tweet  # takes 0.4 s to load

    if sum(map(bool, word.split("."))) > MANY_LABELS:
        raise Unsupported(f"The word {quoted(word, 40)} has too many dots for X: put a space into it.")
    return int(parse_tweet(word).weightedLength)


def sayable(text: str) -> str:
    """The text itself. Raises `Unsupported` for one that X cannot take whatever its length."""
    if not text.strip():
        raise Unsupported("There is no text to post.")
    if bad := re.search(r"[\ufffe\uffff\ufeff\ud800-\udfff]", text):
        raise Unsupported(f"X takes no text with the character U+{ord(bad[0]):04X}: remove it.")
    return text


def same_text(wanted: str, shown: str, links: Mapping[str, str], handle: str) -> bool:
    """Whether X's `shown` is what we sent. `links` are expansions by t.co link; one that is missing there may be any link.

    The account's own `@handle ` in front of a reply does not count (unsourced that X adds it; harmless to forgive).
    """
    sent = settled(wanted)
    for text in (settled(shown), settled(unescaped(shown))):
        bare = re.sub(rf"^@{re.escape(handle)}\s+", "", text, flags=re.IGNORECASE)
        if any(_matches(sent, candidate, links) for candidate in (text, bare)):
            return True
    return False


def _matches(sent: str, shown: str, links: Mapping[str, str]) -> bool:
    short = _TCO.findall(shown)
    places = r"(\S+?)".join(map(re.escape, _TCO.split(shown)))
    match = re.fullmatch(places, sent)
    return match is not None and all(
        one not in links or _link(links[one]) == _link(meant) for one, meant in zip(short, match.groups(), strict=True)
    )


def _link(url: str) -> str:
    """Without what X adds or changes: scheme, `www.`, closing slash, percent escapes, capitals of the host."""
    host, slash, path = re.sub(r"^https?://", "", url, flags=re.IGNORECASE).partition("/")
    return host.casefold().removeprefix("www.") + (slash + unquote(path)).rstrip("/")


def told_text(post: object) -> tuple[str, dict[str, str]]:
    """The whole text of a post of the API (over 280: its note's, under the old name or the new), and its expansions by t.co link."""
    note = dig(post, "note_tweet") or dig(post, "note_post")
    text, urls = dig(note, "text"), dig(note, "entities", "urls")
    if not isinstance(text, str):
        text, urls = dig(post, "text"), dig(post, "entities", "urls")
    pairs = [(dig(url, "url"), dig(url, "expanded_url")) for url in (urls if isinstance(urls, list) else [])]
    links = {short: long for short, long in pairs if isinstance(short, str) and isinstance(long, str)}
    return text if isinstance(text, str) else "", links


def told_time(post: object) -> datetime | None:
    """When it was posted (UTC); X tells whole seconds."""
    try:
        return datetime.fromisoformat(str(dig(post, "created_at"))).astimezone(UTC)
    except ValueError:
        return None


class _Paragraph(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.inside = False
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = self.inside or tag == "p"
        if tag == "br" and self.inside:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.text += data


def embedded_text(markup: str) -> str:
    """The words in the paragraph of oEmbed's `html`; links as they show, t.co."""
    reader = _Paragraph()
    reader.feed(markup)
    reader.close()
    return reader.text
