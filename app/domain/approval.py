"""Approvals: what one person signs about one manifest, how it is checked, and when enough people stand behind it.

Rules kept here: a statement has one form of bytes; whoever signed is known from the key alone, which must be that person's in the
roster; and two people are two entries of the roster. The byte formats are written down in `docs/approval-format.md`, so that others
can check without this program. The signatures' mathematics lie in `app.domain.sshsig` and `app.domain.passkey`; which manifest is
meant, and that it is the one about to be sent, the caller says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import rfc8785

from app.domain import passkey, sshsig, strict
from app.domain.passkey import Assertion
from app.domain.roster import HIDDEN, PERSON_ID, Person, Roster, lacking

FORMAT = "tocsin-approval/1"
MAX_COMMENT = 2000
"""Characters (code points) of a comment."""
MAX_STATEMENT = 16_384
MAX_APPROVAL = 65_536
"""Bytes; nothing longer is even parsed."""

_ANNOUNCEMENT = re.compile(r"an_[A-Za-z0-9_-]{1,64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}")
_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ASSERTION = ("authenticator_data", "client_data_json", "credential_id", "signature")


class ApprovalRefused(ValueError):
    """This is no valid approval; the message says why, and what to do where something can be done."""


class Decision(StrEnum):
    """What a person says about a manifest."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request-changes"
    UNSEAL = "unseal"  # of a sealed announcement, behind which two people stand already: let it go out now


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed. Making one checks every field: raises `ApprovalRefused`.

    `digest` is the manifest's, `sha256:<64 hex>`; `nonce` 22 characters of base64url, the approval link's; `comment` one line, "" for none.
    `at` is the moment at which it is signed, UTC to the second; it stands in an `unseal`, and in no other.
    """

    announcement: str
    revision: int
    environment: Literal["drill", "live"]
    digest: str
    person: str
    decision: Decision
    nonce: str
    comment: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        for name, valid in _FIELDS.items():
            if not valid(getattr(self, name)):
                raise ApprovalRefused(f"The statement's {name!r} is not valid: {_RULES[name]}.")
        if (self.decision is Decision.UNSEAL) is not bool(self.at):
            raise ApprovalRefused("The statement's 'at' stands in an unseal, and in no other: it says when that was signed.")

    @property
    def moment(self) -> datetime:
        """When an unseal was signed."""
        return datetime.fromisoformat(self.at)

    def to_bytes(self) -> bytes:
        """The canonical bytes (RFC 8785): these and no others are signed."""
        said = asdict(self) | {"format": FORMAT, "decision": str(self.decision)}
        return rfc8785.dumps({name: value for name, value in said.items() if name != "at" or value})

    @classmethod
    def parse(cls, raw: bytes) -> Statement:
        """The statement that these canonical bytes are. Raises `ApprovalRefused`, and nothing else, whatever the bytes."""
        data = _object(raw, "statement", MAX_STATEMENT, {*_FIELDS, "format"} - {"at"}, frozenset({"at"}))
        if data.pop("format") != FORMAT:
            raise ApprovalRefused(f"The statement is not of the format {FORMAT}; use this service's own page or command.")
        if isinstance(data["decision"], str) and data["decision"] in set(Decision):
            data["decision"] = Decision(data["decision"])
        statement = cls(**data)
        if statement.to_bytes() != raw:
            raise ApprovalRefused("The statement is not in its canonical form (RFC 8785); sign exactly the bytes that were given.")
        return statement


_FIELDS: Mapping[str, Any] = {
    "announcement": lambda value: _matches(_ANNOUNCEMENT, value),
    "at": lambda value: value == "" or _is_moment(value),
    "comment": lambda value: isinstance(value, str) and len(value) <= MAX_COMMENT and not HIDDEN.search(value),
    "decision": lambda value: isinstance(value, Decision),
    "digest": lambda value: _matches(_DIGEST, value),
    "environment": lambda value: isinstance(value, str) and value in {"drill", "live"},
    "nonce": lambda value: _matches(_NONCE, value),
    "person": lambda value: _matches(PERSON_ID, value),
    "revision": lambda value: type(value) is int and 1 <= value < 2**31,
}
_RULES: Mapping[str, str] = {
    "announcement": "an id like an_7f3k",
    "at": "a time in UTC like 2026-11-03T07:10:00Z",
    "comment": f"one line of at most {MAX_COMMENT} characters, without control or invisible ones; replace line breaks by spaces",
    "decision": "approve, reject, request-changes or unseal",
    "digest": "sha256: and 64 hexadecimal digits in lower case",
    "environment": "drill or live",
    "nonce": "22 characters of base64url",
    "person": "a person's id like first-reviewer",
    "revision": "a whole number from 1",
}


@dataclass(frozen=True, slots=True)
class SshSignature:
    """An SSH signature over the statement's bytes, armoured, namespace `tocsin-approval`."""

    armored: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A statement's bytes and one signature, as it travels and is kept; worth something only after `verify`."""

    statement_bytes: bytes
    signature: SshSignature | Assertion

    def to_json(self) -> str:
        """Canonical JSON: `{"signature": {"kind": …}, "statement": "<the canonical JSON text>"}`."""
        kind = "ssh" if isinstance(self.signature, SshSignature) else "passkey"
        signature = asdict(self.signature) | {"kind": kind}
        return rfc8785.dumps({"statement": self.statement_bytes.decode(), "signature": signature}).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Approval:
        """The approval that this JSON is; its signature is not yet checked. Raises `ApprovalRefused`, and nothing else."""
        data = _object(text, "approval", MAX_APPROVAL, {"statement", "signature"})
        signature, statement = data["signature"], data["statement"]
        if not isinstance(statement, str) or not isinstance(signature, dict):
            raise ApprovalRefused("The approval's 'statement' must be a text and its 'signature' an object.")
        raw = _encode(statement, "statement")
        Statement.parse(raw)
        return cls(raw, _signature(signature))


