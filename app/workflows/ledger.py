"""What the couriers write: an attempt before its network call, its outcome after it, each with its line in the record.

A database that cannot be written (locked, full) is asked again until it can be: the outcome of a post that was made must not be
forgotten. Should the process end before that, the attempt is open on disk, and the next process looks or asks before it sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from adapters.contract import Receipt
from app.domain.delivery import Event
from app.domain.manifest import Manifest
from app.services.context import Context
from app.store import deliveries, timeline
from app.store.database import UNUSABLE, Bulk
from app.store.deliveries import Change, DeliveryRow, Overtaken, PostedAlready
from app.store.tables import moment

log = structlog.get_logger(__name__)

Item = TypeVar("Item")

WINDOW_CLOSED = "The approved send window has closed. Revise to send it late."


class WindowClosed(Exception):
    """Nothing may be sent any more."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Writes for the deliveries of one manifest; what comes at the same moment is written together."""

    ctx: Context
    manifest: Manifest

    async def open(self, row: DeliveryRow) -> tuple[DeliveryRow, bool]:
        """Opens an attempt. Gives the delivery as it is then, and whether the attempt is ours: only then the call may follow."""
        try:
            return await self._written(self._open_all, row), True
        except Overtaken:
            return await self.fresh(row.id), False
        except (WindowClosed, PostedAlready) as error:
            return await self.settle(row, Event.REFUSED, problem=str(error)), False

    async def settle(self, row: DeliveryRow, event: Event, *, receipt: Receipt | None = None, problem: str = "") -> DeliveryRow:
        """Records an outcome; where somebody else was faster, gives the delivery as they left it."""
        try:
            return await self._written(self._settle_all, Change(row, event, receipt, problem))
        except Overtaken:
            return await self.fresh(row.id)

    async def _open_all(self, tx: AsyncConnection, rows: Sequence[DeliveryRow]) -> Sequence[DeliveryRow | Exception]:
        if self.closes_within(0):
            return [WindowClosed(WINDOW_CLOSED) for _ in rows]
        return await deliveries.start_all(tx, rows, self.ctx.runner, self.ctx.now)

    async def _settle_all(self, tx: AsyncConnection, changes: Sequence[Change]) -> Sequence[DeliveryRow | Exception]:
        told = await deliveries.settle_all(tx, changes, self.ctx.now)
        for change, changed in zip(changes, told, strict=True):
            if isinstance(changed, DeliveryRow):
                await self._record(tx, change, changed)
        return told

    async def _record(self, tx: AsyncConnection, change: Change, changed: DeliveryRow) -> None:
        row, receipt = change.row, change.receipt
        data: dict[str, object] = {"delivery": row.id, "destination": row.destination, "role": row.role, "part": row.done}
        data |= {"state": changed.state, "problem": change.problem} | ({"permalink": receipt.permalink} if receipt else {})
        about = {"incident": self.manifest.incident.id, "announcement": self.manifest.announcement}
        await timeline.append(tx, self.ctx.now, "tocsin", f"delivery-{change.event.value}", **about, data=data)

    async def fresh(self, delivery_id: str) -> DeliveryRow:
        """The delivery as it is now."""
        async with self.ctx.database.read() as tx:
            row = await deliveries.get(tx, delivery_id)
        assert row is not None
        return row

    def closes_within(self, seconds: float) -> bool:
        """Whether the approved send window is over by then."""
        closes = moment(self.manifest.not_after)
        return closes is not None and (closes - self.ctx.now).total_seconds() <= seconds

    async def _written(self, bulk: Bulk[Item, DeliveryRow], item: Item) -> DeliveryRow:
        def told(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            log.error("not-recorded-yet", what=_named(item), tries=state.attempt_number, problem=str(getattr(error, "orig", error)))

        retrying = AsyncRetrying(retry=retry_if_exception_type(UNUSABLE), wait=wait_random_exponential(0.2, max=5), before_sleep=told)
        return await retrying(self.ctx.database.commit_each, bulk, item)


def _named(item: object) -> str:
    """What a log should keep of it, should the database never take it."""
    if isinstance(item, Change):
        return f"{item.event.value} {item.row.destination} {item.receipt.permalink if item.receipt else ''}".rstrip()
    return f"attempt of {item.destination}" if isinstance(item, DeliveryRow) else ""


def at(moment_: datetime) -> str:
    """A time for people, to the second."""
    return moment_.strftime("%H:%M:%S UTC")
