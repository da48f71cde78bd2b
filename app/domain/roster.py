"""The roster: who may author, review and administer, and with which public keys.

Rules kept here: one person is one entry (ids, names, mailboxes and keys are each unique, however they are written), unknown fields
are refused, and what is shown to others holds no invisible characters. The keys' own rules lie in `app.domain.sshsig` and
`app.domain.passkey`; what roles count for in `app.domain.approval.quorum`.

    version = 1

    [person.first-reviewer]
    name = "First Reviewer"
    email = "first-reviewer@status.example"
    roles = ["author", "reviewer"]

    [[person.first-reviewer.ssh]]
    public = "ssh-ed25519 AAAA… laptop"

A key's entry names its person, so it may be put anywhere below the person's own, the end of the file too.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import rfc8785

from app.domain.passkey import Passkey, PasskeyRefused
from app.domain.sshsig import NAMESPACE, SshKey, SshKeyRefused

__all__ = ["HIDDEN", "PERSON_ID", "Passkey", "Person", "PersonRole", "Roster", "RosterError", "SshKey", "key_entry", "person_entry"]

PERSON_ID = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, line separators, marks that turn the direction of text, invisible spaces, lone surrogates. A closed list, for
what a signature's check accepts must not change with Unicode's version."""

MAX_TEXT = 200
MAX_ROSTER = 262_144
"""Characters; a person with three keys takes about 800. (The file is the administrator's own, so this only catches a wrong file.)"""

