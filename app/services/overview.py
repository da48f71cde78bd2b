"""What a person finds who is logged in: what waits for their signature, what waits for others, what goes out, and what went out."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import AnnouncementState
from app.domain.roster import PersonRole
from app.services.context import Context
from app.services.sessions import Session
from app.services.verification import NotApproved, judged
from app.store import announcements as store
from app.store.announcements import AnnouncementRow
from app.store.tables import iso

MOST = 20
"""Of each group, newest first."""

_WAITING = (AnnouncementState.AWAITING_APPROVAL, AnnouncementState.DRAFT, AnnouncementState.RETURNED)
_GOING_OUT = (AnnouncementState.APPROVED, AnnouncementState.SENDING, AnnouncementState.INCOMPLETE)
_OVER = (AnnouncementState.SENT, AnnouncementState.CANCELLED, AnnouncementState.EXPIRED)


async def overview(ctx: Context, session: Session) -> dict[str, Any]:
    """The groups with their announcements, and what the page needs besides."""
    async with ctx.database.read() as tx:
        waiting = [await _waiting(ctx, tx, row, session) for row in await store.in_states(tx, _WAITING, MOST)]
        going_out = [await _listed(tx, row) for row in await store.in_states(tx, _GOING_OUT, MOST)]
        over = [await _listed(tx, row) for row in await store.in_states(tx, _OVER, MOST)]
    groups = [
        ("Waits for your signature", "Nothing waits for you.", [item for item in waiting if item["yours"]]),
        ("Waits for others", "", [item for item in waiting if not item["yours"]]),
        ("Goes out", "Nothing is going out.", going_out),
        ("Over", "Nothing went out so far.", over),
    ]
    return {
        "environment": ctx.settings.environment.value,
        "person_name": session.person.name,
        "ends_at": iso(session.ends_at),
        "csrf": session.csrf,
        "groups": [{"heading": heading, "empty": empty, "items": items} for heading, empty, items in groups if items or empty],
    }


async def _listed(tx: AsyncConnection, row: AnnouncementRow) -> dict[str, Any]:
    """One announcement as a row tells of it; the page behind it shows what is signed."""
    incident = await store.incident(tx, row.incident)
    told = {"id": row.id, "kind": row.kind, "state": row.state, "revision": row.revision, "created_at": iso(row.created_at)}
    return told | {"name": incident.name if incident else "", "standing": ""}


async def _waiting(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, session: Session) -> dict[str, Any]:
    """The same of one that waits, by what is signed: of one whose stored bytes were changed no word is shown."""
    told = await _listed(tx, row) | {"yours": False}
    try:
        found = await judged(ctx, tx, row.digest)
    except NotApproved:
        return told | {"name": "What is stored was changed", "standing": "Do not sign it. Submit it anew."}
    told["name"] = found.manifest.incident.name
    if row.state != AnnouncementState.AWAITING_APPROVAL.value:
        return told
    counts = PersonRole.REVIEWER in session.person.roles or session.person.id == found.manifest.author
    decided = any(verified.person.id == session.person.id for _, verified in found.standing)
    return told | {"yours": counts and not decided, "standing": f"{found.quorum.missing} more needed"}
