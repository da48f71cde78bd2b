"""The rule about spelling. Of English texts, American or British.

A word counts as misspelt where no dictionary knows it and a known word is one slip of the fingers away: a letter too many, missing, wrong or
swapped. A word that resembles nothing is jargon or a name. What is no prose is left alone: names, handles, hosts, files, code, words with
capitals or digits, and the words beside a hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from app.domain.wording.dictionary import known, listed
from app.domain.wording.rule import Draft, Rule, Spot

MOST = 20
"""Unknown words that are looked at in one text: whoever has so many reads the text again."""

_WORD = re.compile(r"(?<![\w@#/\\$%&=<>{}'.:+*~^|`-])[A-Za-z]?[a-z]+(?:'[a-z]+)?(?![\w@/\\&=<>{}+~^|`-]|[.:'*]\w|\(\))")
_CODE = re.compile(r"`[^`\n]*`|<[^<>\n]{1,200}>|^(?: {4}|\t|[$>] ).*$", re.M)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@lru_cache(maxsize=4096)
def _meant(word: str) -> str:
    """The known word that is one slip away, the likeliest slip first; "" where there is none."""
    return next((meant for meant in _slips(word) if meant != word and listed(meant)), "")


def _slips(word: str) -> Iterator[str]:
    """What may have been meant: letters swapped, doubled or not, one missing, too many or wrong. The first letter is seldom the wrong one."""
    cuts = [(word[:place], word[place:]) for place in range(1, len(word) + 1)]
    yield from (one + two[1] + two[0] + two[2:] for one, two in cuts if len(two) > 1)
    yield from (one + one[-1] + two for one, two in cuts)
    yield from (one + two[1:] for one, two in cuts if two[:1] == one[-1])
    yield from (one + letter + two for one, two in cuts for letter in _LETTERS)
    if len(word) > 3:
        yield from (one + two[1:] for one, two in cuts if two)
    if len(word) > 4:
        yield from (one + letter + two[1:] for one, two in cuts if two for letter in _LETTERS)
        yield from (
            word[1] + word[0] + word[2:],
            word[1:],
            *(letter + word for letter in _LETTERS),
            *(letter + word[1:] for letter in _LETTERS),
        )


def _spelling(draft: Draft) -> Iterator[Spot]:
    if draft.english is None:
        return
    prose = _CODE.sub(lambda found: "_" * len(found[0]), draft.english.prose)
    names = {name.lower() for given in (*draft.known.products, *draft.fine, *draft.affected) for name in re.findall(r"[^\W\d_]+", given)}
    starts = {sentence.start for sentence in draft.english.sentences}
    unknown = (
        word
        for word in _WORD.finditer(prose)
        if _is_prose(word, starts) and word[0].lower() not in names and not known(word[0].lower()) and not known(word[0])
    )
    for word in islice(unknown, MOST):
        if meant := _meant(word[0].lower()):
            mend = meant.capitalize() if word[0][0].isupper() else meant
            yield Spot(*word.span(), f"“{word[0]}” is no word that the dictionary knows; did you mean “{mend}”?", mend)


def _is_prose(word: re.Match[str], starts: set[int]) -> bool:
    """Whether it is a word like any other: no blanked link; a capital within a sentence makes it a name."""
    return (word[0][0].islower() or word.start() in starts) and set(word[0]) != {"x"}


SPELLING = Rule(
    "spelling", "warn", "A misspelt word. Of English texts; names, handles, hosts, code and words of the field are none.",
    "the American dictionary of Hunspell; a mistake costs trust and is the mark of a fraud",
    "We are investigatting the probelm.", "We are investigating the problem.",
    _spelling,
)  # fmt: skip
RULES = (SPELLING,)
