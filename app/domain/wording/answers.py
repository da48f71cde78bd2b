"""The three questions of a reader, and where to look next: am I affected, what do I do, and if not; who says it, and when again.

They are asked of English texts. In another language the structured answers alone tell; what they lack is a hint, never a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.domain.announcement import Kind
from app.domain.wording.acts import NOT, acts, says_what_to_do
from app.domain.wording.news import says_when_next, says_where_next
from app.domain.wording.readers import names_others, says_who
from app.domain.wording.rule import Draft, Rule, Severity, Spot

_ASKED = frozenset({Kind.INITIAL, Kind.REPORT_ANSWER, Kind.SUMMARY})


def _missing(draft: Draft, answer: str, said: bool, told: str) -> Iterator[Spot]:
    """The finding that something is missing: milder where the structured answer is filled or the language is not known."""
    end = len(draft.text)
    if draft.english is None:
        if not answer:
            yield Spot(end, end, f"{told} (The checks do not know this language: fill in the answer.)", severity="info")
    elif not said:
        severity: Severity | None = "warn" if answer else None
        yield Spot(end, end, f"{told} The answer beside the text says it, the text does not." if answer else told, severity=severity)


def _affected_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and says_who(draft.english)
    yield from _missing(
        draft, draft.answers.affected, said, "A reader cannot tell whether they are affected. Say who is, or how to find out."
    )


def _action_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and says_what_to_do(draft.english)
    told = "Whoever is affected is not told what to do now. Say it; if nothing can be done, say that."
    yield from _missing(draft, draft.answers.if_affected, said, told)


def _unaffected_missing(draft: Draft) -> Iterator[Spot]:
    said = draft.english is not None and names_others(draft.english)
    yield from _missing(
        draft, draft.answers.if_not_affected, said, "Nothing is said to those who are not affected: who they are, what to do or leave."
    )


_GREETING = re.compile(
    r"\W*(?:subject:.*|(?:hi|hello|hey|dear|good (?:morning|evening|afternoon|day)|gm|g'day|greetings|to)\b[^.!?\n]{0,60}[,.!:]?$)", re.I
)


def _affected_not_first(draft: Draft) -> Iterator[Spot]:
    english = draft.english
    for sentence in english.sentences if english else ():
        words = re.findall(r"\w+", sentence.text)
        if len(words) <= 3 or _GREETING.match(sentence.text):
            continue
        if english and not says_who(english, sentence.text) and not acts(sentence) and not NOT.match(sentence.text):
            yield Spot(sentence.start, sentence.end, "This comes before who is affected. Begin with who is, and what they do.")
        return


def _single_source_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not says_where_next(draft.english):
        yield Spot(len(draft.text), len(draft.text), "Readers do not learn where further updates will be. Say it: “Updates only here.”")


def _next_update_missing(draft: Draft) -> Iterator[Spot]:
    if draft.english and not says_when_next(draft.english):
        yield Spot(
            len(draft.text), len(draft.text), "Readers do not learn when to look again. Give the time of the next update, with its zone."
        )


def _named(product: str, text: str) -> bool:
    """Whether it is there by its name, or by all its words at least."""
    words = text.casefold()
    return product.casefold() in words or all(re.search(rf"(?<!\w){re.escape(word)}", words) for word in product.casefold().split())


def _product_unnamed(draft: Draft) -> Iterator[Spot]:
    products, affected = draft.known.products, draft.known.affected_products
    if len(products) > 1 and affected and not any(_named(product, draft.text) for product in affected):
        yield Spot(len(draft.text), len(draft.text), f"You have several products, and the text names none of these: {', '.join(affected)}.")


_GUIDE = "guide to crisis communication of security incidents: who, what now, what not, where next"

AFFECTED_MISSING = Rule(
    "affected-missing", "block", "A reader cannot tell who is affected, nor how to find out.", _GUIDE,
    "Move your funds to a new wallet now.", "If you used Example Web today, move your funds to a new wallet now.",
    _affected_missing, _ASKED, whole=True,
)  # fmt: skip
ACTION_MISSING = Rule(
    "action-missing", "block", "An affected reader is not told what to do now; what not to do is not enough.", _GUIDE,
    "If you used Example Web today, you may be affected.", "If you used Example Web today, move your funds to a new wallet now.",
    _action_missing, _ASKED, whole=True,
)  # fmt: skip
UNAFFECTED_MISSING = Rule(
    "unaffected-missing", "warn", "Nothing is said to those who are not affected.", _GUIDE,
    "If you used Example Web, change your password.", "If you used Example Web, change your password. Everyone else is not affected.",
    _unaffected_missing, frozenset({Kind.INITIAL, Kind.REPORT_ANSWER}), whole=True,
)  # fmt: skip
AFFECTED_NOT_FIRST = Rule(
    "affected-not-first", "warn", "The first sentence tells what happened, before who is affected.", _GUIDE,
    "Attackers took over our site. If you used it, change your password.", "If you used our site today, change your password.",
    _affected_not_first, frozenset({Kind.INITIAL}), whole=True,
)  # fmt: skip
SINGLE_SOURCE_MISSING = Rule(
    "single-source-missing", "warn", "It does not say where further updates will be.", _GUIDE,
    "If you used Example Web, change your password.", "If you used Example Web, change your password. Updates only here.",
    _single_source_missing, frozenset({Kind.INITIAL}), whole=True,
)  # fmt: skip
NEXT_UPDATE_MISSING = Rule(
    "next-update-missing", "warn", "There is no time of the next update.", _GUIDE,
    "We will keep you informed.", "The next update is here at 10:30 UTC.",
    _next_update_missing, frozenset({Kind.INITIAL, Kind.UPDATE}), whole=True,
)  # fmt: skip
PRODUCT_UNNAMED = Rule(
    "product-unnamed", "warn", "The company has several products and the text names none of the affected ones.", _GUIDE,
    "There is a problem with our app.", "There is a problem with Example Web.",
    _product_unnamed, frozenset(Kind) - {Kind.HELP, Kind.CORRECTION}, whole=True,
)  # fmt: skip
RULES = (
    AFFECTED_MISSING,
    ACTION_MISSING,
    UNAFFECTED_MISSING,
    AFFECTED_NOT_FIRST,
    SINGLE_SOURCE_MISSING,
    NEXT_UPDATE_MISSING,
    PRODUCT_UNNAMED,
)
