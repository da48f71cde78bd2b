"""One person of the roster: how their entry is read and written.

Rules kept here: unknown fields are refused, and what is shown to others holds no invisible characters. The keys' own rules lie in
`app.domain.sshsig` and `app.domain.passkey`; what holds between persons in `app.domain.roster`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.passkey import Passkey, PasskeyRefused
from app.domain.sshsig import SshKey, SshKeyRefused

PERSON_ID = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, line separators, marks that turn the direction of text, invisible spaces, lone surrogates. A closed list, for
what a signature's check accepts must not change with Unicode's version."""

MAX_TEXT = 200

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
        """Whether their signature can count: authors and reviewers; who only administers does not."""
        return bool(self.roles & {PersonRole.AUTHOR, PersonRole.REVIEWER})

    @property
    def data(self) -> dict[str, Any]:
        """Their entry as data, in one order whatever the file's."""
        return {
            "name": self.name,
            "email": self.email,
            "roles": sorted(role.value for role in self.roles),
            "ssh": [_fields(key) for key in sorted(self.ssh_keys, key=lambda key: key.public)],
            "passkey": [_fields(key) for key in sorted(self.passkeys, key=lambda key: key.credential_id)],
        }


def person(person_id: str, data: Mapping[str, Any]) -> Person:
    """The person whose entry this is. Raises `RosterError`."""
    where = f"Person {person_id!r}"
    if not PERSON_ID.fullmatch(person_id):
        raise RosterError(f"{where}: the id must be small letters, digits and single hyphens, like first-reviewer. Rename it.")
    only(where, data, {"name", "email", "roles", "ssh", "passkey"})
    email = text(where, data, "email")
    if not _EMAIL.fullmatch(email):
        raise RosterError(f"{where}: 'email' is not one plain address like first-reviewer@status.example. Correct it.")
    keys: list[SshKey | Passkey] = [ssh_key(f"{where}, ssh key {at}", entry, {"public"}) for at, entry in _tables(where, data, "ssh")]
    keys += [_passkey(f"{where}, passkey {at}", entry) for at, entry in _tables(where, data, "passkey")]
    return Person(person_id, text(where, data, "name"), email, _roles(where, data), tuple(keys))


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
        text(f"Person {person_id!r}, {kind}", {name: value}, name, limit=4096 if name in {"public", "public_key"} else 2048)
    lines = [f"{name} = {_toml(value)}\n" for name, value in _fields(key).items()]
    return "".join([f"[[person.{person_id}.{kind}]]\n", *lines])


def only(where: str, data: Mapping[str, Any], known: set[str]) -> None:
    """Raises `RosterError` for a field that is not known."""
    unknown = sorted(set(data) - known)
    if unknown:
        raise RosterError(f"{where} has an unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}. Correct or remove it.")


def text(where: str, data: Mapping[str, Any], name: str, limit: int = MAX_TEXT) -> str:
    """A field that is one visible line. Raises `RosterError`."""
    value = data.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise RosterError(f'{where}: {name!r} is missing, empty, no text or longer than {limit} characters. Write {name} = "…".')
    if HIDDEN.search(value):
        raise RosterError(f"{where}: {name!r} holds an invisible or control character. Type it again by hand.")
    return value


def ssh_key(where: str, data: Mapping[str, Any], known: set[str]) -> SshKey:
    """The SSH key of a table with these fields, of which `public` is its line. Raises `RosterError`."""
    only(where, data, known)
    try:
        return SshKey.parse(text(where, data, "public", limit=4096))
    except SshKeyRefused as error:
        raise RosterError(f"{where}: 'public' {error}.") from error


def _fields(key: SshKey | Passkey) -> dict[str, str]:
    if isinstance(key, SshKey):
        return {"public": key.public}
    return {"credential_id": key.credential_id, "public_key": key.public_key, "rp_id": key.rp_id, "label": key.label}


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # without hidden characters a JSON string is a TOML string


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


def _passkey(where: str, data: Mapping[str, Any]) -> Passkey:
    only(where, data, {"credential_id", "public_key", "rp_id", "label"})
    limits = {"credential_id": 2048, "public_key": 4096, "rp_id": 253, "label": MAX_TEXT}
    try:
        return Passkey(**{name: text(where, data, name, limit) for name, limit in limits.items()})
    except PasskeyRefused as error:
        raise RosterError(f"{where}: {error}.") from error
