"""Whether any worker lives, for a process that has none: without one, what two people signed goes nowhere, and nothing else says so."""

from __future__ import annotations

import asyncio

import structlog

from app.services.context import Context
from app.store import workers
from app.store.database import UNUSABLE

log = structlog.get_logger(__name__)

LOOK = 5.0  # seconds, in which one that lives beats ten times


async def mind(ctx: Context) -> None:
    """Says it in the log when no worker beats, and when one does again; runs until it is cancelled."""
    before: dict[str, int] = {}
    attended = True
    while True:
        await asyncio.sleep(LOOK)
        try:
            async with ctx.database.read() as tx:
                now = await workers.beats(tx)
        except UNUSABLE:
            continue
        beating = any(before.get(id_) != count for id_, count in now.items())
        if attended and not beating:
            log.error("no-worker", problem="No worker is running, so nothing is mailed and nothing goes out. Start `tocsin worker`.")
        elif beating and not attended:
            log.info("worker-there")
        before, attended = now, beating
