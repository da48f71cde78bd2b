"""Notices to people: approval links, reminders and alarms, by mail to each reviewer and through the internal destinations.

A notice is a row before it is a mail. The row says to whom and of which kind, nothing more: link and words are made when it is
sent, so a token is never stored and a changed row can put no words into anyone's mouth. A notice that may have been sent is sent
again rather than lost: a reviewer with two mails is helped, one with none is not.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Message, Role
from app.domain import asking, seal
from app.domain.announcement import AnnouncementState
from app.domain.delivery import ASKS_A_PERSON, DeliveryState
from app.domain.manifest import Manifest
from app.services import links, notices, own_name
from app.services.context import Context
from app.services.verification import Judged, NotApproved, judged
from app.store import announcements as store
from app.store import approvals, deliveries, follow_ups
from app.store.approvals import NoticeRow
from app.store.database import Work, recorded

log = structlog.get_logger(__name__)

_OF_A_SEAL = ("unseal", "unsealed", "seal-ends")
_WANES = (asking.ASKS_NEXT, *asking.REMINDS)
_WHILE = dict.fromkeys(_WANES, notices.TO_BE_SIGNED) | {kind: {AnnouncementState.SEALED} for kind in ("unseal", "seal-ends")}
"""The states in which a notice has something to say; those of other kinds always do."""

_SUBJECTS = {
    "approve": "Please approve: {title}",
    "next": "Please approve: {title}",
    **dict.fromkeys(asking.REMINDS, "Still waiting for your signature: {title}"),
    "remind": "Due now and not approved: {title}",
    "unseal": "Sealed, and yours to unseal: {title}",
    "unsealed": "Unsealed, going out now: {title}",
    "seal-ends": "A seal ends soon: {title}",
    "overdue": "Overdue, not sent: {title}",
    "alarm": "Look at once: {title}",
}


async def send_due(ctx: Context) -> int:
    """Sends every notice whose time has come, all at once; returns how many were sent. A failed one is tried again later."""
    async with ctx.database.read() as tx:
        due = await approvals.due_notices(tx, ctx.now)
    return sum(await asyncio.gather(*(_sent(ctx, notice) for notice in due)))


async def _sent(ctx: Context, notice: NoticeRow) -> bool:
    try:
        if again_at := await _too_early(ctx, notice):
            await _recorded(ctx, notice, lambda tx: approvals.change_notice(tx, notice, due_at=again_at))
            return False
        told = await _send(ctx, notice)
    except Exception as error:  # whatever is wrong with one notice, the others go out
        wait = timedelta(seconds=min(2.0**notice.tries, 60))
        log.warning("notice-not-sent", kind=notice.kind, recipient=notice.recipient, problem=str(error))
        values = {"tries": notice.tries + 1, "error": str(error)[:500], "due_at": ctx.now + wait}
        await _recorded(ctx, notice, lambda tx: approvals.change_notice(tx, notice, **values))
        return False
    await _recorded(ctx, notice, lambda tx: _done(ctx, tx, notice, told))
    return told


async def _recorded(ctx: Context, notice: NoticeRow, work: Work[None]) -> None:
    """What was sent is on disk when this returns, however long that takes: else it would be sent twice."""
    await recorded(partial(ctx.database.commit, work, about=notice.announcement), lambda: f"{notice.kind} to {notice.recipient}")


async def _done(ctx: Context, tx: AsyncConnection, notice: NoticeRow, told: bool) -> None:
    """It was sent, or had nothing to say any more; whoever was asked to sign is reminded next."""
    await approvals.change_notice(tx, notice, sent_at=ctx.now, error="" if told else notices.NOT_NEEDED)
    following = asking.following(notice.kind, _remind(ctx))
    if told and following and not notice.recipient.startswith("destination:"):
        kind, wait = following
        await approvals.add_notice(tx, kind, notice.announcement, notice.digest, [notice.recipient], ctx.now + wait)


async def _too_early(ctx: Context, notice: NoticeRow) -> datetime | None:
    """When to look at a call again whose person got a link less than the reminders' time ago; None where it may be sent."""
    if notice.kind not in _WANES:
        return None
    async with ctx.database.read() as tx:
        calls = await approvals.notices_of(tx, notice.digest, asking.CALLS)
    sent = [row.sent_at for row in calls if row.recipient == notice.recipient and row.sent_at and not row.error]
    free = max(sent) + _remind(ctx) if sent else ctx.now
    return free if free > ctx.now else None


