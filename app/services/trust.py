"""The record of who may send: each version of the roster that comes into force has its entry in the timeline.

The entry is for readers. What is trusted is decided by signatures and by what is remembered outside the database, never by a row.
"""

from __future__ import annotations

from app.services.context import Context
from app.store import timeline

EVENT = "roster-trusted"


async def record(ctx: Context) -> None:
    """Puts the version in force on the record, where it does not stand there as the last one."""
    ctx.read_roster()  # looks at the files
    trusted = ctx.roster_trusted()
    if trusted is None or trusted.digest == ctx.roster_recorded:
        return
    async with ctx.database.write(quiet=True) as tx:
        last = await timeline.last_of(tx, EVENT)
        if last is None or last.values().get("digest") != trusted.digest:
            standing = trusted.standing
            said = {
                "version": trusted.document.version,
                "digest": trusted.digest,
                "previous": trusted.document.previous,
                "signers": list(standing.signers),
                "recovered": standing.recovered,
                "worker": ctx.runner,
            }
            await timeline.append(tx, ctx.now, "tocsin", EVENT, data=said)
    ctx.roster_recorded = trusted.digest
