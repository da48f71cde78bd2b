"""The banner: served only from a manifest whose signatures verify, so that a changed row shows nothing unsigned on anyone's homepage.

It shows the newest announcement whose banner delivery is posted and has not expired; a resolution, summary or post-mortem takes its
place and clears it when its own time is over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.announcement import AnnouncementState
from app.domain.delivery import DeliveryState
from app.domain.manifest import Manifest
from app.services.context import Context
from app.services.kept import Kept
from app.services.published import link
from app.services.stamp import Stamp
from app.services.verification import NotApproved, approved
from app.store import deliveries as store
from app.store import holds
from app.store.announcements import announcement as announcement_of
from app.store.tables import announcements, deliveries, iso

FORMAT = "tocsin-banner/1"
_CANDIDATES = 5
_BEGUN = [s.value for s in (AnnouncementState.SENDING, AnnouncementState.SENT, AnnouncementState.INCOMPLETE)]


@dataclass(frozen=True, slots=True)
class Banner:
    """What `/banner.json` answers: the JSON bytes and their entity tag."""

    data: dict[str, Any]
    body: bytes
    etag: str


def _banner(data: dict[str, Any], stamp: Stamp | None = None) -> Banner:
    told = data | {"signed": stamp.over(FORMAT, data)} if stamp else data
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    return Banner(data, body, '"' + hashlib.sha256(body).hexdigest()[:32] + '"')


NOTHING = _banner({"active": False})


class Shown(Kept[Banner]):
    """The banner as it is shown: inactive where there is none, or where what is stored does not verify."""

    def __init__(self) -> None:
        super().__init__(_worked_out)


async def _worked_out(ctx: Context) -> Banner:
    async with ctx.database.read() as tx:
        shown = (deliveries.c.role == Role.BANNER.value) & (deliveries.c.state == DeliveryState.POSTED.value)
        begun = announcements.c.state.in_(_BEGUN)
        query = select(deliveries.c.id).join(announcements, announcements.c.id == deliveries.c.announcement).where(shown & begun)
        query = query.order_by(deliveries.c.posted_at.desc(), deliveries.c.id.desc()).limit(_CANDIDATES)
        for id_ in (await tx.execute(query)).scalars().all():
            try:
                row = await store.get(tx, id_)
                assert row is not None
                verified = await approved(ctx, tx, row.digest)
                return await _of(ctx, tx, verified.manifest, row)
            except (NotApproved, ValueError, TypeError):
                continue  # a row that was changed shows nothing
    return NOTHING


async def _of(ctx: Context, tx: AsyncConnection, manifest: Manifest, row: store.DeliveryRow) -> Banner:
    planned = next((d for d in manifest.destinations if d.role is Role.BANNER and d.id == row.destination), None)
    if planned is None or not manifest.not_before <= iso(ctx.now) < manifest.banner_until:
        return NOTHING
    spoken = {"language": planned.language} if planned.language else {}
    return _banner(
        spoken
        | {
            "active": True,
            "id": manifest.announcement,
            "digest": row.digest,
            "environment": manifest.environment,
            "incident": manifest.incident.name,
            "kind": manifest.kind.value,
            "text": planned.rendering.parts[0].text,
            "permalink": await _permalink(ctx, tx, manifest, row.digest),
            "updated_at": iso(row.posted_at or ctx.now),
            "expires_at": manifest.banner_until,
        },
        ctx.stamp,
    )


async def _permalink(ctx: Context, tx: AsyncConnection, manifest: Manifest, digest: str) -> str:
    """The permalink of whoever leads, only where it is one of an approved primary's platform and account, and ours still."""
    row = await announcement_of(tx, manifest.announcement)
    leads = row.leads if row and row.leads else manifest.primary
    planned = next((d for d in manifest.destinations if d.id == leads and leads in manifest.primaries), None)
    for delivery in await store.of_digest(tx, digest, [leads]):
        if planned and delivery.role == Role.PRIMARY.value:
            return link(ctx, planned, delivery.permalink, await holds.excluded(tx))
    return ""
