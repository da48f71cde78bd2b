"""Incidents, their timeline and follow-ups; deliveries; and the drill's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.access import Announcer, Ctx, Reader, once
from app.api.models import ClockIn, MarkIn, ResolveIn, RetryIn
from app.api.problems import DOCUMENTED
from app.services import act, follow_up, views
from app.services.context import Context, Refused
from app.store import announcements as store
from app.store import deliveries, follow_ups, timeline
from app.store.tables import house

router = APIRouter(prefix="/v1", responses=DOCUMENTED)
Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[int, Query(ge=0, le=2**31 - 1)]


@router.get("/incidents", tags=["incidents"])
async def incidents(ctx: Ctx, caller: Reader, before: str = "", limit: Limit = 50) -> dict[str, Any]:
    """Newest first; `next` is the cursor of the following page."""
    async with ctx.database.read() as tx:
        rows = await store.list_incidents(tx, before, limit + 1)
        items = [await views.incident(ctx, tx, row) for row in rows[:limit]]
    return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}


@router.get("/incidents/{incident_id}", tags=["incidents"])
async def incident(incident_id: str, ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """One incident, by id or slug, with its follow-ups."""
    return await _incident(ctx, incident_id)


@router.post("/incidents/{incident_id}/resolve", tags=["incidents"])
async def resolve(incident_id: str, body: ResolveIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Resolves it: resolution, summary and post-mortem are drafted and on the clock."""

    async def work(_seed: str) -> dict[str, Any]:
        wording = body.resolution.wording() if body.resolution else None
        await follow_up.resolve(ctx, incident_id, caller, now=body.now, wording=wording)
        return await _incident(ctx, incident_id)

    return await once(request, ctx, caller, work)


@router.get("/incidents/{incident_id}/timeline", tags=["incidents"])
async def incident_timeline(incident_id: str, ctx: Ctx, caller: Reader, after: After = 0, limit: Limit = 200) -> dict[str, Any]:
    """All that happened in it, oldest first; `next` is the cursor of the following page."""
    async with ctx.database.read() as tx:
        row = await store.incident(tx, incident_id)
        if row is None:
            raise Refused(404, "There is no such incident.", "Give its id or slug.")
        return _page(await timeline.entries(tx, incident=row.id, after=after, limit=limit + 1), limit)


@router.get("/timeline", tags=["timeline"])
async def whole_timeline(ctx: Ctx, caller: Reader, after: After = 0, limit: Limit = 200) -> dict[str, Any]:
    """The whole record, oldest first, with its hashes."""
    async with ctx.database.read() as tx:
        return _page(await timeline.entries(tx, after=after, limit=limit + 1), limit)


@router.get("/timeline/checkpoint", tags=["timeline"])
async def checkpoint(ctx: Ctx, caller: Reader) -> dict[str, str | None]:
    """The last checkpoint of the record (a C2SP signed note, null before the first), and the key that verifies it; note that elsewhere."""
    made = ctx.checkpoints
    return {"key": str(made.signer.verifier) if made else None, "checkpoint": (made.note if made else "") or None}


@router.get("/follow-ups", tags=["follow-ups"])
async def unfinished(ctx: Ctx, caller: Reader, after: str = "", limit: Limit = 50) -> dict[str, Any]:
    """Every follow-up that is still owed."""
    async with ctx.database.read() as tx:
        rows = await follow_ups.listed(tx, after, limit + 1)
    return {"items": [views.follow_up(r) for r in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


@router.post("/deliveries/{delivery_id}/retry", tags=["deliveries"])
async def retry(delivery_id: str, body: RetryIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Tries a failed delivery again."""

    async def work(_seed: str) -> dict[str, Any]:
        await act.retry(ctx, delivery_id, caller, body.looked)
        return await _delivery(ctx, delivery_id)

    return await once(request, ctx, caller, work)


@router.post("/deliveries/{delivery_id}/mark", tags=["deliveries"])
async def mark(delivery_id: str, body: MarkIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Takes a person's word that it is posted, with its URL."""

    async def work(_seed: str) -> dict[str, Any]:
        await act.mark(ctx, delivery_id, body.url or "", caller)
        return await _delivery(ctx, delivery_id)

    return await once(request, ctx, caller, work)


@router.post("/deliveries/{delivery_id}/skip", tags=["deliveries"])
async def skip(delivery_id: str, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Leaves a destination out: sending to fewer needs no second person."""

    async def work(_seed: str) -> dict[str, Any]:
        await act.skip(ctx, delivery_id, caller)
        return await _delivery(ctx, delivery_id)

    return await once(request, ctx, caller, work)


@router.post("/drill/clock", tags=["drill"])
async def move_clock(body: ClockIn, ctx: Ctx, caller: Announcer) -> dict[str, Any]:
    """Moves the clock ahead; in a drill only."""
    if not ctx.settings.drill:
        raise Refused(409, "The clock of a live Tocsin cannot be moved.", "Start a rehearsal: `make rehearse ARGS=--keep`.")
    ctx.clock.ahead = timedelta(seconds=body.ahead_seconds)
    async with ctx.database.write() as tx:
        await tx.execute(house.update().values(clock_ahead=body.ahead_seconds))
    return {"now": ctx.now.isoformat()}


async def _incident(ctx: Context, id_or_slug: str) -> dict[str, Any]:
    async with ctx.database.read() as tx:
        row = await store.incident(tx, id_or_slug)
        if row is None:
            raise Refused(404, "There is no such incident.", "Give its id or slug.")
        return await views.incident(ctx, tx, row)


async def _delivery(ctx: Context, delivery_id: str) -> dict[str, Any]:
    async with ctx.database.read() as tx:
        row = await deliveries.get(tx, delivery_id)
    assert row is not None
    return {"id": row.id, "destination": row.destination, "state": row.state, "problem": row.problem, "permalink": row.permalink or None}


def _page(rows: list[timeline.Entry], limit: int) -> dict[str, Any]:
    return {"items": [views.entry(row) for row in rows[:limit]], "next": rows[limit - 1].seq if len(rows) > limit else None}
