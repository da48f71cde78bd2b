"""A correction: by the words that were written in advance, which need only approvals to go, or by new ones.

It replies to every post of the announcement that it corrects, on the same destinations; nothing is ever deleted. What was sealed with
its announcement was signed before there was a post to reply to: it is posted for itself, once one person unseals it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import AnnouncementState, Kind, Wording, corrections
from app.domain.manifest import Manifest, digest
from app.services import announce, notices
from app.services.context import Context, Refused, new_id
from app.store import announcements as store
from app.store import timeline
from app.store.announcements import AnnouncementRow
from app.store.tables import announcements, moment, revisions

_OUT = {AnnouncementState.SENDING.value, AnnouncementState.SENT.value, AnnouncementState.INCOMPLETE.value}


async def correct(ctx: Context, announcement_id: str, text: str, author: str, by: str, id_: str = "") -> str:
    """Asks for approvals of a correction, of `text` or, where that is "", of the one written in advance; returns its id.

    One that was sealed with its announcement needs none: it is there to be unsealed.
    A given `id_` makes the call repeatable. Raises `Refused`.
    """
    async with ctx.database.write() as tx:
        wrong = await announce.existing(tx, announcement_id)
        id_ = id_ or new_id("an", ctx.now)
        if await store.announcement(tx, id_):
            return id_
        if wrong.state not in _OUT:
            raise Refused(409, f"The announcement is {wrong.state}.", "Nothing of it went out: revise or cancel it instead.")
        manifest = Manifest.parse((await store.manifest_text(tx, wrong.digest)).encode())
        if manifest.seal and manifest.seal.correction and not text:
            return await _sealed_with_it(ctx, tx, wrong, manifest.seal.correction, by)
        words = text or manifest.correction
        if not words:
            raise Refused(422, "No correction was written in advance.", "Give its `text`.")
        incident = await store.incident(tx, wrong.incident)
        assert incident is not None
        places = tuple(dict.fromkeys(d.id for d in manifest.destinations if d.id in ctx.destinations))
        wording = Wording(
            words,
            author=author,
            destinations=await announce.not_excluded(tx, places),
            language=manifest.language,
            translations=() if text else corrections(manifest.translations),
        )
        await announce.write_first(ctx, tx, incident, id_, Kind.CORRECTION, wording, by)
        await timeline.append(tx, ctx.now, by, "correction-proposed", incident=incident.id, announcement=id_, data={"of": wrong.id})
        return id_


async def _sealed_with_it(ctx: Context, tx: AsyncConnection, wrong: AnnouncementRow, raw: str, by: str) -> str:
    """Makes an announcement of the manifest that lies in that of the wrong one, to be unsealed; returns its id."""
    manifest = Manifest.parse(raw.encode())
    id_, fingerprint = manifest.announcement, digest(raw.encode())
    if await store.announcement(tx, id_):
        return id_
    words = Wording(manifest.text, language=manifest.language, translations=manifest.translations)
    about: dict[str, Any] = {"announcement": id_, "digest": fingerprint, "revision": manifest.revision, "created_at": ctx.now}
    row: dict[str, Any] = {"id": id_, "incident": wrong.incident, "kind": manifest.kind.value, "state": AnnouncementState.SEALED.value}
    row |= {name: about[name] for name in ("digest", "revision", "created_at")} | {"not_after": moment(manifest.not_after)}
    await tx.execute(announcements.insert().values(**row))
    await tx.execute(revisions.insert(), about | {"manifest": raw, "wording": dataclasses.asdict(words)})
    await notices.tell(ctx, tx, "unseal", id_, fingerprint)
    await timeline.append(tx, ctx.now, by, "correction-proposed", incident=wrong.incident, announcement=id_, data={"of": wrong.id})
    return id_
