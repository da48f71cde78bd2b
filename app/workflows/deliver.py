"""One delivery, from planned to posted: an attempt is on disk before its network call, and its outcome is named by the adapter.

What may happen next is decided by `app.domain.delivery`; an unknown outcome is settled before anything is sent again, by looking or by
the platform's key, and where neither can decide a person is asked. Nothing here raises an adapter's error.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_never, wait_random_exponential

from adapters.contract import (
    AdapterError,
    NeedsPerson,
    NotSent,
    OutcomeUnknown,
    Part,
    Receipt,
    Reconcile,
    Role,
)
from app.domain.delivery import ASKS_A_PERSON, FINAL, DeliveryState, Event, key
from app.domain.manifest import Planned
from app.services.context import Context, Destination
from app.services.verification import Approved
from app.store import deliveries, timeline
from app.store.deliveries import DeliveryRow, Overtaken
from app.store.tables import moment

log = structlog.get_logger(__name__)

LOOK_TRIES = 6
SKEW = timedelta(seconds=10)
"""How far a platform's clock may lag ours, when asking for posts since an attempt began."""


@dataclass(slots=True)
class Courier:
    """Carries the deliveries of one approved manifest. `locks` keep two runs in this process from carrying the same one at once."""

    ctx: Context
    approved: Approved
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def deliver(self, row: DeliveryRow, permalink: str = "", first_part_only: bool = False) -> DeliveryRow:
        """Sends what is left of a delivery; comes back when it is posted, or when only a person can help."""
        planned = self.approved.manifest.destinations[row.position]
        destination = self.ctx.destinations.get(planned.id)
        async with self.locks.setdefault(row.id, asyncio.Lock()):
            row = await self._fresh(row.id)
            if destination is None or destination.config.account != planned.account:
                return await self._settle(row, Event.REFUSED, problem=f"Destination {planned.id} is not configured as it was approved.")
            return await self._carry(row, planned, destination, permalink, first_part_only)

    async def _carry(
        self, row: DeliveryRow, planned: Planned, destination: Destination, permalink: str, first_part_only: bool
    ) -> DeliveryRow:
        if row.state == DeliveryState.SENDING.value:  # the process that opened this attempt is gone
            row = await self._settle(row, Event.LOST, problem="The program stopped before the answer came.")
        while DeliveryState(row.state) not in FINAL and not (first_part_only and row.done):
            if row.state == DeliveryState.UNKNOWN.value:
                row = await self._reconcile(row, planned, destination, permalink)
            if DeliveryState(row.state) in ASKS_A_PERSON:
                return row
            if DeliveryState(row.state) is DeliveryState.PLANNED and not (first_part_only and row.done):
                row = await self._try_until_answered(row, planned, destination, permalink)
        return row

    async def _try_until_answered(self, row: DeliveryRow, planned: Planned, destination: Destination, permalink: str) -> DeliveryRow:
        """Tries again while the platform certainly did not take it, when it says so, until the approved send window closes."""
        closes = moment(self.approved.manifest.not_after)
        retrying = AsyncRetrying(retry=retry_if_exception_type(NotSent), wait=_wait, stop=stop_never, reraise=True)
        async for attempt in retrying:
            with attempt:
                if closes and self.ctx.now >= closes:
                    return await self._settle(row, Event.REFUSED, problem="The approved send window has closed. Revise to send it late.")
                row = await self._attempt(row, planned, destination, permalink)
        return row

    async def _attempt(self, row: DeliveryRow, planned: Planned, destination: Destination, permalink: str) -> DeliveryRow:
        """One try of the next part; raises `NotSent` after recording it, so that it is tried again."""
        row = await self.ctx.database.commit(lambda tx: self._open(tx, row))
        part, reply_to = await self._next(row, planned, destination, permalink)
        try:
            receipt = await _publish(destination, part, key(row.id, row.done), reply_to)
        except NotSent as error:
            row = await self._settle(row, Event.NOT_SENT, problem=str(error))
            raise
        except NeedsPerson as error:
            return await self._settle(row, Event.HANDED_OVER, problem=str(error))
        except OutcomeUnknown as error:
            return await self._settle(row, Event.LOST, problem=str(error))
        except AdapterError as error:
            return await self._settle(row, Event.REFUSED, problem=str(error))
        except Exception as error:  # an adapter's bug says nothing about what the platform did
            log.exception("adapter-failed", destination=planned.id)
            return await self._settle(row, Event.LOST, problem=f"The adapter failed: {type(error).__name__}.")
        return await self._settle(row, Event.POSTED, receipt=receipt)

    async def _reconcile(self, row: DeliveryRow, planned: Planned, destination: Destination, permalink: str) -> DeliveryRow:
        """Settles an unknown outcome by the platform's key or by looking; else it stays unknown and a person is asked."""
        how = destination.adapter.limits.reconcile
        if how is Reconcile.KEY:
            return await self._settle(row, Event.NOT_SENT)
        if how is Reconcile.NOBODY:
            return row
        async with self.ctx.database.read() as tx:
            attempt = await deliveries.open_attempt(tx, row.id)
        assert attempt is not None
        since = attempt.started_at - self.ctx.clock.ahead - SKEW
        part, _ = await self._next(row, planned, destination, permalink)
        for tried in range(LOOK_TRIES):
            await asyncio.sleep(destination.adapter.limits.settle * (tried + 1))
            try:
                receipt = await destination.adapter.find(part, key(row.id, row.done), since)
            except AdapterError as error:
                log.warning("look-failed", destination=planned.id, problem=str(error))
                continue
            if receipt is None:
                return await self._settle(row, Event.NOT_SENT, problem="It was looked for, and is not there.")
            async with self.ctx.database.read() as tx:
                ours = not await deliveries.is_known(tx, planned.id, receipt.remote_id)
            return await self._settle(row, Event.POSTED, receipt=receipt) if ours else row
        return row

    async def _next(self, row: DeliveryRow, planned: Planned, destination: Destination, permalink: str) -> tuple[Part, Receipt | None]:
        """The next part with its slot filled, and the post that it replies to."""
        part = planned.rendering.parts[row.done]
        if row.done == 0:
            part, reply_to = part.filled(permalink) if planned.role is Role.POINTER else part, planned.reply_to
        else:
            async with self.ctx.database.read() as tx:
                reply_to = await deliveries.last_receipt(tx, row.id)
            part = part.filled(permalink if planned.role is Role.POINTER else row.permalink)
        return part, reply_to if destination.adapter.limits.replies else None

    async def _open(self, tx: AsyncConnection, row: DeliveryRow) -> DeliveryRow:
        return await deliveries.start(tx, row, self.ctx.runner, self.ctx.now)

    async def _settle(self, row: DeliveryRow, event: Event, *, receipt: Receipt | None = None, problem: str = "") -> DeliveryRow:
        async def work(tx: AsyncConnection) -> DeliveryRow:
            changed = await deliveries.settle(tx, row, event, self.ctx.now, receipt=receipt, problem=problem)
            data: dict[str, object] = {"delivery": row.id, "destination": row.destination, "role": row.role, "part": row.done}
            data |= {"state": changed.state, "problem": problem} | ({"permalink": receipt.permalink} if receipt else {})
            manifest = self.approved.manifest
            await timeline.append(
                tx,
                self.ctx.now,
                "tocsin",
                f"delivery-{event.value}",
                incident=manifest.incident.id,
                announcement=manifest.announcement,
                data=data,
            )
            return changed

        try:
            return await self.ctx.database.commit(work)
        except Overtaken:
            return await self._fresh(row.id)

    async def _fresh(self, delivery_id: str) -> DeliveryRow:
        async with self.ctx.database.read() as tx:
            row = await deliveries.get(tx, delivery_id)
        assert row is not None
        return row


async def _publish(destination: Destination, part: Part, name: str, reply_to: Receipt | None) -> Receipt:
    receipt = await destination.adapter.publish(part, name, reply_to)
    if receipt.permalink and not destination.adapter.owns(receipt.permalink):
        raise OutcomeUnknown(f"{destination.id} gave back a permalink that is not on the approved account.")
    return receipt


_back_off = wait_random_exponential(multiplier=0.5, max=30)


def _wait(state: RetryCallState) -> float:
    """The platform's own time where it gave one, else a growing pause with jitter."""
    error = state.outcome.exception() if state.outcome else None
    told = error.retry_after if isinstance(error, NotSent) else None
    return _back_off(state) if told is None else max(told, 0.1)
