"""Sessions: a person logs in with a passkey, and may read, and find what waits for their signature. A session signs nothing.

Rules kept here: the passkey verified its user, and is in the roster now; a challenge was made here, for this browser, lately, and is used
once; a session ends after `IDLE` without a visit, after `LONGEST` in any case, and with its person or its passkey leaving the roster; each
login makes a new one, in place of the browser's old one. There is nothing to guess and nothing to lock: strangers can spend only their own
share of requests. Why it is so: docs/decisions/0017-sessions.md.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.passkey import Assertion, Passkey, PasskeyRefused, decode, encode, verify_assertion
from app.domain.roster import Person
from app.services.context import Context, Refused
from app.store import sessions as store
from app.store import timeline
from app.store.sessions import SessionRow

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=8)
VISIT = timedelta(minutes=1)
"""A visit is written down at most so often."""
CHALLENGE_SECONDS = 300.0

_FIELDS = ("credential_id", "authenticator_data", "client_data_json", "signature")


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: whose it is, until when at most without a further visit, and the token against requests from elsewhere."""

    person: Person
    ends_at: datetime
    csrf: str


class Door:
    """The challenges of one process. They are not stored before they are used, so that nobody can fill the memory by asking for some.

    A challenge is the time, 16 random bytes, and an HMAC over both and the browser's own secret: 56 bytes, which no approval's is.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._key = now, secrets.token_bytes(32)
        self._used: dict[bytes, float] = {}

    def challenge(self, browser: str) -> str:
        """A new one for this browser, base64url."""
        head = int(self._now() * 1000).to_bytes(8) + secrets.token_bytes(16)
        return encode(head + self._proof(head, browser))

    def opens(self, challenge: bytes, browser: str) -> bool:
        """Whether it was made here for this browser, lately, and was not used."""
        head, proof = challenge[:24], challenge[24:]
        if not browser or not hmac.compare_digest(proof, self._proof(head, browser)):
            return False
        age = self._now() - int.from_bytes(head[:8]) / 1000
        return age < CHALLENGE_SECONDS and challenge not in self._used

    def use(self, challenge: bytes) -> None:
        """It opens nothing any more."""
        now = self._now()
        self._used = {known: until for known, until in self._used.items() if until > now} | {challenge: now + CHALLENGE_SECONDS}

    def _proof(self, head: bytes, browser: str) -> bytes:
        return hmac.digest(self._key, head + browser.encode(), "sha256")


def passkeys_of(ctx: Context, person_id: str) -> list[str]:
    """The ids of the passkeys with which a person can log in here; [] also for who is not known."""
    person = ctx.read_roster().person(person_id)
    return [key.credential_id for key in person.passkeys if key.rp_id == ctx.settings.rp_id] if person else []


async def log_in(ctx: Context, door: Door, browser: str, given: Mapping[str, Any], replaced: str) -> str:
    """Opens a session for whoever signed this browser's challenge, and returns its token; the `replaced` one ends. Raises `Refused`."""
    challenge, assertion = _parsed(given)
    if not door.opens(challenge, browser):
        raise Refused(403, "This login is over.", "Each lasts five minutes and works once. Load the page again.")
    person, key = _verified(ctx, assertion, challenge)
    door.use(challenge)
    token = secrets.token_urlsafe(32)
    async with ctx.database.write() as tx:
        await store.end(tx, _hash(replaced))
        await store.end_older(tx, ctx.now - LONGEST, ctx.now - IDLE)
        await store.add(tx, SessionRow(_hash(token), person.id, key.credential_id, ctx.now, ctx.now))
        await timeline.append(tx, ctx.now, person.id, "logged-in", data={"passkey": key.label})
    return token


async def find(ctx: Context, token: str, *, visit: bool = False) -> Session | None:
    """The session that this token opens, or None. A `visit` keeps it open; what a page asks by itself is none."""
    if not token:
        return None
    async with ctx.database.read() as tx:
        row = await store.find(tx, _hash(token))
    if row is None:
        return None
    person, ends_at = ctx.read_roster().person(row.person), min(row.seen_at + IDLE, row.opened_at + LONGEST)
    if person is None or row.credential_id not in passkeys_of(ctx, person.id) or not row.opened_at <= ctx.now < ends_at:
        return None
    if visit and ctx.now - row.seen_at >= VISIT:
        async with ctx.database.write(quiet=True) as tx:
            await store.see(tx, row.token_hash, ctx.now)
    return Session(person, ends_at, _csrf(token))


async def log_out(ctx: Context, token: str, person: Person, *, everywhere: bool) -> None:
    """Ends this session, or all of its person."""
    async with ctx.database.write() as tx:
        await (store.end_all(tx, person.id) if everywhere else store.end(tx, _hash(token)))
        await timeline.append(tx, ctx.now, person.id, "logged-out", data={"everywhere": everywhere})


def _parsed(given: Mapping[str, Any]) -> tuple[bytes, Assertion]:
    try:
        fields = {name: given[name] for name in _FIELDS}
        for name, value in fields.items():
            decode(value if isinstance(value, str) else "", name)
        return decode(given["challenge"] if isinstance(given["challenge"], str) else "", "client_data_json"), Assertion(**fields)
    except (KeyError, PasskeyRefused) as error:
        raise Refused(422, "This is no login.", "Open /login in a browser and press the button there.") from error


def _verified(ctx: Context, assertion: Assertion, challenge: bytes) -> tuple[Person, Passkey]:
    """Whose passkey that is, if it signed the challenge on a page of ours."""
    for person in ctx.read_roster().persons:
        for key in person.passkeys:
            if key.credential_id == assertion.credential_id:
                try:
                    verify_assertion(assertion, key, challenge=challenge, origin=ctx.settings.origin, rp_id=ctx.settings.rp_id)
                except PasskeyRefused as error:
                    raise Refused(403, "This passkey does not log in.", f"{error}.") from error
                return person, key
    raise Refused(403, "This passkey is not in the roster.", "Use another, or ask whoever keeps the roster to enrol it.")


def _csrf(token: str) -> str:
    return hashlib.sha256(b"tocsin-csrf\n" + token.encode()).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
