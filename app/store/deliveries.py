"""Deliveries, their attempts and receipts. Every change goes through the state machine of `app.domain.delivery`, in one transaction.

A change is made to the delivery as its caller last saw it, else it is `Overtaken`; many take as few queries as one. Attempts are
timed by the real clock, as the platforms are: a drill's clock can be moved, and what a platform holds is looked for by these times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import ReadBack, Receipt
from app.domain.announcement import AnnouncementState
from app.domain.delivery import FINAL, NOTHING_UNDER_WAY, DeliveryState, Event, Impossible, Progress
from app.store.records import first, in_steps, many, many_by_many
from app.store.tables import announcements, attempts, deliveries


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A row of `deliveries`; receipt columns are those of its first part, which is what others point to."""

    id: str
    announcement: str
    digest: str
    position: int
    destination: str
    platform: str
    role: str
    state: str
    parts: int
    done: int
    problem: str
    remote_id: str
    permalink: str
    posted_at: datetime | None
    read_back: str
    read_back_detail: str
    updated_at: datetime

    @property
    def progress(self) -> Progress:
        """Its place in the state machine."""
        return Progress(DeliveryState(self.state), self.parts, self.done)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of its first part, once there is one."""
        return Receipt(self.remote_id, self.permalink) if self.posted_at else None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A row of `attempts`: one try of one part, by the process `runner`. One that ended and is still open has an unknown outcome."""

    id: int
    delivery: str
    part: int
    state: str
    runner: str
    started_at: datetime
    ended_at: datetime | None
    remote_id: str
    permalink: str
    error: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a delivery as its caller last saw it."""

    row: DeliveryRow
    event: Event
    receipt: Receipt | None = None
    problem: str = ""


_CLOSED_AS = {
    Event.POSTED: "posted",
    Event.MARKED: "posted",
    Event.CAME_LATE: "posted",
    Event.NOT_SENT: "not_sent",
    Event.REFUSED: "refused",
    Event.HANDED_OVER: "handed_over",
    Event.RETRIED: "not_sent",
    Event.SKIPPED: "unknown",
}


_OF_DIGEST = in_steps(select(deliveries).where(deliveries.c.digest == bindparam("of")), deliveries.c.position)
_OF_SOME = in_steps(
    select(deliveries).where(deliveries.c.digest == bindparam("of"), deliveries.c.destination.in_(bindparam("only", expanding=True))),
    deliveries.c.position,
)
_DELIVERY = select(deliveries).where(deliveries.c.id == bindparam("of"))
_THESE = deliveries.c.id.in_(bindparam("these", expanding=True))
_PROGRESS = select(deliveries.c.id, deliveries.c.state, deliveries.c.done, deliveries.c.role)
_PROGRESS_LOCKED = _PROGRESS.where(_THESE).order_by(deliveries.c.id).with_for_update()
_CHANGE = update(deliveries).where(deliveries.c.id == bindparam("of"))
_POSTED = select(attempts.c.delivery, attempts.c.part).where(
    attempts.c.delivery.in_(bindparam("these", expanding=True)), attempts.c.state == "posted"
)
_LAST_POSTED = (
    select(attempts).where(attempts.c.delivery == bindparam("of"), attempts.c.state == "posted").order_by(attempts.c.part.desc()).limit(1)
)
_START = update(deliveries).where(_THESE)
_OPEN = attempts.insert().from_select(
    ["delivery", "part", "state", "runner", "started_at"],
    select(
        deliveries.c.id,
        deliveries.c.done,
        literal("open"),
        bindparam("runner", type_=attempts.c.runner.type),
        bindparam("at", type_=attempts.c.started_at.type),
    ).where(_THESE),
)
_CLOSE = update(attempts).where(attempts.c.delivery == bindparam("of"), attempts.c.state == "open")
_CLOSE_AT = _CLOSE.values(ended_at=bindparam("over", type_=attempts.c.ended_at.type))
_CLOSE_LOST = _CLOSE.values(ended_at=func.coalesce(attempts.c.ended_at, bindparam("over", type_=attempts.c.ended_at.type)))
_CHANGING = ("state", "done", "problem", "remote_id", "permalink", "posted_at", "updated_at")


async def of_digest(tx: AsyncConnection, digest: str, only: Sequence[str] | None = None) -> list[DeliveryRow]:
    """All deliveries of one manifest, in its order, or those to the given destinations alone."""
    if only is None:
        return await many_by_many(tx, DeliveryRow, _OF_DIGEST, "position", of=digest)
    return await many_by_many(tx, DeliveryRow, _OF_SOME, "position", of=digest, only=list(only))


async def get(tx: AsyncConnection, id_: str) -> DeliveryRow | None:
    """By id."""
    return await first(tx, DeliveryRow, _DELIVERY, of=id_)


async def attempts_of(tx: AsyncConnection, digest: str, delivery: str = "") -> list[AttemptRow]:
    """All attempts at the deliveries of one manifest, or at one of them, oldest first."""
    query = select(attempts).join(deliveries, deliveries.c.id == attempts.c.delivery).where(deliveries.c.digest == digest)
    return await many(tx, AttemptRow, (query.where(attempts.c.delivery == delivery) if delivery else query).order_by(attempts.c.id))


async def open_attempt(tx: AsyncConnection, delivery_id: str) -> AttemptRow | None:
    """The one attempt that has no outcome yet."""
    return await first(tx, AttemptRow, select(attempts).where(attempts.c.delivery == delivery_id, attempts.c.state == "open"))


async def last_receipt(tx: AsyncConnection, delivery_id: str) -> Receipt | None:
    """The receipt of the last part that was posted; what the next part replies to."""
    row = await first(tx, AttemptRow, _LAST_POSTED, of=delivery_id)
    return Receipt(row.remote_id, row.permalink) if row else None


async def receipt_of(tx: AsyncConnection, delivery_id: str, part: int) -> Receipt | None:
    """The receipt of one part."""
    query = select(attempts).where(attempts.c.delivery == delivery_id, attempts.c.part == part, attempts.c.state == "posted")
    row = await first(tx, AttemptRow, query)
    return Receipt(row.remote_id, row.permalink) if row else None


async def is_known(tx: AsyncConnection, destination: str, remote_id: str) -> bool:
    """Whether a post on that destination is the receipt of an attempt already, so that a look-up never takes one post for two."""
    query = select(attempts.c.id).join(deliveries, deliveries.c.id == attempts.c.delivery)
    known = (deliveries.c.destination == destination) & (attempts.c.remote_id == remote_id) & (attempts.c.state == "posted")
    return (await tx.execute(query.where(known))).first() is not None


async def tried(tx: AsyncConnection, delivery_id: str, part: int) -> tuple[int, datetime | None]:
    """How often that part was tried, and when first."""
    query = select(func.count(), func.min(attempts.c.started_at)).where(attempts.c.delivery == delivery_id, attempts.c.part == part)
    times, first_at = (await tx.execute(query)).one()
    return times, first_at


async def start_all(tx: AsyncConnection, rows: Sequence[DeliveryRow], runner: str, now: datetime) -> list[DeliveryRow | Exception]:
    """Opens an attempt of each one's next part; it has to be on disk before the network call. `Overtaken` or `PostedAlready` for some."""
    posted = {tuple(found) for found in (await tx.execute(_POSTED, {"these": [row.id for row in rows]})).all()}
    free = [row for row in rows if (row.id, row.done) not in posted]
    changed = dict(zip((row.id for row in free), await _changed_all(tx, [Change(row, Event.STARTED) for row in free], now), strict=True))
    if started := [row.id for row in changed.values() if isinstance(row, DeliveryRow)]:
        await tx.execute(_START, {"these": started, "state": DeliveryState.SENDING.value, "problem": "", "updated_at": now})
        await tx.execute(_OPEN, {"these": started, "runner": runner, "at": datetime.now(UTC)})
    return [
        changed.get(row.id) or PostedAlready(f"Part {row.done + 1} has a receipt, so it is not sent, whatever else the database says.")
        for row in rows
    ]


