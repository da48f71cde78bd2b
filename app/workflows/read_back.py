"""Sent means seen: each post is looked at as a logged-out reader would see it, and what differs is shown and alarms the team."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Adapter, AdapterError, Part, ReadBack, Receipt, Role
from app.domain.manifest import Manifest
from app.services import announce
from app.services.context import Context
from app.store import deliveries, timeline
from app.store.deliveries import DeliveryRow

log = structlog.get_logger(__name__)

TRIES = 3
PAUSE = 0.5
_WORST: tuple[Literal["missing", "altered", "not_possible", "seen"], ...] = ("missing", "altered", "not_possible", "seen")


async def look(ctx: Context, manifest: Manifest, row: DeliveryRow, permalink: str) -> None:
    """Reads every posted part of a delivery back, finishes what was configured (a pin, a crosspost), and records the worst sight."""
    planned, destination = manifest.destinations[row.position], ctx.destinations.get(row.destination)
    if destination is None:
        return
    async with ctx.database.read() as tx:
        receipts = {a.part: Receipt(a.remote_id, a.permalink) for a in await deliveries.attempts_of(tx, [row.id]) if a.state == "posted"}
    if not receipts:
        return
    filling = permalink if planned.role is Role.POINTER else row.permalink
    extra = await _finish(destination.adapter, receipts.get(0))
    parts = [(planned.rendering.parts[number].filled(filling), receipt) for number, receipt in sorted(receipts.items())]
    sights = await asyncio.gather(*(_read(destination.adapter, part, receipt) for part, receipt in parts))
    worst = min(sights, key=lambda sight: _WORST.index(sight.state))
    detail = " ".join(filter(None, (worst.detail, extra)))

    async def work(tx: AsyncConnection) -> None:
        await deliveries.set_read_back(tx, row.id, worst.state, detail, ctx.now)
        data = {"delivery": row.id, "destination": row.destination, "state": worst.state, "detail": detail}
        where = {"incident": manifest.incident.id, "announcement": manifest.announcement}
        await timeline.append(tx, ctx.now, "tocsin", f"read-back-{worst.state}", **where, data=data)
        if worst.state in {"missing", "altered"}:
            await announce.tell(ctx, tx, "alarm", manifest.announcement, row.digest, again=True)

    await ctx.database.commit(work)


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
