"""What judges foreign bytes, fed with mutations of good ones: it refuses in its own words, and takes nothing that was not signed.

Single changed bytes, forms and fields are tried beside each verifier (`test_sshsig.py`, `test_passkey.py`, `test_approval.py` and
others); here whole approvals, manifests and rosters are cut, doubled, mixed and overwritten.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.approval import Approval, ApprovalRefused, Statement
from app.domain.manifest import ManifestError, digest
from app.domain.roster import Roster, RosterError, person_entry
from app.services.verification import judge
from app.store.approvals import ApprovalRow
from tests.browser.samples import manifest
from tests.unit.test_approval import FIRST, ORIGIN, PHONE, RAW, ROSTER, RP_ID, SECOND, STATEMENT, by_passkey, by_ssh, check

MANIFEST = manifest(roster_version=1, author="first-reviewer").to_bytes()
ABOUT: dict[str, Any] = {"announcement": "an_7f3k2m", "revision": 2, "environment": "live", "digest": digest(MANIFEST)}
SAYS = [replace(STATEMENT, **ABOUT), replace(STATEMENT, **ABOUT, person="second-reviewer")]
APPROVALS = [by_passkey(SAYS[0], PHONE).to_json(), by_ssh(SAYS[1], 3).to_json()]
SETTINGS: Any = SimpleNamespace(origin=ORIGIN, rp_id=RP_ID, public_url=ORIGIN, cli_signature=False)
GOOD = [RAW, MANIFEST, *(approval.encode() for approval in APPROVALS), person_entry(FIRST).encode(), b"version = 1\n"]
TRIED = settings(deadline=None, max_examples=150)


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """A few of: bytes overwritten, taken out, doubled, or taken from another good one."""
    raw = seed
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted(draw(st.tuples(st.integers(0, len(raw)), st.integers(0, len(raw)))))
        end = min(end, at + draw(st.sampled_from([1, 2, 8, 64, len(raw)])))
        other = draw(st.sampled_from(GOOD))
        start = draw(st.integers(0, len(other)))
        there = draw(st.one_of(st.binary(max_size=8), st.just(b""), st.just(2 * raw[at:end]), st.just(other[start : start + 64])))
        raw = raw[:at] + there + raw[end:]
    return raw


def row(approval: str) -> ApprovalRow:
    """As it would stand in the database, where columns count for nothing."""
    return ApprovalRow("an_7f3k2m", ABOUT["digest"], "nobody", "approve", "ssh", approval, datetime(2026, 11, 24, tzinfo=UTC))


def test_the_good_ones_are_taken() -> None:
    assert judge(MANIFEST, [row(approval) for approval in APPROVALS], ROSTER, SETTINGS).quorum.complete


@given(st.one_of(st.binary(), *map(mutated, (approval.encode() for approval in APPROVALS))))
@TRIED
def test_no_approval_says_what_its_person_did_not(raw: bytes) -> None:
    try:
        said = check(Approval.from_json(raw)).statement
    except ApprovalRefused:
        return
    assert said in SAYS


@given(st.one_of(st.binary(), mutated(RAW)))
@TRIED
def test_a_statement_is_its_own_bytes(raw: bytes) -> None:
    try:
        said = Statement.parse(raw)
    except ApprovalRefused:
        return
    assert said.to_bytes() == raw


@given(st.one_of(st.binary(), mutated(MANIFEST)))
@TRIED
def test_no_other_manifest_is_approved_by_these_signatures(raw: bytes) -> None:
    try:
        found = judge(raw, [row(approval) for approval in APPROVALS], ROSTER, SETTINGS)
    except ManifestError:
        return
    assert raw == MANIFEST or not found.standing


@given(
    st.lists(
        st.one_of(st.sampled_from(APPROVALS[:1]), *(mutated(a.encode()).map(lambda m: m.decode("latin-1")) for a in APPROVALS[:1])),
        max_size=6,
    )
)
@settings(deadline=None, max_examples=100)
def test_one_persons_signature_never_becomes_two(approvals: list[str]) -> None:
    assert not judge(MANIFEST, [row(approval) for approval in approvals], ROSTER, SETTINGS).quorum.complete


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(MANIFEST))), JSON)
@TRIED
def test_a_field_of_another_kind_is_no_failure(field: str, value: Any) -> None:
    raw = json.dumps(json.loads(MANIFEST) | {field: value}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        found = judge(raw.encode("utf-8", "surrogatepass"), [row(approval) for approval in APPROVALS], ROSTER, SETTINGS)
    except ManifestError:
        return
    assert raw.encode() == MANIFEST or not found.standing


@given(st.one_of(st.binary(), mutated(b"version = 1\n" + person_entry(FIRST).encode() + b"\n" + person_entry(SECOND).encode())))
@TRIED
def test_no_roster_has_one_person_twice(raw: bytes) -> None:
    try:
        found = Roster.parse(raw.decode("utf-8", "surrogateescape"))
    except RosterError:
        return
    materials = [key.material for person in found.persons for key in person.keys]
    assert len(materials) == len(set(materials))
    assert found.threshold >= 2
