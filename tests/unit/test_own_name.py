"""Tocsin's own name beside the company's: what is warned of on a quiet day, and what an incident takes away."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.approval import Decision, Statement
from app.domain.manifest import digest
from app.domain.roster import Person, PersonRole, Roster
from app.services.own_name import fallen, warning
from app.services.verification import judge
from app.settings import Settings
from app.store.approvals import ApprovalRow
from tests.browser.samples import FACTS, manifest
from tests.support.soft_passkey import SoftPasskey


@pytest.mark.parametrize(
    ("url", "own", "warned"),
    [
        ("https://tocsin.company.com", "company.com", True),
        ("https://tocsin.company.com", "www.company.com", True),  # one registration holds both
        ("https://company.com", "https://app.company.com/", True),
        ("https://tocsin.company.co.uk", "company.co.uk", True),
        ("https://tocsin.other.co.uk", "company.co.uk", False),
        ("https://company-alerts.com", "company.com", False),
        ("https://tocsin.company.example", "company.example", True),  # an ending that is on no public list
        ("https://tocsin.example", "company.example", False),
        ("https://TOCSIN.Company.com:8443", "x.example, company.com", True),
        ("http://localhost:8400", "company.com", False),
        ("https://192.0.2.7", "company.com", False),
        ("https://tocsin.company.com", "", False),
    ],
)
def test_a_name_that_hangs_on_the_companys_is_warned_of(url: str, own: str, warned: bool) -> None:
    told = warning(Settings(public_url=url, own_domains=own))
    assert bool(told) is warned
    assert not warned or "Give Tocsin a domain of its own" in told


@pytest.mark.parametrize(
    ("affected", "lost"),
    [
        (("company.com",), "company.com"),
        (("tocsin.company.com",), "tocsin.company.com"),
        (("x.example", "COMPANY.com."), "COMPANY.com."),
        (("app.company.com",), ""),  # one host of the company's was broken into, not its domain
        (("pany.com",), ""),
        ((), ""),
    ],
)
def test_a_name_falls_with_an_affected_domain_that_it_lies_in(affected: tuple[str, ...], lost: str) -> None:
    settings = Settings(public_url="https://tocsin.company.com")
    assert fallen(settings, affected) == lost


def test_right_before_sending_no_passkey_counts_for_an_incident_that_took_the_name() -> None:
    keys = {person: SoftPasskey.create("tocsin.company.com") for person in ("first-reviewer", "second-reviewer")}
    people = tuple(
        Person(person, person, f"{person}@status.example", frozenset({PersonRole.REVIEWER}), (key.passkey(),))
        for person, key in keys.items()
    )
    settings = Settings(public_url="https://tocsin.company.com")
    for affected, missing in ((("app.company.com",), 0), (("company.com",), 2)):
        asked = manifest(incident=replace(FACTS, affected_domains=affected))
        raw = asked.to_bytes()
        rows = []
        for person, key in keys.items():
            said = Statement(asked.announcement, asked.revision, "live", digest(raw), person, Decision.APPROVE, "A" * 22).to_bytes()
            signed = json.dumps({"statement": said.decode(), "signature": key.sign(said, settings.origin)})
            rows.append(ApprovalRow(asked.announcement, digest(raw), person, "approve", "passkey", signed, datetime.now(UTC)))
        assert judge(raw, rows, Roster(1, people), settings).quorum.missing == missing
