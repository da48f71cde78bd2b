"""Cutting a text into posts, taking the sting out of names that a platform would turn into pings and tags, and comparing texts.

Rules kept here: pure, standard library only; nothing is ever added, lost or changed but whitespace where two parts meet; a link,
the permalink slot and a grapheme cluster are never cut; whatever neutralises is visible to a reader (a space, never a zero-width
character). How long is too long lies with each platform, which says it by `fits`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise

from adapters.contract import DRILL_MARK, PERMALINK_SLOT, Message, Unsupported

_NOT_IN_URL = r"\s<>\"\u3000-\u303f\uff00-\uffef"
URL = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]{{0,19}}://[^{_NOT_IN_URL}]+", re.ASCII)
"""A URL with a scheme, generously: up to the next whitespace, quote, angle bracket or CJK punctuation."""

_BARE = r"(?<![A-Za-z0-9-])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:[/:?#][!-~]*)?"
_WHOLE = re.compile(rf"{re.escape(PERMALINK_SLOT)}|{URL.pattern}|{_BARE}")

_BULLET = r"[^\S\n]*(?:[-*+•‣◦–—]|\(?\d{1,3}[.)])\s"
_BREAKS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\n[^\S\n]*\n\s*",  # paragraphs
        rf"\n(?={_BULLET})",  # list items, each with its continuation lines
        r"\n(?=\S)",  # lines, each with those that are indented below it
        r"\n\s*",  # lines
        r"(?<=[.!?…])[\"'”’»)\]]*\s+(?![a-z])|(?<=[。！？])[」』）]*\s*",  # sentences
        r"\s+",  # words
    )
)
_WORDS = len(_BREAKS) - 1
_ITEM = re.compile(_BULLET)


def split(text: str, fits: Callable[[str], bool], mark: str = "") -> list[str]:
    """The text as parts that all fit, cut at the highest joint possible: paragraph, list item, line, sentence, word, grapheme cluster.

    A unit that fits into a part of its own is never cut, and a line that ends in a colon stays with what it introduces where both
    fit together. Whitespace around each part is dropped, nothing else. Raises `Unsupported` for a link or a cluster that is too long.
    Where the text begins with `mark`, every part does.
    """
    whole = text.strip()
    if mark and whole.startswith(mark):
        return [mark + part for part in split(whole.removeprefix(mark), lambda part: fits(mark + part))]
    return [whole] if fits(whole) else _packed(_units(whole, 0, fits), fits)


def opening(text: str, fits: Callable[[str], bool]) -> str:
    """As much of the beginning as fits and ends with a sentence or a whole list item; "" where not even the first of them fits.

    For the part that most read alone. A line that introduces what follows is not left dangling at the end.
    """
    units: list[str] = []
    for unit in _whole_units(text.strip()):
        if not fits(_trimmed("".join([*units, unit]))):
            break
        units.append(unit)
    while units and len("".join(units)) < len(text.strip()) and units[-1].rstrip().endswith((":", "：")):
        units.pop()
    return _trimmed("".join(units))


def _whole_units(text: str, level: int = 0) -> Iterator[str]:
    """Sentences and whole list items, each with the whitespace after it."""
    if level == _WORDS or (level > 2 and _ITEM.match(text)):
        yield text
    else:
        for piece in _cut(text, _BREAKS[level]):
            yield from _whole_units(piece, level + 1)


def mark(message: Message) -> str:
    """What every part of the message begins with: a drill's mark, or nothing."""
    return DRILL_MARK if message.drill else ""


def graphemes(text: str) -> list[str]:
    """Its grapheme clusters (UAX #29), a few rare ones joined that could be parted, none parted that belong together."""
    starts = [i for i in range(len(text)) if i == 0 or _may_part(text, i)]
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units; a lone surrogate counts one."""
    return len(text) + sum(char > "\uffff" for char in text)


def neutralise_mentions(text: str, *, tags: bool = True, cashtags: bool = True, slashed: bool = False) -> str:
    """Puts a space where a platform would ping or tag: `@name` becomes `@ name`, `#tag` `# tag`, `$CASH` `$ CASH`.

    A tag behind a slash is one where `slashed` says so (on Telegram), else the end of a bare address. E-mail addresses, links with a
    scheme, numbers (`#12`, `$5`) and the permalink slot stay. Doing it twice changes nothing more.
    Where a mention may begin follows X, the widest (`.@name` pings there): twitter-text `conformance/extract.yml`.
    """
    wanted = [r"(?<![A-Za-z0-9_])[@＠](?=\w)", r"(?<=\b[Rr][Tt])[@＠](?=\w)(?![\w-]+\.\w)"]
    if tags:
        wanted.append(rf"(?<![\w&{'' if slashed else '/'}])[#＃](?=\w*[^\W\d])")
    if cashtags:
        wanted.append(r"(?<!\w)[$＄](?=[^\W\d])")
    pattern = rf"(?P<keep>{URL.pattern})|{'|'.join(wanted)}"
    return re.sub(pattern, lambda match: match[0] if match["keep"] else f"{match[0]} ", text)


def settled(text: str) -> str:
    """For comparing what a platform shows with what was sent: NFC, plain line ends, no spaces at a line's end or around the whole."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def unescaped(text: str) -> str:
    """Without the HTML entities that X and Reddit put for `&`, `<` and `>`; once, so that an entity that was sent stays one."""
    return re.sub("&(amp|lt|gt);", lambda match: {"amp": "&", "lt": "<", "gt": ">"}[match[1]], text)


