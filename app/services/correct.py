"""A correction: by the words that were written in advance, which need only approvals to go, or by new ones.

It replies to every post of the announcement that it corrects, on the same destinations; nothing is ever deleted.
"""

from __future__ import annotations

from app.domain.announcement import AnnouncementState, Kind, Wording, corrections
from app.domain.manifest import Manifest
from app.services import announce
from app.services.context import Context, Refused, new_id
from app.store import announcements as store
from app.store import timeline

_OUT = {AnnouncementState.SENDING.value, AnnouncementState.SENT.value, AnnouncementState.INCOMPLETE.value}


async def correct(ctx: Context, announcement_id: str, text: str, author: str, by: str, id_: str = "") -> str:
    """Asks for approvals of a correction, of `text` or, where that is "", of the one written in advance; returns its id.

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
