"""Follow-ups: rows with a window that the tick looks at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.followup import FollowUpState, Window
from app.store.records import first, many
from app.store.tables import follow_ups


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """A row of `follow_ups`; `announcement` is its draft, once there is one."""

    id: str
    incident: str
    kind: str
    opens: datetime
    closes: datetime
    state: str
    announcement: str | None

    @property
    def window(self) -> Window:
        """When it is due."""
        return Window(self.opens, self.closes)


UNFINISHED = (FollowUpState.WAITING, FollowUpState.SCHEDULED, FollowUpState.DUE, FollowUpState.APPROVED, FollowUpState.OVERDUE)


_OF_ANNOUNCEMENT = select(follow_ups).where(follow_ups.c.announcement == bindparam("of"))


async def of_incident(tx: AsyncConnection, incident: str) -> list[FollowUpRow]:
    """An incident's follow-ups by opening time."""
    return await many(tx, FollowUpRow, select(follow_ups).where(follow_ups.c.incident == incident).order_by(follow_ups.c.opens))


async def of_announcement(tx: AsyncConnection, announcement: str) -> FollowUpRow | None:
    """The follow-up whose draft this announcement is."""
    return await first(tx, FollowUpRow, _OF_ANNOUNCEMENT, of=announcement)


async def get(tx: AsyncConnection, id_: str) -> FollowUpRow | None:
    """By id."""
    return await first(tx, FollowUpRow, select(follow_ups).where(follow_ups.c.id == id_))


async def ticking(tx: AsyncConnection, now: datetime, limit: int = 500) -> list[str]:
    """The ids of those whose state the clock may change at `now`: opened but still scheduled, or closed and not sent."""
    opened = (follow_ups.c.state == FollowUpState.SCHEDULED.value) & (follow_ups.c.opens <= now)
    closed = follow_ups.c.state.in_([FollowUpState.DUE.value, FollowUpState.APPROVED.value]) & (follow_ups.c.closes <= now)
    return list((await tx.scalars(select(follow_ups.c.id).where(opened | closed).order_by(follow_ups.c.opens).limit(limit))).all())


async def listed(tx: AsyncConnection, after: str, limit: int) -> list[FollowUpRow]:
    """Unfinished ones by id, after the cursor."""
    query = select(follow_ups).where(follow_ups.c.state.in_([s.value for s in UNFINISHED]), follow_ups.c.id > after)
    return await many(tx, FollowUpRow, query.order_by(follow_ups.c.id).limit(limit))


async def plan(tx: AsyncConnection, id_: str, incident: str, kind: str, window: Window, state: FollowUpState) -> None:
    """Puts a follow-up on the clock, once an incident and kind; planning it again changes nothing."""
    same = (follow_ups.c.incident == incident) & (follow_ups.c.kind == kind)
    if (await tx.execute(select(follow_ups.c.id).where(same))).first() is None:
        row = {"id": id_, "incident": incident, "kind": kind, "opens": window.opens, "closes": window.closes, "state": state.value}
        await tx.execute(follow_ups.insert().values(**row))


async def change(tx: AsyncConnection, id_: str, **values: Any) -> None:
    """Sets columns of one follow-up."""
    await tx.execute(update(follow_ups).where(follow_ups.c.id == id_).values(**values))
