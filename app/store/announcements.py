"""Incidents, announcements and their revisions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import EXPIRES, AnnouncementState, Kind
from app.store.records import columns, first, many
from app.store.tables import announcements, incidents, revisions, workers


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A row of `incidents`; `facts` is the JSON of `app.domain.incident.Facts`."""

    id: str
    slug: str
    name: str
    state: str
    facts: dict[str, Any]
    created_at: datetime
    first_post_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnnouncementRow:
    """A row of `announcements`; `digest` is its current revision's."""

    id: str
    incident: str
    kind: str
    state: str
    revision: int
    digest: str
    worker: str
    term: int
    leads: str
    led_since: datetime | None
    created_at: datetime
    not_before: datetime | None
    not_after: datetime | None
    approved_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A row of `revisions`; `manifest` is the canonical JSON text, `wording` what the author handed in."""

    digest: str
    announcement: str
    revision: int
    manifest: str
    wording: dict[str, Any]
    created_at: datetime


_ANNOUNCEMENT = select(announcements).where(announcements.c.id == bindparam("of"))
_ANNOUNCEMENT_LOCKED = _ANNOUNCEMENT.with_for_update()
_REVISION = select(revisions).where(revisions.c.digest == bindparam("of"))
_CHANGE = update(announcements).where(announcements.c.id == bindparam("of"))
_IN_WINDOW = (  # ids alone: the rows of these are read one by one, so that a damaged one holds up no other
    select(announcements.c.id)
    .where(announcements.c.state.in_([AnnouncementState.APPROVED.value, AnnouncementState.SENDING.value]))
    .where(announcements.c.not_before.is_(None) | (announcements.c.not_before <= bindparam("now")))
    .order_by(announcements.c.created_at)
)
_FREE = _IN_WINDOW.where((announcements.c.worker == "") | announcements.c.worker.not_in(select(workers.c.id)))
_HELD_BY = _IN_WINDOW.where(announcements.c.worker == bindparam("me"))
_IN_TERM = (
    select(announcements.c.leads)
    .where(announcements.c.id == bindparam("of"), announcements.c.state == AnnouncementState.SENDING.value)
    .where(announcements.c.worker == bindparam("worker"), announcements.c.term == bindparam("term"))
    .with_for_update(read=True)
)


async def incident(tx: AsyncConnection, id_or_slug: str, *, lock: bool = False) -> IncidentRow | None:
    """By id or slug; with `lock` nobody else changes it before this transaction ends."""
    query = select(incidents).where((incidents.c.id == id_or_slug) | (incidents.c.slug == id_or_slug))
    return await first(tx, IncidentRow, query.with_for_update() if lock else query)


async def incident_named(tx: AsyncConnection, name: str) -> IncidentRow | None:
    """The newest open incident of that exact name."""
    query = select(incidents).where(incidents.c.name == name, incidents.c.state == "open").order_by(incidents.c.created_at.desc())
    return await first(tx, IncidentRow, query)


async def list_incidents(tx: AsyncConnection, before: str, limit: int) -> list[IncidentRow]:
    """Newest first; `before` is the last id of the page before."""
    query = select(incidents).order_by(incidents.c.id.desc()).limit(limit)
    return await many(tx, IncidentRow, query.where(incidents.c.id < before) if before else query)


async def announcement(tx: AsyncConnection, id_: str, *, lock: bool = False) -> AnnouncementRow | None:
    """By id; with `lock` nobody else changes it before this transaction ends."""
    return await first(tx, AnnouncementRow, _ANNOUNCEMENT_LOCKED if lock else _ANNOUNCEMENT, of=id_)


async def list_announcements(tx: AsyncConnection, incident_id: str, before: str, limit: int, state: str = "") -> list[AnnouncementRow]:
    """Newest first, of one incident and in one state where given; `before` is the last id of the page before."""
    query = select(announcements).order_by(announcements.c.id.desc()).limit(limit)
    if incident_id:
        query = query.where(announcements.c.incident == incident_id)
    if state:
        query = query.where(announcements.c.state == state)
    return await many(tx, AnnouncementRow, query.where(announcements.c.id < before) if before else query)


async def in_states(tx: AsyncConnection, states: Collection[AnnouncementState], limit: int) -> list[AnnouncementRow]:
    """Those in one of the states, newest first."""
    query = select(announcements).where(announcements.c.state.in_([state.value for state in states]))
    return await many(tx, AnnouncementRow, query.order_by(announcements.c.id.desc()).limit(limit))


async def free(tx: AsyncConnection, now: datetime) -> list[str]:
    """The ids of those in their window that no living worker holds, oldest first."""
    return list((await tx.scalars(_FREE, {"now": now})).all())


async def held_by(tx: AsyncConnection, worker: str, now: datetime) -> list[str]:
    """The ids of those in their window that this worker holds, oldest first."""
    return list((await tx.scalars(_HELD_BY, {"now": now, "me": worker})).all())


async def take(tx: AsyncConnection, row: AnnouncementRow, worker: str, **values: Any) -> int:
    """Begins a new term of this worker over a row that the transaction has locked; returns the term."""
    await change_announcement(tx, row.id, worker=worker, term=row.term + 1, **values)
    return row.term + 1


async def in_term(tx: AsyncConnection, id_: str, worker: str, term: int) -> str | None:
    """Which destination leads, where this is the worker's term still and the announcement goes out; else None.

    The row stays shared-locked until the transaction ends, so that nobody takes over in between.
    """
    leads: str | None = await tx.scalar(_IN_TERM, {"of": id_, "worker": worker, "term": term})
    return leads


async def past_window(tx: AsyncConnection, now: datetime) -> list[str]:
    """The ids of those that did not begin to go out while their window was open."""
    states = [state.value for state in EXPIRES]
    query = select(announcements.c.id).where(announcements.c.state.in_(states), announcements.c.not_after <= now)
    return list((await tx.scalars(query)).all())


async def of_kind(tx: AsyncConnection, incident_id: str, kind: Kind) -> list[AnnouncementRow]:
    """An incident's announcements of one kind, oldest first."""
    query = select(announcements).where(announcements.c.incident == incident_id, announcements.c.kind == kind.value)
    return await many(tx, AnnouncementRow, query.order_by(announcements.c.created_at))


