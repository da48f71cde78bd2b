"""What a rule is, what it looks at, and what it finds.

A rule is one small unit: it reads a `Draft` and yields `Spot`s. Whatever two rules both need is made once, in the draft.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.domain.wording.english import English, without_links
from app.domain.wording.links import Link, links, plain
from app.domain.wording.names import bare_host, within

Severity = Literal["block", "warn", "info"]

ROOM = 280
"""What the shortest post there is holds, in weighted characters (X)."""

AFTERWARDS = frozenset({Kind.RESOLUTION, Kind.SUMMARY, Kind.POSTMORTEM})
"""Kinds that are written when the incident is over: the company's own domains are safe again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: the words (`excerpt`), where they stand (`start`, `end` in characters) and what to do.

    `mend` is what may stand there instead, "" to take the words out, None where only a person knows.
    """

    rule: str
    severity: Severity
    message: str
    excerpt: str
    start: int
    end: int
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the text and what is wrong there; the rest of a finding is the rule's. `severity` is given where it is less than the rule's."""

    start: int
    end: int
    message: str
    mend: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the checks know of an incident. Domains are host names or addresses; times are ISO 8601 or ""."""

    products: tuple[str, ...] = ()
    affected_products: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    affected_domains: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    time_zone: str = "UTC"
    started: str = ""
    ended: str = ""
    sealed: bool = False  # the text goes out on a day that is not known yet

    @classmethod
    def of(cls, facts: Facts) -> Known:
        """What the facts of an incident tell; the hosts of its safe links are allowed."""
        allowed = tuple(host for host in map(bare_host, facts.safe_links) if host)
        own, affected = facts.own_domains, facts.affected_domains
        return cls(facts.products, facts.affected_products, own, affected, allowed, facts.time_zone, facts.started)


@dataclass(frozen=True)
class Draft:
    """A text with all that the rules need to know of it. `canonical` is the announcement's text, where this is one destination's; `room` is
    what the first post of its thread holds, 0 where it is one post.
    """

    text: str
    known: Known
    kind: Kind
    answers: Answers = field(default_factory=Answers)
    canonical: str = ""
    room: int = ROOM

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """All that a platform or a browser would make clickable."""
        return tuple(links(plain(self.text)))

    @cached_property
    def prose(self) -> str:
        """The text with every link blanked, character for character."""
        return without_links(self.text, [(link.start, link.end) for link in self.links])

    @cached_property
    def english(self) -> English | None:
        """The text as the rules of meaning read it, or None where it is in a language that they do not know."""
        return English.of(self.prose)

    @cached_property
    def fine(self) -> tuple[str, ...]:
        """The domains that may be linked, as far as they are not affected."""
        return tuple(filter(None, map(bare_host, (*self.known.own_domains, *self.known.allowed_domains))))

    @cached_property
    def affected(self) -> tuple[str, ...]:
        """The domains that may not be linked now: once the incident is over, only those that were never the company's."""
        affected = filter(None, map(bare_host, self.known.affected_domains))
        own = [host for host in map(bare_host, self.known.own_domains) if host]
        return tuple(d for d in affected if self.kind not in AFTERWARDS or not any(within(d, o) for o in own))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it finds, how grave that is, why, and an example of each.

    `whole` marks a rule that asks for something: it looks at the canonical text alone, for a pointer need not say everything. A `sealed`
    one looks only at what is to be sealed.
    `beside` is the canonical text of the examples, where the rule compares one destination's text with it.
    """

    id: str
    severity: Severity
    tells: str
    source: str
    bad: str
    good: str
    find: Callable[[Draft], Iterator[Spot]]
    kinds: frozenset[Kind] = frozenset(Kind)
    whole: bool = False
    beside: str = ""
    sealed: bool = False

    def findings(self, draft: Draft) -> Iterator[Finding]:
        """What it finds in a draft, in the order of the text."""
        if draft.kind in self.kinds and (draft.known.sealed or not self.sealed):
            for spot in self.find(draft):
                words = draft.text[spot.start : spot.end]
                yield Finding(self.id, spot.severity or self.severity, spot.message, words, spot.start, spot.end, spot.mend)