async def settle_all(tx: AsyncConnection, changes: Sequence[Change], now: datetime) -> list[DeliveryRow | Exception]:
    """Records what became of each delivery, and closes its open attempt except where the outcome stays unknown.

    `Overtaken` or `Impossible` for some.
    """
    told = await _changed_all(tx, changes, now)
    if values := [{"of": row.id} | {name: getattr(row, name) for name in _CHANGING} for row in told if isinstance(row, DeliveryRow)]:
        await tx.execute(_CHANGE, values)
    done = [change for change, changed in zip(changes, told, strict=True) if isinstance(changed, DeliveryRow)]
    await _attempts_anew(tx, [change.row for change in done if change.event in {Event.MARKED, Event.CAME_LATE}])
    for lost in (True, False):
        values = [_ending(change) for change in done if (change.event is Event.LOST) is lost]
        if values:
            await tx.execute(_CLOSE_LOST if lost else _CLOSE_AT, values)
    return told


async def settle(
    tx: AsyncConnection, row: DeliveryRow, event: Event, now: datetime, *, receipt: Receipt | None = None, problem: str = ""
) -> DeliveryRow:
    """The same for one delivery. Raises `Overtaken`, `Impossible`."""
    (told,) = await settle_all(tx, [Change(row, event, receipt, problem)], now)
    if isinstance(told, Exception):
        raise told
    return told


