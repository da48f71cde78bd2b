"""One update of an incident: its kinds, its states, and what an author hands in.

An announcement has revisions; a revision is immutable and its exact form is a manifest (`app.domain.manifest`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MAX_TEXT = 20_000
"""Characters of a canonical text. Longer ones belong on the blog, with a link."""


class Kind(StrEnum):
    """What an announcement is within its incident; see docs/glossary.md."""

    INITIAL = "initial"
    UPDATE = "update"
    RESOLUTION = "resolution"
    SUMMARY = "summary"
    POSTMORTEM = "postmortem"
    REPORT_ANSWER = "report-answer"
    HELP = "help"
    CORRECTION = "correction"


class AnnouncementState(StrEnum):
    """Where an announcement stands. Only APPROVED and SENDING ones are ever sent from; from SEALED, one person leads to APPROVED."""

    DRAFT = "draft"  # pre-filled by Tocsin; nobody was asked to sign yet
    AWAITING_APPROVAL = "awaiting_approval"
    RETURNED = "returned"  # rejected, or changes asked for: the revision is over, the author may revise
    SEALED = "sealed"  # two people signed it to be kept; it waits for one person of the roster to unseal it
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    INCOMPLETE = "incomplete"  # something was not posted or is undecided, and a person has to act
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # approved or not, its send window closed; only a new revision can go out


REVISABLE = frozenset({AnnouncementState.DRAFT, AnnouncementState.AWAITING_APPROVAL, AnnouncementState.RETURNED, AnnouncementState.EXPIRED})
CANCELLABLE = REVISABLE | {AnnouncementState.APPROVED}
EXPIRES = (CANCELLABLE | {AnnouncementState.SEALED}) - {AnnouncementState.EXPIRED}
"""What the clock ends that passes its send window, or its seal."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The three answers that readers need; each one sentence, or "" where the author gave none."""

    affected: str = ""
    if_affected: str = ""
    if_not_affected: str = ""


@dataclass(frozen=True, slots=True)
class Translation:
    """The same announcement in another language (BCP 47, like `de` or `pt-BR`), with its correction, where one is written in advance."""

    language: str
    text: str
    answers: Answers = field(default_factory=Answers)
    correction: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A signed reason to send in spite of a `block` finding: the rule, the words it found ("" for all of them), why."""

    rule: str
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class OwnText:
    """The author's own words for one destination: in place of the canonical text, or of the line of one that is only ever a pointer."""

    destination: str
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    """What an author hands in for one revision. `destinations` names those to use; empty means all."""

    text: str
    answers: Answers = field(default_factory=Answers)
    author: str = ""  # a person of the roster, or "" where only a machine token stands behind it
    destinations: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    clear_banner: bool = False  # once this is out, the banner is empty
    texts: Mapping[str, str] = field(default_factory=dict)  # own words by destination, see `OwnText`
    correction: str = ""  # written in advance, should this turn out to be wrong
    language: str = ""  # of the text, where it is told
    translations: tuple[Translation, ...] = ()  # for the destinations that speak another one
    sealed_until: str = ""  # ISO 8601 in UTC: it is to be sealed until then, instead of going out once it is approved


def corrections(translations: tuple[Translation, ...]) -> tuple[Translation, ...]:
    """The corrections that were written in advance, each in its language."""
    return tuple(Translation(t.language, t.correction) for t in translations if t.correction)


TITLES: Mapping[Kind, str] = {
    Kind.INITIAL: "Security notice",
    Kind.UPDATE: "Security update",
    Kind.RESOLUTION: "Resolved",
    Kind.SUMMARY: "Summary",
    Kind.POSTMORTEM: "Post-mortem",
    Kind.REPORT_ANSWER: "Our answer",
    Kind.HELP: "Please help",
    Kind.CORRECTION: "Correction",
}
