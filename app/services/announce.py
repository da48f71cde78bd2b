"""Announce and revise: from an author's words to a manifest that people can sign.

Everything that a request asks for is committed before it is answered: incident, announcement, revision, the planned notices to
reviewers. Nothing is sent from here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.announcement import REVISABLE, AnnouncementState, Kind, OwnText, Wording, corrections
from app.domain.followup import FollowUpState
from app.domain.incident import Facts, IncidentState, slug
from app.domain.manifest import Manifest, ManifestError, Planned, digest
from app.domain.wording import RULE_IDS
from app.services import notices, renderings, unseal
from app.services.context import Context, Destination, Refused, new_id
from app.store import announcements as store
from app.store import follow_ups, holds, timeline
from app.store.announcements import AnnouncementRow, IncidentRow
from app.store.tables import announcements, incidents, iso, moment, revisions


@dataclass(frozen=True, slots=True)
class Submission:
    """One request to announce: the incident's facts (its id where it exists already), the kind, the words."""

    facts: Facts
    kind: Kind
    wording: Wording
    incident: str = ""
    given: frozenset[str] = frozenset()  # the facts that the request itself names


async def announce(ctx: Context, submission: Submission, by: str, announcement_id: str = "") -> str:
    """Accepts a first revision and asks for approvals. Returns the announcement's id.

    `by` is who called (`token:<name>`); a given `announcement_id` makes the call repeatable. Raises `Refused`.
    """
    async with ctx.database.write() as tx:
        id_ = announcement_id or new_id("an", ctx.now)
        if await store.announcement(tx, id_):
            return id_
        row = await _incident(ctx, tx, submission, by)
        await write_first(ctx, tx, row, id_, submission.kind, submission.wording, by)
        return id_


async def write_first(ctx: Context, tx: AsyncConnection, incident: IncidentRow, id_: str, kind: Kind, words: Wording, by: str) -> None:
    """Adds an announcement with its first revision, and asks for approvals. Raises `Refused`."""
    await _add(ctx, tx, incident, id_, kind, AnnouncementState.AWAITING_APPROVAL)
    fingerprint = await write_revision(ctx, tx, incident, _facts(incident), id_, 1, kind, words, by)
    await notices.ask(ctx, tx, id_, fingerprint)


async def not_excluded(tx: AsyncConnection, destinations: Sequence[str]) -> tuple[str, ...]:
    """Those of the destinations to which something may be sent."""
    held = await holds.standing(tx, destinations)
    return tuple(id_ for id_ in destinations if id_ not in held or held[id_].kind != "excluded")


async def revise(ctx: Context, id_: str, words: Wording, by: str) -> None:
    """Makes a new revision, which voids every approval of the one before. Raises `Refused`."""
    async with ctx.database.write() as tx:
        row = await existing(tx, id_, lock=True)
        if AnnouncementState(row.state) not in REVISABLE:
            raise Refused(
                409, f"The announcement is {row.state}.", "Only one that is not approved yet can be revised; send a correction instead."
            )
        await _stays_sealed(tx, row, words)
        incident = await store.incident(tx, row.incident)
        assert incident is not None
        revision = row.revision + 1
        fingerprint = await write_revision(ctx, tx, incident, _facts(incident), id_, revision, Kind(row.kind), words, by)
        await store.change_announcement(tx, id_, state=AnnouncementState.AWAITING_APPROVAL.value)
        await notices.ask(ctx, tx, id_, fingerprint)


async def _stays_sealed(tx: AsyncConnection, row: AnnouncementRow, words: Wording) -> None:
    """Refuses a revision by which what was to wait would go out at once, or the other way round."""
    try:
        was = Manifest.parse((await store.manifest_text(tx, row.digest)).encode()).seal
    except ManifestError:  # the row was changed; its announcement can be written anew
        return
    if was and was.corrects:
        raise Refused(409, "This correction was signed with its announcement.", "Send other words by `tocsin correct`.")
    if bool(was) is not bool(words.sealed_until):
        told = "Give its new `sealed_until`." if was else "Leave `sealed_until` out, or announce it anew."
        raise Refused(422, f"The announcement is {'a sealed one' if was else 'no sealed one'}, and stays so.", told)


