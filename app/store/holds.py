"""Destinations to which nothing is sent: `excluded` by a person (the account is not ours any more), or `paused` by a refusal that a
person has to mend. An exclusion ends what is planned there; a pause fails it, until somebody retries or a check succeeds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.records import adding, many
from app.store.tables import holds

Kind = Literal["excluded", "paused"]


@dataclass(frozen=True, slots=True)
class Hold:
    """A row of `holds`."""

    destination: str
    kind: Kind
    why: str
    by: str
    at: datetime


_STANDING = select(holds).order_by(holds.c.kind.desc())  # paused, then excluded, which so has the last word
_STANDING_AT = _STANDING.where(holds.c.destination.in_(bindparam("at", expanding=True)))


async def standing(tx: AsyncConnection, destinations: Collection[str] | None = None) -> dict[str, Hold]:
    """What holds each destination, of these or of all; an exclusion counts before a pause."""
    found = many(tx, Hold, _STANDING) if destinations is None else many(tx, Hold, _STANDING_AT, at=list(destinations))
    return {hold.destination: hold for hold in await found}


async def excluded(tx: AsyncConnection) -> set[str]:
    """The destinations that are not ours any more; nothing else of their rows is looked at."""
    return set((await tx.scalars(select(holds.c.destination).where(holds.c.kind == "excluded"))).all())


async def put(tx: AsyncConnection, hold: Hold) -> bool:
    """Holds a destination; whether that is new."""
    values = {"destination": hold.destination, "kind": hold.kind, "why": hold.why, "by": hold.by, "at": hold.at}
    new = adding(tx, holds).values(values).returning(holds.c.destination)
    return (await tx.execute(new)).first() is not None


async def lift(tx: AsyncConnection, destination: str, kind: Kind) -> bool:
    """Ends a hold; whether there was one."""
    mine = (holds.c.destination == destination) & (holds.c.kind == kind)
    return bool((await tx.execute(delete(holds).where(mine))).rowcount)
