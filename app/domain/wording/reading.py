"""The rule about texts that are hard to read: people read them in a panic, on a phone, and often not in their first language.

The grade is Flesch and Kincaid's: years of school in the United States. Syllables are counted by groups of vowels; names of the incident's
products count as short words, so that a name makes no text harder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.domain.announcement import Kind
from app.domain.wording.rule import Draft, Rule, Spot

MOST_WORDS = 30
"""Words of one sentence."""

HIGHEST_GRADE = 11.0
"""Years of school that a text may ask for."""

ENOUGH_WORDS = 20
"""Words from which a grade means something."""

_TOKEN = re.compile(r"\S*[^\W_]\S*")
_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_VOWELS = re.compile(r"[aeiouyà-öø-ü]+")


def grade(sentences: int, words: list[str]) -> float:
    """Flesch and Kincaid's grade of a text with so many sentences and these words, in lower case."""
    return 0.39 * len(words) / sentences + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word))
    silent = (word.endswith("e") and not word.endswith(("le", "ee", "ye", "oe"))) or word.endswith(
        ("tes", "ves", "nes", "mes", "res", "kes")
    )
    quiet = word.endswith("ed") and not word.endswith(("ted", "ded"))
    return max(1, groups - (silent or quiet))


def _hard_to_read(draft: Draft) -> Iterator[Spot]:
    if draft.english is None:
        return
    read: list[str] = []
    for sentence in draft.english.sentences:
        if len(_TOKEN.findall(sentence.text)) > MOST_WORDS:
            yield Spot(sentence.start, sentence.end, f"This sentence has more than {MOST_WORDS} words. Make two of it.")
        read += _LETTERS.findall(sentence.text)
    names = {name.lower() for product in draft.known.products for name in _LETTERS.findall(product)}
    words = ["name" if word.lower() in names else word.lower() for word in read if word != "https" and set(word) != {"x"}]
    if len(words) >= ENOUGH_WORDS and (found := grade(len(draft.english.sentences), words)) > HIGHEST_GRADE:
        end = len(draft.text)
        yield Spot(end, end, f"It reads like grade {found:.0f} of school. Write shorter sentences, and shorter words.")


HARD_TO_READ = Rule(
    "hard-to-read", "info", f"A sentence of more than {MOST_WORDS} words, or a text above grade {HIGHEST_GRADE:.0f}.",
    "Flesch and Kincaid's grade; people in a panic read worse than they can",
    "The unauthorised modification of our authoritative configuration necessitates a precautionary revocation of the authentication credentials of all administrators who authenticated before it was rectified.",
    "If you signed in today, change your password. Somebody may have seen it. If you did not sign in, you are fine and need not do anything.",
    _hard_to_read, frozenset({Kind.INITIAL, Kind.UPDATE, Kind.RESOLUTION}), whole=True,
)  # fmt: skip
RULES = (HARD_TO_READ,)
