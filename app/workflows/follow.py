"""What becomes of a primary that did not lead: it points to the one that does, or it is told that it was posted after all."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.delivery import NOTHING_UNDER_WAY, DeliveryState, Event
from app.domain.manifest import Planned
from app.store import announcements, deliveries
from app.store.deliveries import DeliveryRow, Overtaken
from app.workflows.attempt import Outcome
from app.workflows.ledger import Ledger


async def step_down(ledger: Ledger, row: DeliveryRow, planned: Planned) -> DeliveryRow:
    """Makes a primary that did not lead a pointer to the one that does, with the words that were approved for that."""
    if DeliveryState(row.state) not in NOTHING_UNDER_WAY:
        return row
    if planned.pointer is None:
        why = "Another destination carries the full text, and no pointer was approved here."
        return await ledger.settle(row, Outcome(Event.REFUSED, why)) if row.state == DeliveryState.PLANNED.value else row

    async def work(tx: AsyncConnection) -> DeliveryRow:
        assert planned.pointer is not None
        return await deliveries.recast(tx, row, Role.POINTER.value, len(planned.pointer.parts), ledger.ctx.now)

    try:
        return await ledger.write(work)
    except Overtaken:
        return await ledger.fresh(row.id)


async def posted_after_all(ledger: Ledger, row: DeliveryRow, *, told: bool) -> DeliveryRow:
    """Where another leads by now, two full posts are or will be out: readers of this one see no updates there, so people have to know.

    They are alarmed once; where that was `told` with an earlier part, it only stays shown.
    """
    if len(ledger.manifest.primaries) < 2:
        return row
    async with ledger.ctx.database.read() as tx:
        announcement = await announcements.announcement(tx, row.announcement)
    leads = (announcement.leads if announcement else "") or ledger.manifest.primary
    if leads == row.destination:
        return row
    problem = (
        f"It was posted after all, when {leads} led already, and {leads} stays the reference. Say there by hand where the updates are."
    )
    if told and row.problem:  # there is more to tell: that it was posted a second time
        return row
    if not told:
        return await ledger.alarm(row, "posted-after-all", problem)

    async def shown(tx: AsyncConnection) -> DeliveryRow:
        return await deliveries.remark(tx, row, problem, ledger.ctx.now)

    return await ledger.write(shown)
