"""Approval links: 256 random bits, stored hashed, bound to one person and one digest, closed by that person's decision, by time, or by
a newer revision. Opening one changes nothing."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain import findings
from app.domain.announcement import AnnouncementState
from app.domain.changes import changes
from app.domain.manifest import Manifest
from app.domain.passkey import encode
from app.services import check, notices, own_name, views
from app.services.announce import existing
from app.services.context import Context, Refused
from app.services.sessions import Session
from app.services.verification import NotApproved, judged
from app.store import announcements as store
from app.store import approvals, deliveries
from app.store.announcements import AnnouncementRow
from app.store.approvals import LinkRow
from app.store.deliveries import DeliveryRow
from app.store.tables import approval_links, iso

DECIDED = "You have already decided on this revision."
_OPEN = notices.TO_BE_SIGNED | {AnnouncementState.SEALED}
"""Where something can be signed: an approval, an unseal, or a no."""
_LOOKED_BACK = 10
"""So many revisions at most are looked through for the last one that a person signed about."""


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link as presented: its row, the announcement, and why it cannot be used any more ("" while it can)."""

    row: LinkRow
    announcement: AnnouncementRow
    nonce: str
    why_not: str


async def create(ctx: Context, tx: AsyncConnection, announcement: str, digest: str, person: str) -> str:
    """A new link for this person to this manifest; its URL is known to no one else."""
    token = secrets.token_urlsafe(32)
    row = {
        "token_hash": _hash(token),
        "announcement": announcement,
        "digest": digest,
        "person": person,
        "created_at": ctx.now,
        "expires_at": ctx.now + timedelta(hours=ctx.settings.link_hours),
    }
    await tx.execute(insert(approval_links).values(row))
    return f"{ctx.settings.public_url}/approve/{token}"


async def look_up(ctx: Context, tx: AsyncConnection, token: str) -> OpenLink:
    """The link of that token. Raises `Refused` 404 for one that never was."""
    row = await approvals.link(tx, _hash(token))
    if row is None:
        raise Refused(404, "This link is not known.", "It may be cut off: copy all of it from the mail, or ask for a new one.")
    announcement = await existing(tx, row.announcement)
    return OpenLink(row, announcement, _nonce(token), _why_not(ctx, row, announcement))


def _why_not(ctx: Context, row: LinkRow, announcement: AnnouncementRow) -> str:
    if row.digest != announcement.digest:
        return "There is a newer revision. Use the link in the newer mail."
    if row.used_at is not None:
        return DECIDED
    if row.expires_at <= ctx.now:
        return "This link has expired. Ask for a new one."
    return _over(announcement)


def _over(announcement: AnnouncementRow) -> str:
    if announcement.state not in _OPEN:
        return f"Nothing is left to sign: the announcement is {announcement.state.replace('_', ' ')}."
    return ""


async def may_decide(tx: AsyncConnection, link: OpenLink, decision: str) -> None:
    """Lets an open link decide, and a closed one only repeat what it decided (an answer may have been lost). Raises `Refused` 409."""
    said = {(row.person, row.decision) for row in await approvals.of_digest(tx, link.row.digest)}
    if link.why_not and (link.row.used_at is None or (link.row.person, decision) not in said):
        raise Refused(409, "This link is closed.", link.why_not)


async def approval_request(ctx: Context, token: str) -> dict[str, Any]:
    """All that a reviewer's page or CLI needs to show the manifest and to sign it."""
    async with ctx.database.read() as tx:
        link = await look_up(ctx, tx, token)
        request = await request_for(ctx, tx, link.announcement, link.row.digest, link.row.person)
        sent = await deliveries.of_digest(tx, link.row.digest)
    return await _page(ctx, request, link.announcement, sent, link.nonce, link.row.expires_at, link.why_not)


async def request_in_session(ctx: Context, announcement_id: str, session: Session) -> dict[str, Any]:
    """The same for a person who is logged in; it lasts as long as their session. Raises `Refused` 404."""
    async with ctx.database.read() as tx:
        row = await existing(tx, announcement_id)
        request = await request_for(ctx, tx, row, row.digest, session.person.id)
        sent = await deliveries.of_digest(tx, row.digest)
    decided = any(one["person"] == session.person.id for one in request["approvals"])
    why_not = _over(row) or (DECIDED if decided else "")
    page = await _page(ctx, request, row, sent, secrets.token_urlsafe(16), session.ends_at, why_not)
    return page | {"csrf": session.csrf}


