"""The frame of every stand-in: its port, what it holds, its log, and the faults that were ordered of it.

Rules kept here: a stand-in offers nothing that its platform lacks; posts live in memory until a reset; every request is in the
log with what it asked and what it was told, also when the answer was cut. `StandIn` knows no protocol (mail builds on it):
`HttpStandIn`, which puts faults around HTTP requests, lies in `wire.py`; which fault is due in `faults.py`; what a platform
accepts in its own file.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from app.rehearsal.stand_ins.faults import Fault, Faults


@dataclass(slots=True)
class Post:
    """One post as the platform holds it. `account` is what readers see (a handle, a channel); `at` is Unix seconds."""

    id: str
    account: str
    text: str
    title: str = ""
    reply_to: str = ""
    permalink: str = ""
    at: float = field(default_factory=time.time)
    extra: dict[str, Any] = field(default_factory=dict)
    request_index: int = -1  # of the log entry that posted it


@dataclass(slots=True)
class Entry:
    """One request in the log. `status` 0: no answer left. Bodies and headers are for tests and stay out of `plain`."""

    index: int
    method: str
    path: str
    at: float
    status: int = 0
    fault: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""

    def plain(self) -> dict[str, Any]:
        return {"method": self.method, "path": self.path, "at": self.at, "status": self.status, "fault": self.fault}


def reserve(host: str, port: int = 0) -> socket.socket:
    """A bound socket that does not listen: it keeps the port ours while connections to it are refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


class StandIn:
    """One platform. A subclass gives `listen` and `hush`; `host` and `port` stay the same from `start` to `stop`."""

    name: ClassVar[str]
    switches: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.log: list[Entry] = []
        self.faults = Faults(self.switches)
        self.host = ""
        self.port = 0
        self._place: socket.socket | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._listening = False

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> str | dict[str, str | int]:
        """How the stand-in is reached, as the ports file shows it."""
        return self.base_url

    async def listen(self) -> None:
        """Opens `self.host`:`self.port` (the socket must set SO_REUSEPORT: the port is held by `reserve`)."""
        raise NotImplementedError

    async def hush(self) -> None:
        """Closes the listening socket and cuts every open connection."""
        raise NotImplementedError

    async def start(self, host: str = "127.0.0.1") -> None:
        self._place = reserve(host)
        self.host, self.port = self._place.getsockname()[:2]
        await self._open()

    async def stop(self) -> None:
        await self.clear(reopen=False)
        await self._shut()
        if self._place:
            self._place.close()

    async def order(self, fault: Fault, count: int = 1) -> None:
        """Orders a fault. `refused` closes the port at once, for `value` seconds or until cleared. Raises `UnknownFault`."""
        self.faults.order(fault, count)
        if fault.name == "refused":
            await self._forget_reopening()
            await self._shut()
            if fault.value is not None:
                self._reopening = asyncio.create_task(self._reopen(fault.value))

    async def clear(self, reopen: bool = True) -> None:
        """Takes back all faults; a port that was closed listens again when this returns."""
        self.faults.clear()
        await self._forget_reopening()
        if reopen:
            await self._open()

    async def reset(self) -> None:
        """Back to an empty platform: no posts, no log, no faults."""
        await self.clear()
        self.posts.clear()
        self.log.clear()

    def note(self, method: str, path: str) -> Entry:
        """Begins the log entry of a request."""
        entry = Entry(len(self.log), method, path, time.time())
        self.log.append(entry)
        return entry

    def hold(self, post: Post, entry: Entry) -> Post:
        """Posts it: from here on it is on the platform, whatever happens to the answer."""
        post.request_index = entry.index
        self.posts.append(post)
        return post

    def post(self, post_id: str) -> Post | None:
        return next((post for post in self.posts if post.id == post_id), None)

    def state(self) -> list[dict[str, Any]]:
        """Every post as plain data, oldest first."""
        return [asdict(post) for post in self.posts]

    async def _open(self) -> None:
        if not self._listening:
            await self.listen()
            self._listening = True

    async def _shut(self) -> None:
        if self._listening:
            self._listening = False
            await self.hush()

    async def _forget_reopening(self) -> None:
        if self._reopening:
            self._reopening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reopening
            self._reopening = None

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.faults.standing.pop("refused", None)
        await self._open()
