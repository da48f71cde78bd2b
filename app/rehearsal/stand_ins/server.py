"""Starts the stand-ins, in this event loop or as the process `python -m app.rehearsal`, and the main port that steers them.

Rules kept here: everything listens on loopback, each platform on a port of its own; the main port serves the timelines, the state
as plain data, and takes orders for faults. What the page looks like lies in `timelines.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from app.rehearsal.stand_ins.discord import DiscordStandIn
from app.rehearsal.stand_ins.faults import Fault, Match
from app.rehearsal.stand_ins.reddit import RedditStandIn
from app.rehearsal.stand_ins.smtp import MailStandIn
from app.rehearsal.stand_ins.stand_in import StandIn, reserve
from app.rehearsal.stand_ins.telegram import TelegramStandIn
from app.rehearsal.stand_ins.timelines import page, script
from app.rehearsal.stand_ins.x import XStandIn

PLATFORMS: tuple[type[StandIn], ...] = (XStandIn, RedditStandIn, TelegramStandIn, DiscordStandIn, MailStandIn)


@dataclass(frozen=True, slots=True)
class Running:
    """All stand-ins, listening."""

    stand_ins: dict[str, StandIn]

    @property
    def urls(self) -> dict[str, str]:
        return {name: stand_in.base_url for name, stand_in in self.stand_ins.items()}

    @property
    def addresses(self) -> dict[str, Any]:
        """As the ports file shows them: a URL each, host and port for mail."""
        return {name: stand_in.address for name, stand_in in self.stand_ins.items()}

    async def fault(self, platform: str, fault: str, *, count: int = 1, value: float | None = None, match: Match = "publish") -> None:
        """Orders a fault (see `faults.py`). Raises `UnknownFault`, KeyError for an unknown platform."""
        await self.stand_ins[platform].order(Fault(fault, value, match), count)

    async def clear(self) -> None:
        """Takes back all faults everywhere."""
        for stand_in in self.stand_ins.values():
            await stand_in.clear()

    async def reset(self) -> None:
        """Empties every platform."""
        for stand_in in self.stand_ins.values():
            await stand_in.reset()

    def state(self) -> dict[str, Any]:
        """`{platform: [post, ...], "log": {platform: [entry, ...]}}`, plain data, oldest first."""
        posts: dict[str, Any] = {name: stand_in.state() for name, stand_in in self.stand_ins.items()}
        return posts | {"log": {name: [entry.plain() for entry in stand_in.log] for name, stand_in in self.stand_ins.items()}}


@contextlib.asynccontextmanager
async def start_in_process(host: str = "127.0.0.1") -> AsyncIterator[Running]:
    """All stand-ins in the running event loop, stopped on the way out."""
    async with contextlib.AsyncExitStack() as stack:
        started: dict[str, StandIn] = {}
        for platform in PLATFORMS:
            stand_in = started[platform.name] = platform()
            stack.push_async_callback(stand_in.stop)
            await stand_in.start(host)
        yield Running(started)


@contextlib.asynccontextmanager
async def main_port(running: Running, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serves the timelines and takes orders; gives its base URL."""
    sock = reserve(host)
    base = f"http://{host}:{sock.getsockname()[1]}"
    app = web.Application(middlewares=[_own_origin_only])
    app.add_routes(_Desk(running).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        yield base
    finally:
        await runner.cleanup()


@web.middleware
async def _own_origin_only(request: web.Request, handler: Any) -> web.StreamResponse:
    """No page elsewhere in the browser may order faults."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin is not None and origin != f"http://{request.host}":
        raise web.HTTPForbidden(text="orders come from this page or from no page at all")
    answer: web.StreamResponse = await handler(request)
    return answer


@dataclass(frozen=True, slots=True)
class _Order:
    """The body of `POST /faults`."""

    platform: str
    fault: str
    count: int = 1
    value: float | None = None
    match: Match = "publish"

    @classmethod
    def of(cls, body: Any) -> _Order:
        """Raises TypeError for unknown or missing fields, ValueError for wrong values."""
        order = cls(**body)
        if order.match not in ("publish", "any"):
            raise ValueError("match is publish or any")
        if order.count < 1 or order.count != int(order.count):
            raise ValueError("count is a whole number from 1")
        if order.value is not None and order.value < 0:
            raise ValueError("value is a number of seconds")
        return order


class _Desk:
    def __init__(self, running: Running) -> None:
        self._running = running

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.timelines),
            web.get("/timelines.js", self.script),
            web.get("/state.json", self.state),
            web.post("/faults", self.order),
            web.delete("/faults", self.clear),
            web.post("/reset", self.reset),
            web.get("/healthz", self.health),
        ]

    async def timelines(self, request: web.Request) -> web.Response:
        return page(self._running.stand_ins)

    async def script(self, request: web.Request) -> web.Response:
        return script()

    async def state(self, request: web.Request) -> web.Response:
        return web.json_response(self._running.state(), headers={"Cache-Control": "no-store"})

    async def order(self, request: web.Request) -> web.Response:
        try:
            asked = _Order.of(await request.json())
            await self._running.fault(asked.platform, asked.fault, count=asked.count, value=asked.value, match=asked.match)
        except (KeyError, TypeError, ValueError) as error:  # UnknownFault is a ValueError
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({"ordered": asked.fault})

    async def clear(self, request: web.Request) -> web.Response:
        await self._running.clear()
        return web.json_response({"faults": []})

    async def reset(self, request: web.Request) -> web.Response:
        await self._running.reset()
        return web.json_response({"posts": 0})

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "platforms": list(self._running.stand_ins)})
