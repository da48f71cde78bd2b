"""Whether the first post of a thread holds the answers, which is all that most readers see.

A text is cut into posts in its author's order. Where that order puts an answer behind the cut, though all of them would fit before it,
an order is proposed that keeps every word: the sentences that answer come first, as they are. What cannot be moved alone moves with
its block: a list with its introduction, a sentence that leans on the one before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from app.domain.announcement import Kind
from app.domain.wording.acts import says_what_to_do
from app.domain.wording.english import English
from app.domain.wording.links import links, plain
from app.domain.wording.readers import names_others, says_who
from app.domain.wording.rule import ROOM, Draft, Rule, Spot

LINK = 23
"""What any link weighs on X."""

_LIGHT = re.compile(r"[\x00-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_BLOCK = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"\n\s*")
_SENTENCE = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’»)\]]))\s+(?![a-z])")
_LEANS = re.compile(
    r"(?:it|its|they|their|them|this|that|these|those|then|but|and|or|so|also|however|instead|otherwise|therefore|afterwards|he|she|there|which|both"
    r"|to do (?:so|that|this)|after (?:that|this)|if so|if not|if you (?:are|were|did|do|have|had)(?: not)?\s*[:,])(?!\w)",
    re.I,
)
_READERS = re.compile(
    r"\b(?:you|yours?|affected|impacted|at risk|vulnerable|exposed|everyone|everybody|anyone|users?|customers?|clients?|members?|holders?|developers?)\b",
    re.I,
)
_NEWS = re.compile(r"\W*(?:the |our )?(?:next|further|more|new) (?:update|news|information)", re.I)
"""What is no order to a reader, though it begins like one."""
_INSEPARABLE = re.compile(r"(?m)^\s*(?:[-*+•‣◦–—]|\(?\d{1,3}[.)])\s|[:：]\s*$")


@dataclass(frozen=True, slots=True)
class _Unit:
    """What moves as one: its words, the number of its block, which of the three questions it answers, and its weight."""

    text: str
    block: int
    answers: frozenset[str]
    weight: int


def room_of(parts: Iterable[str]) -> int:
    """How much a first part holds, as far as the parts of a thread show: as much as the longest, and never less than a post on X."""
    return max(ROOM, *map(weight, parts))


def weight(text: str) -> int:
    """Roughly as X weighs a text (twitter-text, config v3): characters outside its light ranges count two, a link 23."""
    total, at = 0, 0
    for link in sorted(links(plain(text)), key=lambda link: link.start):
        if link.start >= at:
            total += _characters(text[at : link.start]) + LINK
            at = link.end
    return total + _characters(text[at:])


def _characters(text: str) -> int:
    return sum(1 if _LIGHT.match(char) and unicodedata.category(char) != "So" else 2 for char in text)


def _first_part(draft: Draft) -> Iterator[Spot]:
    """The whole text, where an answer stands behind the cut and every one would fit before it."""
    if not draft.english or not draft.room or weight(draft.text) <= draft.room:
        return
    units = _units(draft.text)
    late = _answered(units) - _answered(_before(units, draft.room))
    first = [unit for at, unit in enumerate(units) if unit.answers - _answered(units[:at])]
    if late and len(_before(first, draft.room)) == len(first):
        unsaid = " and ".join(words for answer, words in _QUESTIONS.items() if answer in late)
        told = f"This goes out as a thread, and its first post, which most read alone, does not say {unsaid}. In this order it does."
        yield Spot(0, len(draft.text), told, _joined(first, [unit for unit in units if unit not in first]))


_QUESTIONS = {"who": "who is affected", "what": "what to do", "others": "what everyone else does"}


def _answered(units: list[_Unit]) -> set[str]:
    return {answer for unit in units for answer in unit.answers}


def _before(units: list[_Unit], room: int) -> list[_Unit]:
    """The units that stand in the first part, each with two characters between."""
    ends = accumulate(unit.weight + 2 for unit in units)
    return [unit for unit, end in zip(units, ends, strict=True) if end - 2 <= room]


def _joined(first: list[_Unit], others: list[_Unit]) -> str:
    """What comes first as a block of its own; the others in the blocks that they had."""
    text = ""
    for before, unit in pairwise([None, *first, None, *others]):
        if unit:
            block = before and "\n" not in before.text + unit.text and (unit in first or before.block == unit.block)
            text += (" " if block else "\n\n" if text else "") + unit.text
    return text


def _units(text: str) -> list[_Unit]:
    cut: list[tuple[str, int]] = []
    for block, words in enumerate(part.strip() for part in _BLOCK.split(text.strip())):
        cut += [(piece, block) for piece in ([words] if _INSEPARABLE.search(words) else _sentences(words))]
    told = [_told(piece) for piece, _ in cut]
    if any(OUTRIGHT in answers for answers in told):  # then a mere “do not” is no answer for the others
        told = [answers - {"others"} | ({"others"} if OUTRIGHT in answers else set()) for answers in told]
    return [_Unit(piece, block, answers - {OUTRIGHT}, weight(piece)) for (piece, block), answers in zip(cut, told, strict=True)]


def _sentences(block: str) -> list[str]:
    """Its sentences; one that leans on the one before it stays with it."""
    found: list[str] = []
    for sentence in filter(None, map(str.strip, _SENTENCE.split(_LINE.sub(" ", block)))):
        if found and _LEANS.match(sentence):
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
    return found


OUTRIGHT = "others, outright"


def _told(words: str) -> frozenset[str]:
    """Which of the questions these words answer by themselves."""
    english, outright = English.whole(words), names_others(English.whole(words), outright=True)
    what = says_what_to_do(english) and not _NEWS.match(words)
    who = says_who(english) and bool(_READERS.search(words)) and (what or not outright)
    told = {"who": who, "what": what, "others": names_others(english), OUTRIGHT: outright}
    return frozenset(question for question, yes in told.items() if yes)


FIRST_PART = Rule(
    "first-part-incomplete",
    "warn",
    "The text is cut into a thread, and the author's order puts an answer behind the first post, though all would fit into it.",
    "most readers see the first post of a thread alone; twitter-text config v3: 280 weighted characters",
    (
        "If you used Example Web since 07:10 UTC today, move your funds to a new wallet now. We found a script in our page that sends what you type to a"
        " stranger, took the page down at 07:52 UTC, and work with two other companies to find out how it came there and who put it there. Everyone else is not"
        " affected."
    ),
    (
        "If you used Example Web since 07:10 UTC today, move your funds to a new wallet now. Everyone else is not affected. We found a script in our page that"
        " sends what you type to a stranger, took the page down at 07:52 UTC, and work with two other companies to find out how it came there and who put it"
        " there."
    ),
    _first_part,
    frozenset({Kind.INITIAL, Kind.UPDATE, Kind.REPORT_ANSWER, Kind.SUMMARY}),
    whole=True,
)
RULES = (FIRST_PART,)
