"""Compromised-destination mode: one person excludes an account, at once; sending to fewer is always allowed.

Nothing further goes there: what is planned is left out, the next approved fallback leads, and later announcements pass it by. What
needs new words, since pointers named a post on that account, is proposed and goes out only when two people have signed it.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import AnnouncementState, Answers, Kind, Wording
from app.domain.manifest import Manifest
from app.services import announce
from app.services.context import Context, Refused, new_id
from app.store import announcements as store
from app.store import deliveries, holds, timeline
from app.store.announcements import AnnouncementRow
from app.store.holds import Hold
from app.store.tables import announcements

_OUT = [s.value for s in (AnnouncementState.SENDING, AnnouncementState.SENT, AnnouncementState.INCOMPLETE)]


async def exclude(ctx: Context, destination: str, why: str, by: str) -> list[str]:
    """Excludes a destination; returns the ids of the announcements that are proposed in consequence. Raises `Refused` 404."""
    _configured(ctx, destination)
    async with ctx.database.write() as tx:
        hold = Hold(destination, "excluded", why, by, ctx.now)
        if not await holds.put(tx, hold):
            return []
        await timeline.append(tx, ctx.now, by, "destination-excluded", data={"destination": destination, "why": why})
        for id_ in await deliveries.announcements_at(tx, destination):
            begun = await announce.existing(tx, id_, lock=True)
            if begun.state == AnnouncementState.INCOMPLETE.value:  # perhaps nothing is left to do for it
                await store.change_announcement(tx, id_, state=AnnouncementState.SENDING.value)
            await ctx.database.signal(tx, id_)
        for row in await deliveries.skip_all(tx, destination, f"Left out: {by} excluded {destination}. {why}", ctx.now):
            told = {"delivery": row.id, "destination": destination, "why": why}
            await timeline.append(tx, ctx.now, by, "delivery-skipped", announcement=row.announcement, data=told)
        return await _propose(ctx, tx, destination, by)


async def include(ctx: Context, destination: str, by: str) -> None:
    """Lets later announcements use it again; two people sign each of them. What was left out stays so. Raises `Refused`."""
    _configured(ctx, destination)
    async with ctx.database.write() as tx:
        if not await holds.lift(tx, destination, "excluded"):
            raise Refused(409, f"{destination} is not excluded.")
        await timeline.append(tx, ctx.now, by, "destination-included", data={"destination": destination})


async def resume(ctx: Context, destination: str, by: str) -> None:
    """Ends a pause, once what was wrong with the credentials is mended. Raises `Refused`."""
    _configured(ctx, destination)
    async with ctx.database.write() as tx:
        if not await holds.lift(tx, destination, "paused"):
            raise Refused(409, f"{destination} is not paused.")
        await timeline.append(tx, ctx.now, by, "destination-resumed", data={"destination": destination})


def _configured(ctx: Context, destination: str) -> None:
    if destination not in ctx.destinations:
        raise Refused(404, f"There is no destination “{destination}”.", f"Configured are: {', '.join(ctx.destinations)}.")


async def _propose(ctx: Context, tx: AsyncConnection, destination: str, by: str) -> list[str]:
    """For each open incident whose newest announcement sends readers to that account, a correction that sends them elsewhere."""
    proposed: list[str] = []
    query = select(announcements.c.id).where(announcements.c.state.in_(_OUT)).order_by(announcements.c.created_at.desc())
    seen: set[str] = set()
    for id_ in (await tx.scalars(query)).all():
        row = await announce.existing(tx, id_)
        incident = await store.incident(tx, row.incident)
        if row.incident in seen or incident is None or incident.state != "open":
            continue
        manifest = Manifest.parse((await store.manifest_text(tx, row.digest)).encode())
        if not manifest.primaries:
            continue  # only a banner or the team was told
        seen.add(row.incident)
        if (row.leads or manifest.primary) == destination and await _is_out(tx, row, destination):
            proposed += await _correct(ctx, tx, incident, manifest, destination, by)
    return proposed


async def _is_out(tx: AsyncConnection, row: AnnouncementRow, destination: str) -> bool:
    return any(d.done and d.destination == destination for d in await deliveries.of_digest(tx, row.digest))


async def _correct(
    ctx: Context, tx: AsyncConnection, incident: store.IncidentRow, manifest: Manifest, destination: str, by: str
) -> list[str]:
    lost = f"Our account on {ctx.destinations[destination].platform.title()} is not in our hands any more."
    distrust = "Do not trust what it says, and open no link there."
    places = await announce.not_excluded(tx, tuple(dict.fromkeys(d.id for d in manifest.destinations if d.id in ctx.destinations)))
    words = Wording(f"{lost} {distrust} Our updates are here from now on.", Answers(lost, distrust), destinations=places)
    id_ = new_id("an", ctx.now)
    try:
        async with timeline.savepoint(tx):
            await announce.write_first(ctx, tx, incident, id_, Kind.CORRECTION, words, by)
    except Refused as refusal:
        await timeline.append(tx, ctx.now, "tocsin", "correction-not-proposed", incident=incident.id, data={"why": str(refusal)})
        return []
    return [id_]
