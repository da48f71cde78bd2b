"""What Telegram makes of a text: what it drops, how it counts, the entities it finds without any markup, and the public page of it.

Written from tdlib's `clean_input_string`, `fix_formatted_text` and `match_*` (tdlib/td, `misc.cpp` and `MessageEntity.cpp`), cut down to
what an announcement can hold: no bank cards, no `tg://` links. Offsets and lengths are UTF-16 code units, as everywhere in the Bot API.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypedDict

from app.rehearsal.stand_ins.stand_in import Post

MAX_UNITS = 4096
"""UTF-16 code units of a message. tdlib compares code points; the stricter count is kept until the service is seen to take more."""

_DROPPED = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
_SPACED = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f]")
_URL = re.compile(
    r"(?<![\w/#@])(?P<scheme>(?:https?|ftp|tonsite)://)?(?P<user>[^\s/\[\]{}()'`<>\"@«»:]+@)?"
    r"(?P<domain>[\w~-]+(?:\.[\w~-]+)+)(?P<port>:\d{1,5})?(?P<path>[/?#][^\s<>\"«»]*)?",
    re.IGNORECASE,
)
_OTHERS = {
    "mention": re.compile(r"(?<!\w)@[A-Za-z0-9_]{4,32}(?!\w)"),
    "bot_command": re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])"),
    "hashtag": re.compile(r"(?<![\w·])#(?=\w*[^\W\d_])\w{1,256}(?:@[A-Za-z0-9_]{3,32})?(?![\w#])"),
    "cashtag": re.compile(r"(?<![\w$])\$(?:1INCH|[A-Z]{1,8})(?:@[A-Za-z0-9_]{3,32})?(?![\w$])"),
}
_PATH_ENDS = ".:;,('?!`"


class Entity(TypedDict):
    """A `MessageEntity` of the Bot API."""

    type: str
    offset: int
    length: int


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def clean(text: str) -> str:
    """The text as Telegram keeps it; "" when nothing visible is left."""
    kept = _SPACED.sub(" ", _DROPPED.sub("", text)).rstrip().lstrip(" \n")
    return kept if kept.strip() else ""


@functools.cache
def _top_level_domains() -> frozenset[str]:
    from linkify_it.tlds import TLDS  # here, as only a text with a bare domain needs the list

    return frozenset(name.lower() for name in TLDS)


def _trimmed(path: str) -> str:
    """A URL's path without the punctuation and closing brackets that belong to the sentence."""
    open_brackets = {")": 0, "]": 0, "}": 0}
    for index, char in enumerate(path):
        if char in "([{":
            open_brackets[{"(": ")", "[": "]", "{": "}"}[char]] += 1
        elif char in open_brackets:
            open_brackets[char] -= 1
            if open_brackets[char] < 0:
                path = path[:index]
                break
    return path.rstrip(_PATH_ENDS)


def _urls(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _URL.finditer(text):
        domain = match["domain"].rstrip("-~")
        top = domain.rsplit(".", 1)[1].lower()
        if match["user"] and not match["scheme"]:
            yield "email", match.start(), match.end("domain")
        elif match["scheme"] or top in _top_level_domains():
            path = match["path"] or ""
            yield "url", match.start(), match.end() - len(path) + len(_trimmed(path))


def _spans(text: str) -> list[tuple[str, int, int]]:
    """Kind, start and end of every entity in code points, in order; where two overlap, the link wins."""
    taken = list(_urls(text))
    for kind, pattern in _OTHERS.items():
        for match in pattern.finditer(text):
            if all(match.end() <= start or end <= match.start() for _, start, end in taken):
                taken.append((kind, match.start(), match.end()))
    return sorted(taken, key=lambda span: span[1])


def entities(text: str) -> list[Entity]:
    """What the server reports in `Message.entities` for a text that was sent without markup."""
    return [{"type": kind, "offset": units(text[:start]), "length": units(text[start:end])} for kind, start, end in _spans(text)]


def as_html(text: str, base_url: str) -> str:
    """The text as the public page shows it: entities as links, line ends as `<br/>`. The markup is unsourced (what scrapers expect)."""
    shown, at = [], 0
    for kind, start, end in _spans(text):
        raw = text[start:end]
        href = {
            "url": raw if "://" in raw else f"http://{raw}",
            "email": f"mailto:{raw}",
            "mention": f"{base_url}/{raw[1:]}",
        }.get(kind, f"?q={raw}")
        link = f'<a href="{html.escape(href)}" target="_blank" rel="noopener">{html.escape(raw)}</a>'
        shown += [html.escape(text[at:start]), link if kind != "bot_command" else html.escape(raw)]
        at = end
    return "".join([*shown, html.escape(text[at:])]).replace("\n", "<br/>")


def embed(post: Post | None, base_url: str) -> str:
    """The page that the widget loads, for anyone; its class names are unsourced (what scrapers of the page expect)."""
    head = '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Telegram Widget (rehearsal)</title></head>'
    if post is None:
        shown = '<div class="tgme_widget_message_error">Post not found</div>'
    else:
        channel, at = post.account.removeprefix("@"), datetime.fromtimestamp(post.at, UTC).isoformat(timespec="seconds")
        shown = (
            f'<div class="tgme_widget_message js-widget_message" data-post="{channel}/{post.id}">'
            f'<a class="tgme_widget_message_owner_name" href="{base_url}/{channel}"><span dir="auto">{post.account}</span></a>'
            f'<div class="tgme_widget_message_text js-message_text" dir="auto">{as_html(post.text, base_url)}</div>'
            f'<a class="tgme_widget_message_date" href="{post.permalink}"><time datetime="{at}"></time></a></div>'
        )
    return f'{head}<body class="widget_frame_base">{shown}</body></html>'
