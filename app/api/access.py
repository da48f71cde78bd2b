"""Who calls, and whether the same call was made before.

A machine token is a name and at least 32 characters; it may announce and read, and is never a person. An `Idempotency-Key` makes a
POST repeatable: the same key and body get the same answer, another body is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from weakref import WeakValueDictionary

from fastapi import Depends, HTTPException, Request, Response
from pydantic_core import to_json

from app.services.context import Context, Refused
from app.store import idempotency
from app.store.idempotency import AnswerRow
from app.store.tables import iso

MIN_TOKEN = 32


class Tokens:
    """The configured machine tokens, kept as hashes."""

    def __init__(self, listed: str) -> None:
        pairs = [entry.strip().partition(":") for entry in listed.split(",") if entry.strip()]
        weak = [name if colon and name else "(without a name)" for name, colon, token in pairs if not name or len(token) < MIN_TOKEN]
        if weak:
            raise ValueError(f"TOCSIN_API_TOKENS: {', '.join(weak)}: write name:token, the token with at least {MIN_TOKEN} characters")
        names = [name for name, _, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"TOCSIN_API_TOKENS: {', '.join(twice)} stands twice; each token needs a name of its own")
        self._hashes: Mapping[str, bytes] = {name: _digest(token) for name, _, token in pairs}

    def name_of(self, token: str) -> str | None:
        """The name of that token; all are compared, in constant time each."""
        presented = _digest(token)
        found = [name for name, known in self._hashes.items() if hmac.compare_digest(known, presented)]
        return found[0] if found else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def context(request: Request) -> Context:
    """The house, as the application holds it."""
    return request.app.state.ctx  # type: ignore[no-any-return]


def principal(request: Request) -> str:
    """`token:<name>` of the caller; 401 for anybody else."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    tokens: Tokens = request.app.state.tokens
    name = tokens.name_of(token.strip()) if scheme.lower() == "bearer" else None
    if name is None:
        raise HTTPException(401, "A valid machine token is needed: `Authorization: Bearer …`.", {"WWW-Authenticate": "Bearer"})
    return f"token:{name}"


Ctx = Annotated[Context, Depends(context)]
Caller = Annotated[str, Depends(principal)]
Answer = Callable[[str], Awaitable[Any]]

_under_way: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


async def once(request: Request, ctx: Context, caller: str, work: Answer, status: int = 200) -> Response:
    """Does `work` once for an `Idempotency-Key`, and answers repeats from what was kept.

    `work` gets a seed, "" without a key, from which it makes ids, so that a request cut off by a crash finds its own traces.
    """
    key = request.headers.get("idempotency-key", "")
    if not key:
        return _json(status, to_json(await work("")).decode())
    if len(key) > 200 or not key.isprintable():
        raise Refused(422, "The Idempotency-Key is unusable.", "Send up to 200 printable characters, a fresh UUID for each request.")
    lock = _under_way.setdefault((caller, key), asyncio.Lock())
    async with lock:
        row = await _claim(request, ctx, caller, key)
        if row.status is not None and row.body is not None:
            return _json(row.status, row.body, replayed=True)
        seed = f"{iso(row.created_at)} {caller} {key}"
        body = to_json(await work(seed)).decode()
        async with ctx.database.write() as tx:
            await idempotency.answer(tx, caller, key, status, body)
        return _json(status, body)


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
    return Response(to_json(told), media_type="application/json")


def _json(status: int, body: str, replayed: bool = False) -> Response:
    return Response(body, status, {"Idempotent-Replayed": "true"} if replayed else None, "application/json")
