"""The broadcast of one approved manifest, as one durable workflow that reads as a story.

Both signatures are verified over the recomputed digest right before sending; what is sent comes from those verified bytes, never from
a row. Every step looks at the delivery table first, so a step or a whole broadcast that runs again sends only what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.announcement import AnnouncementState
from app.domain.delivery import FINAL, UNDER_WAY, DeliveryState
from app.domain.followup import FollowUpState
from app.services import announce, follow_up
from app.services.announce import existing
from app.services.verification import NotApproved, approved
from app.store import announcements as store
from app.store import deliveries, follow_ups, timeline
from app.store.deliveries import DeliveryRow
from app.store.tables import iso
from app.workflows.deliver import Courier
from app.workflows.house import House, begins, loosely, running
from app.workflows.house import install as install
from app.workflows.read_back import look

log = structlog.get_logger(__name__)

_MAY_SEND = {AnnouncementState.APPROVED.value, AnnouncementState.SENDING.value}
PARTNERS_FIRST = 10.0
"""Seconds for which the primary waits for partners."""


async def start(announcement: str, digest: str, run: int) -> None:
    """Starts a broadcast; starting the same run twice, or one beside another, is harmless.

    The engine may remember runs that our own tables, restored from a backup, count again: hence the process in the id. An engine
    that cannot write its book holds no warning up: the broadcast runs without it, and should it be cut off, the sweep starts it again.
    """
    begins(digest)
    try:
        with SetWorkflowID(f"broadcast:{digest}:{run}:{House.ctx.runner}"):
            await DBOS.start_workflow_async(broadcast, announcement, digest)
    except Exception:
        log.exception("engine-failed", announcement=announcement)
        loosely(_run(announcement, digest))


@DBOS.workflow(name="broadcast")
async def broadcast(announcement: str, digest: str) -> str:
    """The story; returns how it ended."""
    return await _run(announcement, digest)


async def _run(announcement: str, digest: str) -> str:
    with running(digest) as run:
        run.ended = await _told(announcement, digest)
    return run.ended


async def _told(announcement: str, digest: str) -> str:
    if not await begin(announcement, digest):
        return "refused"
    if await post_first(digest):
        await post_everything_else(digest)
    if House.crew.stopping:
        return "unfinished"
    await read_back(digest)
    return await end(announcement, digest)


async def begin(announcement: str, digest: str) -> bool:
    """Verifies, and marks the announcement as being sent; from here on it cannot be cancelled.

    It is no step of the engine's: it says the same as often as it is asked, and the first post waits for it.
    """
    ctx = House.ctx
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement)
        if row.digest != digest or row.state not in _MAY_SEND:
            return False
        try:
            verified = await approved(ctx, tx, digest)
        except NotApproved as error:
            return await _refuse(tx, digest, str(error))
        now, manifest = iso(ctx.now), verified.manifest
        if manifest.not_before > now or (row.state == AnnouncementState.APPROVED.value and manifest.not_after <= now):
            return False
        House.couriers[digest] = Courier(ctx, verified, House.crew)
        if row.state == AnnouncementState.APPROVED.value:
            await store.change_announcement(tx, announcement, state=AnnouncementState.SENDING.value)
            people = {"people": list(verified.people), "digest": digest}
            await timeline.append(tx, ctx.now, "tocsin", "broadcast-begun", incident=row.incident, announcement=announcement, data=people)
    return True


async def _refuse(tx: AsyncConnection, digest: str, why: str) -> bool:
    """Ends a broadcast behind which two people do not stand (any more): its author may revise it, or, once begun, a person acts."""
    log.error("broadcast-refused", digest=digest, why=why)
    revision = await store.revision(tx, digest)
    row = await store.announcement(tx, revision.announcement) if revision else None
    if row is not None and row.digest == digest and row.state in _MAY_SEND:
        told = {"incident": row.incident, "announcement": row.id}
        begun = await deliveries.attempts_of(tx, [delivery.id for delivery in await deliveries.of_digest(tx, digest)])
        state = AnnouncementState.INCOMPLETE if begun else AnnouncementState.RETURNED
        await store.change_announcement(tx, row.id, state=state.value)
        await timeline.append(tx, House.ctx.now, "tocsin", "broadcast-refused", **told, data={"why": why})
        await announce.tell(House.ctx, tx, "alarm", row.id, digest, again=True)
    return False


Work = Callable[[Courier, list[DeliveryRow]], Awaitable[bool]]


def _step(work: Work) -> Callable[[str], Coroutine[Any, Any, bool]]:
    """A step of the story. It verifies again where that was not just done in this process, and returns whether to go on."""

    @wraps(work)
    async def verified(digest: str) -> bool:
        try:
            async with House.ctx.database.read() as tx:
                courier = House.couriers.get(digest)
                if courier is None or not courier.is_fresh:
                    courier = Courier(House.ctx, await approved(House.ctx, tx, digest), House.crew)
                rows = await deliveries.of_digest(tx, digest)
            return await work(courier, rows)
        except NotApproved as error:
            async with House.ctx.database.write() as tx:
                return await _refuse(tx, digest, str(error))

    return DBOS.step(name=work.__name__)(verified)


@_step
async def post_first(courier: Courier, rows: list[DeliveryRow]) -> bool:
    """Posts the first part of the primary. Partners alone may come before it, for ten seconds.

    Without a primary, or where it was left out, there is nothing to wait for.
    """
    if partners := [row for row in rows if row.role == Role.PARTNER.value]:
        await asyncio.wait({loosely(_all(courier.deliver(row) for row in partners))}, timeout=PARTNERS_FIRST)
    primary = _primary(rows)
    if primary is None:
        return True
    primary = await courier.deliver(primary, first_part_only=True)
    return bool(primary.done) or primary.state == DeliveryState.SKIPPED.value


@_step
async def post_everything_else(courier: Courier, rows: list[DeliveryRow]) -> bool:
    """The rest of the thread, every pointer and the banner, all at once; none waits for another."""
    permalink = _permalink(rows)
    clock = [_start_the_clock(courier.approved.manifest.incident.id)] if permalink else []
    await _all([*(courier.deliver(row, permalink) for row in rows), *clock])
    return True


@_step
async def read_back(courier: Courier, rows: list[DeliveryRow]) -> bool:
    """Looks at every post as a logged-out reader would."""
    permalink = _permalink(rows)
    await _all(look(House.ctx, courier.approved.manifest, row, permalink) for row in rows if row.posted_at)
    return True


@DBOS.step(name="end")
async def end(announcement: str, digest: str) -> str:
    """Sent, where every delivery is posted or left out; incomplete, where a person has to act; else it goes on and `sending` stays."""
    ctx = House.ctx
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement)
        rows = await deliveries.of_digest(tx, digest)
        if _permalink(rows):
            await _first_post(tx, row.incident)
        owed = await follow_ups.of_announcement(tx, announcement)
        if owed and any(delivery.done for delivery in rows):
            await follow_ups.change(tx, owed.id, state=FollowUpState.SENT.value)
        if any(_goes_on(delivery, _primary(rows)) for delivery in rows):
            return "unfinished"
        state = AnnouncementState.SENT if all(DeliveryState(d.state) in FINAL for d in rows) else AnnouncementState.INCOMPLETE
        if row.state == AnnouncementState.SENDING.value:
            await store.change_announcement(tx, announcement, state=state.value, finished_at=ctx.now)
            if state is AnnouncementState.INCOMPLETE:
                await announce.tell(ctx, tx, "alarm", announcement, digest, again=True)
            await timeline.append(tx, ctx.now, "tocsin", f"broadcast-{state.value}", incident=row.incident, announcement=announcement)
    return state.value


async def _start_the_clock(incident: str) -> None:
    """Puts the follow-ups on the clock, in a moment: the pointers go first. Should it fail, `end` does it."""
    await asyncio.sleep(0.05)
    async with House.ctx.database.write() as tx:
        await _first_post(tx, incident)


async def _first_post(tx: AsyncConnection, incident: str) -> None:
    row = await store.incident(tx, incident)
    assert row is not None
    await follow_up.first_post(House.ctx, tx, row)


async def _all(work: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Lets everything come to its end. What failed stays as it is on disk, and the sweep runs the broadcast again."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, NotApproved):
            raise outcome
        if isinstance(outcome, BaseException):
            log.error("delivery-failed", exc_info=outcome)


def _primary(rows: Iterable[DeliveryRow]) -> DeliveryRow | None:
    return next((row for row in rows if row.role == Role.PRIMARY.value), None)


def _permalink(rows: Iterable[DeliveryRow]) -> str:
    """The primary's permalink, only where it is one of the approved platform and account."""
    primary = _primary(rows)
    destination = House.ctx.destinations.get(primary.destination) if primary else None
    return primary.permalink if primary and destination and destination.adapter.owns(primary.permalink) else ""


def _goes_on(row: DeliveryRow, primary: DeliveryRow | None) -> bool:
    """Whether the program has work left with it: it is under way, and does not wait for a primary that waits for a person."""
    led = primary is None or bool(primary.done) or primary.state == DeliveryState.SKIPPED.value
    return DeliveryState(row.state) in UNDER_WAY and (led or row.role in {Role.PRIMARY.value, Role.PARTNER.value})
