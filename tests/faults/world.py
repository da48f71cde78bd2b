"""Stand-ins in a thread of this process, whose world can be kept and turned back to what had reached it by an earlier moment."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from app.rehearsal.stand_ins.quota import Quota
from app.rehearsal.stand_ins.server import Running, main_port, start_in_process
from app.rehearsal.stand_ins.stand_in import Entry, Post
from tests.faults.proxy import Wire, wires

Asked = Counter[tuple[str, str]]
"""How many requests were sent whole, by method and path as the stand-in's log has them."""


@dataclass(slots=True)
class World:
    """`addresses` are as `python -m app.rehearsal` prints them."""

    running: Running
    addresses: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    kept: dict[str, tuple[list[Post], list[Entry]]] = field(default_factory=dict)

    def keep(self) -> None:
        """Keeps what every platform holds now, to be turned back to."""
        self._run(self._keep)

    def turn_back(self, asked: Mapping[str, Asked]) -> None:
        """As it was kept, but that of each platform's requests only those many had come, the earliest; their posts are there, no other."""
        self._run(lambda: self._turn_back(asked))

    def port(self, platform: str) -> int:
        """On which that platform listens."""
        return self.running.stand_ins[platform].port

    def _keep(self) -> None:
        for name, stand_in in self.running.stand_ins.items():
            self.kept[name] = (list(stand_in.posts), list(stand_in.log))

    def _turn_back(self, asked: Mapping[str, Asked]) -> None:
        for name, stand_in in self.running.stand_ins.items():
            for what, held in vars(stand_in).items():
                if isinstance(held, Quota):  # what it had counted is turned back too: fifty turns would use its quarter of an hour up
                    setattr(stand_in, what, Quota(held.seconds))
            posts, log = self.kept[name]
            left, numbers = Counter(asked[name]), dict[int, int]()
            stand_in.log.clear()
            for entry in log:
                if left[entry.method, entry.path] > 0:
                    left[entry.method, entry.path] -= 1
                    numbers[entry.index] = len(stand_in.log)
                    stand_in.log.append(copy(entry))
                    stand_in.log[-1].index = numbers[entry.index]
            stand_in.posts[:] = [copy(post) for post in posts if post.request_index in numbers]
            for post in stand_in.posts:
                post.request_index = numbers[post.request_index]

    def _run(self, work: Any) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        done.result(10)


@contextlib.contextmanager
def world() -> Iterator[World]:
    """All stand-ins, listening until this ends."""
    loop, started, ended = asyncio.new_event_loop(), Future[World](), asyncio.Event()

    async def live() -> None:
        async with start_in_process() as running, main_port(running) as base:
            started.set_result(World(running, {"main": base} | running.addresses, loop))
            await ended.wait()

    def run() -> None:
        try:
            loop.run_until_complete(live())
        except Exception as error:
            started.set_exception(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    made = started.result(30)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


@contextlib.contextmanager
def wired_world() -> Iterator[tuple[World, dict[str, Wire]]]:
    """The same, each platform reached by a wire, which is also what its permalinks name."""
    with world() as made:
        stand_ins = made.running.stand_ins
        with wires({name: (stand_in.host, stand_in.port) for name, stand_in in stand_ins.items()}) as laid:
            for name, wire in laid.items():
                stand_ins[name].port = wire.address[1]  # a `refused` fault would open this one again: it is not for here
            made.addresses = {"main": made.addresses["main"]} | made.running.addresses
            yield made, laid