async def draft(
    ctx: Context, tx: AsyncConnection, incident: IncidentRow, kind: Kind, words: Wording, window: tuple[datetime, datetime]
) -> str:
    """Adds a pre-filled announcement to be sent within a window; nobody is asked to sign it yet. Returns its id."""
    id_ = new_id("an", ctx.now)
    await _add(ctx, tx, incident, id_, kind, AnnouncementState.DRAFT)
    await write_revision(ctx, tx, incident, _facts(incident), id_, 1, kind, words, "tocsin", window)
    return id_


async def ask_again(ctx: Context, id_: str, by: str) -> None:
    """Sends the approval links anew, to all at once; of a sealed one, links to unseal it. Raises `Refused`."""
    async with ctx.database.write() as tx:
        row = await existing(tx, id_, lock=True)
        sealed = row.state == AnnouncementState.SEALED.value
        if not sealed and row.state not in {AnnouncementState.AWAITING_APPROVAL.value, AnnouncementState.DRAFT.value}:
            raise Refused(409, f"The announcement is {row.state}.", "Only one that awaits approval, or is sealed, has links.")
        await notices.tell(ctx, tx, "unseal" if sealed else "approve", id_, row.digest, again=True)
        await timeline.append(tx, ctx.now, by, "asked-again", incident=row.incident, announcement=id_)


async def existing(tx: AsyncConnection, id_: str, *, lock: bool = False) -> AnnouncementRow:
    """The announcement, or `Refused` 404; with `lock` nobody else changes it before this transaction ends."""
    row = await store.announcement(tx, id_, lock=lock)
    if row is None:
        raise Refused(404, "There is no such announcement.", "Its id looks like an_0123456789abcdefg.")
    return row


async def write_revision(
    ctx: Context,
    tx: AsyncConnection,
    incident: IncidentRow,
    facts: Facts,
    id_: str,
    revision: int,
    kind: Kind,
    words: Wording,
    by: str,
    window: tuple[datetime, datetime] | None = None,
) -> str:
    """Renders, and stores one immutable revision; returns its manifest's digest. Raises `Refused`."""
    _refuse_what_would_be_ignored(ctx, words)
    follow_up = await follow_ups.of_announcement(tx, id_)
    if follow_up and words.sealed_until:
        raise Refused(422, "A follow-up has a window of its own.", "Leave `sealed_until` out.")
    if follow_up and follow_up.state != FollowUpState.OVERDUE.value:
        window = (follow_up.opens, follow_up.closes)
    chosen = await renderings.choose(ctx, tx, incident.id, id_, words)
    planned = renderings.plan(ctx, kind, facts, words, await renderings.threads(tx, incident.id, kind), chosen)
    # That a destination cannot carry its correction is told now.
    words_after = Wording(words.correction, language=words.language, translations=corrections(words.translations))
    corrected = renderings.plan(ctx, Kind.CORRECTION, facts, words_after, {}, chosen) if words.correction else ()
    manifest = _manifest(ctx, facts, id_, revision, kind, words, planned, chosen, by, window)
    if words.sealed_until:
        manifest = unseal.sealed(ctx, manifest, words.sealed_until, corrected)
    text = manifest.to_bytes().decode()
    fingerprint = digest(text.encode())
    row = {
        "digest": fingerprint,
        "announcement": id_,
        "revision": revision,
        "manifest": text,
        "wording": dataclasses.asdict(words),
        "created_at": ctx.now,
    }
    await tx.execute(revisions.insert(), row)  # as parameters: SQLAlchemy keeps the first statement, and with it what it holds
    window_row = {"not_before": moment(manifest.not_before), "not_after": moment(manifest.not_after)}
    await store.change_announcement(tx, id_, digest=fingerprint, revision=revision, **window_row)
    await timeline.append(
        tx, ctx.now, by, "revision-submitted", incident=incident.id, announcement=id_, data={"revision": revision, "digest": fingerprint}
    )
    return fingerprint