async def recast(tx: AsyncConnection, row: DeliveryRow, role: str, parts: int, now: datetime) -> DeliveryRow:
    """Gives a delivery that nothing is under way with another role, as another destination leads. Raises `Overtaken`."""
    same = (deliveries.c.id == row.id) & (deliveries.c.state == row.state) & (deliveries.c.done == 0) & (deliveries.c.role == row.role)
    if DeliveryState(row.state) not in NOTHING_UNDER_WAY:
        raise Overtaken(f"Delivery {row.id} is {row.state}.")
    if not (await tx.execute(update(deliveries).where(same).values(role=role, parts=parts, updated_at=now))).rowcount:
        raise Overtaken(f"Delivery {row.id} was changed by someone else meanwhile.")
    return replace(row, role=role, parts=parts, updated_at=now)


async def remark(tx: AsyncConnection, row: DeliveryRow, problem: str, now: datetime) -> DeliveryRow:
    """Says something about a delivery without changing where it stands."""
    await tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(problem=problem, updated_at=now))
    return replace(row, problem=problem, updated_at=now)


async def announcements_at(tx: AsyncConnection, destination: str) -> list[str]:
    """The announcements that go out, or wait for a person, with a delivery there that is not at its end."""
    out = announcements.c.state.in_([AnnouncementState.SENDING.value, AnnouncementState.INCOMPLETE.value])
    query = select(deliveries.c.announcement).join(announcements, announcements.c.digest == deliveries.c.digest)
    left = deliveries.c.state.not_in([state.value for state in FINAL])
    query = query.where(deliveries.c.destination == destination, left, out).distinct().order_by(deliveries.c.announcement)
    return list((await tx.scalars(query)).all())


async def skip_all(tx: AsyncConnection, destination: str, why: str, now: datetime) -> list[DeliveryRow]:
    """Leaves out every delivery to a destination that nothing is under way with; returns them as they are then."""
    resting = deliveries.c.state.in_([state.value for state in NOTHING_UNDER_WAY])
    query = select(deliveries).where(deliveries.c.destination == destination, resting).with_for_update()
    rows = await many(tx, DeliveryRow, query)
    told = await settle_all(tx, [Change(row, Event.SKIPPED, problem=why) for row in rows], now) if rows else []
    return [row for row in told if isinstance(row, DeliveryRow)]


async def set_read_back(tx: AsyncConnection, sights: Sequence[tuple[str, ReadBack]], now: datetime) -> None:
    """What a logged-out reader saw of each delivery (by id): `seen`, `altered`, `missing` or `not_possible`."""
    values = [{"of": id_, "read_back": sight.state, "read_back_detail": sight.detail, "updated_at": now} for id_, sight in sights]
    await tx.execute(_CHANGE, values)


async def _changed_all(tx: AsyncConnection, changes: Sequence[Change], now: datetime) -> list[DeliveryRow | Exception]:
    """Locks the rows, and gives each as it will be; `Overtaken` or `Impossible` for some."""
    found = await tx.execute(_PROGRESS_LOCKED, {"these": [change.row.id for change in changes]})
    now_held = {id_: tuple(rest) for id_, *rest in found.all()}
    told: list[DeliveryRow | Exception] = []
    for change in changes:
        row = change.row
        held = now_held.pop(row.id, None)  # taken off, so that of two changes to one delivery the second is late
        if held != (row.state, row.done, row.role):
            told.append(Overtaken(f"Delivery {row.id} was changed by someone else meanwhile."))
            continue
        try:
            told.append(_changed(change, now))
        except Impossible as error:
            told.append(error)
    return told


def _changed(change: Change, now: datetime) -> DeliveryRow:
    progress = change.row.progress.after(change.event)
    changed = replace(change.row, state=progress.state.value, done=progress.done, problem=change.problem, updated_at=now)
    if change.receipt and change.row.posted_at is None:
        return replace(changed, remote_id=change.receipt.remote_id, permalink=change.receipt.permalink, posted_at=now)
    return changed


def _ending(change: Change) -> dict[str, Any]:
    receipt = change.receipt or Receipt("")
    told = {"remote_id": receipt.remote_id, "permalink": receipt.permalink, "error": change.problem}
    return told | {"of": change.row.id, "over": datetime.now(UTC), "state": _CLOSED_AS.get(change.event, "open")}


async def _attempts_anew(tx: AsyncConnection, rows: Sequence[DeliveryRow]) -> None:
    """A post made by hand, or whose receipt came late, gets an attempt to hold its receipt, where none is open."""
    if rows:
        query = select(attempts.c.delivery).where(attempts.c.delivery.in_([row.id for row in rows]), attempts.c.state == "open")
        opened = set((await tx.scalars(query)).all())
        common = {"state": "open", "runner": "", "started_at": datetime.now(UTC)}
        by_hand = [common | {"delivery": row.id, "part": row.done} for row in rows if row.id not in opened]
        if by_hand:
            await tx.execute(attempts.insert(), by_hand)


class Overtaken(Exception):
    """Somebody else changed the delivery meanwhile; nothing was done here."""


class PostedAlready(Exception):
    """A part with a receipt is not sent again, whatever its delivery's row says."""
