"""Who carries the full text: the primary, else the next approved fallback. What becomes of one that has to follow lies in `follow`.

Exactly one destination leads, and all others point to it. A primary that refuses for certain, or is left out, is followed at once; one
that has not posted within the approved limit, then. It may turn out to have posted after all: that is shown and alarms the team.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.delivery import DeliveryState
from app.store import announcements, deliveries, holds
from app.store.deliveries import DeliveryRow, Overtaken
from app.workflows.deliver import Courier

log = structlog.get_logger(__name__)

Work = Coroutine[Any, Any, None]

_OVER = {DeliveryState.FAILED.value, DeliveryState.SKIPPED.value}
_OPEN = {DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value}


class Lead:
    """The search for the one who leads, in one run of a broadcast.

    `also` begins something that the run's end waits for, and `delivered` carries a delivery to its end.
    """

    def __init__(
        self, courier: Courier, also: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]], delivered: Callable[[DeliveryRow], Work]
    ) -> None:
        self.courier, self.also, self.delivered = courier, also, delivered
        self.under_way: dict[str, asyncio.Task[DeliveryRow]] = {}  # by destination, first parts that may be posted yet

    async def find(self, rows: Sequence[DeliveryRow]) -> None:
        """Posts the first part of whoever leads, lets the others go, and then the rest of it and whoever else might have led."""
        try:
            self.courier.points_to(await self._reference(rows))
        finally:
            self.courier.points_to(None)  # where that failed
        for row in rows:
            if self.courier.may_lead(row):
                self.also(self._rest_of(row))

    async def _rest_of(self, row: DeliveryRow) -> None:
        posting = self.under_way.get(row.destination)  # where it ended before, a person may have acted since
        await self.delivered(await posting if posting and not posting.done() else await self.courier.ledger.fresh(row.id))

    async def _reference(self, rows: Sequence[DeliveryRow]) -> str | None:
        """The permalink of the first part, "" where nobody is to lead, None where nobody does and a person has to act."""
        reference, beat = self.courier.reference, self.courier.pulse.next
        candidates = {row.destination: row for row in rows if self.courier.may_lead(row)}
        while self.courier.goes_on and not reference.done():
            row = candidates.get(self.courier.leads)
            if row is None:
                return ""
            if row.done:
                return self._permalink(row)
            following = self._following(row, candidates.values())
            if following and (row.state in _OVER or self._left() <= 0 or await self._is_excluded(row)):
                await self._follow(row, following)
            elif not await self._further(row, candidates.values(), beat, self._left() if following else None):
                return "" if row.state == DeliveryState.SKIPPED.value else None
            beat = self.courier.pulse.next
            if not reference.done():
                candidates = await self.courier.candidates()
        return reference.result() if reference.done() else None  # it is posted, and its receipt is being written

    def _permalink(self, row: DeliveryRow) -> str:
        destination = self.courier.ctx.destinations.get(row.destination)
        return row.permalink if destination and destination.adapter.owns(row.permalink) else ""

    async def _is_excluded(self, row: DeliveryRow) -> bool:
        """Whether a person has excluded it while its outcome is open; what is planned was left out then."""
        if row.state not in _OPEN:
            return False
        async with self.courier.ctx.database.read() as tx:
            hold = (await holds.standing(tx, [row.destination])).get(row.destination)
        return hold is not None and hold.kind == "excluded"

    def _left(self) -> float:
        """Seconds that whoever leads has left, by the approved limit."""
        return self.courier.approved.manifest.fallback_after - (datetime.now(UTC) - self.courier.led_since).total_seconds()

    def _following(self, row: DeliveryRow, candidates: Iterable[DeliveryRow]) -> DeliveryRow | None:
        """Who has posted after all, else the next in the approved order that is free to lead; after one that is over, an earlier too."""
        primaries = self.courier.approved.manifest.primaries
        place = primaries.index(row.destination)
        order = primaries[place + 1 :] + (primaries[:place] if row.state in _OVER else ())
        of = {one.destination: one for one in candidates}
        free = (of[id_] for id_ in order if id_ in of and of[id_].state == DeliveryState.PLANNED.value)
        posted = (one for one in of.values() if one.done and one.role == Role.PRIMARY.value)
        return next(posted, None) or next(free, None)

    async def _further(self, row: DeliveryRow, candidates: Iterable[DeliveryRow], beat: asyncio.Event, seconds: float | None) -> bool:
        """Waits until something ends, somebody acts, or the time is over; False where there is nothing to wait for."""
        for one in candidates:  # an earlier run, or one that led before, may have left an outcome open
            if (one is row and one.state not in _OVER) or one.state in _OPEN:
                self._begin(one)
        under_way = {posting for posting in self.under_way.values() if not posting.done()}
        if not under_way and seconds is None:
            return False
        turn = asyncio.ensure_future(self.courier.pulse.wait(seconds, beat))
        waiting: set[asyncio.Future[Any]] = {turn, self.courier.reference, *under_way}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            turn.cancel()
        return True

    def _begin(self, row: DeliveryRow) -> None:
        """Posts its first part, or finds out about it; nothing where that has come to its end and nobody has acted since."""
        before = self.under_way.get(row.destination)
        if before and (not before.done() or before.result().updated_at == row.updated_at):
            return
        self.under_way[row.destination] = self.also(self.courier.deliver(row, first_part_only=True))

    async def _follow(self, before: DeliveryRow, row: DeliveryRow) -> None:
        """Lets the next one lead, unless the one before has posted in this very moment."""
        courier, ledger, now = self.courier, self.courier.ledger, datetime.now(UTC)
        full = courier.planned(row).said_as(Role.PRIMARY)

        async def work(tx: AsyncConnection) -> bool:
            await ledger.must_be_ours(tx)
            first, second = await deliveries.get(tx, before.id), await deliveries.get(tx, row.id)
            if first is None or second is None or first.done:
                return False
            if second.role != Role.PRIMARY.value:
                await deliveries.recast(tx, second, Role.PRIMARY.value, len(full.parts), ledger.ctx.now)
            elif second.done:
                await deliveries.remark(tx, second, "", ledger.ctx.now)
            await announcements.change_announcement(tx, courier.lease.announcement, leads=row.destination, led_since=now)
            data: dict[str, object] = {"from": before.destination, "to": row.destination, "state": first.state, "why": first.problem}
            await ledger.tell(tx, "fallback-leads", data)
            return True

        courier.promoting = True  # a receipt that comes from here on is too late to lead
        try:
            if await ledger.write(work):
                log.warning("fallback-leads", before=before.destination, now=row.destination)
                courier.leads, courier.led_since = row.destination, now
        except Overtaken:
            pass
        finally:
            courier.promoting = False
