"""Sent means seen: each post is looked at as a logged-out reader would see it, and what differs is shown and alarms the team.

It comes a moment after the post, a few at a time, and once no post waits in line, so that it never delays the fan-out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Adapter, AdapterError, Part, ReadBack, Receipt, Role
from app.services import notices
from app.services.context import Context
from app.store import deliveries, timeline
from app.store.deliveries import DeliveryRow
from app.workflows.deliver import Courier
from app.workflows.line import Line, Place

log = structlog.get_logger(__name__)

TRIES = 3
PAUSE = 0.5
AFTER = 0.3
_WORST: tuple[Literal["missing", "altered", "not_possible", "seen"], ...] = ("missing", "altered", "not_possible", "seen")


class Reader:
    """Looks at the posts of one broadcast, whose line is `posts`."""

    def __init__(self, ctx: Context, courier: Courier, also: Callable[[Coroutine[Any, Any, None]], object], posts: Line) -> None:
        self.ctx, self.courier = ctx, courier
        self._begun: set[str] = set()
        looks = courier.crew.looks
        self._line = Line(looks, also, self._look, before=posts.empty.wait, goes_on=lambda: courier.goes_on, after=AFTER)

    def see(self, row: DeliveryRow) -> None:
        """Looks at this delivery's posts in a moment, once."""
        if row.id not in self._begun:
            self._begun.add(row.id)
            self._line.join(row)

    async def _look(self, row: DeliveryRow, place: Place) -> None:
        """Reads every posted part of a delivery back, finishes what was configured (a pin, a crosspost), and records the worst sight."""
        destination, receipts = self.ctx.destinations.get(row.destination), await self._receipts(row)
        if destination is None or not receipts:
            return
        said = self.courier.planned(row).said_as(Role(row.role)).parts
        parts = [(said[number].filled(self._link(row)), receipt) for number, receipt in sorted(receipts.items())]
        extra = await _finish(destination.adapter, receipts.get(0))
        sights = await asyncio.gather(*(_read(destination.adapter, part, receipt) for part, receipt in parts))
        place.leave()
        worst = min(sights, key=lambda sight: _WORST.index(sight.state))
        sight = ReadBack(worst.state, " ".join(filter(None, (worst.detail, extra))))
        await self.ctx.database.commit_each(self._record_all, (row, sight), about=row.announcement)

    def _link(self, row: DeliveryRow) -> str:
        if row.role != Role.POINTER.value:
            return row.permalink
        return "" if self.courier.nobody_leads else self.courier.reference.result() or ""

    async def _receipts(self, row: DeliveryRow) -> dict[int, Receipt]:
        """By part; of a delivery of one part its row tells it."""
        if row.parts == 1:
            return {0: Receipt(row.remote_id, row.permalink)}
        async with self.ctx.database.read() as tx:
            tried = await deliveries.attempts_of(tx, row.digest, row.id)
        return {a.part: Receipt(a.remote_id, a.permalink) for a in tried if a.state == "posted"}

    async def _record_all(self, tx: AsyncConnection, seen: Sequence[tuple[DeliveryRow, ReadBack]]) -> list[bool]:
        manifest = self.courier.approved.manifest
        await deliveries.set_read_back(tx, [(row.id, sight) for row, sight in seen], self.ctx.now)
        facts = []
        for row, sight in seen:
            data = {"delivery": row.id, "destination": row.destination, "state": sight.state, "detail": sight.detail}
            facts.append(timeline.Fact("tocsin", f"read-back-{sight.state}", manifest.incident.id, manifest.announcement, data))
        await timeline.append_all(tx, self.ctx.now, facts)
        if any(sight.state in {"missing", "altered"} for _, sight in seen):
            await notices.tell(self.ctx, tx, "alarm", manifest.announcement, self.courier.approved.digest, again=True)
        return [True for _ in seen]


async def _read(adapter: Adapter, part: Part, receipt: Receipt) -> ReadBack:
    """One part; a post that is not there yet is looked for again, since platforms take a moment. A look that fails saw nothing at all."""
    sight = ReadBack("not_possible", "It was not looked at.")
    for tried in range(TRIES):
        try:
            sight = await adapter.read(part, receipt)
        except AdapterError as error:
            sight = ReadBack("not_possible", f"It could not be looked at: {error}")
        except Exception as error:  # an adapter's bug must not keep the broadcast from its end
            log.exception("adapter-failed", platform=adapter.platform)
            sight = ReadBack("not_possible", f"It could not be looked at: {type(error).__name__}.")
        else:
            if sight.state != "missing":
                break
        await asyncio.sleep(PAUSE * (tried + 1) if tried + 1 < TRIES else 0)
    return sight


async def _finish(adapter: Adapter, receipt: Receipt | None) -> str:
    try:
        return await adapter.finish(receipt) if receipt else ""
    except AdapterError as error:
        return str(error)
    except Exception as error:
        log.exception("adapter-failed", platform=adapter.platform)
        return f"What comes after the post failed: {type(error).__name__}."
