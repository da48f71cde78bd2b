"""What is shown of an announcement, an incident, a follow-up: plain dictionaries, the same for the API, the CLI and the pages."""

from __future__ import annotations

import functools
import json
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Rendering, Role
from app.domain import findings, seal
from app.domain.manifest import Manifest, Planned
from app.services import check, notices, own_name
from app.services.announce import existing
from app.services.context import Context
from app.services.verification import Judged, judged
from app.store import announcements as store
from app.store import approvals as signatures
from app.store import deliveries, follow_ups
from app.store.announcements import IncidentRow
from app.store.deliveries import AttemptRow, DeliveryRow
from app.store.follow_ups import FollowUpRow
from app.store.tables import iso
from app.store.timeline import Entry


async def announcement(ctx: Context, id_: str) -> dict[str, Any]:
    """One announcement whole: its current revision, what is missing, deliveries with attempts. Raises `Refused` 404."""
    broken, held = await check.broken(ctx), await check.held(ctx)
    async with ctx.database.read() as tx:
        row = await existing(tx, id_)
        found = await judged(ctx, tx, row.digest)
        manifest, window = found.manifest, _window(found)
        sent = await deliveries.of_digest(tx, row.digest)
        tried: dict[str, list[AttemptRow]] = {}
        for attempt in await deliveries.attempts_of(tx, row.digest):
            tried.setdefault(attempt.delivery, []).append(attempt)
        return {
            "id": row.id,
            "incident": {"id": row.incident, "name": manifest.incident.name, "slug": manifest.incident.slug},
            "kind": row.kind,
            "state": row.state,
            "environment": manifest.environment,
            "revision": row.revision,
            "digest": row.digest,
            "author": manifest.author,
            "text": manifest.text,
            "wording": await store.wording_of(tx, row.digest),
            "not_before": window.not_before or None,
            "not_after": window.not_after or None,
            "primaries": {
                "order": list(manifest.primaries),
                "fallback_after": manifest.fallback_after,
                "leads": row.leads or manifest.primary,
            },
            "correction": manifest.correction or None,
            "seal": _seal(found) if manifest.seal else None,
            "renderings": [_rendering(planned, manifest) for planned in manifest.destinations],
            "findings": findings.as_json(manifest),
            "approvals": approvals(found),
            "missing": {
                "approvals": found.quorum.missing,
                "cli_signature": found.quorum.ssh_missing,
                "reviewers": [person.id for person in ctx.read_roster().reviewers],
                "overrides": sorted({block.rule for block in findings.unanswered(manifest)}),
            },
            "pages_closed": await own_name.why_no_page(ctx, tx, manifest, row.incident) or None,
            "asked": await notices.asked(tx, row.digest) if row.state in notices.TO_BE_SIGNED else [],
            "broken_destinations": broken,
            "held": held,
            "deliveries": [_delivery(ctx, d, tried.get(d.id, []), row.approved_at) for d in sent],
            "created_at": iso(row.created_at),
            "approved_at": iso(row.approved_at) if row.approved_at else None,
            "finished_at": iso(row.finished_at) if row.finished_at else None,
        }


async def evidence(ctx: Context, id_: str) -> dict[str, Any]:
    """What a third party needs to verify an announcement: its manifest and the approvals as they were signed. Raises `Refused` 404."""
    async with ctx.database.read() as tx:
        row = await existing(tx, id_)
        revision = await store.revision(tx, row.digest)
        assert revision is not None
        signed = await signatures.of_digest(tx, row.digest)
    return {"digest": row.digest, "manifest": revision.manifest, "approvals": [json.loads(a.approval) for a in signed]}


def _window(found: Judged) -> Manifest:
    """The manifest with the window in which it goes out: a sealed one's counts from its unsealing."""
    try:
        return seal.opened(found.manifest, (v for _, v in found.standing))
    except seal.Sealed:
        return found.manifest


def _seal(found: Judged) -> dict[str, Any]:
    """Until when it can be unsealed, whether its signatures count in the roster of now, what is sealed with it, and who unsealed it."""
    manifest = found.manifest
    assert manifest.seal is not None
    by = seal.unseals(manifest, (v for _, v in found.standing))
    return {
        "until": manifest.not_after,
        "holds": found.quorum.complete,
        "with_correction": bool(manifest.seal.correction),
        "corrects": manifest.seal.corrects or None,
        "unsealed_by": [{"person": v.person.id, "at": v.statement.at} for v in by],
    }


