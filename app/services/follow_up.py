"""The cadence of an incident: resolving it, and what the clock makes of its follow-ups. Nothing is sent from here.

Drafts are the templates, filled from the incident. What only a person knows stays a gap in square brackets, which the wording checks block.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain import followup
from app.domain.announcement import EXPIRES, AnnouncementState, Kind, Wording
from app.domain.followup import FollowUpState, Window
from app.domain.incident import Facts, IncidentState
from app.domain.manifest import Manifest
from app.domain.templates.filling import draft
from app.domain.wording import Known
from app.services import announce, notices
from app.services.context import Context, Refused, new_id
from app.store import announcements as store
from app.store import follow_ups, timeline
from app.store.announcements import IncidentRow
from app.store.follow_ups import FollowUpRow

log = structlog.get_logger(__name__)

_TEMPLATES = {Kind.RESOLUTION: "resolved", Kind.SUMMARY: "summary", Kind.POSTMORTEM: "post-mortem"}


async def first_post(ctx: Context, tx: AsyncConnection, incident: IncidentRow) -> None:
    """Puts summary and post-mortem on the clock, counted from the incident's first public post."""
    if incident.first_post_at is not None:
        return
    await store.change_incident(tx, incident.id, first_post_at=ctx.now)
    for kind, window in followup.first_post_windows(ctx.now).items():
        await follow_ups.plan(tx, new_id("fu", ctx.now), incident.id, kind.value, window, FollowUpState.WAITING)
    if incident.state == IncidentState.RESOLVED.value:  # it was resolved before anybody had been told of it
        await _draft_waiting(ctx, tx, incident, "tocsin")


async def resolve(ctx: Context, id_or_slug: str, by: str, *, now: bool = False, wording: Wording | None = None) -> None:
    """Resolves an incident: its resolution is due in one to two hours (or now), summary and post-mortem at their times.

    With a wording, reviewers are asked at once; without, a pre-filled draft waits for its author. Raises `Refused`.
    """
    async with ctx.database.write() as tx:
        incident = await store.incident(tx, id_or_slug, lock=True)
        if incident is None:
            raise Refused(404, "There is no such incident.", "Give its id or slug.")
        if incident.state == IncidentState.RESOLVED.value:
            raise Refused(409, "The incident is resolved already.", "Revise its resolution, or send an update.")
        await store.change_incident(tx, incident.id, state=IncidentState.RESOLVED.value, resolved_at=ctx.now)
        await timeline.append(tx, ctx.now, by, "incident-resolved", incident=incident.id)
        window = followup.resolution_window(ctx.now, now)
        await follow_ups.plan(tx, new_id("fu", ctx.now), incident.id, Kind.RESOLUTION.value, window, FollowUpState.WAITING)
        await _draft_waiting(ctx, tx, incident, by, wording)


async def _draft_waiting(ctx: Context, tx: AsyncConnection, incident: IncidentRow, by: str, resolution: Wording | None = None) -> None:
    """Drafts what waited for the resolution. A draft that cannot be made holds up neither the others nor the resolving."""
    for row in await follow_ups.of_incident(tx, incident.id):
        if row.state != FollowUpState.WAITING.value:
            continue
        given = resolution if row.kind == Kind.RESOLUTION.value else None
        try:
            async with timeline.savepoint(tx):
                await _draft(ctx, tx, incident, row, given, by)
        except Refused as error:
            if given:
                raise  # the author is here to mend their words
            await follow_ups.change(tx, row.id, state=FollowUpState.SCHEDULED.value)
            data = {"kind": row.kind, "why": str(error)}
            await timeline.append(tx, ctx.now, "tocsin", "follow-up-without-draft", incident=incident.id, data=data)