def _remind(ctx: Context) -> timedelta:
    return timedelta(minutes=ctx.settings.remind_minutes)


async def _send(ctx: Context, notice: NoticeRow) -> bool:
    """Sends it; False where there is nothing to say any more: a newer revision has notices of its own, and who has decided needs none."""
    found = await _about(ctx, notice)
    if found is None:
        return False
    manifest = found.manifest
    subject = _SUBJECTS[notice.kind].format(title=manifest.incident.name)
    if ctx.settings.drill:
        subject = "[DRILL] " + subject
    if notice.recipient.startswith("destination:"):
        await _to_team(ctx, notice, found, subject)
    else:
        await _to_person(ctx, notice, found, subject)
    return True


async def _about(ctx: Context, notice: NoticeRow) -> Judged | None:
    """What the notice is about, where that is the current revision still and the notice has something to say to its recipient."""
    async with ctx.database.read() as tx:
        announcement = await store.announcement(tx, notice.announcement)
        if announcement is None or announcement.digest != notice.digest:
            return None
        try:
            found = await judged(ctx, tx, notice.digest)
        except NotApproved:  # the row was changed
            return None
    decided = notice.kind in _WANES and notice.recipient in {verified.person.id for _, verified in found.standing}
    untrue = notice.kind in _OF_A_SEAL and found.manifest.seal is None
    untrue = untrue or (notice.kind == "unsealed" and not _unsealed_by(found))
    if decided or untrue or announcement.state not in _WHILE.get(notice.kind, {announcement.state}):
        return None
    return found


def _unsealed_by(found: Judged) -> list[str]:
    return [f"{one.person.id} at {one.statement.at}" for one in seal.unseals(found.manifest, (v for _, v in found.standing))]


async def _to_person(ctx: Context, notice: NoticeRow, found: Judged, subject: str) -> None:
    person = ctx.read_roster().person(notice.recipient)
    if person is None or ctx.post_mail is None:
        return
    await ctx.post_mail(person.email, subject, await _words(ctx, notice, found, [notice.recipient]))


async def _to_team(ctx: Context, notice: NoticeRow, found: Judged, subject: str) -> None:
    destination = ctx.destinations.get(notice.recipient.removeprefix("destination:"))
    if destination is None or destination.role is not Role.INTERNAL:
        return  # a notice never leaves the team's own room
    body = await _words(ctx, notice, found, [person.id for person in ctx.read_roster().reviewers])
    for part in destination.adapter.render(Message(text=body, title=subject, drill=ctx.settings.drill)).parts:
        await destination.adapter.publish(part, f"notice{notice.id:014d}".translate(str.maketrans("0189", "abcd"))[:20], None)


async def _words(ctx: Context, notice: NoticeRow, found: Judged, people: list[str]) -> str:
    manifest = found.manifest
    if notice.kind == "unsealed":
        return _unsealed(found)
    if notice.kind == "seal-ends":
        return _seal_ends(found)
    if notice.kind == "overdue":
        return await _overdue(ctx, manifest)
    if notice.kind == "alarm":
        return await _alarm(ctx, notice, manifest)
    return await _invitation(ctx, notice, manifest, people)


def _unsealed(found: Judged) -> str:
    manifest, signers = found.manifest, " and ".join(person.id for person in found.quorum.approved_by)
    return "\n".join(
        [
            f"Unsealed by {' and '.join(_unsealed_by(found))}. It was signed before by {signers}, and goes out now:",
            "",
            manifest.text,
            "",
            f"Follow it: tocsin watch {manifest.announcement}",
            f"To correct it: tocsin correct {manifest.announcement}",
            "If nobody of you meant to send this, say so on another channel, and correct it at once.",
        ]
    )


