"""Approve, reject, ask for changes, unseal: one signed statement of one person, verified before it is kept.

The second approval, or of a sealed announcement the unseal, plans the deliveries in the same transaction; a worker begins the broadcast
right after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain import findings
from app.domain.announcement import AnnouncementState
from app.domain.approval import Approval, ApprovalRefused, Decision, Verified, verify
from app.domain.delivery import DeliveryState
from app.domain.followup import FollowUpState
from app.domain.manifest import Manifest
from app.services import own_name, unseal
from app.services.announce import existing
from app.services.context import Context, Refused, new_id
from app.services.verification import Judged, count, judged
from app.store import announcements as store
from app.store import approvals as signed
from app.store import follow_ups, timeline
from app.store.announcements import AnnouncementRow
from app.store.records import add_all
from app.store.tables import deliveries, iso

_OPEN = {AnnouncementState.DRAFT, AnnouncementState.AWAITING_APPROVAL}
_MAY_END = _OPEN | {AnnouncementState.SEALED}
"""Where a rejection, or a request for changes, ends the revision; of a sealed one that revokes the seal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision led to: the announcement's state and how many approvals are still missing."""

    decision: str
    state: str
    missing: int


async def decide(ctx: Context, announcement_id: str, approval: Approval) -> Outcome:
    """Keeps one person's signed decision. The same decision again changes nothing. Raises `Refused`."""

    async def work(tx: AsyncConnection) -> Outcome:
        return await _decided(ctx, tx, announcement_id, approval)

    return await ctx.database.commit(work, about=announcement_id)


async def _decided(ctx: Context, tx: AsyncConnection, announcement_id: str, approval: Approval) -> Outcome:
    row = await existing(tx, announcement_id, lock=True)
    verified = _verified(ctx, row, approval)
    before = await judged(ctx, tx, row.digest)
    if verified.key_kind == "passkey" and (why := await own_name.why_no_page(ctx, tx, before.manifest, row.incident)):
        raise Refused(409, "No passkey signs for this incident.", why)
    said = any(_says_as_much(v, verified) for _, v in before.standing)
    repeated = said and (verified.decision is not Decision.UNSEAL or row.state != AnnouncementState.SEALED.value)
    if not repeated:
        _may_decide(ctx, row, verified, before)
        await _keep(ctx, tx, row, verified, approval)
    standing = [v for _, v in before.standing]
    if not repeated:  # what it takes the place of counts no more
        standing = [v for v in standing if (v.person, v.decision) != (verified.person, verified.decision)] + [verified]
    state, missing = await _moved(ctx, tx, row, before, verified, standing)
    await signed.use_links(tx, row.digest, verified.person.id, ctx.now)
    if state is AnnouncementState.APPROVED and not repeated and before.manifest.not_before <= iso(ctx.now):
        await ctx.database.signal(tx, row.id)
    return Outcome(verified.decision.value, state.value, missing)


def _says_as_much(before: Verified, verified: Verified) -> bool:
    """Whether the same person has said the same before. An SSH key says more than a passkey: it takes that one's place."""
    return before.person == verified.person and before.decision is verified.decision and before.key_kind in {"ssh", verified.key_kind}


def _verified(ctx: Context, row: AnnouncementRow, approval: Approval) -> Verified:
    try:
        verified = verify(approval, ctx.read_roster(), origin=ctx.settings.origin, rp_id=ctx.settings.rp_id)
    except ApprovalRefused as error:
        raise Refused(403, "This signature does not count.", str(error)) from error
    said = verified.statement
    if said.announcement != row.id or said.environment != ctx.settings.environment.value:
        raise Refused(409, "The signature is for another announcement or environment.", "Sign the manifest of this one.")
    if said.digest != row.digest or said.revision != row.revision:
        raise Refused(
            409,
            "There is a newer revision.",
            f"The signature is for revision {said.revision}, the current one is {row.revision}. Read it and sign that.",
        )
    return verified