def _refuse_what_would_be_ignored(ctx: Context, words: Wording) -> None:
    errors = [
        {"field": "overrides", "message": f"There is no rule “{o.rule}”; known are {', '.join(sorted(RULE_IDS))}."}
        for o in words.overrides
        if o.rule not in RULE_IDS
    ]
    if words.author and ctx.read_roster().person(words.author) is None:
        errors.append({"field": "author", "message": f"“{words.author}” is not in the roster."})
    if not words.correction:
        told = "The correction of the text itself is missing: `correction`."
        errors += [{"field": f"translations.{one.language}.correction", "message": told} for one in corrections(words.translations)]
    if errors:
        raise Refused(
            422, "Some fields name what is not there.", "Mend every field listed in `errors`; nothing was accepted.", tuple(errors)
        )


def _manifest(
    ctx: Context,
    facts: Facts,
    id_: str,
    revision: int,
    kind: Kind,
    words: Wording,
    planned: tuple[Planned, ...],
    chosen: Sequence[Destination],
    by: str,
    window: tuple[datetime, datetime] | None,
) -> Manifest:
    opens, closes = window or (None, ctx.now + timedelta(hours=ctx.settings.send_window_hours))
    return Manifest(
        environment=ctx.settings.environment.value,
        announcement=id_,
        revision=revision,
        kind=kind,
        incident=facts,
        author=words.author or by,
        submitted_by=by,
        text=words.text,
        answers=words.answers,
        destinations=planned,
        primaries=tuple(d.id for d in (*(d for d in chosen if d.role is Role.PRIMARY), *renderings.in_order(chosen))),
        overrides=words.overrides,
        not_before=iso(opens) if opens else "",
        not_after=iso(closes),
        banner_until="" if words.clear_banner else iso((opens or ctx.now) + timedelta(hours=ctx.settings.banner_hours)),
        roster_version=ctx.read_roster().version,
        created_at=iso(ctx.now),
        fallback_after=ctx.settings.fallback_seconds,
        correction=words.correction,
        language=words.language,
        translations=words.translations,
        texts=tuple(OwnText(id_, text) for id_, text in sorted(words.texts.items())),
    )


async def _incident(ctx: Context, tx: AsyncConnection, submission: Submission, by: str) -> IncidentRow:
    """The incident that the request names: by id, by the name of an open one, or a new one."""
    if submission.incident:
        row = await store.incident(tx, submission.incident, lock=True)
        if row is None:
            raise Refused(404, "There is no such incident.", "Give its id or slug, or an inline incident with a name.")
        return row
    row = await store.incident_named(tx, submission.facts.name)
    if row is None:
        return await _new_incident(ctx, tx, submission.facts, by)
    facts = _learnt(row.facts, submission)
    if facts != row.facts:
        await store.change_incident(tx, row.id, facts=facts)
        await timeline.append(tx, ctx.now, by, "incident-facts-changed", incident=row.id, data=facts)
        row = await store.incident(tx, row.id)
        assert row is not None
    return row


def _learnt(known: dict[str, Any], submission: Submission) -> dict[str, Any]:
    """What is known, with what the request names: lists grow, so that an affected domain is never forgotten; the rest is replaced."""
    facts = dict(known)
    for name, value in dataclasses.asdict(submission.facts).items():
        if name in submission.given:
            facts[name] = list(dict.fromkeys([*known[name], *value])) if isinstance(value, tuple) else value
    return facts


async def _new_incident(ctx: Context, tx: AsyncConnection, facts: Facts, by: str) -> IncidentRow:
    id_ = new_id("in", ctx.now)
    free = slug(facts.name)
    if await store.incident(tx, free):
        free = f"{free}-{id_[-4:]}"
    facts = dataclasses.replace(facts, id=id_, slug=free)
    row = {
        "id": id_,
        "slug": free,
        "name": facts.name,
        "state": IncidentState.OPEN.value,
        "facts": dataclasses.asdict(facts),
        "created_at": ctx.now,
    }
    await tx.execute(incidents.insert().values(row))
    await timeline.append(tx, ctx.now, by, "incident-opened", incident=id_, data={"name": facts.name})
    found = await store.incident(tx, id_)
    assert found is not None
    return found


async def _add(ctx: Context, tx: AsyncConnection, incident: IncidentRow, id_: str, kind: Kind, state: AnnouncementState) -> None:
    row = {"id": id_, "incident": incident.id, "kind": kind.value, "state": state.value, "revision": 0, "digest": "", "created_at": ctx.now}
    await tx.execute(announcements.insert().values(row))


def _facts(incident: IncidentRow) -> Facts:
    return Facts.parse(incident.facts)