def quoted(said: object, limit: int = 200) -> str:
    """What a platform said, fit for one line of ours: control characters and line ends as spaces, cut to `limit` characters, in “”."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(said)).split())
    return f"“{line[: limit - 1]}…”" if len(line) > limit else f"“{line}”"


def _packed(units: Iterator[tuple[str, bool]], fits: Callable[[str], bool]) -> list[str]:
    """Fills one part after the other with whole units."""
    parts: list[list[str]] = [[]]
    for unit, fresh in units:
        if parts[-1] and (fresh or not fits(_trimmed("".join([*parts[-1], unit])))):
            parts.append(_introduction(parts[-1], unit, fits))
        parts[-1].append(unit)
    joined = (_trimmed("".join(part)) for part in parts)
    return [part for part in joined if part]


def _trimmed(part: str) -> str:
    """Without the whitespace around it, but for a space that carries a mark."""
    bare = part.strip()
    return part[part.index(bare) - 1 :].rstrip() if bare and _extends(bare[0]) and not part.startswith(bare) else bare


def _introduction(part: list[str], following: str, fits: Callable[[str], bool]) -> list[str]:
    """Takes a last line ending in a colon out of the part, so that it leads the next one, if something else stays behind."""
    text = "".join(part)
    cut = text.rstrip().rfind("\n") + 1
    line = text[cut:]
    if text[:cut].strip() and line.rstrip().endswith((":", "：")) and _may_part(text, cut) and fits((line + following).strip()):
        part[:] = [text[:cut]]
        return [line]
    return []


def _units(text: str, level: int, fits: Callable[[str], bool]) -> Iterator[tuple[str, bool]]:
    """Units that fit and together are the text, each with the whitespace after it, and whether it should start a part.

    A sentence that has to be cut into words starts one, lest its first words dangle at the end of something else.
    """
    if fits(_trimmed(text)):
        yield text, False
    elif level == len(_BREAKS):
        yield from ((atom, False) for atom in _atoms(text, fits))
    else:
        for number, piece in enumerate(_cut(text, _BREAKS[level])):
            for place, (unit, fresh) in enumerate(_units(piece, level + 1, fits)):
                yield unit, fresh or (level == _WORDS and number == place == 0)


def _cut(text: str, joint: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in joint.finditer(text):
        end = match.end()
        if start < end < len(text) and _may_part(text, end):
            yield text[start:end]
            start = end
    yield text[start:]


def _atoms(word: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """A word too long for a part: its links whole, the rest in the longest runs of clusters that fit."""
    start = 0
    for match in [*_WHOLE.finditer(word), None]:
        yield from _runs(graphemes(word[start : match.start() if match else len(word)]), fits)
        if match:
            yield _fitting(match[0], fits)
            start = match.end()


def _runs(clusters: list[str], fits: Callable[[str], bool]) -> Iterator[str]:
    start = 0
    while start < len(clusters):
        end, step = start + 1, 1
        _fitting(clusters[start], fits)
        while step:  # doubles while it fits, then halves: some ten looks a run
            if end + step <= len(clusters) and fits("".join(clusters[start : end + step])):
                end, step = end + step, step * 2
            else:
                step //= 2
        yield "".join(clusters[start:end])
        start = end


def _fitting(atom: str, fits: Callable[[str], bool]) -> str:
    if not fits(atom):
        raise Unsupported(f"{quoted(atom, 40)} is too long for a post by itself: shorten it, or put a space where it may be cut.")
    return atom


_EXTENDERS = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f")
_PREPENDED = re.compile(
    "[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U000113d1\U0001193f\U00011941"
    "\U00011a3a\U00011a84-\U00011a89\U00011d46\U00011f02]"
)
_HANGUL_LEAD, _HANGUL_ANY = re.compile("[\u1100-\u115f\ua960-\ua97c]"), re.compile("[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb]")
_HANGUL_TAIL = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char)[0] == "M"
        or char in _EXTENDERS
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _may_part(text: str, index: int) -> bool:
    """Whether a cluster may end before `index` (0 < index < len)."""
    before, after = text[index - 1], text[index]
    if before + after == "\r\n":
        return False
    if _extends(after) or before == "\u200d" or _PREPENDED.match(before):
        return False
    if _HANGUL_ANY.match(before) and (_HANGUL_TAIL.match(after) or (_HANGUL_LEAD.match(before) and _HANGUL_ANY.match(after))):
        return False
    if _FLAG.match(before) and _FLAG.match(after):
        flags = len(text[:index]) - len(text[:index].rstrip("".join(map(chr, range(0x1F1E6, 0x1F200)))))
        return flags % 2 == 0
    return not (_conjunct(text, index) and unicodedata.category(after) == "Lo")


def _conjunct(text: str, index: int) -> bool:
    """Whether a virama stands among the marks before `index`, so that the next letter joins (GB9c, taken widely)."""
    while index > 0 and _extends(text[index - 1]):
        index -= 1
        if unicodedata.combining(text[index]) == 9:
            return True
    return False