def _may_decide(ctx: Context, row: AnnouncementRow, verified: Verified, before: Judged) -> None:
    if verified.decision is Decision.UNSEAL:
        unseal.may_unseal(ctx, row, verified, before)
    elif AnnouncementState(row.state) not in (_OPEN if verified.decision is Decision.APPROVE else _MAY_END):
        raise Refused(409, f"The announcement is {row.state}.", "Only one that awaits approval can be signed.")
    if verified.decision is Decision.APPROVE:
        blocks = findings.unanswered(before.manifest)
        if blocks:
            named = ", ".join(sorted({block.rule for block in blocks}))
            errors = tuple({"field": block.rule, "message": block.message} for block in blocks)
            raise Refused(409, f"A finding stops this revision: {named}.", "Revise the text, or override it with a reason.", errors)


async def _keep(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, verified: Verified, approval: Approval) -> None:
    values = {
        "announcement": row.id,
        "digest": row.digest,
        "person": verified.person.id,
        "decision": verified.decision.value,
        "key_kind": verified.key_kind,
        "approval": approval.to_json(),
        "at": ctx.now,
    }
    await signed.replace(tx, values)
    data = {"decision": verified.decision.value, "comment": verified.statement.comment, "digest": row.digest, "key": verified.key_kind}
    await timeline.append(
        tx, ctx.now, verified.person.id, f"decision-{verified.decision.value}", incident=row.incident, announcement=row.id, data=data
    )


async def _moved(
    ctx: Context, tx: AsyncConnection, row: AnnouncementRow, before: Judged, verified: Verified, standing: Sequence[Verified]
) -> tuple[AnnouncementState, int]:
    """Moves the announcement on; the state that it is in then, and how many approvals are missing."""
    state = AnnouncementState(row.state)
    if state in _OPEN:
        return await _count(ctx, tx, row, before, standing)
    if state is not AnnouncementState.SEALED or verified.decision is Decision.APPROVE:  # a repeated one
        return state, 0
    if verified.decision is Decision.UNSEAL:
        await _plan_deliveries(ctx, tx, row, before.manifest)
        await unseal.release(ctx, tx, row, verified, before)
        state, approved_at = AnnouncementState.APPROVED, ctx.now
    else:
        state, approved_at = AnnouncementState.RETURNED, None
    await store.change_announcement(tx, row.id, state=state.value, approved_at=approved_at)
    return state, 0


async def _count(
    ctx: Context, tx: AsyncConnection, row: AnnouncementRow, before: Judged, standing: Sequence[Verified]
) -> tuple[AnnouncementState, int]:
    """Applies the rule of two to all that stands, and moves the announcement on."""
    manifest, found = before.manifest, count(before.manifest, before.digest, standing, ctx.read_roster(), ctx.settings)
    if found.rejected_by or found.changes_by:
        state = AnnouncementState.RETURNED
    elif found.complete and manifest.seal:
        state = AnnouncementState.SEALED
        await unseal.keep(ctx, tx, row, manifest, found.approved_by)
    elif found.complete:
        state = AnnouncementState.APPROVED
        await _plan_deliveries(ctx, tx, row, manifest)
        follow_up = await follow_ups.of_announcement(tx, row.id)
        if follow_up:
            await follow_ups.change(tx, follow_up.id, state=FollowUpState.APPROVED.value)
        await timeline.append(
            tx,
            ctx.now,
            "tocsin",
            "approved",
            incident=row.incident,
            announcement=row.id,
            data={"people": [person.id for person in found.approved_by]},
        )
    else:
        state = AnnouncementState.AWAITING_APPROVAL
    approved_at = ctx.now if state is AnnouncementState.APPROVED else None
    await store.change_announcement(tx, row.id, state=state.value, approved_at=approved_at)
    return state, found.missing


async def _plan_deliveries(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, manifest: Manifest) -> None:
    planned = (
        {
            "id": new_id("de", ctx.now),
            "announcement": row.id,
            "digest": row.digest,
            "position": position,
            "destination": entry.id,
            "platform": entry.platform,
            "role": entry.role.value,
            "state": DeliveryState.PLANNED.value,
            "parts": len(entry.rendering.parts),
            "updated_at": ctx.now,
        }
        for position, entry in enumerate(manifest.destinations)
    )
    exists = await tx.scalar(select(func.count()).select_from(deliveries).where(deliveries.c.digest == row.digest))
    if not exists:
        await add_all(tx, deliveries, planned)
