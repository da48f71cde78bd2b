"""Sealed manifests: what opens one, when, and for how long; as pure rules over statements that verify."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import seal
from app.domain.announcement import Answers, Kind
from app.domain.approval import Decision, Statement, Verified
from app.domain.incident import Facts
from app.domain.manifest import Manifest, ManifestError, Seal, digest
from app.domain.roster import Person, PersonRole

ZERO = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
ENDS = ZERO + timedelta(days=90)
SHUT = Seal(send_seconds=24 * 3600, banner_seconds=72 * 3600)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def manifest(**changed: Any) -> Manifest:
    sample = Manifest(
        environment="live",
        announcement="an_7f3k",
        revision=1,
        kind=Kind.INITIAL,
        incident=Facts("in_1", "Website", "website"),
        author="token:ops",
        submitted_by="token:ops",
        text="Do not use our website until we say here that it is safe.",
        answers=Answers(),
        destinations=(),
        primaries=(),
        overrides=(),
        not_before="",
        not_after=iso(ENDS),
        banner_until="",
        roster_version=1,
        created_at=iso(ZERO),
        seal=SHUT,
    )
    return replace(sample, **changed)


SEALED = manifest()


def person(*roles: PersonRole) -> Person:
    return Person("somebody", "Somebody", "somebody@status.example", frozenset(roles))


def says(moment: datetime, decision: Decision = Decision.UNSEAL, who: Person | None = None) -> Verified:
    who = who or person(PersonRole.REVIEWER)
    at = moment.strftime("%Y-%m-%dT%H:%M:%SZ") if decision is Decision.UNSEAL else ""
    statement = Statement("an_7f3k", 1, "live", digest(SEALED.to_bytes()), who.id, decision, "A" * 22, at=at)
    return Verified(who, decision, "ssh", "SHA256:x", statement)


def test_a_manifest_without_a_seal_is_open_as_it_is() -> None:
    plain = manifest(seal=None)
    assert seal.opened(plain, []) is plain


def test_its_window_and_its_banner_count_from_the_unsealing() -> None:
    night = ZERO + timedelta(days=40, hours=20)
    found = seal.opened(SEALED, [says(night)])
    assert (found.not_before, found.not_after) == (iso(night), iso(night + timedelta(hours=24)))
    assert found.banner_until == iso(night + timedelta(hours=72))
    assert replace(found, not_before="", not_after=SEALED.not_after, banner_until="") == SEALED, "nothing else is another"


def test_the_seals_date_ends_it_whenever_it_was_unsealed() -> None:
    late = ENDS - timedelta(minutes=10)
    assert seal.opened(SEALED, [says(late)]).not_after == SEALED.not_after


def test_a_cleared_banner_stays_cleared() -> None:
    assert seal.opened(manifest(seal=replace(SHUT, banner_seconds=0)), [says(ZERO)]).banner_until == ""


@pytest.mark.parametrize(
    "said",
    [
        [],
        [says(ENDS)],
        [says(ENDS + timedelta(days=1))],
        [says(ZERO, who=person(PersonRole.ADMIN))],
        [says(ZERO, Decision.APPROVE), says(ZERO, Decision.REJECT), says(ZERO, Decision.REQUEST_CHANGES)],
    ],
    ids=["nobody", "at its end", "after its end", "who only administers", "no unseal"],
)
def test_it_stays_sealed(said: list[Verified]) -> None:
    with pytest.raises(seal.Sealed):
        seal.opened(SEALED, said)


@given(
    st.lists(
        st.tuples(
            st.integers(-10, 200 * 24 * 60),
            st.sampled_from(Decision),
            st.sets(st.sampled_from(PersonRole), min_size=1).map(lambda roles: person(*roles)),
        ),
        max_size=6,
    )
)
def test_what_opens_it_is_always_an_unseal_in_time_by_somebody_who_counts(said: list[tuple[int, Decision, Person]]) -> None:
    verified = [says(ZERO + timedelta(minutes=minutes), decision, who) for minutes, decision, who in said]
    good = [one for one in verified if one.decision is Decision.UNSEAL and one.person.counts and one.statement.moment < ENDS]
    if not good:
        with pytest.raises(seal.Sealed):
            seal.opened(SEALED, verified)
        return
    found = seal.opened(SEALED, verified)
    assert found.not_before == iso(max(one.statement.moment for one in good))
    assert found.not_before < found.not_after <= SEALED.not_after
    assert seal.opened(SEALED, reversed(verified)) == found, "the order of rows changes nothing"


def test_a_sealed_manifest_is_read_back_and_its_seal_is_under_the_digest() -> None:
    inner = manifest(announcement="an_7f3k-correction", kind=Kind.CORRECTION, seal=replace(SHUT, corrects="an_7f3k"))
    outer = manifest(seal=replace(SHUT, correction=inner.to_bytes().decode()))
    assert Manifest.parse(outer.to_bytes()) == outer
    assert outer.seal
    assert Manifest.parse(outer.seal.correction.encode()) == inner
    assert len({digest(one.to_bytes()) for one in (outer, SEALED, manifest(seal=None), manifest(not_after=iso(ZERO)))}) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        SEALED.to_bytes().replace(b'"send_seconds":86400', b'"send_seconds":"86400"'),
        SEALED.to_bytes().replace(b'"send_seconds":86400', b'"send_seconds":-1'),
        SEALED.to_bytes().replace(b'"corrects":""', b'"corrects":1'),
        SEALED.to_bytes().replace(b'"corrects":""', b'"corrects":"","more":1'),
        SEALED.to_bytes().replace(SEALED.not_after.encode(), b""),
        SEALED.to_bytes().replace(SEALED.not_after.encode(), b"2027-02-22T07:00:00"),
    ],
)
def test_a_seal_of_another_form_is_no_manifest(wrong: bytes) -> None:
    with pytest.raises(ManifestError):
        Manifest.parse(wrong)


def test_its_end_is_told_two_weeks_before_and_of_a_short_one_at_half_its_time() -> None:
    assert seal.warned_at(ZERO, ENDS) == ENDS - timedelta(days=14)
    assert seal.warned_at(ZERO, ZERO + timedelta(days=10)) == ZERO + timedelta(days=5)
