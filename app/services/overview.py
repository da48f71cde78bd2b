"""What a person finds who is logged in: what waits for their signature, what waits for others, what goes out, and what went out."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import AnnouncementState
from app.services.context import Context
from app.services.sessions import Session
from app.services.verification import signatures
from app.store import announcements as store
from app.store import approvals
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
    """One announcement as its rows tell of it. The page behind it shows what is signed; to read that here, for all, takes seconds."""
    incident = await store.incident(tx, row.incident)
    told = {"id": row.id, "kind": row.kind, "state": row.state, "revision": row.revision, "created_at": iso(row.created_at)}
    return told | {"name": incident.name if incident else "", "standing": ""}


async def _waiting(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, session: Session) -> dict[str, Any]:
    """The same of one that waits, and whether it waits for this person: whose signature can count, and is not there."""
    signed = signatures(row.digest, await approvals.of_digest(tx, row.digest), ctx.read_roster(), ctx.settings)
    people = {verified.person.id for _, verified in signed}
    asked = row.state == AnnouncementState.AWAITING_APPROVAL.value and session.person.counts
    standing = f"signed by {len(people)}" if people else ""
    return await _listed(tx, row) | {"yours": asked and session.person.id not in people, "standing": standing}
