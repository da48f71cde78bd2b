"""The rules about single characters and fixed forms: what nobody sees, mixed alphabets, gaps of a template, words that ping everyone.

Scripts and emoji are Unicode's own data (unicodedataplus).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from app.domain.wording.links import INVISIBLE, plain
from app.domain.wording.rule import Draft, Rule, Spot

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_RUN = re.compile(r"(?<!\S)\S*[^\x00-\x7f]\S*")
_FLAG_OF_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f")
_SOFT_HYPHEN = "\u00ad"
_MARKS_OF_DIRECTION = "\u200e\u200f\u061c"
_JOINERS = "\u200c\u200d"
_JOINING_ALPHABETS = frozenset(
    ["Arabic", "Syriac", "Mongolian", "Nko", "Mandaic", "Adlam", "Hanifi_Rohingya", "Sogdian", "Phags_Pa", "Manichaean", "Psalter_Pahlavi"]
)
_STACKING = frozenset(
    [
        "Devanagari",
        "Bengali",
        "Gurmukhi",
        "Gujarati",
        "Oriya",
        "Tamil",
        "Telugu",
        "Kannada",
        "Malayalam",
        "Sinhala",
        "Khmer",
        "Myanmar",
        "Tibetan",
        "Thai",
        "Lao",
        "Javanese",
        "Balinese",
        "Newa",
    ]
)
_UNITS = frozenset("μΩΔπ")  # beside Latin letters these are a unit or a quantity, not a disguise
_TOGETHER = ({"Latin", "Han", "Hiragana", "Katakana"}, {"Latin", "Han", "Bopomofo"}, {"Latin", "Han", "Hangul"})


def _hidden_characters(draft: Draft) -> Iterator[Spot]:
    text = draft.text
    flags = [found.span() for found in _FLAG_OF_TAGS.finditer(text)]
    for found in _INVISIBLE.finditer(text):
        place = found.start()
        if not _needed(text, place) and not any(start <= place < end for start, end in flags):
            name = unicodedata.name(found[0], f"U+{ord(found[0]):04X}")
            yield Spot(*found.span(), f"A character that nobody sees ({name}). Delete it.", "")
    linked = [(link.start, link.end) for link in draft.links]
    for run in _RUN.finditer(text):
        for start, end in _words(run):
            if _mixed(text[start:end]) and not any(a <= start < b for a, b in linked):
                yield Spot(start, end, "Letters of different alphabets in one word: one of them only looks right. Type it anew.")


def _needed(text: str, place: int) -> bool:
    """Whether a script or an emoji needs the invisible character at that place."""
    import unicodedataplus as ucd

    char, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if char == _SOFT_HYPHEN:
        return True
    if not before:
        return False
    if char in _MARKS_OF_DIRECTION:
        return _from_right_to_left(text[text.rfind("\n", 0, place) + 1 : (text.find("\n", place) + 1 or len(text) + 1) - 1])
    if char in _JOINERS:
        if char == "\u200d" and after and ucd.is_extended_pictographic(after):
            return _ends_emoji(text, place)
        return ucd.script(before) in _STACKING or bool(after and {ucd.script(before), ucd.script(after)} <= _JOINING_ALPHABETS)
    if "\ufe00" <= char <= "\ufe0f":
        return bool(ucd.is_emoji(before) or ucd.is_extended_pictographic(before) or ucd.script(before) in {"Han", "Myanmar", "Phags_Pa"})
    if "\U000e0100" <= char <= "\U000e01ef":
        return bool(ucd.script(before) == "Han")
    return "\u180b" <= char <= "\u180f" and bool(ucd.script(before) == "Mongolian")


@lru_cache(maxsize=8)
def _from_right_to_left(line: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL") for char in line if char not in _MARKS_OF_DIRECTION)


def _ends_emoji(text: str, place: int) -> bool:
    import unicodedataplus as ucd

    before = text[place - 1]
    if before == "\ufe0f" and place > 1:
        before = text[place - 2]
    return bool(ucd.is_extended_pictographic(before) or ucd.is_emoji_modifier(before))


def _words(run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The words in a run without white space: letters, the marks on them and digits."""
    start = None
    for offset, char in enumerate(run[0] + " "):
        inside = unicodedata.category(char)[0] in "LMN"
        if inside and start is None:
            start = offset
        elif not inside and start is not None:
            yield run.start() + start, run.start() + offset
            start = None


def _mixed(word: str) -> bool:
    """Whether a word is less than highly restrictive in the sense of UTS 39: its letters share no script, nor a usual set of scripts."""
    import unicodedataplus as ucd

    sets = [set(ucd.script_extensions(char)) for char in word if char not in _UNITS or word.isalpha() is False]
    sets = [_by_name(found) for found in sets]
    sets = [found for found in sets if not found & {"Common", "Inherited"}]
    if not sets or set.intersection(*sets):
        return False
    return not any(all(found & usual for found in sets) for usual in _TOGETHER)


