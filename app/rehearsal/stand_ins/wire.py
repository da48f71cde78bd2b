"""The HTTP frame of a stand-in: faults, latency and the log around each request, down to the bytes of the answer.

Rules kept here: what was ordered happens on the wire (a cut connection is cut, a drip drips), never by an answer that merely
says so; a request that is posted and then loses its answer is posted all the same. Latency is what a request takes in all, half of
it before it is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.rehearsal.stand_ins.faults import UNPROCESSED, Fault
from app.rehearsal.stand_ins.stand_in import Entry, Post, StandIn, reserve

MAX_BODY = 4 * 1024 * 1024
TICK = 0.001  # seconds by which a timer of the loop may be late
JUNK = b"\x1f\x8b<<< not what was promised >>>"
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)
ENTRY = web.RequestKey("entry", Entry)


class Answered(Exception):
    """Raised by a handler to give its answer at once: how a check deep inside refuses a request."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class HttpStandIn(StandIn):
    """A platform that speaks HTTP. A subclass gives `routes`, `publishes` and, where its errors have a shape, `fault_answer`."""

    def __init__(self) -> None:
        super().__init__()
        self._runner: web.AppRunner | None = None

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        raise NotImplementedError

    def publishes(self, request: web.Request) -> bool:
        """Whether the request would post something."""
        raise NotImplementedError

    def fault_answer(self, status: int, value: float | None) -> web.Response:
        """The platform's own answer of an error status (400, 401, 404, 405, 429, 500); `value` is seconds to wait on 429."""
        headers = {"Retry-After": f"{value or 1:g}"} if status == 429 else {}
        return web.json_response({"status": status}, status=status, headers=headers)

    def finish(self, request: web.Request, answer: web.Response) -> None:
        """Last touch on every answer that goes out whole: rate-limit headers and the like."""

    def hold_for(self, post: Post, request: web.Request) -> Post:
        return self.hold(post, request[ENTRY])

    async def listen(self) -> None:
        if not self._runner:
            app = web.Application(middlewares=[self._around], client_max_size=MAX_BODY)
            app.add_routes(self.routes())
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
            await self._runner.setup()
        await web.SockSite(self._runner, reserve(self.host, self.port)).start()

    async def hush(self) -> None:
        if self._runner is None:
            return
        for site in self._runner.sites:
            await site.stop()
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def stop(self) -> None:
        await super().stop()
        if self._runner:
            await self._runner.cleanup()

    @property
    def _around(self) -> Middleware:
        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            entry = request[ENTRY] = self.note(request.method, request.path_qs)
            entry.headers, entry.body = dict(request.headers), await request.read()
            publishes = self.publishes(request)
            latency, began = self.faults.latency(publishes), time.monotonic()
            await asyncio.sleep(latency / 2)
            fault = self.faults.take(publishes)
            entry.fault = fault.name if fault else ""
            if fault and fault.name in UNPROCESSED:
                answer = self._refusal(fault)
            else:
                answer = await self._processed(request, handler)
            self.finish(request, answer)
            body = answer.body if isinstance(answer.body, bytes) else b""
            entry.status, entry.answer, entry.answer_headers = answer.status, body, dict(answer.headers)
            while (left := began + latency - time.monotonic()) > 0:  # noqa: ASYNC110 - it waits for nothing but time
                await asyncio.sleep(max(left - TICK, 0))
            return await self._sent(request, answer, body, fault)

        return around

    async def _processed(self, request: web.Request, handler: Handler) -> web.Response:
        try:
            answer = await handler(request)
        except Answered as refusal:
            return refusal.answer
        except web.HTTPException as error:
            return self.fault_answer(error.status, None)
        if not isinstance(answer, web.Response):
            raise TypeError("a stand-in answers with a whole web.Response")
        return answer

    def _refusal(self, fault: Fault) -> web.Response:
        if fault.name == "502-html":
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        status = int(fault.name) if fault.name.isdigit() else 500
        return self.fault_answer(status, fault.value)

    async def _sent(self, request: web.Request, answer: web.Response, body: bytes, fault: Fault | None) -> web.StreamResponse:
        """Sends the answer, or what the fault makes of it."""
        name = fault.name if fault else ""
        if name in {"cut-before", "cut-after"}:
            request[ENTRY].status = 0
            if request.transport:
                request.transport.abort()
        elif name == "junk":
            request[ENTRY].status = 200
            return web.Response(body=JUNK, content_type="application/json")
        elif name == "hang" and fault:
            await self.faults.hang(fault.value)
        elif name in {"drip", "truncated"} and fault:
            return await self._piecemeal(request, answer, body, fault)
        return answer

    async def _piecemeal(self, request: web.Request, answer: web.Response, body: bytes, fault: Fault) -> web.StreamResponse:
        slow = web.StreamResponse(status=answer.status, headers=answer.headers)
        slow.content_length = len(body)
        with contextlib.suppress(ConnectionError):
            await slow.prepare(request)
            if fault.name == "truncated":
                await slow.write(body[: len(body) // 2])
                if request.transport:
                    request.transport.close()
                return slow
            for index in range(len(body)):
                await slow.write(body[index : index + 1])
                await asyncio.sleep(1.0 if fault.value is None else fault.value)
        return slow
