"""Deliveries, their attempts and receipts. Every change goes through the state machine of `app.domain.delivery`, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Receipt
from app.domain.delivery import DeliveryState, Event, Progress
from app.store.records import first, many
from app.store.tables import attempts, deliveries


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
    """A row of `attempts`: one try of one part, by the process `runner`."""

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


_CLOSED_AS = {
    Event.POSTED: "posted",
    Event.MARKED: "posted",
    Event.NOT_SENT: "not_sent",
    Event.REFUSED: "refused",
    Event.HANDED_OVER: "handed_over",
    Event.RETRIED: "not_sent",
    Event.SKIPPED: "unknown",
}


async def of_digest(tx: AsyncConnection, digest: str) -> list[DeliveryRow]:
    """All deliveries of one manifest, in its order."""
    return await many(tx, DeliveryRow, select(deliveries).where(deliveries.c.digest == digest).order_by(deliveries.c.position))


async def of_digests(tx: AsyncConnection, digests: Sequence[str]) -> list[DeliveryRow]:
    """All deliveries of several manifests."""
    return await many(tx, DeliveryRow, select(deliveries).where(deliveries.c.digest.in_(digests)).order_by(deliveries.c.position))


async def get(tx: AsyncConnection, id_: str) -> DeliveryRow | None:
    """By id."""
    return await first(tx, DeliveryRow, select(deliveries).where(deliveries.c.id == id_))


async def attempts_of(tx: AsyncConnection, delivery_ids: Sequence[str]) -> list[AttemptRow]:
    """All attempts of these deliveries, oldest first."""
    return await many(tx, AttemptRow, select(attempts).where(attempts.c.delivery.in_(delivery_ids)).order_by(attempts.c.id))


async def open_attempt(tx: AsyncConnection, delivery_id: str) -> AttemptRow | None:
    """The one attempt that has no outcome yet."""
    return await first(tx, AttemptRow, select(attempts).where(attempts.c.delivery == delivery_id, attempts.c.state == "open"))


async def last_receipt(tx: AsyncConnection, delivery_id: str) -> Receipt | None:
    """The receipt of the last part that was posted; what the next part replies to."""
    query = select(attempts).where(attempts.c.delivery == delivery_id, attempts.c.state == "posted").order_by(attempts.c.part.desc())
    row = await first(tx, AttemptRow, query.limit(1))
    return Receipt(row.remote_id, row.permalink) if row else None


async def is_known(tx: AsyncConnection, destination: str, remote_id: str) -> bool:
    """Whether a post on that destination is the receipt of an attempt already, so that a look-up never takes one post for two."""
    query = select(attempts.c.id).join(deliveries, deliveries.c.id == attempts.c.delivery)
    known = (deliveries.c.destination == destination) & (attempts.c.remote_id == remote_id) & (attempts.c.state == "posted")
    return (await tx.execute(query.where(known))).first() is not None


async def start(tx: AsyncConnection, row: DeliveryRow, runner: str, now: datetime) -> DeliveryRow:
    """Opens an attempt of the next part; it has to be on disk before the network call."""
    await tx.execute(attempts.insert().values(delivery=row.id, part=row.done, state="open", runner=runner, started_at=now))
    return await _change(tx, row, Event.STARTED, now, {"problem": ""})


async def settle(
    tx: AsyncConnection, row: DeliveryRow, event: Event, now: datetime, *, receipt: Receipt | None = None, problem: str = ""
) -> DeliveryRow:
    """Records what became of the delivery, and closes its open attempt except where the outcome stays unknown."""
    values: dict[str, Any] = {"problem": problem}
    if receipt and row.posted_at is None:
        values |= {"remote_id": receipt.remote_id, "permalink": receipt.permalink, "posted_at": now}
    changed = await _change(tx, row, event, now, values)
    closed = (attempts.c.delivery == row.id) & (attempts.c.state == "open")
    if event is Event.MARKED and receipt and await open_attempt(tx, row.id) is None:
        await tx.execute(attempts.insert().values(delivery=row.id, part=row.done, state="open", runner="by hand", started_at=now))
    ending: dict[str, Any] = {"error": problem}
    if event is not Event.LOST:
        ending |= {"state": _CLOSED_AS[event], "ended_at": now}
    if receipt:
        ending |= {"remote_id": receipt.remote_id, "permalink": receipt.permalink}
    await tx.execute(update(attempts).where(closed).values(**ending))
    return changed


async def set_read_back(tx: AsyncConnection, delivery_id: str, state: str, detail: str, now: datetime) -> None:
    """What a logged-out reader saw: `seen`, `altered`, `missing` or `not_possible`."""
    values = {"read_back": state, "read_back_detail": detail, "updated_at": now}
    await tx.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**values))


async def _change(tx: AsyncConnection, row: DeliveryRow, event: Event, now: datetime, values: dict[str, Any]) -> DeliveryRow:
    progress = row.progress.after(event)
    values = values | {"state": progress.state.value, "done": progress.done, "updated_at": now}
    same = (deliveries.c.id == row.id) & (deliveries.c.state == row.state) & (deliveries.c.done == row.done)
    changed = await tx.execute(update(deliveries).where(same).values(**values))
    if changed.rowcount != 1:
        raise Overtaken(f"Delivery {row.id} was changed by someone else meanwhile.")
    fresh = await get(tx, row.id)
    assert fresh is not None
    return fresh


class Overtaken(Exception):
    """Somebody else changed the delivery meanwhile; nothing was done here."""
