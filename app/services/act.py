"""What a person does about an announcement under way: cancel it, retry a delivery, mark one as posted, leave one out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Receipt, Role
from app.domain.announcement import CANCELLABLE, AnnouncementState
from app.domain.delivery import DeliveryState, Event, Impossible
from app.domain.followup import FollowUpState
from app.domain.manifest import Manifest
from app.services.announce import existing
from app.services.context import Context, Refused
from app.store import announcements as store
from app.store import budgets, deliveries, follow_ups, holds, timeline
from app.store.announcements import AnnouncementRow
from app.store.deliveries import DeliveryRow, Overtaken

_UNDER_WAY = {AnnouncementState.SENDING.value, AnnouncementState.INCOMPLETE.value}


async def cancel(ctx: Context, announcement_id: str, by: str) -> None:
    """Ends an announcement that has not begun to go out. Raises `Refused`."""
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement_id, lock=True)
        if row.state == AnnouncementState.CANCELLED.value:
            return
        if row.state == AnnouncementState.SEALED.value:
            raise Refused(409, "The announcement is sealed.", f"A person revokes it, by a signature: tocsin reject {row.id}")
        if AnnouncementState(row.state) not in CANCELLABLE:
            raise Refused(409, f"The announcement is {row.state}.", "What has begun to go out cannot be cancelled; send a correction.")
        await store.change_announcement(tx, row.id, state=AnnouncementState.CANCELLED.value, finished_at=ctx.now)
        follow_up = await follow_ups.of_announcement(tx, row.id)
        if follow_up:
            await follow_ups.change(tx, follow_up.id, state=FollowUpState.CANCELLED.value)
        await timeline.append(tx, ctx.now, by, "cancelled", incident=row.incident, announcement=row.id)


async def retry(ctx: Context, delivery_id: str, by: str, looked: bool) -> None:
    """Tries a failed delivery again; an unknown one only where the person has looked and it is not there. Raises `Refused`.

    Whoever retries says that the destination is mended, so a pause of it ends; and while nobody leads, a primary leads again.
    """
    async with ctx.database.read() as tx:
        row = await _delivery(tx, delivery_id)
    if row.state == DeliveryState.UNKNOWN.value and not looked:
        raise Refused(
            409,
            "It may have been posted already.",
            f"Look at {row.destination}. If it is there, mark it as posted with its URL; if not, retry with `looked: true`.",
        )
    await _act(ctx, delivery_id, Event.RETRIED, by, {"looked": looked})


async def mark(ctx: Context, delivery_id: str, url: str, by: str) -> None:
    """Takes a person's word that it was posted, with the URL of the post on that account. Raises `Refused`."""
    async with ctx.database.read() as tx:
        row = await _delivery(tx, delivery_id)
    destination = ctx.destinations.get(row.destination)
    without = destination is not None and not destination.adapter.limits.permalinks and not url
    if destination is None or not (without or destination.adapter.owns(url)):
        raise Refused(422, f"That URL is no post on {row.destination}.", "Copy the post's own address, on that platform and account.")
    await _act(ctx, delivery_id, Event.MARKED, by, {"url": url}, Receipt(url.rstrip("/").rsplit("/", 1)[-1], url))


async def skip(ctx: Context, delivery_id: str, by: str) -> None:
    """Leaves a destination out: sending to fewer needs one person. Raises `Refused`."""
    await _act(ctx, delivery_id, Event.SKIPPED, by, {})


async def _act(ctx: Context, delivery_id: str, event: Event, by: str, data: dict[str, object], receipt: Receipt | None = None) -> None:
    async with ctx.database.write() as tx:
        row = await _delivery(tx, delivery_id)
        announcement = await existing(tx, row.announcement, lock=True)
        if announcement.state not in _UNDER_WAY or announcement.digest != row.digest:
            raise Refused(409, f"The announcement is {announcement.state}.", "Only what is going out can be acted on.")
        try:
            await deliveries.settle(tx, row, event, ctx.now, receipt=receipt)
        except (Impossible, Overtaken) as error:
            raise Refused(409, f"The delivery is {row.state}.", "Read its state again; perhaps it went out meanwhile.") from error
        changed = {"state": AnnouncementState.SENDING.value}
        if event is Event.RETRIED:
            await _opened(tx, row.destination)
            changed |= await _leads_again(ctx, tx, announcement, row)
        await store.change_announcement(tx, announcement.id, **changed)
        await ctx.database.signal(tx, announcement.id)
        told = {"delivery": row.id, "destination": row.destination} | data
        await timeline.append(
            tx, ctx.now, by, f"delivery-{event.value}", incident=announcement.incident, announcement=announcement.id, data=told
        )


async def _opened(tx: AsyncConnection, destination: str) -> None:
    """A person says that it can be tried: a pause ends, and so does the wait that the platform asked for."""
    await holds.lift(tx, destination, "paused")
    await budgets.reopen(tx, destination)


async def _leads_again(ctx: Context, tx: AsyncConnection, announcement: AnnouncementRow, row: DeliveryRow) -> dict[str, Any]:
    """What makes a primary or fallback lead again that a person retries, as long as none of them has posted or is just posting."""
    manifest = Manifest.parse((await store.manifest_text(tx, row.digest)).encode())
    rows = await deliveries.of_digest(tx, row.digest, manifest.primaries)
    if (
        row.destination not in manifest.primaries
        or row.role != Role.PRIMARY.value
        or any(d.done or d.state == DeliveryState.SENDING.value for d in rows)
    ):
        return {}
    return {"leads": row.destination, "led_since": datetime.now(UTC)}


async def _delivery(tx: AsyncConnection, delivery_id: str) -> DeliveryRow:
    row = await deliveries.get(tx, delivery_id)
    if row is None:
        raise Refused(404, "There is no such delivery.", "Its id looks like de_0123456789abcdefg; the announcement lists them.")
    return row
