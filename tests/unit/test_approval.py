"""Approvals: two keys of two people over the same bytes, and nothing else, make a quorum."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import sshsig
from app.domain.approval import Approval, ApprovalRefused, Decision, SshSignature, Statement, Verified, challenge, quorum, verify
from app.domain.passkey import Assertion
from app.domain.roster import Person, PersonRole, Roster, SshKey, person_entry
from tests.support.soft_passkey import SoftPasskey

ORIGIN, RP_ID = "https://status.example", "status.example"
DIGEST = "sha256:" + "ab" * 32
STATEMENT = Statement("an_7f3k", 1, "live", DIGEST, "first-reviewer", Decision.APPROVE, "A" * 22)
RAW = STATEMENT.to_bytes()
AT = "2026-11-24T03:12:09Z"


def private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public(seed: int) -> SshKey:
    return SshKey.parse(private(seed).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


PHONE, OTHER_PHONE = SoftPasskey.create(RP_ID), SoftPasskey.create(RP_ID)


def person(person_id: str, *roles: PersonRole, keys: Any = ()) -> Person:
    return Person(person_id, person_id, f"{person_id}@status.example", frozenset(roles), tuple(keys))


FIRST = person("first-reviewer", PersonRole.REVIEWER, keys=[public(1), public(2), PHONE.passkey()])
SECOND = person("second-reviewer", PersonRole.REVIEWER, keys=[public(3), OTHER_PHONE.passkey()])
ROSTER = Roster.parse("version = 1\n" + person_entry(FIRST) + "\n" + person_entry(SECOND))


def by_ssh(statement: Statement, seed: int) -> Approval:
    return Approval(statement.to_bytes(), SshSignature(sshsig.sign(statement.to_bytes(), private(seed))))


def by_passkey(statement: Statement, soft: SoftPasskey, origin: str = ORIGIN, **options: Any) -> Approval:
    raw = statement.to_bytes()
    return Approval.from_json(json.dumps({"statement": raw.decode(), "signature": soft.sign(raw, origin, **options)}))


def check(approval: Approval, roster: Roster = ROSTER) -> Verified:
    return verify(approval, roster, origin=ORIGIN, rp_id=RP_ID)


# --- the statement


def test_a_statement_is_the_canonical_json_of_its_fields() -> None:
    assert RAW.decode() == (
        '{"announcement":"an_7f3k","comment":"","decision":"approve","digest":"' + DIGEST + '","environment":"live",'
        '"format":"tocsin-approval/1","nonce":"AAAAAAAAAAAAAAAAAAAAAA","person":"first-reviewer","revision":1}'
    )
    assert Statement.parse(RAW) == STATEMENT


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=50), st.sampled_from(Decision))
@settings(deadline=None)
def test_statements_are_read_back(comment: str, decision: Decision) -> None:
    statement = dataclasses.replace(STATEMENT, comment=comment, decision=decision, at=AT if decision is Decision.UNSEAL else "")
    assert Statement.parse(statement.to_bytes()) == statement


def test_an_unseal_says_when_it_was_signed_and_nothing_else_does() -> None:
    unseal = dataclasses.replace(STATEMENT, decision=Decision.UNSEAL, at=AT)
    assert unseal.to_bytes().startswith(b'{"announcement":"an_7f3k","at":"2026-11-24T03:12:09Z","comment":""')
    assert (Statement.parse(unseal.to_bytes()), unseal.moment) == (unseal, datetime(2026, 11, 24, 3, 12, 9, tzinfo=UTC))
    for wrong in ({"decision": Decision.UNSEAL}, {"at": AT}, {"decision": Decision.UNSEAL, "at": ""}):
        with pytest.raises(ApprovalRefused, match="'at'"):
            dataclasses.replace(STATEMENT, **wrong)
    for at in ("2026-11-24", "2026-13-24T03:12:09Z", "2026-11-24T03:12:09+01:00", "2026-11-24T03:12:09.5Z", "1999-11-24T03:12:09Z", 5):
        with pytest.raises(ApprovalRefused, match="'at'"):
            dataclasses.replace(unseal, at=at)  # type: ignore[arg-type]
    with pytest.raises(ApprovalRefused):  # an empty one is left out, so there is one form of the bytes
        Statement.parse(RAW.replace(b'"comment"', b'"at":"","comment"'))


WRONG: list[tuple[str, Any]] = [
    ("announcement", "7f3k"),
    ("announcement", "an_" + "x" * 65),
    ("announcement", "an_x\n"),
    ("comment", "x" * 2001),
    ("comment", "two\nlines"),
    ("comment", "\u202eturned"),
    ("comment", None),
    ("decision", "Approve"),
    ("decision", ["approve"]),
    ("digest", "sha256:" + "AB" * 32),
    ("digest", "sha512:" + "ab" * 32),
    ("digest", "sha256:" + "ab" * 31),
    ("environment", "test"),
    ("environment", {}),
    ("format", "tocsin-approval/2"),
    ("format", ["tocsin-approval/1"]),
    ("nonce", "A" * 21),
    ("nonce", "A" * 21 + "="),
    ("person", "First"),
    ("revision", 0),
    ("revision", True),
    ("revision", 1.0),
    ("revision", "1"),
    ("revision", 2**53),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_refused_by_name(field: str, value: Any) -> None:
    data = json.loads(RAW) | {field: value}
    with pytest.raises(ApprovalRefused, match=field):
        Statement.parse(json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def test_a_comment_may_be_2000_characters_of_any_width() -> None:
    assert Statement.parse(dataclasses.replace(STATEMENT, comment="🙂" * 2000).to_bytes()).comment == "🙂" * 2000


@pytest.mark.parametrize(
    "raw",
    [
        RAW + b"\n",
        b" " + RAW,
        RAW.replace(b'":"', b'": "', 1),
        RAW.replace(b"an_7f3k", b"an_7f3\\u006b"),
        RAW.replace(b'"revision":1', b'"revision":1e0'),
        RAW.replace(b'"revision":1', b'"revision":1,"revision":1'),
        RAW.replace(b'"comment":"",', b""),
        RAW.replace(b'"comment":"",', b'"comment":"","more":1,'),
        RAW.replace(b'"comment":""', b'"comment":"\\ud800"'),
        RAW.replace(b'"comment":""', b'"comment":"\xff"'),
        b"\xef\xbb\xbf" + RAW,
        RAW.decode().encode("utf-16"),
        b"[" * 10_000,
        b"9" * 10_000,
        b"{}",
        b"null",
        b"",
        b"x" * 20_000,
    ],
)
def test_bytes_that_are_not_canonical_are_refused(raw: bytes) -> None:
    with pytest.raises(ApprovalRefused):
        Statement.parse(raw)


@given(
    st.one_of(
        st.binary(), st.tuples(st.integers(0, len(RAW)), st.binary(max_size=3)).map(lambda cut: RAW[: cut[0]] + cut[1] + RAW[cut[0] :])
    )
)
@settings(deadline=None)
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    try:
        statement = Statement.parse(raw)
    except ApprovalRefused:
        return
    assert statement.to_bytes() == raw


# --- the approval


@pytest.mark.parametrize("approval", [by_ssh(STATEMENT, 1), by_passkey(STATEMENT, PHONE)], ids=["ssh", "passkey"])
def test_an_approval_travels_as_json(approval: Approval) -> None:
    text = approval.to_json()
    assert Approval.from_json(text) == Approval.from_json(text.encode()) == approval
    assert json.loads(text)["statement"] == RAW.decode()
    assert check(Approval.from_json(text)).person == FIRST


@pytest.mark.parametrize("approval", [by_ssh(STATEMENT, 1), by_passkey(STATEMENT, PHONE)], ids=["ssh", "passkey"])
def test_an_approval_of_another_shape_is_refused(approval: Approval) -> None:
    good = json.loads(approval.to_json())
    signature = good["signature"]
    shapes: list[Any] = [
        good | {"more": 1},
        {"statement": good["statement"]},
        good | {"statement": json.loads(good["statement"])},
        good | {"statement": good["statement"] + " "},
        good | {"statement": "\ud800"},
        good | {"signature": "x"},
        good | {"signature": signature | {"more": "x"}},
        good | {"signature": signature | {"kind": "pgp"}},
        good | {"signature": signature | {"kind": ["ssh"]}},
        good | {"signature": dict.fromkeys(signature, 1) | {"kind": signature["kind"]}},
        good | {"signature": dict.fromkeys(signature, "\ud800") | {"kind": signature["kind"]}},
        [good],
    ]
    for shape in shapes:
        with pytest.raises(ApprovalRefused):
            Approval.from_json(json.dumps(shape))
    twice = approval.to_json().replace('"statement":', '"statement":"","statement":')
    with pytest.raises(ApprovalRefused, match="twice"):
        Approval.from_json(twice)
    with pytest.raises(ApprovalRefused, match="longer than"):
        Approval.from_json(" " * 70_000 + approval.to_json())


JSONS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda kids: st.lists(kids) | st.dictionaries(st.text(), kids)
)


@given(
    st.one_of(
        st.text(), st.binary(), JSONS.map(json.dumps), st.builds(lambda s, g: json.dumps({"statement": s, "signature": g}), JSONS, JSONS)
    )
)
@settings(deadline=None)
def test_no_text_raises_anything_else(text: str | bytes) -> None:
    with pytest.raises(ApprovalRefused):
        Approval.from_json(text)


# --- verifying


def test_the_challenge_is_domain_separated() -> None:
    assert challenge(RAW) == hashlib.sha256(b"tocsin-approval/1\n" + RAW).digest()


def test_who_signed_is_known_from_the_key() -> None:
    by_laptop, by_phone = check(by_ssh(STATEMENT, 2)), check(by_passkey(STATEMENT, PHONE))
    assert (by_laptop.person, by_laptop.decision, by_laptop.key_kind, by_laptop.key_id) == (
        FIRST,
        Decision.APPROVE,
        "ssh",
        public(2).fingerprint,
    )
    assert (by_phone.person, by_phone.key_kind, by_phone.key_id) == (FIRST, "passkey", PHONE.credential_id)
    assert by_phone.statement == STATEMENT


SECONDS = dataclasses.replace(STATEMENT, person="second-reviewer")
NOT_THEIRS: dict[str, tuple[Approval, str]] = {
    "another's SSH key": (by_ssh(STATEMENT, 3), "is not one of theirs"),
    "another's passkey": (by_passkey(STATEMENT, OTHER_PHONE), "is not one of theirs"),
    "an SSH key of nobody": (by_ssh(STATEMENT, 9), "is not one of theirs"),
    "a passkey of nobody": (by_passkey(STATEMENT, SoftPasskey.create(RP_ID)), "is not one of theirs"),
    "somebody not in the roster": (by_ssh(dataclasses.replace(STATEMENT, person="third-reviewer"), 1), "is not in the roster"),
    "a signature over another statement": (
        dataclasses.replace(by_ssh(SECONDS, 1), statement_bytes=RAW),
        "signature of first-reviewer is refused",
    ),
    "an assertion over another statement": (dataclasses.replace(by_passkey(SECONDS, PHONE), statement_bytes=RAW), "challenge"),
    "another namespace": (Approval(RAW, SshSignature(sshsig.sign(RAW, private(1), "git"))), "namespace"),
    "no verified user": (by_passkey(STATEMENT, PHONE, user_verified=False), "user was not verified"),
    "another origin": (by_passkey(STATEMENT, PHONE, "https://evil.example"), "origin"),
    "a frame": (by_passkey(STATEMENT, PHONE, crossOrigin=True), "frame"),
}


@pytest.mark.parametrize("case", NOT_THEIRS)
def test_what_the_person_did_not_sign_is_refused(case: str) -> None:
    approval, said = NOT_THEIRS[case]
    with pytest.raises(ApprovalRefused, match=said):
        check(approval)


def test_a_passkey_of_another_service_is_refused() -> None:
    with pytest.raises(ApprovalRefused, match=r"belongs to status\.example, this service to other\.example"):
        verify(by_passkey(STATEMENT, PHONE), ROSTER, origin=ORIGIN, rp_id="other.example")


def test_a_key_that_left_the_roster_signs_nothing_any_more() -> None:
    without = dataclasses.replace(ROSTER, persons=(dataclasses.replace(FIRST, keys=(public(2),)), SECOND))
    assert check(by_ssh(STATEMENT, 2), without).person.id == "first-reviewer"
    for approval in (by_ssh(STATEMENT, 1), by_passkey(STATEMENT, PHONE)):
        with pytest.raises(ApprovalRefused, match="is not one of theirs"):
            check(approval, without)


@given(st.sampled_from([by_ssh(STATEMENT, 1), by_passkey(STATEMENT, PHONE)]), st.integers(0, len(RAW) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_any_changed_byte_of_the_statement_is_refused(approval: Approval, at: int, flip: int) -> None:
    changed = RAW[:at] + bytes([RAW[at] ^ flip]) + RAW[at + 1 :]
    with pytest.raises(ApprovalRefused):
        check(dataclasses.replace(approval, statement_bytes=changed))


@given(
    st.one_of(st.just(RAW), st.binary()),
    st.one_of(st.builds(SshSignature, st.text()), st.builds(Assertion, st.just(PHONE.credential_id), st.text(), st.text(), st.text())),
)
@settings(deadline=None)
def test_no_approval_raises_anything_else(raw: bytes, signature: SshSignature | Assertion) -> None:
    with pytest.raises(ApprovalRefused):
        check(Approval(raw, signature))


# --- the quorum

AUTHOR, OTHER_AUTHOR = person("first-author", PersonRole.AUTHOR), person("second-author", PersonRole.AUTHOR)
ADMIN = person("administrator", PersonRole.ADMIN)
THIRD = person("third-reviewer", PersonRole.REVIEWER, PersonRole.ADMIN)
APPROVE, REJECT, CHANGES = Decision.APPROVE, Decision.REJECT, Decision.REQUEST_CHANGES


def says(who: Person, decision: Decision = APPROVE, **changed: Any) -> Verified:
    at = AT if decision is Decision.UNSEAL else ""
    statement = dataclasses.replace(STATEMENT, person=who.id, decision=decision, at=at, **changed)
    return Verified(who, decision, "ssh", "SHA256:x", statement)


def test_two_verified_people_are_a_quorum() -> None:
    approvals = [by_ssh(STATEMENT, 1), by_passkey(SECONDS, OTHER_PHONE)]
    found = quorum([check(approval) for approval in approvals], digest=DIGEST, announcement="an_7f3k", revision=1, environment="live")
    assert found.complete
    assert found.approved_by == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("said", "threshold", "missing"),
    [
        ([], 2, 2),
        ([says(FIRST)], 2, 1),
        ([says(FIRST), says(FIRST, nonce="B" * 22)], 2, 1),
        ([says(FIRST), says(SECOND)], 2, 0),
        ([says(AUTHOR)], 2, 1),
        ([says(AUTHOR), says(FIRST)], 2, 0),
        ([says(AUTHOR), says(OTHER_AUTHOR)], 2, 1),
        ([says(AUTHOR), says(OTHER_AUTHOR), says(FIRST)], 2, 0),
        ([says(ADMIN), says(FIRST)], 2, 1),
        ([says(ADMIN), says(AUTHOR)], 2, 1),
        ([says(THIRD), says(FIRST)], 2, 0),
        ([says(AUTHOR), says(OTHER_AUTHOR), says(FIRST)], 3, 1),
        ([says(AUTHOR), says(FIRST), says(SECOND)], 3, 0),
    ],
)
def test_persons_are_counted_not_signatures(said: list[Verified], threshold: int, missing: int) -> None:
    found = quorum(said, digest=DIGEST, threshold=threshold)
    assert found.missing == missing
    assert found.complete is (missing == 0)
    assert quorum(reversed(said), digest=DIGEST, threshold=threshold).missing == missing


@pytest.mark.parametrize(
    "against", [says(THIRD, REJECT), says(THIRD, CHANGES), says(FIRST, REJECT), says(ADMIN, REJECT), says(AUTHOR, CHANGES)]
)
def test_one_no_ends_it_whoever_says_it(against: Verified) -> None:
    found = quorum([says(FIRST), against, says(SECOND)], digest=DIGEST)
    assert not found.complete
    assert found.missing == 0
    assert found.rejected_by + found.changes_by == (against.person,)


@pytest.mark.parametrize(
    "changed",
    [{"digest": "sha256:" + "cd" * 32}, {"announcement": "an_other"}, {"revision": 2}, {"environment": "drill"}],
    ids=lambda changed: next(iter(changed)),
)
def test_statements_about_something_else_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ApprovalRefused, match=f"second-reviewer signed for {next(iter(changed))}"):
        quorum([says(FIRST), says(SECOND, **changed)], digest=DIGEST)
    both = [says(FIRST, **changed), says(SECOND, **changed)]
    with pytest.raises(ApprovalRefused):
        quorum(both, digest=DIGEST, announcement="an_7f3k", revision=1, environment="live")


def test_one_person_is_enough_in_a_drill_only() -> None:
    assert quorum([says(FIRST, environment="drill")], digest=DIGEST, threshold=1).complete
    assert not quorum([says(AUTHOR, environment="drill")], digest=DIGEST, threshold=1).complete
    for threshold, approvals, environment in [(1, [says(FIRST)], None), (1, [], "live"), (0, [], None)]:
        with pytest.raises(ValueError, match="at least two people"):
            quorum(approvals, digest=DIGEST, threshold=threshold, environment=environment)


def by_page(who: Person, decision: Decision = APPROVE) -> Verified:
    return dataclasses.replace(says(who, decision), key_kind="passkey")


@pytest.mark.parametrize(
    ("said", "missing", "ssh_missing"),
    [
        ([], 2, True),
        ([by_page(FIRST)], 1, True),
        ([says(FIRST)], 1, False),
        ([by_page(FIRST), by_page(SECOND)], 1, True),
        ([by_page(FIRST), by_page(SECOND), by_page(THIRD)], 1, True),
        ([by_page(FIRST), by_page(SECOND), says(ADMIN)], 1, True),
        ([by_page(FIRST), by_page(SECOND), says(THIRD, REJECT)], 1, True),
        ([by_page(FIRST), says(SECOND)], 0, False),
        ([says(AUTHOR), by_page(FIRST)], 0, False),
        ([by_page(FIRST), by_page(SECOND), says(FIRST)], 0, False),
    ],
)
def test_one_of_those_who_count_can_be_asked_for_an_ssh_key(said: list[Verified], missing: int, ssh_missing: bool) -> None:
    found = quorum(said, digest=DIGEST, ssh=True)
    assert (found.missing, found.ssh_missing) == (missing, ssh_missing)
    assert found.complete is (missing == 0)
    assert not quorum(said, digest=DIGEST).ssh_missing


PEOPLE = [FIRST, SECOND, THIRD, AUTHOR, OTHER_AUTHOR, ADMIN]


@given(st.lists(st.builds(says, st.sampled_from(PEOPLE), st.sampled_from(Decision)), max_size=8), st.integers(2, 4))
@settings(deadline=None)
def test_what_is_complete_always_has_its_people(said: list[Verified], threshold: int) -> None:
    found = quorum(said, digest=DIGEST, threshold=threshold)
    approvers = {one.person.id for one in said if one.decision is APPROVE and one.person is not ADMIN}
    if found.complete:
        assert len(approvers) >= threshold
        assert len(approvers - {AUTHOR.id, OTHER_AUTHOR.id}) >= threshold - 1
        assert all(one.decision in {APPROVE, Decision.UNSEAL} for one in said)
    assert len({person.id for person in found.approved_by}) == len(found.approved_by)


# --- the document, by which others check without us

DOCUMENT = (Path(__file__).parents[2] / "docs" / "approval-format.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_the_documents_examples_verify() -> None:
    roster = Roster.parse(blocks("toml")[0])
    approvals = [Approval.from_json(text) for text in blocks("json")]
    verified = [check(approval, roster) for approval in approvals]
    assert [one.key_kind for one in verified] == ["ssh", "passkey"]
    assert quorum(verified, digest=verified[0].statement.digest).complete
    assert blocks("")[0] == approvals[0].statement_bytes.decode() + "\n"
    assert challenge(approvals[1].statement_bytes).hex() in DOCUMENT
    assert approvals[0].signature == SshSignature(
        sshsig.sign(approvals[0].statement_bytes, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    )


def test_the_documents_program_takes_its_passkey_and_refuses_a_changed_one(tmp_path: Path) -> None:
    approval = blocks("json")[1]
    (tmp_path / "roster.toml").write_text(blocks("toml")[0])
    for text, good in [(approval, True), (approval.replace("Checked", "checked"), False)]:
        (tmp_path / "approval.json").write_text(text)
        said = subprocess.run([sys.executable, "-c", blocks("python")[0]], cwd=tmp_path, capture_output=True, timeout=30, check=False)
        assert (said.returncode == 0) is good, said.stderr
        assert (b"Good signature by second-reviewer" in said.stdout) is good


def test_the_documents_commands_take_its_ssh_signature(tmp_path: Path) -> None:
    for name in ("ssh-keygen", "jq"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed, so the document's commands were not run")
    (tmp_path / "approval.json").write_text(blocks("json")[0])
    commands = blocks("sh")[0].replace("sha256sum", "true")
    said = subprocess.run(["sh", "-ec", commands], cwd=tmp_path, capture_output=True, timeout=30, check=False)
    assert said.returncode == 0, said.stderr
    assert b'Good "tocsin-approval" signature for first-reviewer' in said.stdout