@dataclass(frozen=True, slots=True)
class Verified:
    """A checked approval: this person of the roster, with this key (its fingerprint or credential id), made this statement."""

    person: Person
    decision: Decision
    key_kind: Literal["ssh", "passkey"]
    key_id: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class Quorum:
    """Where a manifest stands. Persons once each, in the order of their approvals; `missing`: how many more must approve.

    `ssh_missing`: one of those who approve has to do so with an SSH key, and nobody has; then at least one is missing, who may be one of
    those that approved with a passkey.
    """

    approved_by: tuple[Person, ...]
    rejected_by: tuple[Person, ...]
    changes_by: tuple[Person, ...]
    missing: int
    ssh_missing: bool = False

    @property
    def complete(self) -> bool:
        """Whether it may be sent: nobody is missing and nobody said no."""
        return not (self.missing or self.rejected_by or self.changes_by)


def challenge(statement_bytes: bytes) -> bytes:
    """The 32 bytes that a passkey signs for a statement."""
    return hashlib.sha256(FORMAT.encode() + b"\n" + statement_bytes).digest()


def verify(approval: Approval, roster: Roster, *, origin: str, rp_id: str) -> Verified:
    """Who says what, if the signature is that person's. `origin` and `rp_id` are this service's own, for passkeys.

    Raises `ApprovalRefused`, and nothing else, whatever the approval holds.
    """
    statement = Statement.parse(approval.statement_bytes)
    person = roster.person(statement.person)
    if person is None:
        raise ApprovalRefused(f"{statement.person} is not in the roster (version {roster.version}); ask its administrator.")
    signature = approval.signature
    try:
        if isinstance(signature, SshSignature):
            key_id = _verify_ssh(signature, approval.statement_bytes, person)
            return Verified(person, statement.decision, "ssh", key_id, statement)
        key_id = _verify_passkey(signature, approval.statement_bytes, person, origin, rp_id)
        return Verified(person, statement.decision, "passkey", key_id, statement)
    except (sshsig.SignatureRefused, passkey.PasskeyRefused) as error:
        raise ApprovalRefused(f"The signature of {person.id} is refused: {error}.") from error


