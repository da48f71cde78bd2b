"""Notices to people: approval links and reminders, by mail to each reviewer and through the internal destinations.

A notice is a row before it is a mail; the link is made when it is sent, so its token is never stored. A notice that may have been
sent is sent again rather than lost: a reviewer with two mails is helped, one with none is not.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from adapters.contract import AdapterError, Message
from app.domain.manifest import Manifest
from app.services import links
from app.services.approve import approved_bytes
from app.services.context import Context
from app.store import announcements as store
from app.store import approvals
from app.store.approvals import NoticeRow

log = structlog.get_logger(__name__)

_SUBJECTS = {
    "approve": "Please approve: {title}",
    "remind": "Due now and not approved: {title}",
    "overdue": "Overdue, not sent: {title}",
    "alarm": "Look at once: {title}",
}


async def send_due(ctx: Context) -> int:
    """Sends every notice whose time has come; returns how many were sent. A failed one is tried again later."""
    async with ctx.database.read() as tx:
        due = await approvals.due_notices(tx, ctx.now)
    sent = 0
    for notice in due:
        try:
            await _send(ctx, notice)
        except (AdapterError, OSError, TimeoutError) as error:
            wait = timedelta(seconds=min(2.0**notice.tries, 60))
            log.warning("notice-not-sent", kind=notice.kind, recipient=notice.recipient, problem=str(error))
            async with ctx.database.write() as tx:
                await approvals.change_notice(tx, notice.id, tries=notice.tries + 1, error=str(error), due_at=ctx.now + wait)
        else:
            sent += 1
            async with ctx.database.write() as tx:
                await approvals.change_notice(tx, notice.id, sent_at=ctx.now, error="")
    return sent


async def _send(ctx: Context, notice: NoticeRow) -> None:
    async with ctx.database.read() as tx:
        announcement = await store.announcement(tx, notice.announcement)
        manifest = Manifest.parse(approved_bytes(await store.revision(tx, notice.digest)))
    if announcement is None or announcement.digest != notice.digest:
        return  # a newer revision has notices of its own
    subject = _SUBJECTS[notice.kind].format(title=manifest.incident.name)
    if ctx.settings.drill:
        subject = "[DRILL] " + subject
    if notice.recipient.startswith("destination:"):
        await _to_destination(ctx, notice, manifest, subject)
    else:
        await _to_person(ctx, notice, manifest, subject)


async def _to_person(ctx: Context, notice: NoticeRow, manifest: Manifest, subject: str) -> None:
    person = ctx.read_roster().person(notice.recipient)
    if person is None or ctx.post_mail is None:
        return
    body = notice.text or await _invitation(ctx, notice, manifest, [notice.recipient])
    await ctx.post_mail(person.email, subject, body)


async def _to_destination(ctx: Context, notice: NoticeRow, manifest: Manifest, subject: str) -> None:
    destination = ctx.destinations.get(notice.recipient.removeprefix("destination:"))
    if destination is None:
        return
    body = notice.text or await _invitation(ctx, notice, manifest, [person.id for person in ctx.read_roster().reviewers])
    for part in destination.adapter.render(Message(text=body, title=subject, drill=ctx.settings.drill)).parts:
        await destination.adapter.publish(part, f"notice{notice.id:014d}".translate(str.maketrans("0189", "abcd"))[:20], None)


async def _invitation(ctx: Context, notice: NoticeRow, manifest: Manifest, people: list[str]) -> str:
    async with ctx.database.write() as tx:
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
