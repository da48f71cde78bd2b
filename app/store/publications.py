"""Which posts the public can see, as the rows tell it. What of that counts beside what is signed is said by `app.services.published`.

Times come as the text that stands in the row: one that is none must not hide the rows beside it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, String, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.store.records import many
from app.store.tables import announcements, attempts, deliveries, incidents

PUBLIC = (Role.PRIMARY, Role.POINTER, Role.BANNER)
"""The roles whose posts are for everybody; what partners and the team get is not."""


@dataclass(frozen=True, slots=True)
class PostRow:
    """A delivery of which at least the first part is posted. `leads` is who carried the full text, "" for the primary as planned."""

    id: str
    digest: str
    destination: str
    role: str
    done: int
    permalink: str
    posted_at: str
    leads: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """One posted part of such a delivery."""

    digest: str
    destination: str
    delivery: str
    part: int
    permalink: str


def _posted() -> Select[tuple[str]]:
    of_row = (deliveries.c.id, deliveries.c.digest, deliveries.c.destination, deliveries.c.role, deliveries.c.done, deliveries.c.permalink)
    at = type_coerce(deliveries.c.posted_at, String).label("posted_at")
    query = select(*of_row, at, announcements.c.leads).join(announcements, announcements.c.digest == deliveries.c.digest)
    return query.where(deliveries.c.done > 0, deliveries.c.posted_at.is_not(None))


async def newest(tx: AsyncConnection, limit: int, slug: str = "") -> list[PostRow]:
    """The posts that carry a full text, of the newest announcements first; with a slug, those of one incident."""
    query = _posted().where(deliveries.c.role == Role.PRIMARY.value).order_by(announcements.c.id.desc()).limit(limit)
    if slug:
        query = query.join(incidents, incidents.c.id == announcements.c.incident).where(incidents.c.slug == slug)
    return await many(tx, PostRow, query)


async def of_digest(tx: AsyncConnection, digest: str, destinations: Collection[str], limit: int) -> list[PostRow]:
    """The public posts of one manifest on these destinations, in its order."""
    roles, there = [role.value for role in PUBLIC], deliveries.c.destination.in_(destinations)
    query = _posted().where(deliveries.c.digest == digest, deliveries.c.role.in_(roles), there)
    return await many(tx, PostRow, query.order_by(deliveries.c.position).limit(limit))


async def at(tx: AsyncConnection, permalinks: Collection[str], digests: Collection[str]) -> list[PartRow]:
    """The parts of these manifests that were posted under one of the permalinks."""
    columns = (deliveries.c.digest, deliveries.c.destination, attempts.c.delivery, attempts.c.part, attempts.c.permalink)
    query = select(*columns).join(deliveries, deliveries.c.id == attempts.c.delivery)
    theirs = deliveries.c.digest.in_(digests) & attempts.c.permalink.in_(permalinks)
    return await many(tx, PartRow, query.where(theirs, attempts.c.state == "posted"))