def _seal_ends(found: Judged) -> str:
    id_, until = found.manifest.announcement, f"{found.manifest.not_after[:16].replace('T', ' ')} UTC"
    holds = "" if found.quorum.complete else "Its signatures do not count any more in the roster of now, so nobody can unseal it.\n"
    return (
        f"The sealed announcement of “{found.manifest.incident.name}” can be unsealed until {until}.\n{holds}\n{found.manifest.text}\n\n"
        f"Once it has ended, revise it with the same text and a new date, and have it signed: tocsin revise {id_} --sealed-until DATE"
    )


async def _overdue(ctx: Context, manifest: Manifest) -> str:
    async with ctx.database.read() as tx:
        row = await follow_ups.of_announcement(tx, manifest.announcement)
    closed = f" by {row.closes:%Y-%m-%d %H:%M} UTC" if row else ""
    advice = f"Revise {manifest.announcement} to send it late, or cancel it."
    return f"The {manifest.kind.value} of “{manifest.incident.name}” was not sent{closed}. {advice}"


async def _alarm(ctx: Context, notice: NoticeRow, manifest: Manifest) -> str:
    async with ctx.database.read() as tx:
        row = await store.announcement(tx, notice.announcement)
        rows = await deliveries.of_digest(tx, notice.digest)
    told = []
    if row and row.leads and row.leads != manifest.primary:
        told = [f"{row.leads} carries the full text in place of {manifest.primary}, and all others point there."]
    shown = [r for r in rows if r.state in ASKS_A_PERSON or (r.state == DeliveryState.POSTED.value and r.problem)]
    told += [f"{r.destination}: {r.state.replace('_', ' ')}. {r.problem}" for r in shown]
    told += [f"{r.destination}: {r.read_back}. {r.read_back_detail} {r.permalink}" for r in rows if r.read_back in {"missing", "altered"}]
    status = [f"All of it: tocsin status {manifest.announcement}", f"To correct what is out: tocsin correct {manifest.announcement}"]
    excluding = 'If one of these accounts is not yours any more, leave it out at once: tocsin exclude DESTINATION --why "WHAT YOU SAW"'
    return "\n".join([f"Not everything of “{manifest.incident.name}” stands as approved:", "", *told, "", *status, "", excluding])


async def _invitation(ctx: Context, notice: NoticeRow, manifest: Manifest, people: list[str]) -> str:
    async with ctx.database.write() as tx:
        row = await store.announcement(tx, manifest.announcement)
        if why := await own_name.why_no_page(ctx, tx, manifest, row.incident if row else ""):
            return _without_links(manifest, notice.digest, why)
        urls = {person: await links.create(ctx, tx, manifest.announcement, notice.digest, person) for person in people}
    names = {person.id: person.name for person in ctx.read_roster().persons}
    invited = [f"{names[person]}: {url}" for person, url in urls.items()] if len(urls) > 1 else list(urls.values())
    return "\n".join(
        [
            f"{manifest.kind.value} · {manifest.incident.name} · revision {manifest.revision}",
            "",
            manifest.text,
            "",
            _wanted(notice, manifest),
            *invited,
            "",
            f"Digest: {notice.digest}",
            f"Written by {manifest.author}. Sent by Tocsin.",
        ]
    )


def _wanted(notice: NoticeRow, manifest: Manifest) -> str:
    """What the link is for."""
    until = f"until {manifest.not_after[:16].replace('T', ' ')} UTC"
    if notice.kind == "unseal":
        return f"SEALED: two people have signed it. Your signature alone sends it at once, {until}. The link is yours alone:"
    if manifest.seal:
        return f"TO BE SEALED: it is not sent now. Once it is signed, one person alone can send it, {until}. The link is yours alone:"
    return "Read every rendering and sign, or ask for changes. The link is yours alone:"


def _without_links(manifest: Manifest, digest: str, why: str) -> str:
    """An invitation where a link would lead to whoever holds our domain, and hand them its secret."""
    head = f"{manifest.kind.value} · {manifest.incident.name} · revision {manifest.revision}"
    return "\n".join([head, "", manifest.text, "", why, "", f"Digest: {digest}"])
