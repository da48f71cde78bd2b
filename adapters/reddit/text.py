"""How a text becomes Markdown that Reddit shows literally, and how its answers are read. Pure; nothing here asks Reddit.

Rules kept here: no character of the text is dropped but indentation and surplus blank lines; links stay whole and clickable;
`u/name` and `r/name` get a space that a reader sees. What is markup follows reddit/snudown (f4c7a9c, `src/markdown.c`,
`src/autolink.c`); only what CommonMark, too, lets one escape is escaped.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from adapters.contract import PERMALINK_SLOT
from adapters.text import settled, unescaped

_IN_LINK: Final = r"[^\s<>\"\[\]\\`^{}|\u3000-\u303f\uff00-\uffef]+"
_LINK: Final = re.compile(rf"{re.escape(PERMALINK_SLOT)}|(?<![A-Za-z])(?i:https?)://{_IN_LINK}|(?<![^\W_])www\.{_IN_LINK}")
_MARKUP: Final = re.compile(r"[\\*_`~^\[\]<>|]|&(?=#?[0-9A-Za-z]+;)")
_NAMES: Final = re.compile(r"(?<![^\W_])([ur]/)(?=[A-Za-z0-9][A-Za-z0-9_])", re.IGNORECASE)
_LINE_START: Final = re.compile(r"^(\d*)(?=[#+.)-])(?:(?<!\d)(?=#|[+-](?:\s|$)|--)|(?<=\d)(?=[.)](?:\s|$)))")
_HARMLESS_TAIL: Final = re.compile(r"[)\"']?[?!.,]*(?:\s|$)")


def literal(text: str) -> str:
    """Markdown that shows the text as it is: every line a line, nothing bold, quoted, listed or linked but its own URLs."""
    lines = [_line(line.strip()) for line in re.split(r"\r\n|\r|\n", text)]
    joined = lines[0]
    for before, after in pairwise(lines):
        joined += ("  \n" if before and after else "\n") + after  # two spaces break a line
    return re.sub(r"\n{3,}", "\n\n", joined).strip()


def _line(line: str) -> str:
    shown, at = "", 0
    for match in _LINK.finditer(line):
        link = match[0] if match[0] == PERMALINK_SLOT else _trimmed(match[0])
        shown += _escaped(line[at : match.start()])
        if link == PERMALINK_SLOT and shown[-1:].isalnum():
            shown += " "
        at = match.start() + len(link)
        # a link ends where whitespace begins, but for a little punctuation: whatever else follows would become part of it
        shown += link if _HARMLESS_TAIL.match(line, at) else f"{link} "
    shown += _escaped(line[at:])
    # a row of = makes the line above a heading, and no backslash helps
    return f"&#61;{shown[1:]}" if re.fullmatch("=+", shown) else _LINE_START.sub(r"\1\\", shown)


def _escaped(words: str) -> str:
    escaped = _MARKUP.sub(r"\\\g<0>", _NAMES.sub(r"\1 ", words))
    # of first_last@… Reddit would link only what follows the escaped _, another address: better no link
    return re.sub(r"(?<=\\_)([A-Za-z0-9.+-]*)@", r"\1&#64;", escaped)


def _trimmed(url: str) -> str:
    """Without what belongs to the sentence around it: closing punctuation, quotes, brackets that were not opened inside."""
    while url[-1] in "*_~`'\".,;:!?" or (url[-1] in ")]}" and url.count(url[-1]) > url.count("([{"[")]}".index(url[-1])])):
        url = url[:-1]
    return url


def same_text(wanted: str, shown: object) -> bool:
    """Whether Reddit's `shown` is what we sent, with or without the entities that it puts where `raw_json` is missing."""
    if not isinstance(shown, str):
        return False
    return settled(wanted) in (settled(shown), settled(unescaped(shown)))


def pause(words: str) -> float | None:
    """Seconds that a RATELIMIT tells one to wait: "try again in 9 minutes", "Take a break for 30 seconds"."""
    found = re.search(r"(\d{1,5}) ?(millisecond|second|minute|hour)", words)
    units = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0}
    return max(int(found[1]) * units[found[2]], 1.0) if found else None
