"""Endorsements: what one person signs of one version of the roster, and when a version counts. In the manner of TUF's root.

Rules kept here (https://theupdateframework.github.io/specification/latest/#update-root): a version counts if as many of its own people
signed it as must approve what is sent, and as many of the people of the version before, each with a key of that version. Where the people
of the version before cannot, two of its recovery keys can. Only SSH keys sign here: the command line computes the digest from what it
shows, and whoever may change the roster may say anything. The namespace and the form differ from an approval's, so that neither is ever
the other. The bytes are written down in `docs/approval-format.md`; the versions one after another lie in `app.domain.roster_history`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

from app.domain import sshsig, strict
from app.domain.roster import PERSON_ID, Roster, SshKey, lacking
from app.domain.roster_document import DIGEST, FORMAT, RosterDocument

NAMESPACE = "tocsin-roster"
RECOVERY_THRESHOLD = 2
MAX_ENDORSEMENT = 16_384
"""Bytes; nothing longer is even parsed."""


class EndorsementRefused(ValueError):
    """This is no endorsement; the message says why."""


@dataclass(frozen=True, slots=True)
class RosterStatement:
    """What is signed. `signer` is the id of a person, or of a recovery key. Making one checks every field: raises `EndorsementRefused`."""

    environment: str
    version: int
    digest: str
    signer: str

    def __post_init__(self) -> None:
        texts = all(isinstance(value, str) for value in (self.environment, self.digest, self.signer))
        if not texts or not PERSON_ID.fullmatch(self.signer) or not DIGEST.fullmatch(self.digest):
            raise EndorsementRefused("The statement's 'signer' is an id like first-reviewer, and its 'digest' sha256: and 64 digits.")
        if self.environment not in ("live", "drill") or type(self.version) is not int or not 1 <= self.version < 2**31:
            raise EndorsementRefused("The statement's 'environment' is live or drill, and its 'version' a whole number from 1.")

    def to_bytes(self) -> bytes:
        """The canonical bytes (RFC 8785): these and no others are signed, in the namespace `tocsin-roster`."""
        return rfc8785.dumps(asdict(self) | {"format": FORMAT})

    @classmethod
    def about(cls, document: RosterDocument, signer: str) -> RosterStatement:
        """What `signer` says who endorses this document."""
        return cls(document.environment, document.version, document.digest, signer)

    @classmethod
    def parse(cls, raw: bytes) -> RosterStatement:
        """The statement that these canonical bytes are. Raises `EndorsementRefused`, and nothing else."""
        data = _object(raw, "statement", {"environment", "version", "digest", "signer", "format"})
        if data.pop("format") != FORMAT:
            raise EndorsementRefused(f"The statement is not of the format {FORMAT}.")
        statement = cls(**data)
        if statement.to_bytes() != raw:
            raise EndorsementRefused("The statement is not in its canonical form (RFC 8785).")
        return statement


@dataclass(frozen=True, slots=True)
class Endorsement:
    """A statement and its SSH signature, as it travels; worth something only where `signed_by` counts it."""

    statement: RosterStatement
    armored: str

    def to_json(self) -> str:
        """Canonical JSON, in the same envelope as an approval."""
        signature = {"kind": "ssh", "armored": self.armored}
        return rfc8785.dumps({"statement": self.statement.to_bytes().decode(), "signature": signature}).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Endorsement:
        """The endorsement that this JSON is; its signature is not yet checked. Raises `EndorsementRefused`, and nothing else."""
        data = _object(text, "endorsement", {"statement", "signature"})
        statement, signature = data["statement"], data["signature"]
        if not isinstance(signature, dict) or set(signature) != {"kind", "armored"} or signature["kind"] != "ssh":
            raise EndorsementRefused("The endorsement's 'signature' must be ssh with 'armored'.")
        if not isinstance(statement, str) or not isinstance(signature["armored"], str):
            raise EndorsementRefused("The endorsement's 'statement' and its signature must be texts.")
        try:
            return cls(RosterStatement.parse(strict.encoded(statement, "statement")), signature["armored"])
        except strict.NotStrict as error:
            raise EndorsementRefused(str(error)) from error

    def is_by(self, keys: Iterable[SshKey]) -> bool:
        """Whether one of these keys made the signature."""
        try:
            blob = sshsig.verify(self.armored, self.statement.to_bytes(), NAMESPACE)
        except sshsig.SignatureRefused:
            return False
        return any(key.blob == blob for key in keys)


@dataclass(frozen=True, slots=True)
class Standing:
    """Who stands behind a version: ids of its own people, of the people before, of recovery keys before; and how many are missing."""

    own: tuple[str, ...]
    before: tuple[str, ...]
    recovery: tuple[str, ...]
    own_missing: int
    before_missing: int

    @property
    def recovered(self) -> bool:
        """Whether it rests on recovery keys, since the people before do not suffice."""
        return self.before_missing > 0 and len(self.recovery) >= RECOVERY_THRESHOLD

    @property
    def counts(self) -> bool:
        """Whether the version may be trusted by whoever trusts the one before."""
        return not self.own_missing and (not self.before_missing or self.recovered)

    @property
    def signers(self) -> tuple[str, ...]:
        """All whose signatures count for something, once each."""
        return tuple(sorted({*self.own, *self.before, *self.recovery}))


def standing(document: RosterDocument, before: RosterDocument | None, endorsements: Iterable[Endorsement]) -> Standing:
    """Who stands behind `document`. `before` is the trusted version that it follows, None for version 1.

    Whether it does follow it, by version, digest and environment, the caller has looked (`app.domain.roster_history`).
    """
    about = (document.environment, document.version, document.digest)
    given = [one for one in endorsements if (one.statement.environment, one.statement.version, one.statement.digest) == about]
    own = _people(document.roster, given)
    own_missing = _missing(document.roster, own)
    if before is None:
        return Standing(own, (), (), own_missing, 0)
    old = _people(before.roster, given)
    recovery = {key.id for key in before.roster.recovery for one in given if one.statement.signer == key.id and one.is_by([key.key])}
    return Standing(own, old, tuple(sorted(recovery)), own_missing, _missing(before.roster, old))


def _people(roster: Roster, given: Iterable[Endorsement]) -> tuple[str, ...]:
    """The persons of that roster who signed, each with a key that is theirs in it."""
    signed = {one.statement.signer for one in given if (person := roster.person(one.statement.signer)) and one.is_by(person.ssh_keys)}
    return tuple(sorted(signed))


def _missing(roster: Roster, signed: Iterable[str]) -> int:
    return lacking((person for id_ in signed if (person := roster.person(id_))), roster.threshold)


def _object(text: str | bytes, what: str, fields: set[str]) -> dict[str, Any]:
    try:
        return strict.json_object(text, what, MAX_ENDORSEMENT, fields)
    except strict.NotStrict as error:
        raise EndorsementRefused(str(error)) from error