_SHORT = {
    "Zyyy": "Common", "Zinh": "Inherited", "Latn": "Latin", "Grek": "Greek", "Cyrl": "Cyrillic", "Hani": "Han", "Hira": "Hiragana",
    "Kana": "Katakana", "Bopo": "Bopomofo", "Hang": "Hangul",
}  # fmt: skip


def _by_name(scripts: set[str]) -> set[str]:
    return {_SHORT.get(script, script) for script in scripts}


_GAP = (
    r"link|url|name|time|date|product|website|site|version|number|hash|address|insert|your|tbd|placeholder|details?|email|e-mail|phone|contact"
    r"|handle|channel|account|company|tutorial|extension|hours?|zone|reason|cause|who|what|when|where|how|amount|team|person|service|domain|text|title"
)
_BRACKETS = re.compile(r"(?<![\w\]!\[])\[(?P<words>[A-Za-z][^\[\]\n]{1,200})\](?![(\[:])")
_PLACEHOLDER = re.compile(
    r"\{\{[^{}\n]*\}\}|\*\|[A-Z_:]+\|\*|%%[\w ]+%%|(?<!\w)%[A-Z][A-Z_]+%|\[\[[\w .-]+\]\]|\$\{[^}\n]+\}|<<[\w .-]+>>|(?<![{$])\{[a-z]+(?:_[a-z]+)+\}(?!\})|<%[^%\n]*%>|\{%[^%\n]*%\}|<(?:[A-Z][A-Z0-9]*[ _-])*[A-Z][A-Z0-9]+>|<(?:insert|your|the) [^<>=\n]{2,60}>"
    r"|(?<![\w-])(?:TODO|TBD|FIXME|X{3,})(?![\w-])|\bCVE-\d{4}-X+\b|\bHH:MM\b|(?i:\bx\d?x?:xx\b|\b(?:xx|\?\?|\d\d):(?:xx|\?\?)(?!\w))|(?i:\blorem ipsum\b)"
)
_TAGS_OF_HTML = frozenset(
    [
        "A",
        "B",
        "BR",
        "CODE",
        "DIV",
        "EM",
        "HR",
        "I",
        "LI",
        "OL",
        "P",
        "PRE",
        "S",
        "SPAN",
        "STRONG",
        "SUB",
        "SUP",
        "TABLE",
        "TD",
        "TH",
        "TR",
        "U",
        "UL",
    ]
)


def _placeholder(draft: Draft) -> Iterator[Spot]:
    told = "A gap of a template was left in. Fill it or take it out."
    for found in _PLACEHOLDER.finditer(draft.text):
        if _in_code(draft.text, found):
            continue
        if found[0].strip("<>") not in _TAGS_OF_HTML and not (found[0] == "TODO" and _shouted(draft.text, found.end())):
            yield Spot(*found.span(), told)
    for found in _BRACKETS.finditer(draft.text):
        if _is_gap(found["words"], at_start=not draft.text[: found.start()].rpartition("\n")[2].strip()):
            yield Spot(*found.span(), told)


def _in_code(text: str, found: re.Match[str]) -> bool:
    """Whether it is between backticks and no name of a gap: then the text speaks of code."""
    line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
    return line.count("`") % 2 == 1 and re.fullmatch(r"\W*[A-Za-z_][\w .-]*\W*", found[0]) is None


def _shouted(text: str, end: int) -> bool:
    """Whether a word in capitals follows: then TODO is Spanish for everything."""
    return re.match(r"\s+[^\W\d_]{2,}", text[end:]) is not None and re.match(r"\s+[^\W\d_a-z]{2,}\b", text[end:]) is not None


def _is_gap(words: str, *, at_start: bool) -> bool:
    count = len(words.split())
    if re.search(rf"\b(?:{_GAP})\b", words, re.I):
        return True
    return count >= 3 and not (at_start and count < 5)


def _mass_mention(draft: Draft) -> Iterator[Spot]:
    seen = plain(draft.text)
    for found in re.finditer(
        r"(?<![\w.])@(?:everyone|here|channel|all)(?![\w-]|\.\w)|<!(?:everyone|here|channel)(?:\|[^>]*)?>", seen.text, re.I
    ):
        start, end = seen.span(*found.span())
        yield Spot(start, end, "This would ping every member. Take it out.", "")


HIDDEN_CHARACTERS = Rule(
    "hidden-characters",
    "block",
    "Characters that nobody sees, or letters of different alphabets within a word.",
    "UTS 39 (highly restrictive), UAX 31, UTS 51; CVE-2021-42574",
    "Your \u0430ccount is safe.",
    "Your account is safe.",
    _hidden_characters,
)
PLACEHOLDER = Rule(
    "placeholder",
    "block",
    "A leftover of a template.",
    "templates of holding statements: a gap that was sent is the first thing that is quoted",
    "Updates at [link]",
    "Updates on this account",
    _placeholder,
)
MASS_MENTION = Rule(
    "mass-mention",
    "block",
    "A word that pings everyone.",
    "Discord: mention everyone; Slack: @channel, @here",
    "@everyone builds run again.",
    "Builds run again for everyone.",
    _mass_mention,
)
RULES = (HIDDEN_CHARACTERS, PLACEHOLDER, MASS_MENTION)