def approvals(found: Judged) -> list[dict[str, Any]]:
    """The approvals that verify, with the time at which each arrived."""
    shown = [(v, row.at) for row, v in found.standing]
    return [{"person": v.person.id, "decision": v.decision.value, "key": v.key_kind, "at": iso(at)} for v, at in shown]


def _rendering(planned: Planned, manifest: Manifest) -> dict[str, Any]:
    shown: dict[str, Any] = {"destination": planned.id, "platform": planned.platform, "role": planned.role.value}
    shown["own_text"] = any(own.destination == planned.id for own in manifest.texts)
    other = {Role.PRIMARY: Role.POINTER, Role.POINTER: Role.PRIMARY}.get(planned.role)
    both = other is not None and planned.full is not None and planned.pointer is not None
    otherwise = {"role": other.value, "parts": _parts(planned.said_as(other))} if other and both else None
    return shown | {"language": planned.language or None, "parts": _parts(planned.rendering), "otherwise": otherwise}


@functools.lru_cache(maxsize=64)
def _parts(rendering: Rendering) -> list[dict[str, str]]:
    """A thousand pointers say the same, and are shown from one list."""
    return [{"text": part.text, "title": part.title, "standalone": part.standalone} for part in rendering.parts]


def _delivery(ctx: Context, row: DeliveryRow, tried: list[AttemptRow], approved_at: Any) -> dict[str, Any]:
    configured = ctx.destinations.get(row.destination)
    seconds = round((row.posted_at - approved_at).total_seconds(), 3) if row.posted_at and approved_at else None
    return {
        "id": row.id,
        "destination": row.destination,
        "platform": row.platform,
        "role": row.role,
        "state": row.state,
        "parts": row.parts,
        "parts_posted": row.done,
        "problem": row.problem,
        "remote_id": row.remote_id or None,
        "permalink": row.permalink or None,
        "permalinks": configured is None or configured.adapter.limits.permalinks,
        "posted_at": iso(row.posted_at) if row.posted_at else None,
        "seconds_from_approval": seconds,
        "read_back": row.read_back or None,
        "read_back_detail": row.read_back_detail,
        "attempts": [
            {
                "part": a.part,
                "state": a.state,
                "started_at": iso(a.started_at),
                "ended_at": iso(a.ended_at) if a.ended_at else None,
                "remote_id": a.remote_id or None,
                "permalink": a.permalink or None,
                "error": a.error,
            }
            for a in tried
        ],
    }


async def incident(ctx: Context, tx: AsyncConnection, row: IncidentRow) -> dict[str, Any]:
    """One incident with its follow-ups and the ids of its announcements."""
    listed = await store.list_announcements(tx, row.id, "", 200)
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "state": row.state,
        "facts": {key: value for key, value in row.facts.items() if key not in {"id", "slug", "name"}},
        "created_at": iso(row.created_at),
        "first_post_at": iso(row.first_post_at) if row.first_post_at else None,
        "resolved_at": iso(row.resolved_at) if row.resolved_at else None,
        "announcements": [{"id": a.id, "kind": a.kind, "state": a.state} for a in reversed(listed)],
        "follow_ups": [follow_up(f) for f in await follow_ups.of_incident(tx, row.id)],
    }


def follow_up(row: FollowUpRow) -> dict[str, Any]:
    """One follow-up with its window."""
    return {
        "id": row.id,
        "incident": row.incident,
        "kind": row.kind,
        "opens": iso(row.opens),
        "closes": iso(row.closes),
        "state": row.state,
        "announcement": row.announcement,
    }


def entry(row: Entry) -> dict[str, Any]:
    """One row of the timeline, with its hashes so that an export can be verified."""
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "actor": row.actor,
        "event": row.event,
        "incident": row.incident,
        "announcement": row.announcement,
        "data": json.loads(row.data),
        "previous": row.previous,
        "hash": row.hash,
    }
