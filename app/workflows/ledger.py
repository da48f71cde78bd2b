"""What the couriers write: an attempt before its network call, its outcome after it, each with its line in the record.

An attempt is opened only in the worker's own term and where nothing stands against it: no hold, no platform that asks to wait, no
budget that is used up. What comes at the same moment is written together. A database that cannot be written (locked, full, away) is
asked again until it can be: the outcome of a post that was made must not be forgotten. Should the process end before that, the attempt
is open on disk, and the next worker looks or asks before it sends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Receipt, Role
from app.domain.announcement import AnnouncementState
from app.domain.delivery import FINAL, DeliveryState, Event
from app.domain.manifest import Manifest
from app.services import notices
from app.services.context import Context
from app.store import announcements, budgets, deliveries, holds, timeline
from app.store.database import Bulk, Work, in_turn, recorded
from app.store.deliveries import Change, DeliveryRow, Overtaken, PostedAlready
from app.store.holds import Hold
from app.store.tables import moment
from app.workflows.attempt import Ask, Lease, NotOurs, Opening, Outcome, Stopped, Wait

T = TypeVar("T")
Item = TypeVar("Item")

LATE_FOR = 60  # looks, a second apart
SECOND = "It was posted a second time, as an earlier attempt came through after all:"
ANOTHER_LEADS = 0.5  # seconds until one that leads no more looks again
WINDOW_CLOSED = "The approved send window has closed. Revise to send it late."


@dataclass(frozen=True, slots=True)
class _Told:
    row: DeliveryRow
    outcome: Outcome

    @property
    def change(self) -> Change:
        return Change(self.row, self.outcome.event, self.outcome.receipt, self.outcome.problem)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Writes for the deliveries of one manifest, in one term."""

    ctx: Context
    manifest: Manifest
    digest: str
    lease: Lease

    async def open(self, ask: Ask) -> Opening:
        """Opens an attempt if nothing stands against it; `NotOurs` where the term is over."""
        begun = datetime.now(UTC)
        try:
            return Opening(await self._written(self._open_all, ask), ours=True)
        except Wait as wait:
            return Opening(ask.row, wait=wait.seconds, booked=wait.booked)
        except Overtaken:
            return await self._opened_after_all(ask.row, begun)
        except PostedAlready as error:
            return Opening(await self.settle(ask.row, Outcome(Event.REFUSED, str(error))))
        except Stopped as stop:
            return Opening(await self.settle(ask.row, Outcome(stop.event, str(stop))))

    async def _opened_after_all(self, row: DeliveryRow, begun: datetime) -> Opening:
        """A commit whose answer was lost may have opened it, and nothing was sent since; else somebody else did."""
        async with self.ctx.database.read() as tx:
            fresh, attempt = await deliveries.get(tx, row.id), await deliveries.open_attempt(tx, row.id)
        assert fresh is not None
        just_now = attempt is not None and attempt.runner == self.lease.worker and attempt.started_at >= begun
        return Opening(fresh, ours=fresh.state == DeliveryState.SENDING.value and just_now)

    async def settle(self, row: DeliveryRow, outcome: Outcome) -> DeliveryRow:
        """Records an outcome; where somebody else was faster, gives the delivery as they left it, and a receipt is not lost."""
        try:
            return await self._written(self._settle_all, _Told(row, outcome))
        except Overtaken:
            return await self.came_late(row, outcome.receipt) if outcome.receipt else await self.fresh(row.id)

    async def came_late(self, row: DeliveryRow, receipt: Receipt) -> DeliveryRow:
        """Takes the receipt of an attempt that somebody else has taken over meanwhile. What shows as a second post is told."""
        for _ in range(LATE_FOR):
            fresh = await self.fresh(row.id)
            if fresh.done > row.done or DeliveryState(fresh.state) in FINAL or fresh.role != row.role:
                async with self.ctx.database.read() as tx:
                    known = await deliveries.receipt_of(tx, row.id, row.done)
                return fresh if known == receipt else await self.alarm(fresh, "posted-besides", f"{SECOND} {_where(receipt)}")
            if fresh.state == DeliveryState.SENDING.value:  # another attempt is under way: wait for what becomes of it
                await asyncio.sleep(1)
                continue
            with contextlib.suppress(Overtaken):
                return await self._written(self._settle_all, _Told(fresh, Outcome(Event.CAME_LATE, receipt=receipt)))
        return await self.alarm(await self.fresh(row.id), "posted-besides", f"{SECOND} {_where(receipt)}")

    async def alarm(self, row: DeliveryRow, event: str, problem: str) -> DeliveryRow:
        """Shows something at a delivery that a person should see, and alarms the team."""

        async def work(tx: AsyncConnection) -> DeliveryRow:
            changed = await deliveries.remark(tx, row, problem, self.ctx.now)
            await self.tell(tx, event, {"delivery": row.id, "destination": row.destination, "problem": problem})
            return changed

        return await self.write(work)

    async def write(self, work: Work[T]) -> T:
        """Runs `work` in a transaction, as soon as the database can be written."""
        return await self._written(in_turn, work)

    async def tell(self, tx: AsyncConnection, event: str, data: dict[str, object]) -> None:
        """Puts it on the record, and alarms the team."""
        where = {"incident": self.manifest.incident.id, "announcement": self.manifest.announcement}
        await timeline.append(tx, self.ctx.now, "tocsin", event, **where, data=data)
        await notices.tell(self.ctx, tx, "alarm", self.manifest.announcement, self.digest, again=True)

    async def must_be_ours(self, tx: AsyncConnection) -> str:
        """Which destination leads, by the database; raises `NotOurs` where this term is over."""
        if not (leads := await self._is_ours(tx)):
            raise NotOurs("Another worker carries it.")
        return leads[0] or self.manifest.primary

    async def _is_ours(self, tx: AsyncConnection) -> tuple[str, ...]:
        """Which destination leads by the database, where this is our term; else nothing."""
        leads = await announcements.in_term(tx, self.lease.announcement, self.lease.worker, self.lease.term)
        return () if leads is None else (leads,)

    async def _open_all(self, tx: AsyncConnection, asks: Sequence[Ask]) -> Sequence[DeliveryRow | Exception]:
        told: dict[str, DeliveryRow | Exception] = {}
        try:
            leads = await self.must_be_ours(tx)
        except NotOurs as error:
            return [error for _ in asks]
        places = {ask.row.destination for ask in asks}
        held, closed = await holds.standing(tx, places), await budgets.closed(tx, places)
        for ask in asks:
            if against := self._against(ask, leads, held, closed):
                told[ask.row.id] = against
        free = [ask for ask in asks if ask.row.id not in told]
        waits = await budgets.book(tx, [() if ask.booked else ask.limits.paces for ask in free])
        told |= {ask.row.id: Wait(wait, booked=True) for ask, wait in zip(free, waits, strict=True) if wait > 0}
        ready = [ask.row for ask in free if ask.row.id not in told]
        started = await deliveries.start_all(tx, ready, self.lease.worker, self.ctx.now) if ready else []
        told |= {row.id: result for row, result in zip(ready, started, strict=True)}
        return [told[ask.row.id] for ask in asks]

    def _against(self, ask: Ask, leads: str, held: dict[str, Hold], closed: dict[str, float]) -> Exception | None:
        row, hold = ask.row, held.get(ask.row.destination)
        if row.role == Role.PRIMARY.value and row.destination != leads and not row.done:
            return Wait(ANOTHER_LEADS, ask.booked)
        if self.closes_within(0):
            return Stopped(Event.REFUSED, WINDOW_CLOSED)
        if hold and hold.kind == "excluded":
            return Stopped(Event.SKIPPED, left_out(hold))
        if hold:
            return Stopped(Event.REFUSED, f"{row.destination} is paused since {at(hold.at)}. {hold.why} Once it is mended, retry.")
        wait = closed.get(row.destination, 0.0)
        return Wait(wait, ask.booked) if wait else None

    async def _settle_all(self, tx: AsyncConnection, items: Sequence[_Told]) -> Sequence[DeliveryRow | Exception]:
        """In another worker's term only a late receipt counts: the attempt that is open may be another one by now."""
        late = any(item.outcome.event is Event.CAME_LATE for item in items)
        held = await announcements.announcement(tx, self.lease.announcement, lock=True) if late else None  # before its deliveries
        kept = items if await self._is_ours(tx) else [item for item in items if item.outcome.event is Event.CAME_LATE]
        told = await deliveries.settle_all(tx, [item.change for item in kept], self.ctx.now) if kept else []
        done = [(item, changed) for item, changed in zip(kept, told, strict=True) if isinstance(changed, DeliveryRow)]
        await timeline.append_all(tx, self.ctx.now, [self._fact(item, changed) for item, changed in done])
        for item, changed in sorted(done, key=lambda pair: pair[1].destination):  # two that lock crosswise would stop each other
            if item.outcome.closes:
                await budgets.close(tx, changed.destination, item.outcome.closes)
            if item.outcome.pauses:
                await holds.put(tx, Hold(changed.destination, "paused", changed.problem, "tocsin", self.ctx.now))
        if held and any(item.outcome.event is Event.CAME_LATE for item, _ in done):
            await self._goes_on(tx, held)
        results = {id(item): result for item, result in zip(kept, told, strict=True)}
        return [results.get(id(item)) or Overtaken("Another worker carries it.") for item in items]

    async def _goes_on(self, tx: AsyncConnection, row: announcements.AnnouncementRow) -> None:
        """With a late receipt there may be more to send: further parts, or pointers that had nothing to point to."""
        if row.digest == self.digest and row.state == AnnouncementState.INCOMPLETE.value:
            await announcements.change_announcement(tx, row.id, state=AnnouncementState.SENDING.value)
        await self.ctx.database.signal(tx, self.lease.announcement)

    def _fact(self, item: _Told, changed: DeliveryRow) -> timeline.Fact:
        row, receipt = item.row, item.outcome.receipt
        data: dict[str, object] = {"delivery": row.id, "destination": row.destination, "role": row.role, "part": row.done}
        data |= {"state": changed.state, "problem": changed.problem} | ({"permalink": receipt.permalink} if receipt else {})
        return timeline.Fact("tocsin", f"delivery-{item.outcome.event.value}", self.manifest.incident.id, self.manifest.announcement, data)

    async def fresh(self, delivery_id: str) -> DeliveryRow:
        """The delivery as it is now."""
        row = await self.ctx.database.look(lambda tx: deliveries.get(tx, delivery_id))
        assert row is not None
        return row

    def closes_within(self, seconds: float) -> bool:
        """Whether the approved send window is over by then."""
        closes = moment(self.manifest.not_after)
        return closes is not None and (closes - self.ctx.now).total_seconds() <= seconds

    async def _written(self, bulk: Bulk[Item, T], item: Item) -> T:
        commit = partial(self.ctx.database.commit_each, bulk, item, about=self.lease.announcement)
        return await recorded(commit, partial(_named, item))


def _named(item: object) -> str:
    """What a log should keep of it, should the database never take it."""
    if isinstance(item, _Told):
        receipt = item.outcome.receipt
        return f"{item.outcome.event.value} {item.row.destination} {receipt.permalink if receipt else ''}".rstrip()
    return f"attempt of {item.row.destination}" if isinstance(item, Ask) else ""


def _where(receipt: Receipt) -> str:
    return receipt.permalink or receipt.remote_id


def left_out(hold: Hold) -> str:
    """Why nothing is sent to an excluded destination."""
    return f"Left out: {hold.by} excluded {hold.destination} at {at(hold.at)}. {hold.why}".rstrip()


def at(moment_: datetime) -> str:
    """A time for people, to the second."""
    return moment_.strftime("%H:%M:%S UTC")
