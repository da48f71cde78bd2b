"""The connections under `adapters.http`: where they may lead, how old they may be, and how one is opened before there is a request for it.

A server that closes an idle connection just when a post is being sent makes the post's outcome unknown. So no request goes out over one
that has been idle for longer than `IDLE`, and one that is opened ahead is a new one, never a used one that waits once more.
"""

from __future__ import annotations

import asyncio
import functools
import math
import socket
from asyncio import sslproto
from collections import deque
from collections.abc import Collection
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from adapters import guard

CONNECT_TIMEOUT = 10.0
IDLE = 4.0  # seconds an unused connection stays: less than servers keep theirs (often 5)

sslproto.SSLProtocol.max_size = 16 * 1024  # one TLS record; of asyncio's 256 KiB each connection would hold its own (240 KiB, now 45)


def within(total: float | None = None) -> aiohttp.ClientTimeout:
    """Times that aiohttp does not round up to the next second."""
    return aiohttp.ClientTimeout(total, CONNECT_TIMEOUT, ceil_threshold=math.inf)


class Resolver(AbstractResolver):
    """The system's look-up, less what is private, but for hosts that are `named`.

    aiohttp connects to just these addresses: between check and use nobody looks again.
    """

    def __init__(self, named: Collection[str] = ()) -> None:
        self._named = named
        self._system = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Raises `guard.Private` where none is left."""
        found = await self._system.resolve(host, port, family)
        if host in self._named:
            return found
        return guard.public(found, lambda one: one["host"])

    async def close(self) -> None:
        await self._system.close()


class _Wanted(aiohttp.ClientRequest):
    """No request, but all that a connection has to know of one."""

    came_about = False


class Connector(aiohttp.TCPConnector):
    """All connections of one event loop. Unbounded: a slow platform must not make others wait."""

    def __init__(self) -> None:
        self.named: set[str] = set()  # hosts that the operator wrote into `base_url`
        super().__init__(limit=0, keepalive_timeout=IDLE, resolver=Resolver(self.named))
        self._ahead: dict[ConnectionKey, deque[asyncio.Task[Connection]]] = {}  # opened ahead, or about to be, each for one request

    async def open_ahead(self, url: URL) -> None:
        """Opens one for a request to that host, and comes back when it is open or cannot be; a request that comes before waits for it."""
        wanted = _Wanted("GET", url)
        opening = asyncio.ensure_future(self._new(wanted))
        self._ahead.setdefault(wanted.connection_key, deque()).append(opening)
        opening.add_done_callback(functools.partial(self._is_open, wanted.connection_key))
        await asyncio.wait({opening})

    async def connect(self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:  # noqa: ASYNC109
        """As the base's: a connection for this request, one that was opened ahead if there is any."""
        while waiting := self._ahead.get(req.connection_key):
            opening = waiting[0]
            self._forget(req.connection_key, opening)
            connection = await opening
            if not connection.closed:
                return connection
            connection.close()
        return await super().connect(req, traces, timeout)

    async def close(self, *, abort_ssl: bool = False) -> None:
        """As the base's."""
        left = [(key, opening) for key, waiting in self._ahead.items() for opening in waiting]
        for key, opening in left:
            opening.cancel()
            self._give_up(key, opening)
        await asyncio.gather(*(opening for _, opening in left), return_exceptions=True)
        await super().close(abort_ssl=abort_ssl)

    async def _new(self, wanted: _Wanted) -> Connection:
        while True:
            connection = await super().connect(wanted, [], within())
            if wanted.came_about:
                return connection
            connection.close()  # it lay ready, and may be closed by the other side any moment

    async def _create_connection(self, req: aiohttp.ClientRequest, *how: Any) -> ResponseHandler:
        protocol = await super()._create_connection(req, *how)
        if isinstance(req, _Wanted):
            req.came_about = True
        return protocol

    def _is_open(self, key: ConnectionKey, opening: asyncio.Task[Connection]) -> None:
        if opening.cancelled() or opening.exception():
            self._forget(key, opening)
        else:
            asyncio.get_running_loop().call_later(IDLE, self._give_up, key, opening)

    def _give_up(self, key: ConnectionKey, opening: asyncio.Task[Connection]) -> None:
        """Closes it, unless a request has it."""
        if self._forget(key, opening) and opening.done() and not opening.cancelled() and not opening.exception():
            opening.result().close()

    def _forget(self, key: ConnectionKey, opening: asyncio.Task[Connection]) -> bool:
        waiting = self._ahead.get(key)
        if not waiting or opening not in waiting:
            return False
        waiting.remove(opening)
        if not waiting:
            del self._ahead[key]
        return True