async def revisions_before(tx: AsyncConnection, announcement_id: str, revision: int, limit: int) -> list[RevisionRow]:
    """Earlier revisions of an announcement, the newest first."""
    query = select(revisions).where(revisions.c.announcement == announcement_id, revisions.c.revision < revision)
    return await many(tx, RevisionRow, query.order_by(revisions.c.revision.desc()).limit(limit))


async def revision(tx: AsyncConnection, digest: str) -> RevisionRow | None:
    """By digest."""
    return await first(tx, RevisionRow, _REVISION, of=digest)


async def wording_of(tx: AsyncConnection, digest: str) -> dict[str, Any]:
    """What the author handed in for a revision that must exist."""
    wording: dict[str, Any] = (await tx.scalars(select(revisions.c.wording).where(revisions.c.digest == digest))).one()
    return wording


async def manifest_text(tx: AsyncConnection, digest: str) -> str:
    """The stored manifest of a revision that must exist."""
    row = await revision(tx, digest)
    assert row is not None
    return row.manifest


async def change_announcement(tx: AsyncConnection, id_: str, **values: Any) -> None:
    """Sets columns of one announcement."""
    await tx.execute(_CHANGE, columns(announcements, values) | {"of": id_})


async def change_incident(tx: AsyncConnection, id_: str, **values: Any) -> None:
    """Sets columns of one incident."""
    await tx.execute(update(incidents).where(incidents.c.id == id_).values(**values))
