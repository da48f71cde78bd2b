"""What people sign of the roster: one version of it, with the destinations, as canonical JSON; and what one version changes in another.

Rules kept here: the document says what the two files say, `roster.toml` and `destinations.toml`, and nothing that either does not; it names
the environment, and by digest the version that it follows, so that a drill's is never valid live and no version follows two. Who signs it,
and when it counts, lies in `app.domain.endorsement`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import rfc8785

from app.domain import strict
from app.domain.roster import Roster, RosterError

FORMAT = "tocsin-roster/1"
MAX_DOCUMENT = 1_048_576
"""Bytes; a thousand destinations take about 200,000."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FIELDS = {"format", "environment", "previous", "version", "threshold", "person", "recovery", "destination"}
_DESTINATION_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

Place = tuple[str, ...]


def digest(raw: bytes) -> str:
    """What people sign of a document's bytes: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True)
class RosterDocument:
    """One version. `previous` is the digest of the version before, "" for version 1; `destinations` are their entries, by id."""

    environment: str
    previous: str
    roster: Roster
    destinations: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, environment: str, previous: str, roster: Roster, entries: Sequence[Mapping[str, Any]]) -> RosterDocument:
        """The document of the two files, `entries` being the tables `[[destination]]`. Raises `RosterError`."""
        destinations: dict[str, Mapping[str, Any]] = {}
        for entry in entries:
            id_ = entry.get("id")
            if not isinstance(id_, str) or not _DESTINATION_ID.fullmatch(id_) or id_ in destinations:
                raise RosterError(f"Destination {id_!r}: an id is lower-case letters, digits and hyphens, and stands once. Correct it.")
            destinations[id_] = {name: value for name, value in entry.items() if name != "id"}
        document = cls(environment, previous, roster, destinations)
        return cls.parse(document.to_bytes())  # as others will read it

    @property
    def version(self) -> int:
        return self.roster.version

    def to_bytes(self) -> bytes:
        """The canonical bytes (RFC 8785), whose SHA-256 is what people sign. Raises `RosterError` for what JSON cannot say."""
        said = self.roster.data | {"destination": self.destinations}
        try:
            return rfc8785.dumps(said | {"format": FORMAT, "environment": self.environment, "previous": self.previous})
        except (ValueError, TypeError, RecursionError) as error:
            raise RosterError(f"A destination holds what JSON cannot say ({error}): write texts, whole numbers and lists.") from error

    @cached_property
    def digest(self) -> str:
        """Of its canonical bytes, computed once."""
        return digest(self.to_bytes())

    @classmethod
    def parse(cls, raw: bytes) -> RosterDocument:
        """The document that these canonical bytes are. Raises `RosterError`, and nothing else, whatever the bytes."""
        try:
            data = strict.json_object(raw, "roster's document", MAX_DOCUMENT, _FIELDS)
        except strict.NotStrict as error:
            raise RosterError(str(error)) from error
        environment, previous, destinations = data.pop("environment"), data.pop("previous"), data.pop("destination")
        if data.pop("format") != FORMAT or environment not in ("live", "drill"):
            raise RosterError(f"The roster's document is not of the format {FORMAT}, or names no environment.")
        if not isinstance(destinations, dict) or not all(isinstance(entry, dict) for entry in destinations.values()):
            raise RosterError("The roster's document holds one table for each destination.")
        document = cls(environment, previous, Roster.of(data), destinations)
        follows = isinstance(previous, str) and DIGEST.fullmatch(previous) is not None
        if not (follows if document.version > 1 else previous == ""):
            raise RosterError("The roster's document names the digest of the version before it, and version 1 none.")
        if document.to_bytes() != raw:
            raise RosterError("The roster's document is not in its canonical form (RFC 8785).")
        return document


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two versions say otherwise: where it stands, and what is there before and after (None: nothing)."""

    place: Place
    before: str | None
    after: str | None


def differences(before: RosterDocument | None, after: RosterDocument) -> tuple[Difference, ...]:
    """All that `after` says otherwise than `before`, or all that it says. Nothing of the document is left out."""
    old, new = _facts(before) if before else {}, _facts(after)
    places = dict.fromkeys([*old, *new])
    return tuple(Difference(place, old.get(place), new.get(place)) for place in sorted(places) if old.get(place) != new.get(place))


def _facts(document: RosterDocument) -> dict[Place, str]:
    return dict(_flat((), json.loads(document.to_bytes())))


def _flat(place: Place, value: Any) -> Iterator[tuple[Place, str]]:
    """Every text, number and list by its place, written as JSON. A key's place is the key, so that another is not a change of it."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat((*place, name), inner)
    elif place[:1] == ("person",) and place[2:] in (("ssh",), ("passkey",)):
        for entry in value:
            yield from _flat((*place, entry.get("public") or entry["credential_id"]), entry)
    else:
        yield place, json.dumps(value, ensure_ascii=False, sort_keys=True)
