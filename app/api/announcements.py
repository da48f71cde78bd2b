"""Announcements: create, read, follow, revise, approve, cancel."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.api.access import Announcer, Ctx, Reader, once, whole
from app.api.models import AnnouncementIn, CorrectionIn, WordingIn
from app.api.problems import DOCUMENTED
from app.domain.announcement import AnnouncementState, Kind
from app.domain.approval import Approval, ApprovalRefused
from app.domain.incident import Facts
from app.services import act, announce, approve, correct, links, views
from app.services.announce import Submission
from app.services.context import Context, Refused, seeded_id
from app.store import announcements as store
from app.store import timeline

router = APIRouter(prefix="/v1/announcements", tags=["announcements"], responses=DOCUMENTED)

FINISHED = {"sent", "cancelled"}


@router.post("", status_code=202)
async def create(body: AnnouncementIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Accepts a canonical update, renders it for every destination, and asks the reviewers. Nothing is sent before two people sign."""
    kind, named = Kind(body.kind), body.incident
    if isinstance(named, str):
        submission = Submission(Facts("", "", ""), kind, body.wording(), incident=named)
    else:
        submission = Submission(named.facts(ctx.settings), kind, body.wording(), given=named.given)

    async def work(seed: str) -> dict[str, Any]:
        id_ = await announce.announce(ctx, submission, caller, seeded_id("an", seed) if seed else "")
        return await views.announcement(ctx, id_)

    return await once(request, ctx, caller, work, 202)


@router.get("")
async def listed(
    ctx: Ctx,
    caller: Reader,
    incident: str = "",
    state: AnnouncementState | None = None,
    before: str = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Newest first, of one incident and in one state where given; `next` is the cursor of the following page."""
    async with ctx.database.read() as tx:
        rows = await store.list_announcements(tx, incident, before, limit + 1, state or "")
    items = [{"id": r.id, "incident": r.incident, "kind": r.kind, "state": r.state, "revision": r.revision} for r in rows[:limit]]
    return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}


@router.get("/{announcement_id}")
async def read(announcement_id: str, ctx: Ctx, caller: Reader) -> Response:
    """State, renderings, findings, approvals, deliveries with attempts and receipts."""
    return whole(await views.announcement(ctx, announcement_id))


@router.get("/{announcement_id}/approval-request")
async def approval_request(announcement_id: str, ctx: Ctx, caller: Reader, person: str = "") -> Response:
    """The manifest's exact bytes and all that a signer has to see; for signing without a link."""
    async with ctx.database.read() as tx:
        row = await announce.existing(tx, announcement_id)
        return whole(await links.request_for(ctx, tx, row, row.digest, person) | {"nonce": secrets.token_urlsafe(16)})


@router.get("/{announcement_id}/approvals")
async def evidence(announcement_id: str, ctx: Ctx, caller: Reader) -> Response:
    """The manifest's exact text and every signed approval of it, to be kept and verified elsewhere (`tocsin verify`)."""
    return whole(await views.evidence(ctx, announcement_id))


SIGNED = {"type": "object", "required": ["signature", "statement"]}  # to the byte as it was signed, so no model reads it


@router.post(
    "/{announcement_id}/approvals",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": SIGNED}}}},
)
async def sign(announcement_id: str, request: Request, ctx: Ctx, caller: Reader) -> Response:
    """Takes one signed decision (docs/approval-format.md). The signature is what counts; the token only opens the door."""
    raw = await request.body()

    async def work(_seed: str) -> dict[str, Any]:
        return await decide(ctx, announcement_id, raw)

    return await once(request, ctx, caller, work)


async def decide(ctx: Context, announcement_id: str, raw: bytes) -> dict[str, Any]:
    """Parses an approval and hands it to the service. Raises `Refused`."""
    try:
        approval = Approval.from_json(raw)
    except ApprovalRefused as error:
        raise Refused(422, "This is no approval.", str(error)) from error
    outcome = await approve.decide(ctx, announcement_id, approval)
    return {"decision": outcome.decision, "state": outcome.state, "missing": outcome.missing}


@router.post("/{announcement_id}/revisions", status_code=202)
async def revise(announcement_id: str, body: WordingIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Makes a new revision; every approval of the one before is void."""

    async def work(_seed: str) -> dict[str, Any]:
        await announce.revise(ctx, announcement_id, body.wording(), caller)
        return await views.announcement(ctx, announcement_id)

    return await once(request, ctx, caller, work, 202)


@router.post("/{announcement_id}/ask")
async def ask(announcement_id: str, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Sends fresh links to every reviewer, in place of those that got lost or expired: to approve it, or to unseal a sealed one."""

    async def work(_seed: str) -> dict[str, Any]:
        await announce.ask_again(ctx, announcement_id, caller)
        return await views.announcement(ctx, announcement_id)

    return await once(request, ctx, caller, work)


@router.post("/{announcement_id}/correction", status_code=202)
async def correction(announcement_id: str, body: CorrectionIn, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Asks for approvals of a correction of what was sent: the one that was written in advance, or the given text.

    One that was sealed with its announcement needs none: it waits for one person to unseal it.
    """

    async def work(seed: str) -> dict[str, Any]:
        id_ = seeded_id("an", seed) if seed else ""
        id_ = await correct.correct(ctx, announcement_id, body.text or "", body.author or "", caller, id_)
        return await views.announcement(ctx, id_)

    return await once(request, ctx, caller, work, 202)


@router.post("/{announcement_id}/cancel")
async def cancel(announcement_id: str, request: Request, ctx: Ctx, caller: Announcer) -> Response:
    """Ends it, while nothing has begun to go out."""

    async def work(_seed: str) -> dict[str, Any]:
        await act.cancel(ctx, announcement_id, caller)
        return await views.announcement(ctx, announcement_id)

    return await once(request, ctx, caller, work)


async def _exists(announcement_id: str, ctx: Ctx, caller: Reader) -> None:
    """Refuses before the stream begins; afterwards it would be too late for a problem document."""
    async with ctx.database.read() as tx:
        await announce.existing(tx, announcement_id)


@router.get("/{announcement_id}/events", response_class=EventSourceResponse, dependencies=[Depends(_exists)])
async def events(
    announcement_id: str, ctx: Ctx, caller: Reader, last_event_id: Annotated[int, Header(ge=0, le=2**31 - 1)] = 0
) -> AsyncIterator[ServerSentEvent]:
    """Every change as it happens, from the first on or after `Last-Event-ID`; ends when the announcement is sent or cancelled."""
    after = last_event_id
    while True:
        async with ctx.database.read() as tx:
            row = await announce.existing(tx, announcement_id)
            news = await timeline.entries(tx, announcement=announcement_id, after=after)
        for entry in news:
            after = entry.seq
            yield ServerSentEvent(data=views.entry(entry), event=entry.event, id=str(entry.seq))
        if not news and row.state in FINISHED:
            return
        if not news:
            await ctx.database.changes.wait(1.0)
