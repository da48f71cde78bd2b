"""The cadence of an incident: resolving it, and what the clock makes of its follow-ups. Nothing is sent from here.

Drafts are pre-filled from the incident. What only a person knows stays a gap in square brackets, which the wording checks block.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain import followup
from app.domain.announcement import AnnouncementState, Answers, Kind, Wording
from app.domain.followup import FollowUpState, Window
from app.domain.incident import IncidentState
from app.domain.manifest import Manifest
from app.services import announce
from app.services.context import Context, Refused, new_id
from app.store import announcements as store
from app.store import approvals, deliveries, follow_ups, timeline
from app.store.announcements import IncidentRow
from app.store.follow_ups import FollowUpRow


async def first_post(ctx: Context, tx: AsyncConnection, incident: IncidentRow) -> None:
    """Puts summary and post-mortem on the clock, counted from the incident's first public post."""
    if incident.first_post_at is not None:
        return
    await store.change_incident(tx, incident.id, first_post_at=ctx.now)
    state = FollowUpState.SCHEDULED if incident.state == IncidentState.RESOLVED.value else FollowUpState.WAITING
    for kind, window in followup.first_post_windows(ctx.now).items():
        await follow_ups.plan(tx, new_id("fu", ctx.now), incident.id, kind.value, window, state)


async def resolve(ctx: Context, id_or_slug: str, by: str, *, now: bool = False, wording: Wording | None = None) -> None:
    """Resolves an incident: its resolution is due in one to two hours (or now), summary and post-mortem at their times.

    With a wording, reviewers are asked at once; without, a pre-filled draft waits for its author. Raises `Refused`.
    """
    async with ctx.database.write() as tx:
        incident = await store.incident(tx, id_or_slug)
        if incident is None:
            raise Refused(404, "There is no such incident.", "Give its id or slug.")
        if incident.state == IncidentState.RESOLVED.value:
            raise Refused(409, "The incident is resolved already.", "Revise its resolution, or send an update.")
        await store.change_incident(tx, incident.id, state=IncidentState.RESOLVED.value, resolved_at=ctx.now)
        await timeline.append(tx, ctx.now, by, "incident-resolved", incident=incident.id)
        if incident.first_post_at is None:
            return  # nobody was told, so nobody waits to hear
        window = followup.resolution_window(ctx.now, now)
        await follow_ups.plan(tx, new_id("fu", ctx.now), incident.id, Kind.RESOLUTION.value, window, FollowUpState.SCHEDULED)
        for row in await follow_ups.of_incident(tx, incident.id):
            await _draft(ctx, tx, incident, row, wording if row.kind == Kind.RESOLUTION.value else None, by)


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
        revision = await store.revision(tx, announcement.digest)
        assert revision is not None
        await store.change_announcement(tx, id_, state=AnnouncementState.AWAITING_APPROVAL.value)
        await announce.ask(ctx, tx, Manifest.parse(revision.manifest.encode()), "approve")


async def tick(ctx: Context) -> int:
    """Moves every follow-up and send window that the clock has passed; returns how many. Reminds, and never sends."""
    moved = 0
    async with ctx.database.read() as tx:  # a write would wake the loop that called
        if not await follow_ups.ticking(tx, ctx.now, 1) and not await store.past_window(tx, ctx.now):
            return 0
    async with ctx.database.write() as tx:
        for row in await follow_ups.ticking(tx, ctx.now):
            state = followup.state_at(ctx.now, Window(row.opens, row.closes), FollowUpState(row.state))
            if state.value != row.state:
                moved += 1
                await follow_ups.change(tx, row.id, state=state.value)
                await _tell(ctx, tx, row, state)
        for announcement in await store.past_window(tx, ctx.now):
            moved += 1
            await store.change_announcement(tx, announcement.id, state=AnnouncementState.EXPIRED.value)
            await timeline.append(tx, ctx.now, "tocsin", "send-window-closed", incident=announcement.incident, announcement=announcement.id)
    return moved


async def _tell(ctx: Context, tx: AsyncConnection, row: FollowUpRow, state: FollowUpState) -> None:
    notice = {FollowUpState.DUE: "remind", FollowUpState.OVERDUE: "overdue"}.get(state)
    data = {"kind": row.kind, "state": state.value}
    await timeline.append(
        tx, ctx.now, "tocsin", f"follow-up-{state.value}", incident=row.incident, announcement=row.announcement or "", data=data
    )
    if notice is None or row.announcement is None:
        return
    announcement = await announce.existing(tx, row.announcement)
    revision = await store.revision(tx, announcement.digest)
    assert revision is not None
    manifest = Manifest.parse(revision.manifest.encode())
    if notice == "remind":
        await announce.ask(ctx, tx, manifest, notice)
        return
    text = (
        f"The {row.kind} of “{manifest.incident.name}” was not sent by {_when(row.closes, 'UTC')}. Revise it to send it late, or cancel it."
    )
    recipients = [p.id for p in ctx.read_roster().reviewers] + [f"destination:{d.id}" for d in ctx.with_role(Role.INTERNAL)]
    for recipient in recipients:
        await approvals.add_notice(tx, notice, announcement.id, announcement.digest, recipient, ctx.now, text)


async def _prefilled(ctx: Context, tx: AsyncConnection, incident: IncidentRow, kind: Kind) -> Wording:
    """A draft from what is known; the gaps are for a person."""
    first = next(iter(await store.of_kind(tx, incident.id, Kind.INITIAL)), None)
    answers, permalink = Answers(), ""
    if first:
        revision = await store.revision(tx, first.digest)
        assert revision is not None
        answers = Manifest.parse(revision.manifest.encode()).answers
        rows = await deliveries.of_digest(tx, first.digest)
        permalink = next((row.permalink for row in rows if row.role == Role.PRIMARY.value), "")
    zone = str(incident.facts["time_zone"])
    started = incident.facts["started"] or incident.created_at.isoformat()
    span = f"from {_when(datetime.fromisoformat(started), zone)} to {_when(ctx.now, zone)}"
    affected = answers.affected or "[who was affected]"
    texts = {
        Kind.RESOLUTION: f"{incident.name}: resolved at {_when(ctx.now, zone)}. [What is safe to use again.] {affected} "
        "[What they still have to do.] A summary follows here within 12 hours of our first post.",
        Kind.SUMMARY: f"Summary of {incident.name}, {span}.\n\n{affected} [Who was not affected.] [What happened, and our apology.] "
        f"[What to do now.] [Thanks to those who helped, by name.] [How to be safer next time, and where to get help.]\n\n"
        f"First post: {permalink}",
        Kind.POSTMORTEM: f"Post-mortem of {incident.name}, {span}: [link to the full text on the blog]\n\n"
        "[How it was found, what was responsible, technical details, what prevents it now, how to disclose responsibly.]",
    }
    return Wording(text=texts[kind], answers=answers if kind is Kind.SUMMARY else Answers())


def _when(moment: datetime, zone: str) -> str:
    """An absolute time in UTC, with the incident's zone beside it where that is another."""
    utc = moment.astimezone(ZoneInfo("UTC"))
    told = utc.strftime("%Y-%m-%d %H:%M UTC")
    return told if zone == "UTC" else f"{told} ({moment.astimezone(ZoneInfo(zone)).strftime('%H:%M')} {zone})"
