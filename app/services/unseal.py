"""Sealing and unsealing: an announcement that waits, signed, for the day on which one person has to let it go.

What counts as unsealed is a rule of `app.domain.seal`, and the dispatcher looks at the signatures themselves; here a manifest is made a
sealed one, a fresh `unseal` is let in, and everybody is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain import seal
from app.domain.announcement import AnnouncementState, Answers, Kind, corrections
from app.domain.approval import Verified
from app.domain.manifest import Manifest, Planned, Seal
from app.domain.roster import Person
from app.services import notices
from app.services.context import Context, Refused
from app.services.verification import Judged
from app.store import timeline
from app.store.announcements import AnnouncementRow
from app.store.tables import iso

FRESH, AHEAD = timedelta(minutes=10), timedelta(minutes=2)
"""How old an unseal may be when it is handed in, and how far its signer's clock may run ahead of ours."""


def sealed(ctx: Context, manifest: Manifest, until: str, correction: Sequence[Planned]) -> Manifest:
    """The manifest made a sealed one; `correction` is what the correction that was written with it will say. Raises `Refused`."""
    ends = _date(ctx, until)
    shut = Seal(round(ctx.settings.send_window_hours * 3600), round(ctx.settings.banner_hours * 3600) if manifest.banner_until else 0)
    waiting = replace(manifest, not_before="", not_after=iso(ends), banner_until="", seal=shut)
    if not manifest.correction:
        return waiting
    its_correction = replace(
        waiting,
        announcement=f"{manifest.announcement}-correction",
        kind=Kind.CORRECTION,
        text=manifest.correction,
        answers=Answers(),
        destinations=tuple(correction),
        overrides=(),
        not_after=iso(ends + seal.CORRECTABLE),
        correction="",
        translations=corrections(manifest.translations),
        seal=replace(shut, corrects=manifest.announcement),
    )
    return replace(waiting, seal=replace(shut, correction=its_correction.to_bytes().decode()))


def _date(ctx: Context, until: str) -> datetime:
    ends = datetime.fromisoformat(until)
    if not ctx.now < ends <= ctx.now + seal.LONGEST:
        days = seal.LONGEST.days
        told = {"field": "sealed_until", "message": f"It must lie ahead, by {days} days at most."}
        raise Refused(
            422, "It cannot be sealed until then.", "Choose a day within a year; a text that waits is read again by then.", (told,)
        )
    return ends


def may_unseal(ctx: Context, row: AnnouncementRow, verified: Verified, before: Judged) -> None:
    """Refuses an unseal that is late, old, of somebody whose signature counts for nothing, or of a seal that does not hold."""
    if row.state != AnnouncementState.SEALED.value:
        raise Refused(409, f"The announcement is {row.state.replace('_', ' ')}.", "Only a sealed one can be unsealed, and only once.")
    if not verified.person.counts:
        raise Refused(403, f"{verified.person.id} only administers.", "An author or a reviewer unseals.")
    age = ctx.now - verified.statement.moment
    if not -AHEAD <= age <= FRESH:
        told = f"It was signed at {verified.statement.at}, and here it is {ctx.now:%Y-%m-%dT%H:%M:%SZ}. Look at the clock, and sign again."
        raise Refused(409, "The signature is not fresh.", told)
    if not before.quorum.complete:
        told = f"{before.quorum.missing} of its signatures do not count in the roster of now. Announce the same text, and have it signed."
        raise Refused(409, "The seal does not hold any more.", told)
    if not seal.unseals(before.manifest, [verified]):
        raise Refused(409, "The seal has ended.", f"Its date was {before.manifest.not_after}. Revise it, and have it signed again.")


async def keep(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, manifest: Manifest, people: Sequence[Person]) -> None:
    """Two people have signed it: it waits, and its end is told in time."""
    ends = datetime.fromisoformat(manifest.not_after)
    await notices.later(ctx, tx, "seal-ends", row.id, row.digest, seal.warned_at(ctx.now, ends))
    data = {"until": manifest.not_after, "people": [person.id for person in people]}
    await timeline.append(tx, ctx.now, "tocsin", "sealed", incident=row.incident, announcement=row.id, data=data)


async def release(ctx: Context, tx: AsyncConnection, row: AnnouncementRow, verified: Verified, found: Judged) -> None:
    """Tells every signer and every reviewer, and the team's rooms, that it goes out now."""
    signers = [person.id for person in found.quorum.approved_by]
    await notices.tell(ctx, tx, "unsealed", row.id, row.digest, also=[*signers, verified.person.id])
    data = {"by": verified.person.id, "at": verified.statement.at, "people": signers}
    await timeline.append(tx, ctx.now, verified.person.id, "unsealed", incident=row.incident, announcement=row.id, data=data)
