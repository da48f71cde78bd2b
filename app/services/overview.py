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
        waiting = [await _told(ctx, tx, row, session) for row in await store.in_states(tx, _WAITING, MOST)]
        going_out = [await _told(ctx, tx, row, session) for row in await store.in_states(tx, _GOING_OUT, MOST)]
        over = [await _told(ctx, tx, row, session) for row in await store.in_states(tx, _OVER, MOST)]
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


async def _told(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, session: Session) -> dict[str, Any]:
    """One announcement, in the words that are signed; of one whose stored bytes were changed no word is shown."""
    told: dict[str, Any] = {"id": row.id, "kind": row.kind, "state": row.state, "revision": row.revision, "created_at": iso(row.created_at)}
    try:
        found = await judged(ctx, tx, row.digest)
    except NotApproved:
        return told | {"name": "What is stored was changed", "yours": False, "standing": "Do not sign it. Submit it anew."}
    decided = any(verified.person.id == session.person.id for _, verified in found.standing)
    counts = PersonRole.REVIEWER in session.person.roles or session.person.id == found.manifest.author
    asked = row.state == AnnouncementState.AWAITING_APPROVAL.value and counts
    standing = f"{found.quorum.missing} more needed" if row.state == AnnouncementState.AWAITING_APPROVAL.value else ""
    return told | {"name": found.manifest.incident.name, "yours": asked and not decided, "standing": standing}
