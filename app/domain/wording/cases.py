"""Labelled messages: what the checks must say of each, and what they said. A case counts as wrong where an id that was expected is missing,
one that was forbidden is found (without a list of those, any other block), or whether it is blocked differs.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.domain.announcement import Kind
from app.domain.wording import RULE_IDS, check
from app.domain.wording.rule import Known

_LISTS = ("products", "affected_products", "own_domains", "affected_domains", "allowed_domains")


class CaseError(ValueError):
    """This is no labelled message; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled message; `forbid` is None where every block outside `expect` is forbidden."""

    id: str
    kind: Kind
    known: Known
    text: str
    blocked: bool
    expect: frozenset[str]
    forbid: frozenset[str] | None

    @classmethod
    def parse(cls, raw: Any) -> Case:
        """From a mapping as it stands in a file. Raises `CaseError`."""
        try:
            forbid = frozenset(raw["forbid"]) if "forbid" in raw else None
            kind, known = Kind(raw["kind"]), _known(raw["incident"])
            return cls(str(raw["id"]), kind, known, str(raw["text"]), bool(raw["blocked"]), frozenset(raw["expect"]), forbid)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = raw.get("id", "without an id") if isinstance(raw, Mapping) else str(raw)[:40]
            raise CaseError(f"The case {name} is not in the form of a labelled message: {error!r}.") from error


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks said of a case: ids that are missing, ids that should not be there, whether it is blocked."""

    case: Case
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    blocked: bool

    @property
    def right(self) -> bool:
        """Whether all is as labelled."""
        return not self.missing and not self.unexpected and self.blocked == self.case.blocked


def judge(case: Case) -> Verdict:
    """Runs the checks on one case."""
    findings = check(case.text, case.known, case.kind)
    found = {finding.rule for finding in findings}
    blocks = {finding.rule for finding in findings if finding.severity == "block"}
    unexpected = blocks - case.expect if case.forbid is None else found & case.forbid
    return Verdict(case, tuple(sorted(case.expect - found)), tuple(sorted(unexpected)), bool(blocks))


def by_rule(verdicts: list[Verdict]) -> dict[str, dict[str, int]]:
    """For each rule: how often it was `expected`, and how often it was `missing` or `unexpected`."""
    expected = Counter(rule for verdict in verdicts for rule in verdict.case.expect)
    missing = Counter(rule for verdict in verdicts for rule in verdict.missing)
    unexpected = Counter(rule for verdict in verdicts for rule in verdict.unexpected)
    rules = sorted({*RULE_IDS, *expected, *unexpected})
    return {rule: {"expected": expected[rule], "missing": missing[rule], "unexpected": unexpected[rule]} for rule in rules}


def _known(raw: Mapping[str, Any]) -> Known:
    given: dict[str, Any] = {name: tuple(map(str, raw.get(name) or ())) for name in _LISTS}
    zone = str(raw.get("time_zone") or "UTC")
    return dataclasses.replace(Known(time_zone=zone, started=_time(raw.get("started")), ended=_time(raw.get("ended"))), **given)


def _time(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value or "")
