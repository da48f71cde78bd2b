"""Who carries the full text: the primary, else the next approved fallback, and what becomes of one that has to follow.

Exactly one destination leads, and all others point to it. A primary that refuses for certain, or is left out, is followed at once; one
that has not posted within the approved limit, then. It may turn out to have posted after all: that is shown and alarms the team.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.delivery import NOTHING_UNDER_WAY, DeliveryState, Event
from app.domain.manifest import Planned
from app.store import announcements, deliveries
from app.store.deliveries import DeliveryRow, Overtaken
from app.workflows.ledger import Ledger, Outcome

if TYPE_CHECKING:
    from app.workflows.deliver import Courier

log = structlog.get_logger(__name__)

_OVER = {DeliveryState.FAILED.value, DeliveryState.SKIPPED.value}
_OPEN = {DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value}


class Lead:
    """The search for the one who leads, in one run of a broadcast."""

    def __init__(self, courier: Courier, led_since: datetime) -> None:
        self.courier, self.led_since = courier, led_since
        self.under_way: dict[str, asyncio.Task[DeliveryRow]] = {}  # by destination, first parts that may be posted yet

    async def find(self, rows: Sequence[DeliveryRow]) -> None:
        """Posts the first part of whoever leads, lets the others go, and then the rest of it and whoever else might have led."""
        try:
            self.courier.points_to(await self._reference(rows))
        finally:
            self.courier.points_to(None)  # where that failed
            ended = await asyncio.gather(*self.under_way.values(), return_exceptions=True)
        for error in (one for one in ended if isinstance(one, BaseException)):
            raise error
        rows = await self.courier.rows()
        await asyncio.gather(*(self.courier.deliver(row) for row in rows if self.courier.may_lead(row)))

    async def _reference(self, rows: Sequence[DeliveryRow]) -> str | None:
        """The permalink of the first part, "" where nobody is to lead, None where nobody does and a person has to act."""
        while self.courier.goes_on:
            candidates = {row.destination: row for row in rows if self.courier.may_lead(row)}
            row = candidates.get(self.courier.leads)
            if row is None:
                return ""
            if row.done:
                return self._permalink(row)
            for other in candidates.values():  # an earlier run may have left their outcome open
                if other.state in _OPEN:
                    self._begin(other)
            following = self._following(candidates)
            row = await self._within_limit(row, alone=following is None)
            if following is None and not row.done and not await self._anyone_else():
                return "" if row.state == DeliveryState.SKIPPED.value else None
            if following is not None and not row.done and self.courier.goes_on:
                await self._follow(row, following)
            rows = await self.courier.rows()
        return None

    def _permalink(self, row: DeliveryRow) -> str:
        destination = self.courier.ctx.destinations.get(row.destination)
        return row.permalink if destination and destination.adapter.owns(row.permalink) else ""

    def _following(self, candidates: Mapping[str, DeliveryRow]) -> DeliveryRow | None:
        """Who has posted after all, else the next in the approved order that is still free to lead."""
        primaries = self.courier.approved.manifest.primaries
        later = primaries[primaries.index(self.courier.leads) + 1 :]
        free = (candidates[id_] for id_ in later if id_ in candidates and candidates[id_].state == DeliveryState.PLANNED.value)
        return next((row for row in candidates.values() if row.done), None) or next(free, None)

    def _begin(self, row: DeliveryRow) -> asyncio.Task[DeliveryRow]:
        if row.destination not in self.under_way or self.under_way[row.destination].done():
            self.under_way[row.destination] = asyncio.ensure_future(self.courier.deliver(row, first_part_only=True))
        return self.under_way[row.destination]

    async def _within_limit(self, row: DeliveryRow, alone: bool) -> DeliveryRow:
        """What became of the first part: at its end, or at the approved limit where another could follow."""
        if row.state in _OVER:
            return row
        left = self.courier.approved.manifest.fallback_after - (datetime.now(UTC) - self.led_since).total_seconds()
        posting, reference = self._begin(row), self.courier.reference
        waiting: list[asyncio.Future[Any]] = [posting, reference]
        await asyncio.wait(waiting, timeout=None if alone else max(left, 0), return_when=asyncio.FIRST_COMPLETED)
        if reference.done():
            await asyncio.wait({posting})  # it is posted, and its receipt is being written
        if not posting.done():
            return await self.courier.ledger.fresh(row.id)
        row = posting.result()
        rests = not alone and not row.done and row.state not in _OVER
        return await self.courier.rest(row, left) if rests else row

    async def _anyone_else(self) -> bool:
        """Whether one of those whose outcome was open has posted."""
        await asyncio.gather(*self.under_way.values(), return_exceptions=True)
        return any(row.done for row in await self.courier.rows() if self.courier.may_lead(row))

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
            await announcements.change_announcement(tx, courier.lease.announcement, leads=row.destination, led_since=now)
            data: dict[str, object] = {"from": before.destination, "to": row.destination, "state": first.state, "why": first.problem}
            await ledger.tell(tx, "fallback-leads", data)
            return True

        with contextlib.suppress(Overtaken):
            if await ledger.ctx.database.commit(work):
                log.warning("fallback-leads", before=before.destination, now=row.destination)
                courier.leads, self.led_since = row.destination, now


async def step_down(ledger: Ledger, row: DeliveryRow, planned: Planned) -> DeliveryRow:
    """Makes a primary that did not lead a pointer to the one that does, with the words that were approved for that."""
    if planned.pointer is None or DeliveryState(row.state) not in NOTHING_UNDER_WAY:
        return await ledger.settle(
            row, Outcome(Event.REFUSED, "Another destination carries the full text, and no pointer was approved here.")
        )

    async def work(tx: AsyncConnection) -> DeliveryRow:
        assert planned.pointer is not None
        return await deliveries.recast(tx, row, Role.POINTER.value, len(planned.pointer.parts), ledger.ctx.now)

    try:
        return await ledger.ctx.database.commit(work)
    except Overtaken:
        return await ledger.fresh(row.id)


async def posted_after_all(ledger: Ledger, row: DeliveryRow, leads: str) -> DeliveryRow:
    """Two full posts are out: readers of the first see no updates there, so people have to know."""
    problem = (
        f"It was posted after all, when {leads} led already, and {leads} stays the reference. Say there by hand where the updates are."
    )
    return await ledger.alarm(row, "posted-after-all", problem)