def quorum(
    verified: Iterable[Verified],
    *,
    digest: str,
    threshold: int = 2,
    ssh: bool = False,
    announcement: str | None = None,
    revision: int | None = None,
    environment: str | None = None,
) -> Quorum:
    """Whether enough people stand behind the manifest with this digest.

    * Persons count, not keys or signatures: the same person twice is one.
    * Reviewers count, and besides them one author (who, as a rule, signed what they submitted): so at least one reviewer always
      stands behind what is sent. Who only administers counts for nothing.
    * A rejection or a request for changes by anybody of the roster, their own approval notwithstanding, ends it: to stop is safe.
    * An unseal counts for nothing here: it chooses a moment, and stands behind no bytes (`app.domain.seal`).
    * Below two people only in a drill, where one person may play both.
    * With `ssh` one of those who count must have signed with an SSH key: by the command line, which computes the digest from what it
      showed. A page that lies gets passkeys to sign what nobody saw; it cannot get this.

    Give `announcement`, `revision` and `environment` of the manifest wherever something is sent: a person may have been shown a
    drill and have signed a live digest. Raises `ApprovalRefused` where a statement is about anything else, and where two of them
    do not agree what they are about; ValueError for a threshold that is too low.
    """
    every = list(verified)
    expected = {"digest": digest, "announcement": announcement, "revision": revision, "environment": environment}
    for name, value in expected.items():
        _agree(every, name, value)
    live = environment == "live" or any(one.statement.environment == "live" for one in every)
    if threshold < (2 if live else 1):
        raise ValueError("at least two people approve what is sent; one only in a drill")
    said = {decision: _persons(every, decision) for decision in Decision}
    approved = tuple(person for person in said[Decision.APPROVE] if person.counts)
    by_ssh = any(one.decision is Decision.APPROVE and one.person.counts and one.key_kind == "ssh" for one in every)
    ssh_missing = ssh and not by_ssh
    missing = max(lacking(approved, threshold), 1 if ssh_missing else 0)
    return Quorum(approved, said[Decision.REJECT], said[Decision.REQUEST_CHANGES], missing, ssh_missing)


def _agree(verified: list[Verified], name: str, expected: object) -> None:
    for one in verified:
        found = getattr(one.statement, name)
        expected = found if expected is None else expected
        if found != expected:
            raise ApprovalRefused(f"{one.person.id} signed for {name} {found}, not for {expected}; ask them to look and sign again.")


def _persons(verified: list[Verified], decision: Decision) -> tuple[Person, ...]:
    return tuple({one.person.id: one.person for one in verified if one.decision is decision}.values())


def _verify_ssh(signature: SshSignature, signed: bytes, person: Person) -> str:
    blob = sshsig.verify(signature.armored, signed)
    for key in person.ssh_keys:
        if key.blob == blob:
            return key.fingerprint
    raise sshsig.SignatureRefused(
        f"the key {sshsig.fingerprint(blob)} is not one of theirs in the roster; use another key or have it enrolled"
    )


def _verify_passkey(signature: Assertion, signed: bytes, person: Person, origin: str, rp_id: str) -> str:
    for key in person.passkeys:
        if key.credential_id == signature.credential_id:
            passkey.verify_assertion(signature, key, challenge=challenge(signed), origin=origin, rp_id=rp_id)
            return key.credential_id
    raise passkey.PasskeyRefused("the passkey is not one of theirs in the roster; use another or have it enrolled")


def _signature(data: dict[str, Any]) -> SshSignature | Assertion:
    kind = data.pop("kind", None)
    expected = {"ssh": {"armored"}, "passkey": set(_ASSERTION)}.get(kind if isinstance(kind, str) else "")
    if expected is None or set(data) != expected or not all(isinstance(value, str) for value in data.values()):
        raise ApprovalRefused(f"The approval's 'signature' must be ssh with 'armored', or passkey with {', '.join(_ASSERTION)}; all texts.")
    for value in data.values():
        _encode(value, "signature")
    if kind == "ssh":
        return SshSignature(data["armored"])
    try:
        for name in _ASSERTION:
            passkey.decode(data[name], name)
    except passkey.PasskeyRefused as error:
        raise ApprovalRefused(f"The approval's signature: {error}.") from error
    return Assertion(**data)


def _object(text: str | bytes, what: str, limit: int, fields: set[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The JSON object with exactly these fields, and of the optional ones any, none twice."""
    try:
        return strict.json_object(text, what, limit, fields, optional)
    except strict.NotStrict as error:
        raise ApprovalRefused(str(error)) from error


def _encode(text: str, what: str) -> bytes:
    try:
        return strict.encoded(text, what)
    except strict.NotStrict as error:
        raise ApprovalRefused(str(error)) from error


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        return datetime.fromisoformat(value).year >= 2000
    except ValueError:
        return False


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
