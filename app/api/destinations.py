"""Destinations: what is configured, whether it works, and what is held."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.access import Announcer, Ctx, Reader, once
from app.api.models import ExcludeIn
from app.api.problems import DOCUMENTED
from app.services import check, exclude

router = APIRouter(prefix="/v1/destinations", tags=["destinations"], responses=DOCUMENTED)


@router.get("")
async def destinations(ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """What is configured, and what the last check of each found."""
    return {"items": await check.last(ctx)}


@router.post("/check")
async def check_now(request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Proves every destination's credentials and account, posting nothing."""

    async def work(_seed: str) -> dict[str, Any]:
        return {"items": await check.now(ctx), "warnings": check.warnings(ctx)}

    return await once(request, ctx, caller, work)


@router.post("/{destination_id}/exclude")
async def exclude_it(destination_id: str, body: ExcludeIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Sends nothing there any more, at once: the account is not ours. `proposed` are corrections that wait for approval."""

    async def work(_seed: str) -> dict[str, Any]:
        proposed = await exclude.exclude(ctx, destination_id, body.why, caller)
        return {"destination": destination_id, "excluded": True, "proposed": proposed}

    return await once(request, ctx, caller, work)


@router.post("/{destination_id}/include")
async def include_it(destination_id: str, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Lets later announcements use it again."""

    async def work(_seed: str) -> dict[str, Any]:
        await exclude.include(ctx, destination_id, caller)
        return {"destination": destination_id, "excluded": False}

    return await once(request, ctx, caller, work)


@router.post("/{destination_id}/resume")
async def resume_it(destination_id: str, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Ends a pause, once its credentials are mended."""

    async def work(_seed: str) -> dict[str, Any]:
        await exclude.resume(ctx, destination_id, caller)
        return {"destination": destination_id, "paused": False}

    return await once(request, ctx, caller, work)
