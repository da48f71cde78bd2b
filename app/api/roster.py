"""The roster as the API shows it, and invitations to enrol a passkey. The roster itself is a file; no route writes it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.access import Announcer, Ctx, Reader
from app.api.models import EnrolmentIn
from app.api.problems import DOCUMENTED
from app.services import enrol

router = APIRouter(prefix="/v1/roster", tags=["roster"], responses=DOCUMENTED)


@router.get("")
async def shown(ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """The people, their roles and keys; who signed this version, null in a drill that nobody signed; and what is lacking."""
    roster = ctx.read_roster()
    people = [
        {
            "id": person.id,
            "name": person.name,
            "roles": sorted(person.roles),
            "ssh_keys": [key.fingerprint for key in person.ssh_keys],
            "passkeys": [key.label for key in person.passkeys],
        }
        for person in roster.persons
    ]
    trusted, problem = ctx.roster_trusted(), ctx.roster_problem()
    return {
        "version": roster.version,
        "threshold": roster.threshold,
        "signed": {"digest": trusted.digest, "signers": list(trusted.standing.signers)} if trusted else None,
        "people": people,
        "gaps": [*roster.gaps, *filter(None, [problem])],
    }


@router.post("/enrolments")
async def invite(body: EnrolmentIn, ctx: Ctx, caller: Announcer) -> dict[str, str]:
    """A link with which one person makes a passkey. An `Idempotency-Key` plays no part: the link is not stored, and two do no harm."""
    return enrol.invite(ctx, body.person)
