"""A server for the pages: the real templates and static files, with a request that tests set, and everything that is POSTed kept.

What it does not do: it has no database and believes what a test tells it. Signatures are checked by the tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from app.web import pages


@dataclass
class Posted:
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FakeServer:
    """`request` is what the link shows, `answers` what the next POSTs get (the last one stays): (status, body), or None to cut the line."""

    origin: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    enrolment: dict[str, Any] = field(default_factory=dict)
    banner: dict[str, Any] = field(default_factory=lambda: {"active": False})
    answers: list[tuple[int, dict[str, Any]] | None] = field(default_factory=list)
    posts: list[Posted] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    not_modified: int = 0
    delay: float = 0.0
    public_page: str = ""
    host_page: str = ""
    host_policy: str = ""

    @property
    def link(self) -> str:
        return f"{self.origin}/approve/tok_A1b2C3d4E5f6"

    def app(self) -> web.Application:
        """The routes, as the real application has them."""
        app = web.Application()
        app.router.add_get("/approve/{token}", self._approve)
        app.router.add_get("/approve/{token}/request", self._request)
        app.router.add_post("/approve/{token}", self._post)
        app.router.add_post("/approve/{token}/exclude", self._post)
        app.router.add_get("/enrol", self._enrol)
        app.router.add_post("/enrol", self._post)
        app.router.add_get("/static/{version}/{name}", self._static)
        app.router.add_get("/banner.js", self._static)
        app.router.add_get("/banner.json", self._banner)
        app.router.add_get("/banner.html", self._banner_page)
        app.router.add_get("/public", self._public)
        app.router.add_get("/host", self._host)
        return app

    async def _approve(self, asked: web.Request) -> web.Response:
        self.gets.append(asked.path)
        return _page(pages.approve_page(self.request))

    async def _request(self, asked: web.Request) -> web.Response:
        return web.json_response(self.request)

    async def _enrol(self, asked: web.Request) -> web.Response:
        return _page(pages.enrol_page(self.enrolment))

    async def _post(self, asked: web.Request) -> web.Response:
        self.posts.append(Posted(asked.path_qs, dict(asked.headers), json.loads(await asked.text())))
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            assert asked.transport is not None
            asked.transport.abort()
            return web.Response()
        status, body = answer
        if status == 200 and "state" in body:
            self.request = self.request | {
                "state": body["state"],
                "missing": body["missing"],
                "usable": False,
                "why_not": "You have decided.",
            }
        kind = "application/json" if status == 200 else "application/problem+json"
        return web.json_response(body, status=status, content_type=kind)

    async def _static(self, asked: web.Request) -> web.Response:
        file = pages.static_file(asked.match_info.get("name", "banner.js"))
        headers = {"Content-Type": file.media_type, "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=file.content, headers=headers)

    async def _banner(self, asked: web.Request) -> web.Response:
        self.gets.append(asked.path)
        body = json.dumps(self.banner)
        tag = f'"{abs(hash(body)):x}"'
        headers = {"ETag": tag, "Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
        if asked.headers.get("If-None-Match") == tag:
            self.not_modified += 1
            return web.Response(status=304, headers=headers)
        return web.Response(text=body, content_type="application/json", headers=headers)

    async def _banner_page(self, asked: web.Request) -> web.Response:
        return _page(pages.banner_page(self.banner), framed=True)

    async def _public(self, asked: web.Request) -> web.Response:
        headers = pages.public_headers(form=True)
        return web.Response(text=self.public_page, content_type="text/html", charset="utf-8", headers=headers)

    async def _host(self, asked: web.Request) -> web.Response:
        return web.Response(text=self.host_page, content_type="text/html", headers={"Content-Security-Policy": self.host_policy})


def _page(text: str, framed: bool = False) -> web.Response:
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=pages.page_headers(framed=framed))


@asynccontextmanager
async def serving(server: FakeServer) -> AsyncIterator[FakeServer]:
    """The server on a free port of localhost; its `origin` is set."""
    runner = web.AppRunner(server.app(), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", 0).start()
        server.origin = f"http://localhost:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
