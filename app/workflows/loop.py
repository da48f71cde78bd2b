"""The loop beside the broadcasts: sends notices, looks at the clock, and starts what is approved and in its window but does not run.

It wakes at every write of this process and at least once a second. What it starts a second time finds nothing left to do, and a
broadcast that keeps ending unfinished is started ever more rarely (`house.running`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import structlog

from app.services import check, follow_up, notify
from app.services.context import Context
from app.store import announcements as store
from app.workflows import broadcast, house

log = structlog.get_logger(__name__)

PERIOD = 1.0
BREATH = 0.05


async def run(ctx: Context) -> None:
    """Runs until it is cancelled; an error is logged and holds up neither the loop nor the other kinds of work."""
    gc.collect()
    gc.freeze()  # all that is loaded by now stays; to look through it again would halt the process for 0.1 s, in the middle of a broadcast
    await asyncio.gather(*(_forever(ctx, work) for work in (sweep, follow_up.tick, notify.send_due, check.when_due)))


async def _forever(ctx: Context, work: Callable[[Context], Awaitable[int]]) -> None:
    while True:
        try:
            await work(ctx)
        except Exception:
            log.exception("loop-failed")
            await asyncio.sleep(PERIOD)
        await ctx.database.changed(PERIOD)
        await asyncio.sleep(BREATH)


async def sweep(ctx: Context) -> int:
    """Starts every approved announcement whose window is open and whose broadcast does not run here; returns how many."""
    async with ctx.database.read() as tx:
        waiting = [row for row in await store.in_window(tx, ctx.now) if house.may_start(row.digest)]
    for row in waiting:
        async with ctx.database.write() as tx:
            await store.change_announcement(tx, row.id, runs=row.runs + 1)
        await broadcast.start(row.id, row.digest, row.runs + 1)
    return len(waiting)
