"""Rosters to sign: people with keys made from numbers, documents of them, and endorsements by any key in anybody's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.domain import sshsig
from app.domain.endorsement import NAMESPACE, Endorsement, RosterStatement
from app.domain.roster import Roster
from app.domain.roster_document import RosterDocument
from app.domain.roster_history import document_line

X = {"id": "x-main", "platform": "x", "role": "primary", "account": "2244994945", "handle": "example", "base_url": "http://127.0.0.1:9"}
PEOPLE = {"first": 1, "second": 2}
SAFES = {"bank-safe": 101, "notary": 102}


def private(seed: int) -> Ed25519PrivateKey:
    """The key of a number."""
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))


def public(seed: int) -> str:
    """Its public line."""
    return private(seed).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def key_file(folder: Path, seed: int) -> str:
    """A file with that private key."""
    path = folder / f"{seed}.key"
    path.write_bytes(private(seed).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return str(path)


def roster_toml(
    version: int = 1,
    people: Mapping[str, int] = PEOPLE,
    *,
    recovery: Mapping[str, int] | None = None,
    roles: Mapping[str, str] | None = None,
    threshold: int = 2,
) -> str:
    """The text of a roster; each person has the key of one number, and is author and reviewer unless `roles` says another."""
    text = f"version = {version}\nthreshold = {threshold}\n"
    for id_, seed in people.items():
        role = (roles or {}).get(id_, '"author", "reviewer"')
        text += f'\n[person.{id_}]\nname = "{id_.title()}"\nemail = "{id_}@status.example"\nroles = [{role}]\n'
        text += f'[[person.{id_}.ssh]]\npublic = "{public(seed)} laptop"\n'
    for id_, seed in (SAFES if recovery is None else recovery).items():
        text += f'\n[recovery.{id_}]\nkeeper = "With the {id_}"\npublic = "{public(seed)}"\n'
    return text


def document(
    roster: str, before: RosterDocument | None = None, entries: Sequence[Mapping[str, Any]] = (X,), environment: str = "live"
) -> RosterDocument:
    """The document of that roster's text, following another."""
    return RosterDocument.of(environment, before.digest if before else "", Roster.parse(roster), entries)


def endorsement(about: RosterDocument, signer: str, seed: int) -> Endorsement:
    """One in that signer's name, by the key of a number."""
    statement = RosterStatement.about(about, signer)
    return Endorsement(statement, sshsig.sign(statement.to_bytes(), private(seed), NAMESPACE))


def lines(about: RosterDocument, signers: Mapping[str, int]) -> str:
    """The lines of `roster.signed` with which these sign a version."""
    return document_line(about) + "".join(endorsement(about, signer, seed).to_json() + "\n" for signer, seed in signers.items())
