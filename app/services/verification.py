"""Whether two people stand behind exact bytes, and a seal is open: asked by the dispatcher right before it sends, and by every public
surface.

Nothing here trusts a row: the digest is computed again from the stored bytes, every signature is verified again against the
roster outside the database, and only what the signatures cover is given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain import seal
from app.domain.approval import Approval, ApprovalRefused, Decision, Quorum, Verified, quorum, verify
from app.domain.manifest import Manifest, ManifestError, digest
from app.domain.roster import PersonRole, Roster
from app.services import own_name
from app.services.context import Context
from app.settings import Settings
from app.store import announcements as store
from app.store import approvals as signed
from app.store.approvals import ApprovalRow


class NotApproved(Exception):
    """These bytes may not go out; the message says why."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A manifest that the given people were just verified to stand behind; a sealed one as it was unsealed (`app.domain.seal.opened`)."""

    manifest: Manifest
    digest: str
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A manifest, the approvals of it that verify, and what they come to. A row that does not verify stands for nobody."""

    manifest: Manifest
    digest: str
    standing: tuple[tuple[ApprovalRow, Verified], ...]
    quorum: Quorum


def judge(raw: bytes, rows: Sequence[ApprovalRow], roster: Roster, settings: Settings) -> Judged:
    """Parses the manifest and counts the approvals that verify over its digest. Raises `ManifestError`."""
    manifest, fingerprint = Manifest.parse(raw), digest(raw)
    about = (manifest.announcement, manifest.revision, manifest.environment)
    pages_closed = own_name.fallen(settings, manifest.incident.affected_domains)  # perhaps somebody else showed the page of a passkey
    standing = tuple(
        (row, verified)
        for row, verified in signatures(fingerprint, rows, roster, settings)
        if (verified.statement.announcement, verified.statement.revision, verified.statement.environment) == about
        and not (pages_closed and verified.key_kind == "passkey")
    )
    return Judged(manifest, fingerprint, standing, count(manifest, fingerprint, [v for _, v in standing], roster, settings))


def signatures(fingerprint: str, rows: Sequence[ApprovalRow], roster: Roster, settings: Settings) -> Iterator[tuple[ApprovalRow, Verified]]:
    """Those of the rows that verify and are over that digest; whether the manifest agrees is for `judge` to say."""
    for row in rows:
        try:
            verified = verify(Approval.from_json(row.approval), roster, origin=settings.origin, rp_id=settings.rp_id)
        except ApprovalRefused:
            continue
        if verified.statement.digest == fingerprint:
            yield row, verified


def count(manifest: Manifest, fingerprint: str, standing: Sequence[Verified], roster: Roster, settings: Settings) -> Quorum:
    """What verified approvals of a manifest come to."""
    counted = [verified for verified in standing if verified.decision is not Decision.APPROVE or _may_approve(verified, manifest)]
    return quorum(counted, digest=fingerprint, threshold=roster.threshold, ssh=settings.cli_signature)


def _may_approve(verified: Verified, manifest: Manifest) -> bool:
    """Who only writes counts for what they wrote; what a machine token submits needs two reviewers."""
    return PersonRole.REVIEWER in verified.person.roles or verified.person.id == manifest.author


async def judged(ctx: Context, tx: AsyncConnection, fingerprint: str) -> Judged:
    """The manifest stored under that digest, judged. Raises `NotApproved` where its bytes have another digest, or are no manifest.

    A correction that was sealed with its announcement is judged by who approved that one.
    """
    found = await _judged_alone(ctx, tx, fingerprint)
    return await _signed_with_another(ctx, tx, found) if found.manifest.seal and found.manifest.seal.corrects else found


async def _judged_alone(ctx: Context, tx: AsyncConnection, fingerprint: str) -> Judged:
    try:
        found = judge(await _stored(tx, fingerprint), await signed.of_digest(tx, fingerprint), ctx.read_roster(), ctx.settings)
    except (ManifestError, AttributeError, UnicodeEncodeError) as error:
        raise NotApproved(f"The stored manifest was changed after it was signed: {error}") from error
    if found.digest != fingerprint:
        raise NotApproved("The stored manifest was changed after it was signed: its digest is another.")
    return found


async def _stored(tx: AsyncConnection, fingerprint: str) -> bytes:
    """The stored bytes alone: their text is let go before they are read."""
    revision = await store.revision(tx, fingerprint)
    if revision is None:
        raise NotApproved("There is no manifest of that digest.")
    return revision.manifest.encode()


async def _signed_with_another(ctx: Context, tx: AsyncConnection, found: Judged) -> Judged:
    """Whoever approved an announcement approved the correction that its manifest contains, whole.

    Only once that announcement was unsealed; there is nothing to correct before. Where any of it does not hold, nobody stands behind it.
    """
    assert found.manifest.seal is not None
    row = await store.announcement(tx, found.manifest.seal.corrects)
    nobody = replace(found, quorum=replace(found.quorum, approved_by=(), missing=ctx.read_roster().threshold))
    if row is None:
        return nobody
    wrong = await _judged_alone(ctx, tx, row.digest)
    try:
        seal.opened(wrong.manifest, (v for _, v in wrong.standing))
    except seal.Sealed:
        return nobody
    if wrong.manifest.seal is None or digest(wrong.manifest.seal.correction.encode()) != found.digest:
        return nobody
    both = replace(
        wrong.quorum,
        rejected_by=(*wrong.quorum.rejected_by, *found.quorum.rejected_by),
        changes_by=(*wrong.quorum.changes_by, *found.quorum.changes_by),
    )
    standing = [(row, v) for row, v in wrong.standing if v.decision is Decision.APPROVE]
    return replace(found, standing=(*standing, *found.standing), quorum=both)


async def approved(ctx: Context, tx: AsyncConnection, fingerprint: str) -> Approved:
    """The manifest of that digest, if two people stand behind it, it is of this environment, and its seal, if any, was opened.

    Raises `NotApproved`.
    """
    found = await judged(ctx, tx, fingerprint)
    if found.manifest.environment != ctx.settings.environment.value:
        raise NotApproved(f"The manifest is for {found.manifest.environment}, and this is {ctx.settings.environment.value}.")
    if not found.quorum.complete:
        by_ssh = " One of them must sign by the command line, and nobody has." if found.quorum.ssh_missing else ""
        raise NotApproved(f"Two people of the roster must stand behind it; {found.quorum.missing} missing or it was rejected.{by_ssh}")
    try:
        manifest = seal.opened(found.manifest, (v for _, v in found.standing))
    except seal.Sealed as error:
        raise NotApproved(str(error)) from error
    return Approved(manifest, fingerprint, tuple(person.id for person in found.quorum.approved_by))