async def _page(
    ctx: Context, request: dict[str, Any], row: AnnouncementRow, sent: list[DeliveryRow], nonce: str, expires_at: datetime, why_not: str
) -> dict[str, Any]:
    """What a page shows beside the manifest; it can sign unless something speaks against it."""
    why_not = why_not or request["pages_closed"]
    return request | {
        "broken_destinations": await check.broken(ctx),
        "held": await check.held(ctx),
        "leads": row.leads,
        "deliveries": [_delivery(d) for d in sent],
        "nonce": nonce,
        "expires_at": iso(expires_at),
        "usable": not why_not,
        "why_not": why_not,
    }


def _delivery(row: DeliveryRow) -> dict[str, str]:
    told = {"destination": row.destination, "role": row.role, "state": row.state}
    return told | {"permalink": row.permalink, "detail": row.problem}


async def may_exclude(ctx: Context, tx: AsyncConnection, token: str, destination: str) -> str:
    """The link's person, who may exclude a destination of its manifest for as long as the link lasts, also once they have decided.

    Raises `Refused`.
    """
    link = await look_up(ctx, tx, token)
    if link.row.expires_at <= ctx.now or ctx.read_roster().person(link.row.person) is None:
        raise Refused(403, "This link is over.", "Ask for a new one, or do it by `tocsin exclude`.")
    manifest = Manifest.parse((await store.manifest_text(tx, link.row.digest)).encode())
    if why := await own_name.why_no_page(ctx, tx, manifest, link.announcement.incident):
        raise Refused(409, "By this link nothing is left out.", f"{why.partition('. ')[0]}. Do it by `tocsin exclude`.")
    if destination not in {planned.id for planned in manifest.destinations}:
        raise Refused(404, f"This announcement does not go to “{destination}”.", "By a link only its own accounts can be left out.")
    return link.row.person


async def request_for(ctx: Context, tx: AsyncConnection, announcement: AnnouncementRow, digest: str, person_id: str) -> dict[str, Any]:
    """The manifest of that digest with its findings, and what stands and is missing, for one person ("" for anyone)."""
    found = await judged(ctx, tx, digest)
    manifest = found.manifest
    person = ctx.read_roster().person(person_id)
    passkeys = [key.credential_id for key in person.passkeys if key.rp_id == ctx.settings.rp_id] if person else []
    return {
        "manifest": await store.manifest_text(tx, digest),
        "digest": digest,
        "person": person_id,
        "person_name": person.name if person else "",
        "announcement": announcement.id,
        "revision": manifest.revision,
        "environment": manifest.environment,
        "author": manifest.author,
        "state": announcement.state,
        "findings": findings.as_json(manifest),
        "approvals": views.approvals(found),
        "missing": found.quorum.missing,
        "cli_signature": found.quorum.ssh_missing,
        "pages_closed": await own_name.why_no_page(ctx, tx, manifest, announcement.incident),
        "asked": await notices.asked(tx, digest) if announcement.state in notices.TO_BE_SIGNED else [],
        "changes": await _changes(ctx, tx, announcement, manifest, person_id),
        "now": iso(ctx.now),
        "rp_id": ctx.settings.rp_id,
        "passkeys": passkeys,
        "ssh_keys": [key.fingerprint for key in person.ssh_keys] if person else [],
    }


async def _changes(
    ctx: Context, tx: AsyncConnection, announcement: AnnouncementRow, manifest: Manifest, person: str
) -> dict[str, Any] | None:
    """What is another in this revision than in the last one that the person signed about, else than in the one before; None for a first.

    `since` is that revision's number and `signed` whether the person signed about it, so that they know what they are shown.
    """
    earlier = await store.revisions_before(tx, announcement.id, manifest.revision, _LOOKED_BACK)
    if not earlier:
        return None
    seen = None
    for revision in earlier if person else ():
        if person in await _deciders(ctx, tx, revision.digest):
            seen = revision
            break
    before = seen or earlier[0]
    try:
        told = changes(before.manifest, manifest.to_bytes().decode())
    except (ValueError, RecursionError):  # the row of before was changed
        return None
    items = [{"where": change.where, "also": list(change.also), "pieces": [list(piece) for piece in change.pieces]} for change in told]
    return {"since": before.revision, "signed": seen is not None, "items": items}


async def _deciders(ctx: Context, tx: AsyncConnection, digest: str) -> set[str]:
    """Whose signatures about that manifest verify."""
    try:
        return {verified.person.id for _, verified in (await judged(ctx, tx, digest)).standing}
    except NotApproved:
        return set()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _nonce(token: str) -> str:
    """Public and unique to the link, so that a signature made through it is bound to it."""
    return encode(hashlib.sha256(b"tocsin-nonce\n" + token.encode()).digest()[:16])
