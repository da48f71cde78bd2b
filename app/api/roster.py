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
    """The people, their roles and how many keys of each kind; and what is still lacking."""
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
    return {"version": roster.version, "threshold": roster.threshold, "digest": roster.digest, "people": people, "gaps": list(roster.gaps)}


@router.post("/enrolments")
async def invite(body: EnrolmentIn, ctx: Ctx, caller: Announcer) -> dict[str, str]:
    """A link with which one person makes a passkey. An `Idempotency-Key` plays no part: the link is not stored, and two do no harm."""
    return enrol.invite(ctx, body.person)