async def _draft(ctx: Context, tx: AsyncConnection, incident: IncidentRow, row: FollowUpRow, wording: Wording | None, by: str) -> None:
    kind = Kind(row.kind)
    window = row.window if kind is Kind.RESOLUTION else followup.resolved_window(row.window, ctx.now)
    words = wording or await _prefilled(ctx, tx, incident, kind)
    id_ = await announce.draft(ctx, tx, incident, kind, words, (window.opens, window.closes))
    values = {"opens": window.opens, "closes": window.closes, "state": FollowUpState.SCHEDULED.value, "announcement": id_}
    await follow_ups.change(tx, row.id, **values)
    told = {"kind": kind.value, "opens": window.opens.isoformat(), "closes": window.closes.isoformat()}
    await timeline.append(tx, ctx.now, by, "follow-up-drafted", incident=incident.id, announcement=id_, data=told)
    if wording:
        announcement = await announce.existing(tx, id_)
        await store.change_announcement(tx, id_, state=AnnouncementState.AWAITING_APPROVAL.value)
        await notices.ask(ctx, tx, id_, announcement.digest)


async def tick(ctx: Context) -> int:
    """Moves every follow-up and send window that the clock has passed; returns how many. Reminds, and never sends."""
    async with ctx.database.read() as tx:  # a write would wake the loop that called
        ticking, closed = await follow_ups.ticking(tx, ctx.now), await store.past_window(tx, ctx.now)
    moved = [await _moved(ctx, partial(_move, ctx, id_)) for id_ in ticking]
    moved += [await _moved(ctx, partial(_expire, ctx, id_)) for id_ in closed]
    return sum(moved)


async def _moved(ctx: Context, work: Callable[[AsyncConnection], Awaitable[None]]) -> bool:
    """One transaction for each, so that a row that cannot be moved holds up no other."""
    try:
        await ctx.database.commit(work)
    except Exception:
        log.exception("clock-failed")
        return False
    return True


async def _move(ctx: Context, id_: str, tx: AsyncConnection) -> None:
    row = await follow_ups.get(tx, id_)
    state = followup.state_at(ctx.now, Window(row.opens, row.closes), FollowUpState(row.state)) if row else None
    if row is None or state is None or state.value == row.state:
        return
    await follow_ups.change(tx, row.id, state=state.value)
    data = {"kind": row.kind, "state": state.value}
    told = row.announcement or ""
    await timeline.append(tx, ctx.now, "tocsin", f"follow-up-{state.value}", incident=row.incident, announcement=told, data=data)
    notice = {FollowUpState.DUE: "remind", FollowUpState.OVERDUE: "overdue"}.get(state)
    if notice and row.announcement:
        announcement = await announce.existing(tx, row.announcement)
        await notices.tell(ctx, tx, notice, announcement.id, announcement.digest)


async def _expire(ctx: Context, id_: str, tx: AsyncConnection) -> None:
    row = await announce.existing(tx, id_, lock=True)
    if row.not_after and row.not_after <= ctx.now and AnnouncementState(row.state) in EXPIRES:
        await store.change_announcement(tx, row.id, state=AnnouncementState.EXPIRED.value)
        await timeline.append(tx, ctx.now, "tocsin", "send-window-closed", incident=row.incident, announcement=row.id)


async def _prefilled(ctx: Context, tx: AsyncConnection, incident: IncidentRow, kind: Kind) -> Wording:
    """The template of that kind with what is known; the gaps are for a person."""
    facts, ended = Facts.parse(incident.facts), (incident.resolved_at or ctx.now).isoformat()
    started = facts.started or (await _began(tx, incident)).isoformat()
    values = {"title": incident.name, "window": f"{started} to {ended}", "resolved": ended, "safe_since": ended}
    filled = draft(ctx.templates[_TEMPLATES[kind]], values, Known.of(facts), ctx.now)
    return Wording(filled.text, filled.answers)


async def _began(tx: AsyncConnection, incident: IncidentRow) -> datetime:
    """When it was opened; where its first announcement was sealed, long before, when that was unsealed."""
    written = await store.of_kind(tx, incident.id, Kind.INITIAL)
    first = next((row for row in written if row.state != AnnouncementState.SEALED.value), None)
    if first is None or not Manifest.parse((await store.manifest_text(tx, first.digest)).encode()).seal:
        return incident.created_at
    return first.approved_at or incident.created_at
