"""English as the rules of meaning read it: sentences and clauses, and whether a text is English at all.

A text is English where enough of its words are function words that are common in English and in no other language of Latin letters, or
where nearly all of them are in the dictionary, as in a short one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain.wording.dictionary import known

LONGEST = 600
"""A sentence of more characters is read in pieces: patterns that look back and forth in it would take their time."""

ENOUGH = 0.12
"""The share of function words from which a text is English."""

FEWEST, NEARLY_ALL = 4, 0.85
"""How many words in small letters a text must have, and which share of them must be in the dictionary, to be English for that."""

FUNCTION_WORDS = frozenset([
    "whether", "whatever", "ever", "once", "yes",
    "the", "and", "you", "your", "yours", "are", "our", "ours", "this", "that", "these", "those", "not", "have", "will", "with", "from", "were", "it", "its",
    "please", "only", "here", "there", "been", "who", "whose", "but", "can", "could", "would", "may", "if", "they", "them", "their", "what", "when", "where",
    "now", "must", "should", "us", "any", "into", "or", "is", "was", "don't", "doesn't", "didn't", "won't", "isn't", "aren't", "we", "we're", "you're",
    "everyone", "anyone", "nobody", "nothing", "all", "other", "others", "at", "after", "before", "until", "since", "again", "no", "of", "for", "by", "how",
    "which", "than", "then", "does", "did", "more", "some", "every", "without", "through", "because", "about", "out", "down", "need", "never", "still",
    "while", "between", "to", "an", "be", "had", "over", "has",
])  # fmt: skip
_ONLY_ENGLISH = FUNCTION_WORDS - frozenset([
    "is", "was", "we", "at", "no", "of", "for", "by", "can", "may", "or", "all", "will", "were", "where", "here", "us", "on", "since", "until", "now", "to",
    "an", "be", "had", "over", "has",
])  # fmt: skip
_NO_NAME = re.compile(r"(?:v?\d[\d.:]*(?:am|pm|h)?|[a-z]\.[a-z])\.?", re.I)
"""A version, a time or an abbreviation, which somebody's eyes or software may take for a host."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE = re.compile(
    r"[^\n]*?(?:(?<!\b[ap]\.m)(?<!\be\.g)(?<!\bi\.e)(?<!\b[Nn]o)(?<!\b[MD]r)(?<!\bMrs)(?<!\b\d\.\d)(?<!\b\d\.\d\d)[.!?…]+[\"'”’)\]]*(?=\s|$)|\n|$)"
)
_CLAUSE = re.compile(r"[.;!?\n…—–]|:(?!//)|\s-\s|,?\s\b(?:but|instead|then|otherwise)\b")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the prose, with its place in the text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class English:
    """A text in English; `prose` is `without_links`."""

    prose: str
    sentences: tuple[Sentence, ...]

    @classmethod
    def of(cls, prose: str) -> English | None:
        """A text without its links, or None where it is not English."""
        words = [word.lower() for word in _WORD.findall(prose) if word != "https" and set(word) != {"x"}]
        common = sum(word in FUNCTION_WORDS for word in words)
        sure = sum(word in _ONLY_ENGLISH for word in words)
        told = bool(words) and common >= 0.2 * len(words) and sure >= ENOUGH * len(words)
        return cls(prose, tuple(_sentences(prose))) if told or _mostly_known(prose) else None

    @classmethod
    def whole(cls, words: str) -> English:
        """A piece of a text that is known to be English."""
        prose = words.replace("’", "'")
        return cls(prose, tuple(_sentences(prose)))

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether it is somewhere in the prose."""
        return pattern.search(self.prose) is not None

    def with_both(self, one: re.Pattern[str], other: re.Pattern[str]) -> bool:
        """Whether some sentence has both."""
        return any(one.search(sentence.text) and other.search(sentence.text) for sentence in self.sentences)


def without_names(text: str, names: Iterable[str]) -> str:
    """The text with these names blanked, character for character: “Yesterday's Tide” is no day."""
    for name in names:
        text = re.sub(re.escape(name), lambda found: "_" * len(found[0]), text, flags=re.I)
    return text


def _mostly_known(prose: str) -> bool:
    """Whether nearly all words are in the dictionary; those with a capital may be names, or a language's nouns."""
    words = [word for word in _WORD.findall(prose[:LONGEST]) if len(word) > 1 and word.islower() and word != "https" and set(word) != {"x"}]
    return len(words) >= FEWEST and sum(map(known, words)) >= NEARLY_ALL * len(words)


def without_links(text: str, links: Iterable[tuple[int, int]]) -> str:
    """The text with every link blanked and curly apostrophes straight, character for character."""
    prose = text.replace("’", "'")
    for start, end in links:
        if _NO_NAME.fullmatch(prose, start, end):
            continue
        length = end - start
        prose = prose[:start] + ("https://" + "x" * length if length > 8 else "x" * length)[:length] + prose[end:]
    return prose


def _sentences(prose: str) -> Iterator[Sentence]:
    for found in _SENTENCE.finditer(prose):
        start, end = found.span()
        while end - start > LONGEST:
            cut = prose.rfind(" ", start + 1, start + LONGEST) + 1 or start + LONGEST
            yield from _trimmed(prose, start, cut)
            start = cut
        yield from _trimmed(prose, start, end)


def _trimmed(prose: str, start: int, end: int) -> Iterator[Sentence]:
    text = prose[start:end].strip()
    if text:
        start += prose[start:end].index(text)
        yield Sentence(start, start + len(text), text)


def clauses(sentence: Sentence) -> Iterator[Sentence]:
    """The clauses of a sentence, as far as punctuation and words like “but” part them."""
    start = 0
    for cut in [*_CLAUSE.finditer(sentence.text), None]:
        end = cut.start() if cut else len(sentence.text)
        if sentence.text[start:end].strip():
            yield Sentence(sentence.start + start, sentence.start + end, sentence.text[start:end])
        start = cut.end() if cut else end


def pattern(*words: str) -> re.Pattern[str]:
    """Any of these expressions, as whole words, in whatever case."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.I)
