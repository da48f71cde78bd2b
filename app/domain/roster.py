"""The roster: who may author, review and administer, and with which public keys.

Rules kept here: one person is one entry (ids, names, mailboxes and keys are each unique, however they are written), and how many of them
are enough. One person's entry lies in `app.domain.person`; how a version of the roster becomes one that counts in
`app.domain.endorsement`.

    version = 1

    [person.first-reviewer]
    name = "First Reviewer"
    email = "first-reviewer@status.example"
    roles = ["author", "reviewer"]

    [[person.first-reviewer.ssh]]
    public = "ssh-ed25519 AAAA… laptop"

    [recovery.bank-safe]
    keeper = "First Reviewer, in the safe of the bank"
    public = "ssh-ed25519 AAAA… recovery"

A key's entry names its person, so it may be put anywhere below the person's own, the end of the file too.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.passkey import Passkey
from app.domain.person import HIDDEN, PERSON_ID, Person, PersonRole, RosterError, key_entry, only, person_entry, ssh_key, text
from app.domain.person import person as read_person
from app.domain.sshsig import NAMESPACE, SshKey

__all__ = [
    "HIDDEN",
    "PERSON_ID",
    "Passkey",
    "Person",
    "PersonRole",
    "RecoveryKey",
    "Roster",
    "RosterError",
    "SshKey",
    "key_entry",
    "lacking",
    "person_entry",
]

MAX_ROSTER = 262_144
"""Characters; a person with three keys takes about 800. (The file is the administrator's own, so this only catches a wrong file.)"""


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """A key kept offline for the day on which too few people of the roster can sign; alone it is worth nothing. `keeper`: with whom."""

    id: str
    keeper: str
    key: SshKey

    @property
    def data(self) -> dict[str, str]:
        """Its entry as data."""
        return {"keeper": self.keeper, "public": self.key.public}


@dataclass(frozen=True, slots=True)
class Roster:
    """All persons, in the order of their ids. `threshold`: how many of them must approve what is sent; never below 2."""

    version: int
    persons: tuple[Person, ...]
    threshold: int = 2
    recovery: tuple[RecoveryKey, ...] = ()

    @classmethod
    def parse(cls, toml_text: str) -> Roster:
        """The roster that this text is. Raises `RosterError`, and nothing else, whatever the text."""
        if len(toml_text) > MAX_ROSTER:
            raise RosterError(f"The roster is longer than {MAX_ROSTER} characters; is this the right file?")
        try:
            data = tomllib.loads(toml_text)
        except (ValueError, RecursionError) as error:
            raise RosterError(f"The roster is not valid TOML: {error}. A person may be declared only once.") from error
        return cls.of(data)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Roster:
        """The roster of what its file says, as data. Raises `RosterError`."""
        only("The roster", data, {"version", "threshold", "person", "recovery"})
        version, threshold = _number(data, "version", None, 1), _number(data, "threshold", 2, 2)
        persons = tuple(read_person(person_id, entry) for person_id, entry in _entries(data, "person", "first-reviewer"))
        recovery = tuple(_recovery_key(key_id, entry) for key_id, entry in _entries(data, "recovery", "bank-safe"))
        _one_entry_each(persons, recovery)
        return cls(version, persons, threshold, recovery)

    def person(self, person_id: str) -> Person | None:
        """The person with this id, if there is one."""
        return next((person for person in self.persons if person.id == person_id), None)

    @property
    def reviewers(self) -> tuple[Person, ...]:
        return tuple(person for person in self.persons if PersonRole.REVIEWER in person.roles)

    @property
    def data(self) -> dict[str, Any]:
        """What the roster says, in the words of its file; order, spacing and comments of the file do not count."""
        return {
            "version": self.version,
            "threshold": self.threshold,
            "person": {person.id: person.data for person in self.persons},
            "recovery": {key.id: key.data for key in self.recovery},
        }

    @property
    def gaps(self) -> tuple[str, ...]:
        """Why nothing could be approved as the roster stands, one sentence each; empty when enough people can sign."""
        counted, reviewers = _counted(person for person in self.persons if person.keys)
        found = []
        if counted < self.threshold:
            found.append(f"{self.threshold} people must approve, at most one of them not a reviewer: enrol the keys of more reviewers.")
        if not reviewers:
            found.append("No reviewer has a key: enrol one with `tocsin roster enrol`.")
        return tuple(found)

    @property
    def allowed_signers(self) -> str:
        """The SSH keys in the form that `ssh-keygen -Y verify -f` reads."""
        lines = [f'{person.id} namespaces="{NAMESPACE}" {key.public}\n' for person in self.persons for key in person.ssh_keys]
        return "".join(lines)


def lacking(signed: Iterable[Person], threshold: int) -> int:
    """How many people more must sign: reviewers count, besides them one author, and at least one is a reviewer. Nobody counts twice."""
    counted, reviewers = _counted(signed)
    return max(threshold - counted, 0 if reviewers else 1)


def _counted(signed: Iterable[Person]) -> tuple[int, int]:
    """How many of them count, and how many of those are reviewers."""
    persons = {person.id: person for person in signed if person.counts}.values()
    reviewers = sum(PersonRole.REVIEWER in person.roles for person in persons)
    return reviewers + min(len(persons) - reviewers, 1), reviewers


def _number(data: Mapping[str, Any], name: str, default: int | None, least: int) -> int:
    value = data.get(name, default)
    if type(value) is not int or not least <= value < 2**31:
        raise RosterError(f"The roster's {name!r} must be a whole number of at least {least}.")
    return value


def _entries(data: Mapping[str, Any], name: str, example: str) -> list[tuple[str, dict[str, Any]]]:
    entries = data.get(name, {})
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise RosterError(f"The roster's `{name}` holds one table for each: write [{name}.{example}].")
    return sorted(entries.items())


def _recovery_key(key_id: str, data: Mapping[str, Any]) -> RecoveryKey:
    where = f"Recovery key {key_id!r}"
    if not PERSON_ID.fullmatch(key_id):
        raise RosterError(f"{where}: the id must be small letters, digits and single hyphens, like bank-safe. Rename it.")
    return RecoveryKey(key_id, text(where, data, "keeper"), ssh_key(where, data, {"keeper", "public"}))


def _one_entry_each(persons: Iterable[Person], recovery: Iterable[RecoveryKey]) -> None:
    """Nobody may count twice: not under two names of one mailbox, nor with one key written in two ways, nor as their own recovery."""
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
        seen["id", person.id] = person.id
    for key in recovery:
        for mark in (("id", key.id), ("key", key.key.material), ("keeper", _folded(key.keeper))):
            if mark in seen:
                raise RosterError(f"Recovery key {key.id!r} has the same {mark[0]} as {seen[mark]!r}. Each has its own: correct it.")
            seen[mark] = key.id


def _marks(person: Person) -> list[tuple[str, str | bytes]]:
    """What only one person may have, each in the one form in which it can be compared."""
    local, _, domain = person.email.casefold().partition("@")
    marks: list[tuple[str, str | bytes]] = [("'email' (a +tag does not count)", f"{local.partition('+')[0]}@{domain}")]
    marks += [("'name'", _folded(person.name)), *(("'credential_id'", key.credential_id) for key in person.passkeys)]
    return marks + [("key", key.material) for key in person.keys]


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
