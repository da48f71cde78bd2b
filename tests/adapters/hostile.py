"""Hosts that answer whatever a test tells them to, and remember what they were asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from adapters.contract import AdapterError

Say = tuple[int, bytes | Any]
"""A status and a body: bytes as they are, anything else as JSON."""


@dataclass
class Hostile:
    """`say` sets the answer to every request under a path; others get 404."""

    base_url: str = ""
    answers: dict[str, list[web.Response | bytes]] = field(default_factory=dict)
    asked: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def say(self, path: str, body: object, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        """Queues an answer under the path; the last one stays. A str or bytes goes out as it is, anything else as JSON."""
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()} | ({"Content-Type": kind} if kind else {})
        self.answers.setdefault(path, []).append(web.Response(body=raw, status=status, headers=named))

    def posts(self, path: str) -> int:
        """How many POSTs came in under the path."""
        return sum(request.method == "POST" and request.path.startswith(path) for request in self.asked)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)
        self.bodies.append(await request.read())
        queue = next((queue for path, queue in self.answers.items() if request.path.startswith(path)), None)
        if not queue:
            return web.Response(status=404, text="<h1>nothing here</h1>", content_type="text/html")
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        assert isinstance(answer, web.Response)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


@asynccontextmanager
async def serving(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server on loopback, at a free port; its base URL."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def babbling(says: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that says what it likes, HTTP or not; its base URL."""
    talks = set[asyncio.Task[None] | None]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await says(reader, writer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*filter(None, talks))


@asynccontextmanager
async def hostile_host() -> AsyncIterator[Hostile]:
    host = Hostile()
    async with serving(host.answer) as host.base_url:
        yield host


@asynccontextmanager
async def answering(
    says: Callable[[web.BaseRequest], Say], headers: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers as told: its base URL, and what was asked of it."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        status, body = says(request)
        return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode(), headers=headers)

    async with serving(answer) as base_url:
        yield base_url, asked


async def raised(doing: Awaitable[object]) -> AdapterError:
    """The adapter's error that it ends with."""
    with pytest.raises(AdapterError) as caught:
        await doing
    return caught.value