_EMAIL = re.compile(r"(?=.{3,254}\Z)[A-Za-z0-9.!#$%&'*/=?^_`{|}~+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


class RosterError(ValueError):
    """The roster cannot be trusted as it is written; the message names the person and the field, and says what to do."""


class PersonRole(StrEnum):
    """What a person of the roster may do."""

    AUTHOR = "author"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """One human. Without keys they are known, but can sign nothing yet."""

    id: str
    name: str
    email: str
    roles: frozenset[PersonRole]
    keys: tuple[SshKey | Passkey, ...] = ()

    @property
    def ssh_keys(self) -> tuple[SshKey, ...]:
        return tuple(key for key in self.keys if isinstance(key, SshKey))

    @property
    def passkeys(self) -> tuple[Passkey, ...]:
        return tuple(key for key in self.keys if isinstance(key, Passkey))

    @property
    def counts(self) -> bool:
        """Whether their approval can count: authors and reviewers; who only administers does not."""
        return bool(self.roles & {PersonRole.AUTHOR, PersonRole.REVIEWER})


@dataclass(frozen=True, slots=True)
class Roster:
    """All persons, in the order of their ids. `threshold`: how many of them must approve what is sent; never below 2."""

    version: int
    persons: tuple[Person, ...]
    threshold: int = 2

    @classmethod
    def parse(cls, toml_text: str) -> Roster:
        """The roster that this text is. Raises `RosterError`, and nothing else, whatever the text."""
        if len(toml_text) > MAX_ROSTER:
            raise RosterError(f"The roster is longer than {MAX_ROSTER} characters; is this the right file?")
        try:
            data = tomllib.loads(toml_text)
        except (ValueError, RecursionError) as error:
            raise RosterError(f"The roster is not valid TOML: {error}. A person may be declared only once.") from error
        _only("The roster", data, {"version", "threshold", "person"})
        version, threshold = _number(data, "version", None, 1), _number(data, "threshold", 2, 2)
        entries = data.get("person", {})
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise RosterError("The roster's `person` holds one table for each person: write [person.first-reviewer].")
        persons = tuple(_person(person_id, entry) for person_id, entry in sorted(entries.items()))
        _one_entry_each(persons)
        return cls(version, persons, threshold)

    def person(self, person_id: str) -> Person | None:
        """The person with this id, if there is one."""
        return next((person for person in self.persons if person.id == person_id), None)

    @property
    def reviewers(self) -> tuple[Person, ...]:
        return tuple(person for person in self.persons if PersonRole.REVIEWER in person.roles)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of what the roster says in canonical JSON; order, spacing and comments of the file do not count."""
        persons = [
            {
                "id": person.id,
                "name": person.name,
                "email": person.email,
                "roles": sorted(role.value for role in person.roles),
                "keys": sorted((_fields(key) for key in person.keys), key=rfc8785.dumps),
            }
            for person in sorted(self.persons, key=lambda person: person.id)
        ]
        canonical = rfc8785.dumps({"version": self.version, "threshold": self.threshold, "persons": persons})
        return "sha256:" + hashlib.sha256(canonical).hexdigest()

    @property
    def gaps(self) -> tuple[str, ...]:
        """Why nothing could be approved as the roster stands, one sentence each; empty when enough people can sign."""
        able = [person for person in self.persons if person.keys]
        reviewers = sum(PersonRole.REVIEWER in person.roles for person in able)
        authors = sum(person.counts for person in able) - reviewers
        found = []
        if reviewers + min(authors, 1) < self.threshold:
            found.append(f"{self.threshold} people must approve, at most one of them not a reviewer: enrol the keys of more reviewers.")
        if not reviewers:
            found.append("No reviewer has a key: enrol one with `tocsin roster enrol`.")
        return tuple(found)

    @property
    def allowed_signers(self) -> str:
        """The SSH keys in the form that `ssh-keygen -Y verify -f` reads."""
        lines = [f'{person.id} namespaces="{NAMESPACE}" {key.public}\n' for person in self.persons for key in person.ssh_keys]
        return "".join(lines)


def person_entry(person: Person) -> str:
    """The TOML text of one person with all their keys."""
    roles = ", ".join(f'"{role}"' for role in PersonRole if role in person.roles)
    head = f"[person.{person.id}]\nname = {_toml(person.name)}\nemail = {_toml(person.email)}\nroles = [{roles}]\n"
    return "\n".join([head, *(key_entry(person.id, key) for key in person.keys)])


def key_entry(person_id: str, key: SshKey | Passkey) -> str:
    """The TOML text of one key of a person, to be put below the person's entry. Raises `RosterError` where it would not be read back."""
    kind = "ssh" if isinstance(key, SshKey) else "passkey"
    if not PERSON_ID.fullmatch(person_id):
        raise RosterError(f"{person_id!r} is not a person's id: small letters, digits and single hyphens, like first-reviewer.")
    for name, value in _fields(key).items():
        _text(f"Person {person_id!r}, {kind}", {name: value}, name, limit=4096 if name in {"public", "public_key"} else 2048)
    lines = [f"{name} = {_toml(value)}\n" for name, value in _fields(key).items()]
    return "".join([f"[[person.{person_id}.{kind}]]\n", *lines])


def _fields(key: SshKey | Passkey) -> dict[str, str]:
    if isinstance(key, SshKey):
        return {"public": key.public}
    return {"credential_id": key.credential_id, "public_key": key.public_key, "rp_id": key.rp_id, "label": key.label}


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # without hidden characters a JSON string is a TOML string


def _only(where: str, data: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise RosterError(f"{where} has an unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}. Correct or remove it.")


def _number(data: Mapping[str, Any], name: str, default: int | None, least: int) -> int:
    value = data.get(name, default)
    if type(value) is not int or not least <= value < 2**31:
        raise RosterError(f"The roster's {name!r} must be a whole number of at least {least}.")
    return value


def _text(where: str, data: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise RosterError(f'{where}: {name!r} is missing, empty, no text or longer than {limit} characters. Write {name} = "…".')
    if HIDDEN.search(value):
        raise RosterError(f"{where}: {name!r} holds an invisible or control character. Type it again by hand.")
    return value


def _person(person_id: str, data: Mapping[str, Any]) -> Person:
    where = f"Person {person_id!r}"
    if not PERSON_ID.fullmatch(person_id):
        raise RosterError(f"{where}: the id must be small letters, digits and single hyphens, like first-reviewer. Rename it.")
    _only(where, data, {"name", "email", "roles", "ssh", "passkey"})
    email = _text(where, data, "email")
    if not _EMAIL.fullmatch(email):
        raise RosterError(f"{where}: 'email' is not one plain address like first-reviewer@status.example. Correct it.")
    keys: list[SshKey | Passkey] = [_ssh(f"{where}, ssh key {at}", entry) for at, entry in _tables(where, data, "ssh")]
    keys += [_passkey(f"{where}, passkey {at}", entry) for at, entry in _tables(where, data, "passkey")]
    return Person(person_id, _text(where, data, "name"), email, _roles(where, data), tuple(keys))


def _roles(where: str, data: Mapping[str, Any]) -> frozenset[PersonRole]:
    values = data.get("roles")
    known = [role.value for role in PersonRole]
    if not isinstance(values, list) or not values or any(value not in known for value in values) or len(set(values)) != len(values):
        raise RosterError(f"{where}: 'roles' must be a list of one or more of {', '.join(known)}, each once.")
    return frozenset(PersonRole(value) for value in values)


def _tables(where: str, data: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    tables = data.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RosterError(f"{where}: {name!r} must be written as [[person.<id>.{name}]], once for each key.")
    return list(enumerate(tables, 1))


def _ssh(where: str, data: Mapping[str, Any]) -> SshKey:
    _only(where, data, {"public"})
    try:
        return SshKey.parse(_text(where, data, "public", limit=4096))
    except SshKeyRefused as error:
        raise RosterError(f"{where}: 'public' {error}.") from error


def _passkey(where: str, data: Mapping[str, Any]) -> Passkey:
    _only(where, data, {"credential_id", "public_key", "rp_id", "label"})
    limits = {"credential_id": 2048, "public_key": 4096, "rp_id": 253, "label": MAX_TEXT}
    try:
        return Passkey(**{name: _text(where, data, name, limit) for name, limit in limits.items()})
    except PasskeyRefused as error:
        raise RosterError(f"{where}: {error}.") from error


def _one_entry_each(persons: Iterable[Person]) -> None:
    """Nobody may count twice: not under two names of one mailbox, nor with one key written in two ways."""
    seen: dict[tuple[str, str | bytes], str] = {}
    for person in persons:
        for mark in _marks(person):
            other = seen.setdefault(mark, person.id)
            if other != person.id:
                raise RosterError(
                    f"Person {person.id!r} has the same {mark[0]} as {other!r}. Two people share none: correct or remove one."
                )
        materials = [key.material for key in person.keys]
        if len(set(materials)) != len(materials):
            raise RosterError(f"Person {person.id!r} has the same key twice, in 'ssh' or 'passkey'. Remove one.")


def _marks(person: Person) -> list[tuple[str, str | bytes]]:
    """What only one person may have, each in the one form in which it can be compared."""
    local, _, domain = person.email.casefold().partition("@")
    name = " ".join(unicodedata.normalize("NFKC", person.name).casefold().split())
    marks: list[tuple[str, str | bytes]] = [("'email' (a +tag does not count)", f"{local.partition('+')[0]}@{domain}"), ("'name'", name)]
    marks += [("'credential_id'", key.credential_id) for key in person.passkeys]
    return marks + [("key", key.material) for key in person.keys]
