"""Who is told of an announcement, and who was asked to sign it: planned notices, which `app.services.notify` sends.

Who is on duty is asked first and the others after minutes (`app.domain.asking`); every internal destination is told at once, so that a
request reaches people by more than one way. The first to act count, whoever they are: being asked gives no right, and not being asked
takes none away.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain import asking
from app.domain.announcement import AnnouncementState
from app.services.context import Context
from app.store import approvals
from app.store.tables import iso

NOT_NEEDED = "left out: nothing was to be signed any more"
"""The error of a notice whose time came after its reason was gone."""

ASKED_TO_SIGN = (*asking.CALLS, "remind")
TO_BE_SIGNED = frozenset({AnnouncementState.AWAITING_APPROVAL, AnnouncementState.DRAFT})
"""Where people are asked for approvals."""


async def ask(ctx: Context, tx: AsyncConnection, announcement: str, fingerprint: str) -> None:
    """Asks for signatures: who is on duty and the team's rooms now, the next reviewers after some minutes."""
    await _plan(ctx, tx, asking.ASKS, announcement, fingerprint, _rooms(ctx), ctx.now)
    reviewers = [person.id for person in ctx.read_roster().reviewers]
    for place, group in enumerate(asking.groups(ctx.settings.on_duty, reviewers)):
        due = ctx.now + place * timedelta(minutes=ctx.settings.escalate_minutes)
        await _plan(ctx, tx, asking.ASKS_NEXT if place else asking.ASKS, announcement, fingerprint, group, due)


async def tell(
    ctx: Context, tx: AsyncConnection, notice: str, announcement: str, fingerprint: str, *, also: Sequence[str] = (), again: bool = False
) -> None:
    """Plans a notice to every reviewer, each internal destination and `also` those people; one planned before is sent `again` or left
    alone."""
    people = dict.fromkeys([*(person.id for person in ctx.read_roster().reviewers), *also])
    await _plan(ctx, tx, notice, announcement, fingerprint, [*people, *_rooms(ctx)], ctx.now, again=again)


async def later(ctx: Context, tx: AsyncConnection, notice: str, announcement: str, fingerprint: str, due: datetime) -> None:
    """Plans a notice to the same for a later time."""
    people = [person.id for person in ctx.read_roster().reviewers]
    await _plan(ctx, tx, notice, announcement, fingerprint, [*people, *_rooms(ctx)], due)


async def _plan(
    ctx: Context,
    tx: AsyncConnection,
    notice: str,
    announcement: str,
    fingerprint: str,
    recipients: Sequence[str],
    due: datetime,
    *,
    again: bool = False,
) -> None:
    await approvals.add_notice(tx, notice, announcement, fingerprint, recipients, due, again=again)
    await ctx.database.signal(tx, "")  # whoever is on duty sends it


def _rooms(ctx: Context) -> list[str]:
    return [f"destination:{destination.id}" for destination in ctx.with_role(Role.INTERNAL)]


async def asked(tx: AsyncConnection, fingerprint: str) -> list[dict[str, Any]]:
    """Who was or will be asked to sign that manifest: when, when they were reminded last, and when the next word goes to them.

    People by their ids and rooms as `destination:<id>`, in the order in which they are asked.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in await approvals.notices_of(tx, fingerprint, ASKED_TO_SIGN):
        told = found.setdefault(row.recipient, {"who": row.recipient, "asked_at": None, "reminded_at": None, "next_at": None})
        if row.sent_at is None:
            told["next_at"] = min(filter(None, (told["next_at"], iso(row.due_at))))
        elif not row.error:
            told["reminded_at" if told["asked_at"] else "asked_at"] = iso(row.sent_at)
    return sorted(found.values(), key=lambda told: (told["asked_at"] or told["next_at"] or "~", told["who"]))
