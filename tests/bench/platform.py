"""`python -m tests.bench.platform`: a far end that is fast enough to be no part of what is measured. One process, Discord's webhooks alone.

It answers as `app/rehearsal/stand_ins/discord.py` does (the messages are made by the same code): execute with `?wait=true`, GET of a
webhook, GET of its message; each after `latency` seconds. It knows every webhook whose id and token `webhook` gives. It checks neither
words nor limits: that is the stand-ins' to do. Under `/bench/` it tells what it was asked, without latency and without a record.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.rehearsal.stand_ins import discord_wire as wire
from app.rehearsal.stand_ins.stand_in import Post

GUILD, WEBHOOK, CHANNEL = "1100000000000000001", 1200000000000, 1300000000000
EPOCH_MS = 1420070400000  # of a snowflake
BACKLOG = 4096
TICK = 0.002  # seconds by which a timer of the loop may be late


def webhook(number: int) -> tuple[str, str, str]:
    """Id, token and channel of one webhook."""
    return str(WEBHOOK + number), f"t{number}", str(CHANNEL + number)


@dataclass(slots=True)
class Record:
    """What came: of each kind (`post`, `check`, `read`) a list of [webhook, when it came, when it was answered], Unix seconds."""

    asked: dict[str, list[list[Any]]] = field(default_factory=lambda: {"post": [], "check": [], "read": []})
    waiting: int = 0
    connections: int = 0


@dataclass(slots=True)
class Platform:
    """The state behind all connections."""

    latency: float
    base_url: str = ""
    record: Record = field(default_factory=Record)
    messages: dict[str, str] = field(default_factory=dict)
    open: set[Connection] = field(default_factory=set)
    last_id: int = 0

    def answer(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """Kind and JSON of what Discord answers. Raises `LookupError` where there is nothing of the sort."""
        number, token, *more = path.partition("/webhooks/")[2].split("/")
        place = str(CHANNEL + int(number) - WEBHOOK)
        if token != f"t{int(number) - WEBHOOK}":
            raise LookupError(path)
        if method == "POST":
            return "post", self._posted(number, place, json.loads(body)["content"])
        return ("read", self.messages[more[1]]) if more else ("check", self._webhook(number, token, place))

    def _posted(self, number: str, place: str, content: str) -> str:
        now = time.time()
        self.last_id = max(self.last_id + 1, (int(now * 1000) - EPOCH_MS) << 22)
        extra = {"channel_id": place, "author_id": number, "webhook_id": number, "flags": 4, "pings": wire.pings_of("", {}, ())}
        shown = json.dumps(wire.message(Post(str(self.last_id), wire.DISCORD["webhook_name"], content.strip(), at=now, extra=extra)))
        self.messages[str(self.last_id)] = shown
        return shown

    def _webhook(self, number: str, token: str, place: str) -> str:
        own = {
            "id": number,
            "token": token,
            "channel_id": place,
            "guild_id": GUILD,
            "url": f"{self.base_url}/api/webhooks/{number}/{token}",
        }
        return json.dumps(wire.webhook(self.base_url) | own)

    def control(self, verb: str, value: str) -> Any:
        """`record` (whole), `counts`, `latency=…`, `forget`, `hang-up` (closes every connection that waits for nothing)."""
        if verb == "latency":
            self.latency = float(value)
        elif verb == "forget":
            self.record, self.messages = Record(waiting=self.record.waiting, connections=len(self.open)), {}
        elif verb == "hang-up":
            for connection in [one for one in self.open if not one.waiting]:
                connection.transport.close()
        counts = {kind: len(entries) for kind, entries in self.record.asked.items()}
        told = counts | {"waiting": self.record.waiting, "open": len(self.open), "connections": self.record.connections}
        return told | {"asked": self.record.asked} if verb == "record" else told


class Connection(asyncio.Protocol):
    """One connection, HTTP/1.1 with keep-alive; requests on it are answered in order, as no client here sends one before its answer."""

    transport: asyncio.Transport

    def __init__(self, platform: Platform) -> None:
        self.platform, self.buffer, self.waiting = platform, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.platform.open.add(self)
        self.platform.record.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.platform.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            found = _body(head.lower(), self.buffer[end + 4 :])
            if found is None:
                return
            body, self.buffer = found
            method, path, _ = head.split(" ", 2)
            self.asked(method, path.partition("?")[0], path.partition("?")[2], body)

    def asked(self, method: str, path: str, query: str, body: bytes) -> None:
        if path.startswith("/bench/"):
            self.waiting += 1  # so that it is not hung up on
            self.write(200, json.dumps(self.platform.control(path.removeprefix("/bench/"), query)))
            self.waiting -= 1
            return
        came = time.time()
        try:
            kind, shown = self.platform.answer(method, path, body)
        except (LookupError, ValueError) as error:
            self.write(404, json.dumps({"message": f"Unknown Webhook ({error})", "code": 10015}))
            return
        entry = [int(path.partition("/webhooks/")[2].split("/")[0]) - WEBHOOK, came, 0.0]
        record = self.platform.record
        record.asked[kind].append(entry)
        record.waiting += 1
        self.waiting += 1
        due = time.monotonic() + self.platform.latency
        asyncio.get_running_loop().call_later(self.platform.latency - TICK, self.answered, due, record, entry, shown)

    def answered(self, due: float, record: Record, entry: list[Any], shown: str) -> None:
        if time.monotonic() < due:
            asyncio.get_running_loop().call_soon(self.answered, due, record, entry, shown)
            return
        record.waiting -= 1
        self.waiting -= 1
        entry[2] = time.time()
        self.write(200, shown)

    def write(self, status: int, shown: str) -> None:
        body = shown.encode()
        limits = "X-RateLimit-Limit: 50\r\nX-RateLimit-Remaining: 49\r\nX-RateLimit-Reset-After: 1.000\r\n"
        limits += f"X-RateLimit-Reset: {time.time() + 1:.3f}\r\nX-RateLimit-Bucket: bench\r\n"
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{limits}\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + body)


def _body(head: str, rest: bytes) -> tuple[bytes, bytes] | None:
    """The request's body and what comes after it; None until all of it is there. `head` is in lower case."""
    if "transfer-encoding: chunked" not in head:
        length = int(head.partition("content-length:")[2].split("\r\n", 1)[0] or 0)
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        if len(rest) < int(size, 16) + 2:
            return None
        if not int(size, 16):
            return body, rest[2:]
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return None


async def _serve(latency: float) -> None:
    platform = Platform(latency)
    make: Callable[[], Connection] = lambda: Connection(platform)  # noqa: E731 - asyncio wants a factory
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, backlog=BACKLOG)
    platform.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps({"base_url": platform.base_url}), flush=True)
    await asyncio.to_thread(_until_the_parent_ends)


def _until_the_parent_ends() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.platform", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that each answer takes (default: %(default)s)")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()
