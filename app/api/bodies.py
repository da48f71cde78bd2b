"""What every request's body has to be before anything else sees it: small, in time, and, if it is JSON, with every field once.

Of a field that stands twice a parser takes one, and people may have meant the other.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem

MAX_BODY = 1024 * 1024
BODY_SECONDS = 15.0


class Bodies:
    """Reads a request's body before anything else sees it; answers 413 for one that is too large, 408 for one that does not come."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            await problem(408, "The body did not come in time.", f"Send it within {BODY_SECONDS:g} s.")(scope, receive, send)
            return
        if body is None:
            await problem(413, "The body is too large.", f"Send at most {MAX_BODY // 1024} KiB.")(scope, receive, send)
            return
        if twice := _field_that_stands_twice(body):
            error = {"field": twice, "message": "This field stands twice."}
            await problem(422, "Some fields are wrong.", "Send every field once; nothing was accepted.", [error])(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


def _field_that_stands_twice(body: bytes) -> str:
    """Its name, or ""; what is no JSON is left to the route."""
    if b'"' not in body:
        return ""
    found: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        found.extend(name for name in names if names.count(name) > 1)

    try:
        json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return ""
    return found[0].encode("utf-8", "replace").decode() if found else ""


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None as soon as it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)
