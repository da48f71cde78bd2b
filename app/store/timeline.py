"""The record of all that happened: append-only rows, each holding the hash of the one before, written in the transaction it tells of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import rfc8785
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.records import many
from app.store.tables import iso, timeline

GENESIS = "0" * 64
_APPEND_LOCK = 0x746F6373  # "tocs": one chain, one writer at a time


@dataclass(frozen=True, slots=True)
class Entry:
    """One transition. `data` is canonical JSON text; `hash` covers every other field and the previous hash."""

    seq: int
    at: datetime
    actor: str
    event: str
    incident: str
    announcement: str
    data: str
    previous: str
    hash: str

    def computed_hash(self) -> str:
        """SHA-256 over the canonical JSON of all fields but the hash itself."""
        fields: list[int | str] = [
            self.seq,
            iso(self.at),
            self.actor,
            self.event,
            self.incident,
            self.announcement,
            self.data,
            self.previous,
        ]
        return hashlib.sha256(rfc8785.dumps(list(fields))).hexdigest()

    def values(self) -> dict[str, Any]:
        """The fact told, with `data` as an object."""
        return json.loads(self.data)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Link:
    """What chains an entry."""

    seq: int
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What an entry will tell."""

    actor: str
    event: str
    incident: str = ""
    announcement: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


_LAST = select(timeline.c.seq, timeline.c.hash).order_by(timeline.c.seq.desc()).limit(1)
_ADD = timeline.insert()
_UNWRITTEN: WeakKeyDictionary[AsyncConnection, list[tuple[datetime, Fact]]] = WeakKeyDictionary()


async def append(
    tx: AsyncConnection,
    now: datetime,
    actor: str,
    event: str,
    *,
    incident: str = "",
    announcement: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Adds one entry to the caller's transaction."""
    await append_all(tx, now, [Fact(actor, event, incident, announcement, data or {})])


async def append_all(tx: AsyncConnection, now: datetime, facts: Sequence[Fact]) -> None:
    """Adds entries in their order to the caller's transaction.

    They are written last of all (`write`): the chain has one end, which one transaction at a time may hold, and whoever took it in
    the middle would wait for rows while others wait for the chain.
    """
    _UNWRITTEN.setdefault(tx, []).extend((now, fact) for fact in facts)


@asynccontextmanager
async def savepoint(tx: AsyncConnection) -> AsyncIterator[None]:
    """What fails within undoes itself alone, with its entries; the error is the caller's."""
    facts = _UNWRITTEN.setdefault(tx, [])
    before = len(facts)
    try:
        async with tx.begin_nested():
            yield
    except BaseException:
        del facts[before:]
        raise


async def write(tx: AsyncConnection) -> None:
    """Chains and writes what the transaction has appended; called by the database right before it commits."""
    facts = _UNWRITTEN.pop(tx, [])
    if not facts:
        return
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPEND_LOCK})
    last = (await tx.execute(_LAST)).first()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    rows = []
    for now, fact in facts:
        told = rfc8785.dumps(dict(fact.data)).decode()
        entry = Entry(seq + 1, now, fact.actor, fact.event, fact.incident, fact.announcement, told, previous, "")
        seq, previous = entry.seq, entry.computed_hash()
        rows.append({name: getattr(entry, name) for name in Entry.__slots__} | {"hash": previous})
    await tx.execute(_ADD, rows)


async def entries(tx: AsyncConnection, *, incident: str = "", announcement: str = "", after: int = 0, limit: int = 200) -> list[Entry]:
    """Entries in order, after the sequence number `after`; of one incident or announcement where given."""
    query = select(timeline).where(timeline.c.seq > after).order_by(timeline.c.seq).limit(limit)
    if incident:
        query = query.where(timeline.c.incident == incident)
    if announcement:
        query = query.where(timeline.c.announcement == announcement)
    return await many(tx, Entry, query)


async def last_of(tx: AsyncConnection, event: str) -> Entry | None:
    """The latest entry of that kind. It looks through all of them, so it is not for every request."""
    found = await many(tx, Entry, select(timeline).where(timeline.c.event == event).order_by(timeline.c.seq.desc()).limit(1))
    return found[0] if found else None


async def links(tx: AsyncConnection, *, first: int, limit: int) -> list[Link]:
    """Of the entries from the sequence number `first` on, in order."""
    query = select(timeline.c.seq, timeline.c.previous, timeline.c.hash).where(timeline.c.seq >= first)
    return await many(tx, Link, query.order_by(timeline.c.seq).limit(limit))


def first_broken(chain: Iterable[Entry]) -> int | None:
    """The sequence number of the first entry that does not follow from the one before; None where the chain holds."""
    expected, previous = 1, GENESIS
    for entry in chain:
        if entry.seq != expected or entry.previous != previous or entry.computed_hash() != entry.hash:
            return entry.seq
        expected, previous = entry.seq + 1, entry.hash
    return None
