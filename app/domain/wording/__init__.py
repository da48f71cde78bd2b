"""The wording checks: pure functions from a text and what is known of its incident to findings. A finding informs; only a `block` asks for
an override.

One rule is one unit (`rule.Rule`), and the catalogue of all is docs/wording.md. Ids and severities are fixed names that overrides use.
Rules about links, secrets, hidden characters and gaps hold in every language.
"""

from __future__ import annotations

from functools import lru_cache

from app.domain.announcement import Answers, Kind, Override
from app.domain.incident import Facts
from app.domain.wording import (
    afterwards,
    asks,
    characters,
    first_part,
    link_rules,
    private,
    reading,
    report,
    spelling,
    substance,
    times,
    tone,
)
from app.domain.wording import answers as answer_rules
from app.domain.wording.rule import ROOM, Draft, Finding, Known, Rule, Severity

__all__ = ["RULES", "RULE_IDS", "Finding", "Known", "Rule", "Severity", "check", "compared", "not_overridden"]

RULES: tuple[Rule, ...] = (
    *link_rules.RULES,
    *characters.RULES,
    *private.RULES,
    *asks.RULES,
    *answer_rules.RULES,
    *first_part.RULES,
    *times.RULES,
    *afterwards.RULES,
    *tone.RULES,
    *report.RULES,
    *spelling.RULES,
    *reading.RULES,
    *substance.RULES,
)

RULE_IDS = frozenset(rule.id for rule in RULES)

_ORDER: tuple[Severity, ...] = ("block", "warn", "info")


def check(
    text: str, facts: Facts | Known, kind: Kind = Kind.UPDATE, answers: Answers | None = None, *, whole: bool = True, room: int = ROOM
) -> tuple[Finding, ...]:
    """All findings of all rules, blocks first, then by place. A part or a pointer is not `whole`: nothing is missed in it.

    `room` is what the first post of the thread holds that the text becomes, in weighted characters; 0 where it is one post everywhere.
    """
    return _checked(text, Known.of(facts) if isinstance(facts, Facts) else facts, kind, answers or Answers(), whole, room)


@lru_cache(maxsize=512)
def _checked(text: str, known: Known, kind: Kind, answers: Answers, whole: bool, room: int) -> tuple[Finding, ...]:
    """The same words are looked at again and again: when they are shown, signed and sent."""
    draft = Draft(text, known, kind, answers, room=room)
    found = [finding for rule in RULES if whole or not rule.whole for finding in rule.findings(draft)]
    return tuple(sorted(found, key=lambda finding: (_ORDER.index(finding.severity), finding.start)))


def compared(text: str, canonical: str, facts: Facts, kind: Kind) -> tuple[Finding, ...]:
    """What a destination's text says otherwise than the announcement's text."""
    return tuple(substance.SAYS_OTHERWISE.findings(Draft(text, Known.of(facts), kind, canonical=canonical)))


def not_overridden(findings: tuple[Finding, ...], overrides: tuple[Override, ...]) -> tuple[Finding, ...]:
    """The blocks that no override names; while there are any, the revision cannot be approved."""
    return tuple(
        finding
        for finding in findings
        if finding.severity == "block"
        and not any(o.rule == finding.rule and o.excerpt in ("", finding.excerpt) and o.reason.strip() for o in overrides)
    )
