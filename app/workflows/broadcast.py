"""The broadcast of one approved manifest, as one durable workflow that reads as a story.

Both signatures are verified over the recomputed digest right before sending; what is sent comes from those verified bytes, never from
a row. Every step looks at the delivery table first, so a step or a whole broadcast that runs again sends only what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.announcement import AnnouncementState
from app.domain.delivery import FINAL, DeliveryState
from app.domain.followup import FollowUpState
from app.services import follow_up
from app.services.announce import existing
from app.services.context import Context
from app.services.verification import Approved, NotApproved, approved
from app.store import announcements as store
from app.store import deliveries, follow_ups, timeline
from app.store.deliveries import DeliveryRow
from app.store.tables import iso
from app.workflows.deliver import Courier
from app.workflows.read_back import look

log = structlog.get_logger(__name__)

_MAY_SEND = {AnnouncementState.APPROVED.value, AnnouncementState.SENDING.value}


class House:
    """The context that the engine's functions work with; one a process, set by `app.bootstrap` before the engine is launched."""

    ctx: Context
    running: set[str]  # digests of the broadcasts that run in this process
    locks: dict[str, asyncio.Lock]


def install(ctx: Context) -> None:
    """Makes `ctx` the house of this process's broadcasts."""
    House.ctx, House.running, House.locks = ctx, set(), {}


async def start(announcement: str, digest: str, run: int) -> None:
    """Starts a broadcast; starting the same run twice, or one beside another, is harmless."""
    House.running.add(digest)
    with SetWorkflowID(f"broadcast:{digest}:{run}"):
        await DBOS.start_workflow_async(broadcast, announcement, digest)


@DBOS.workflow(name="broadcast")
async def broadcast(announcement: str, digest: str) -> str:
    """The story; returns how it ended."""
    House.running.add(digest)
    try:
        if not await begin(announcement, digest):
            return "refused"
        await tell_partners(digest)
        if await post_first(digest):
            await post_everything_else(digest)
        await read_back(digest)
        return await end(announcement, digest)
    finally:
        House.running.discard(digest)


@DBOS.step(name="begin")
async def begin(announcement: str, digest: str) -> bool:
    """Verifies, and marks the announcement as being sent; from here on it cannot be cancelled."""
    ctx = House.ctx
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement)
        if row.digest != digest or row.state not in _MAY_SEND:
            return False
        try:
            verified = await approved(ctx, tx, digest)
        except NotApproved as error:
            return await _refuse(tx, row.incident, announcement, str(error))
        now, manifest = iso(ctx.now), verified.manifest
        if manifest.not_before > now or (row.state == AnnouncementState.APPROVED.value and manifest.not_after <= now):
            return False
        if row.state == AnnouncementState.APPROVED.value:
            await store.change_announcement(tx, announcement, state=AnnouncementState.SENDING.value)
            people = {"people": list(verified.people), "digest": digest}
            await timeline.append(tx, ctx.now, "tocsin", "broadcast-begun", incident=row.incident, announcement=announcement, data=people)
    return True


async def _refuse(tx: AsyncConnection, incident: str, announcement: str, why: str) -> bool:
    log.error("broadcast-refused", announcement=announcement, why=why)
    await store.change_announcement(tx, announcement, state=AnnouncementState.INCOMPLETE.value)
    await timeline.append(tx, House.ctx.now, "tocsin", "broadcast-refused", incident=incident, announcement=announcement, data={"why": why})
    return False


@DBOS.step(name="tell_partners")
async def tell_partners(digest: str) -> None:
    """Partners alone may come before the primary, and it does not wait for them longer than ten seconds."""
    courier, rows = await _courier(digest)
    partners = [row for row in rows if row.role == Role.PARTNER.value]
    if partners:
        await asyncio.wait({asyncio.ensure_future(courier.deliver(row)) for row in partners}, timeout=10)


@DBOS.step(name="post_first")
async def post_first(digest: str) -> bool:
    """Posts the first part of the primary; without a primary there is nothing to wait for. Puts the follow-ups on the clock."""
    courier, rows = await _courier(digest)
    primary = next((row for row in rows if row.role == Role.PRIMARY.value), None)
    if primary is None:
        return True
    primary = await courier.deliver(primary, first_part_only=True)
    if not primary.done:
        return False
    async with House.ctx.database.write() as tx:
        incident = await store.incident(tx, courier.approved.manifest.incident.id)
        assert incident is not None
        await follow_up.first_post(House.ctx, tx, incident)
    return True


@DBOS.step(name="post_everything_else")
async def post_everything_else(digest: str) -> None:
    """The rest of the thread, every pointer and the banner, all at once; none waits for another."""
    courier, rows = await _courier(digest)
    permalink = next((row.permalink for row in rows if row.role == Role.PRIMARY.value), "")
    await _all(courier.deliver(row, permalink) for row in rows)


@DBOS.step(name="read_back")
async def read_back(digest: str) -> None:
    """Looks at every post as a logged-out reader would."""
    courier, rows = await _courier(digest)
    permalink = next((row.permalink for row in rows if row.role == Role.PRIMARY.value), "")
    await _all(look(House.ctx, courier.approved.manifest, row, permalink) for row in rows if row.posted_at)


@DBOS.step(name="end")
async def end(announcement: str, digest: str) -> str:
    """Sent, where every delivery is posted or left out; else incomplete, until a person has acted."""
    ctx = House.ctx
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement)
        rows = await deliveries.of_digest(tx, digest)
        state = AnnouncementState.SENT if _all_final(rows) else AnnouncementState.INCOMPLETE
        if row.state != state.value:
            await store.change_announcement(tx, announcement, state=state.value, finished_at=ctx.now)
            await timeline.append(tx, ctx.now, "tocsin", f"broadcast-{state.value}", incident=row.incident, announcement=announcement)
        owed = await follow_ups.of_announcement(tx, announcement)
        if owed and any(delivery.done for delivery in rows):
            await follow_ups.change(tx, owed.id, state=FollowUpState.SENT.value)
    return state.value


async def _all(work: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Lets everything come to its end, then raises what went wrong, so that the sweep runs the broadcast again."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _all_final(rows: Iterable[DeliveryRow]) -> bool:
    return all(DeliveryState(row.state) in FINAL for row in rows)


async def _courier(digest: str) -> tuple[Courier, list[DeliveryRow]]:
    """Verifies again, since each step may run in another process than the one before."""
    async with House.ctx.database.read() as tx:
        verified: Approved = await approved(House.ctx, tx, digest)
        return Courier(House.ctx, verified, House.locks), await deliveries.of_digest(tx, digest)
