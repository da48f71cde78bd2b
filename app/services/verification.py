"""Whether two people stand behind exact bytes: asked by the dispatcher right before it sends, and by every public surface.

Nothing here trusts a row: the digest is computed again from the stored bytes, every signature is verified again against the
roster outside the database, and only what the signatures cover is given back.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.approval import Approval, ApprovalRefused, Decision, Quorum, Verified, quorum, verify
from app.domain.manifest import Manifest, ManifestError, digest
from app.domain.roster import PersonRole, Roster
from app.services.context import Context
from app.settings import Settings
from app.store import announcements as store
from app.store import approvals as signed


class NotApproved(Exception):
    """These bytes may not go out; the message says why."""


@dataclass(frozen=True, slots=True)
class Approved:
    """A manifest that the given people were just verified to stand behind."""

    manifest: Manifest
    digest: str
    people: tuple[str, ...]


def judge(raw: bytes, approvals: list[str], roster: Roster, settings: Settings) -> tuple[Manifest, Quorum]:
    """Parses the manifest and counts the approvals that verify over its digest. Raises `ManifestError`."""
    manifest = Manifest.parse(raw)
    fingerprint = digest(raw)
    valid: list[Verified] = []
    for text in approvals:
        try:
            verified = verify(Approval.from_json(text), roster, origin=settings.origin, rp_id=settings.rp_id)
        except (ApprovalRefused, ValueError):
            continue  # a row that does not verify stands for nobody
        said = verified.statement
        mine = PersonRole.REVIEWER in verified.person.roles or verified.person.id == manifest.author
        if verified.decision is Decision.APPROVE and not mine:
            continue  # who only writes counts for what they wrote; what a machine token submits needs two reviewers
        about = (said.digest, said.announcement, said.revision, said.environment)
        if about == (fingerprint, manifest.announcement, manifest.revision, manifest.environment):
            valid.append(verified)
    return manifest, quorum(valid, digest=fingerprint, threshold=roster.threshold)


async def approved(ctx: Context, tx: AsyncConnection, fingerprint: str) -> Approved:
    """The manifest of that digest, if two people stand behind it and it is of this environment. Raises `NotApproved`."""
    revision = await store.revision(tx, fingerprint)
    if revision is None:
        raise NotApproved("There is no manifest of that digest.")
    raw = revision.manifest.encode()
    if digest(raw) != fingerprint:
        raise NotApproved("The stored manifest was changed after it was signed: its digest is another.")
    rows = await signed.of_digest(tx, fingerprint)
    try:
        manifest, count = judge(raw, [row.approval for row in rows], ctx.read_roster(), ctx.settings)
    except ManifestError as error:
        raise NotApproved(str(error)) from error
    if manifest.environment != ctx.settings.environment.value:
        raise NotApproved(f"The manifest is for {manifest.environment}, and this is {ctx.settings.environment.value}.")
    if not count.complete:
        raise NotApproved(f"Two people of the roster must stand behind it; {count.missing} missing or it was rejected.")
    return Approved(manifest, fingerprint, tuple(person.id for person in count.approved_by))
