"""Who calls, and whether the same call was made before.

A route says which scope of a machine token it needs: `Reader` or `Announcer`. A token is never a person; what it may do lies in
`app.api.tokens`. An `Idempotency-Key` makes a POST repeatable: the same key and body get the same answer, another body is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from weakref import WeakValueDictionary

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic_core import to_json

from app.api.pieces import Pieces
from app.api.problems import Barred
from app.api.tokens import Scope, Tokens, today
from app.services.context import Context, Refused
from app.store import idempotency
from app.store.idempotency import AnswerRow
from app.store.tables import iso


def context(request: Request) -> Context:
    """The house, as the application holds it."""
    return request.app.state.ctx  # type: ignore[no-any-return]


BEARER = HTTPBearer(scheme_name="token", description="A machine token (`tocsin token`). It never approves.", auto_error=False)


def principal(request: Request, needed: SecurityScopes, _: Annotated[object, Security(BEARER)]) -> str:
    """`token:<name>` of a caller whose token has the needed scopes. Raises `Barred`: 401 for anybody else, 403 where one is missing."""
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    tokens: Tokens = request.app.state.tokens
    token = tokens.find(presented.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise Barred(401, "A valid machine token is needed.", "Send `Authorization: Bearer …`.", {"WWW-Authenticate": "Bearer"})
    if token.expired(today()):
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Barred(401, "This machine token has expired.", f"Its last day was {token.last_day}; have a new one made.", challenge)
    if missing := [scope for scope in needed.scopes if scope not in token.scopes]:
        challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(missing)}"'}
        has, lacks = " and ".join(sorted(token.scopes)), " and ".join(missing)
        detail = f"Its scope is {has}, and {lacks} is needed here. Use a token that has it; nothing was done."
        raise Barred(403, "This machine token may not do this.", detail, challenge)
    return f"token:{token.name}"


Ctx = Annotated[Context, Depends(context)]
Reader = Annotated[str, Security(principal, scopes=[Scope.READ])]
Announcer = Annotated[str, Security(principal, scopes=[Scope.ANNOUNCE])]
Answer = Callable[[str], Awaitable[Any]]

_under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


async def once(request: Request, ctx: Context, caller: str, work: Answer, status: int = 200) -> Response:
    """Does `work` once for an `Idempotency-Key`, and answers repeats from what was kept.

    `work` gets a seed, "" without a key, from which it makes ids, so that a request cut off by a crash finds its own traces.
    """
    key = request.headers.get("idempotency-key", "")
    if not key:
        return Pieces(to_json(await work("")), status)
    if len(key) > 200 or not key.isprintable():
        raise Refused(422, "The Idempotency-Key is unusable.", "Send up to 200 printable characters, a fresh UUID for each request.")
    lock = _under_way.setdefault((caller, key), asyncio.Lock())
    async with lock:
        row = await _claim(request, ctx, caller, key)
        if row.status is not None and row.body is not None:
            return Pieces(row.body.encode(), row.status, {"Idempotent-Replayed": "true"})
        seed = f"{iso(row.created_at)} {caller} {key}"
        body = to_json(await work(seed))
        async with ctx.database.write() as tx:
            await idempotency.answer(tx, caller, key, status, body.decode())
        return Pieces(body, status)


async def _claim(request: Request, ctx: Context, caller: str, key: str) -> AnswerRow:
    said = f"{request.method} {request.url.path}\n".encode() + await request.body()
    fingerprint = hashlib.sha256(said).hexdigest()
    async with ctx.database.write() as tx:
        row = await idempotency.claim(tx, caller, key, fingerprint, ctx.now)
    if row.fingerprint != fingerprint:
        raise Refused(409, "This Idempotency-Key was used for another request.", "Use a fresh key, or send the very same body.")
    return row


def whole(told: dict[str, Any]) -> Response:
    """An answer that may be megabytes, written without a copy of its parts."""
    return Pieces(to_json(told))
