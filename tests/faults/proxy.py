"""A TCP proxy that breaks connections as networks do, in a thread of this process: between the server and a platform, or its database.

Toxiproxy is a program in Go, and what PyPI has are HTTP proxies; this is small. A fault is ordered for the next chunks from the client that
hold `match` (empty: any chunk), and then stays with that connection. What it does to an answer it does to all that follows on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal, TypeVar

T = TypeVar("T")
Address = tuple[str, int]
Broken = Literal["reset", "cut-request", "swallow-request", "reset-answer", "cut-answer", "half-open", "delay", "throttle"]

REACHES_IT = {"reset-answer", "cut-answer", "half-open", "delay", "throttle"}
"""The request gets through whole; of the others the far side sees nothing, or not all."""
HARMLESS = {"delay", "throttle"}
"""Everything gets through, only later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`reset`: both sides get RST, the chunk goes nowhere. `cut-request`: its first `amount` bytes get through, then RST.
    `swallow-request`: it, and all after it, goes nowhere, and nobody says so. `reset-answer`: RST as soon as an answer comes.
    `cut-answer`: after its first `amount` bytes. `half-open`: answers go nowhere. `delay`: `amount` seconds late. `throttle`: answers
    come at `amount` bytes a second.
    """

    name: Broken
    amount: float = 0
    match: bytes = b""


@dataclass(slots=True, eq=False)
class _Line:
    """One connection through a wire."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    fault: Fault | None = None
    answered: int = 0

    def reset(self) -> None:
        for side in (self.client, self.server):
            if (sock := side.get_extra_info("socket")) and not side.transport.is_closing():
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            side.transport.abort()


@dataclass(slots=True)
class Wire:
    """One port that leads to another. All methods may be called from any thread."""

    loop: asyncio.AbstractEventLoop
    target: Address
    address: Address = ("", 0)
    orders: list[Fault] = field(default_factory=list)
    met: list[Fault] = field(default_factory=list)
    """The faults that have met their chunk, in that order."""
    lines: set[_Line] = field(default_factory=set)
    cut_until: float = 0.0

    def order(self, fault: Fault, count: int = 1) -> None:
        """Orders it of the next `count` chunks that match."""
        self.orders += [fault] * count

    def clear(self) -> None:
        """Takes back what was ordered and not met."""
        self.orders.clear()

    def sever(self, seconds: float = 0) -> None:
        """Resets every connection, and takes no new one for so long."""
        self.cut_until = time.monotonic() + seconds

        def sever() -> None:
            for line in tuple(self.lines):
                line.reset()

        _ask(self.loop, sever)

    def freeze(self) -> None:
        """From here on nothing gets through on the connections that are open, and nobody says so; new ones are well."""

        def freeze() -> None:
            for line in self.lines:
                line.fault = Fault("swallow-request")

        _ask(self.loop, freeze)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until one side ends it."""
        try:
            if time.monotonic() < self.cut_until:
                return writer.transport.abort()
            from_server, to_server = await asyncio.open_connection(*self.target)
        except OSError:
            return writer.transport.abort()
        line = _Line(writer, to_server)
        self.lines.add(line)
        try:
            with contextlib.suppress(OSError):
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._requests(line, reader))
                    both.create_task(self._answers(line, from_server))
        except* OSError:
            pass  # one side is gone
        finally:
            self.lines.discard(line)
            writer.close()
            to_server.close()

    async def _requests(self, line: _Line, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(65536):
            line.fault = self._due(chunk) or line.fault
            name, amount = (line.fault.name, line.fault.amount) if line.fault else ("", 0.0)
            if name == "reset":
                line.reset()
                return
            if name == "cut-request":
                line.server.write(chunk[: int(amount)])
                await line.server.drain()
                await asyncio.sleep(0.05)  # a reset would overtake it
                line.reset()
                return
            if name == "swallow-request":
                continue
            if name == "delay":
                await asyncio.sleep(amount)
                line.fault = None
            line.server.write(chunk)
            await line.server.drain()
        if not line.server.transport.is_closing():
            line.server.write_eof()

    async def _answers(self, line: _Line, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(65536):
            name, amount = (line.fault.name, line.fault.amount) if line.fault else ("", 0.0)
            if name == "reset-answer":
                line.reset()
                return
            if name == "cut-answer":
                left = int(amount) - line.answered
                line.answered += len(chunk)
                if left <= len(chunk):
                    line.client.write(chunk[: max(left, 0)])
                    await line.client.drain()
                    await asyncio.sleep(0.05)
                    line.reset()
                    return
            if name in {"half-open", "swallow-request"}:
                continue
            for piece in [chunk[n : n + 64] for n in range(0, len(chunk), 64)] if name == "throttle" else [chunk]:
                line.client.write(piece)
                await line.client.drain()
                await asyncio.sleep(len(piece) / amount if name == "throttle" else 0)
        if not line.client.transport.is_closing():
            line.client.write_eof()

    def _due(self, chunk: bytes) -> Fault | None:
        for number, fault in enumerate(self.orders):
            if fault.match in chunk:
                del self.orders[number]
                self.met.append(fault)
                return fault
        return None


@contextlib.contextmanager
def wires(targets: Mapping[str, Address]) -> Iterator[dict[str, Wire]]:
    """A wire to each target, on loopback, until this ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers: list[asyncio.Server] = []

    async def lay(target: Address) -> Wire:
        wire = Wire(loop, target)
        servers.append(await asyncio.start_server(wire.accept, "127.0.0.1", 0))
        wire.address = servers[-1].sockets[0].getsockname()[:2]
        return wire

    async def end() -> None:
        for server in servers:
            server.close()
        for wire in laid.values():
            for line in tuple(wire.lines):
                line.reset()
        others = asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    laid: dict[str, Wire] = {}
    try:
        for name, target in targets.items():
            laid[name] = asyncio.run_coroutine_threadsafe(lay(target), loop).result(10)
        yield laid
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _ask(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
    """What `work` gives, run in that loop."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as error:
            done.set_exception(error)

    loop.call_soon_threadsafe(run)
    return done.result(10)
