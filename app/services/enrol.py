"""Enrolling a passkey: a person's browser makes it, and the roster's entry comes back as text for whoever keeps the roster.

Nothing is stored: what makes a passkey count is its entry in the roster's file, which no page and no row can write.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.domain.enrolment import registration_options, verify_registration
from app.domain.passkey import PasskeyRefused
from app.domain.roster import RosterError, key_entry
from app.services.context import Context, Enrolment, Refused
from app.store.tables import iso

LASTS = timedelta(minutes=30)


def invite(ctx: Context, person_id: str) -> dict[str, str]:
    """A link for one person of the roster, open for half an hour. Raises `Refused`."""
    if ctx.read_roster().person(person_id) is None:
        raise Refused(404, "There is no such person in the roster.", "Add their entry to the roster first, then enrol their passkey.")
    for token in [token for token, open_ in ctx.enrolments.items() if open_.expires_at <= ctx.now]:
        del ctx.enrolments[token]
    token = secrets.token_urlsafe(32)
    ctx.enrolments[token] = Enrolment(person_id, secrets.token_bytes(32), ctx.now + LASTS)
    return {"url": f"{ctx.settings.public_url}/enrol/{token}", "expires_at": iso(ctx.enrolments[token].expires_at)}


def page_view(ctx: Context, token: str) -> dict[str, Any]:
    """What the enrolment page needs. Raises `Refused` 404."""
    enrolment = _open(ctx, token)
    person = ctx.read_roster().person(enrolment.person)
    if person is None:
        raise Refused(404, "This person is no longer in the roster.", "Ask whoever keeps the roster.")
    return {
        "person": person.id,
        "person_name": person.name,
        "environment": ctx.settings.environment.value,
        "options": registration_options(person, ctx.settings.rp_id, enrolment.challenge),
    }


def entry(ctx: Context, token: str, made: Mapping[str, Any]) -> dict[str, str]:
    """The roster entry of the passkey that the browser made, `made` being its `toJSON()` with a `label`. Raises `Refused`."""
    enrolment = _open(ctx, token)
    given = dict(made)
    label = given.pop("label", "passkey")
    try:
        passkey = verify_registration(
            given, challenge=enrolment.challenge, origin=ctx.settings.origin, rp_id=ctx.settings.rp_id, label=str(label)[:60]
        )
        toml = key_entry(enrolment.person, passkey)
    except (PasskeyRefused, RosterError) as error:
        raise Refused(422, "This passkey cannot be enrolled.", str(error)) from error
    return {"toml": toml}


def _open(ctx: Context, token: str) -> Enrolment:
    found = ctx.enrolments.get(token)
    if found is None or found.expires_at <= ctx.now:
        raise Refused(404, "This enrolment link is not open.", "It lasts half an hour, and a restart closes it: ask for a new one.")
    return found
