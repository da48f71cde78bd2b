"""Notices to people: approval links, reminders and alarms, by mail to each reviewer and through the internal destinations.

A notice is a row before it is a mail. The row says to whom and of which kind, nothing more: link and words are made when it is
sent, so a token is never stored and a changed row can put no words into anyone's mouth. A notice that may have been sent is sent
again rather than lost: a reviewer with two mails is helped, one with none is not.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from adapters.contract import Message, Role
from app.domain.delivery import ASKS_A_PERSON, DeliveryState
from app.domain.manifest import Manifest, digest
from app.services import links, own_name
from app.services.context import Context
from app.store import announcements as store
from app.store import approvals, deliveries, follow_ups
from app.store.approvals import NoticeRow

log = structlog.get_logger(__name__)

_SUBJECTS = {
    "approve": "Please approve: {title}",
    "remind": "Due now and not approved: {title}",
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
        await _send(ctx, notice)
    except Exception as error:  # whatever is wrong with one notice, the others go out
        wait = timedelta(seconds=min(2.0**notice.tries, 60))
        log.warning("notice-not-sent", kind=notice.kind, recipient=notice.recipient, problem=str(error))
        values = {"tries": notice.tries + 1, "error": str(error)[:500], "due_at": ctx.now + wait}
        await ctx.database.commit(lambda tx: approvals.change_notice(tx, notice, **values))
        return False
    await ctx.database.commit(lambda tx: approvals.change_notice(tx, notice, sent_at=ctx.now, error=""))
    return True


async def _send(ctx: Context, notice: NoticeRow) -> None:
    manifest = await _manifest(ctx, notice)
    if manifest is None:
        return  # a newer revision has notices of its own
    subject = _SUBJECTS[notice.kind].format(title=manifest.incident.name)
    if ctx.settings.drill:
        subject = "[DRILL] " + subject
    if notice.recipient.startswith("destination:"):
        await _to_team(ctx, notice, manifest, subject)
    else:
        await _to_person(ctx, notice, manifest, subject)


async def _manifest(ctx: Context, notice: NoticeRow) -> Manifest | None:
    """What the notice is about, where that is the current revision still."""
    async with ctx.database.read() as tx:
        announcement = await store.announcement(tx, notice.announcement)
        raw = (await store.manifest_text(tx, notice.digest)).encode()
    if announcement is None or announcement.digest != notice.digest or digest(raw) != notice.digest:
        return None
    return Manifest.parse(raw)


async def _to_person(ctx: Context, notice: NoticeRow, manifest: Manifest, subject: str) -> None:
    person = ctx.read_roster().person(notice.recipient)
    if person is None or ctx.post_mail is None:
        return
    await ctx.post_mail(person.email, subject, await _words(ctx, notice, manifest, [notice.recipient]))


async def _to_team(ctx: Context, notice: NoticeRow, manifest: Manifest, subject: str) -> None:
    destination = ctx.destinations.get(notice.recipient.removeprefix("destination:"))
    if destination is None or destination.role is not Role.INTERNAL:
        return  # a notice never leaves the team's own room
    body = await _words(ctx, notice, manifest, [person.id for person in ctx.read_roster().reviewers])
    for part in destination.adapter.render(Message(text=body, title=subject, drill=ctx.settings.drill)).parts:
        await destination.adapter.publish(part, f"notice{notice.id:014d}".translate(str.maketrans("0189", "abcd"))[:20], None)


async def _words(ctx: Context, notice: NoticeRow, manifest: Manifest, people: list[str]) -> str:
    if notice.kind == "overdue":
        return await _overdue(ctx, manifest)
    if notice.kind == "alarm":
        return await _alarm(ctx, notice, manifest)
    return await _invitation(ctx, notice, manifest, people)


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
            "Read every rendering and sign, or ask for changes. The link is yours alone:",
            *invited,
            "",
            f"Digest: {notice.digest}",
            f"Written by {manifest.author}. Sent by Tocsin.",
        ]
    )


def _without_links(manifest: Manifest, digest: str, why: str) -> str:
    """An invitation where a link would lead to whoever holds our domain, and hand them its secret."""
    head = f"{manifest.kind.value} · {manifest.incident.name} · revision {manifest.revision}"
    return "\n".join([head, "", manifest.text, "", why, "", f"Digest: {digest}"])
