"""A connection that is opened ahead is new, serves the next request to its host, and stays no longer than any unused one may."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters import connector, http
from adapters.contract import NotSent
from tests.adapters.hostile import babbling, raised

HERE = "http://127.0.0.1"
NOTHING_SENT, ENDED = 0, -1


@dataclass
class Talks:
    """What came over each connection, in the order in which they were opened: the number of requests, `ENDED` once it was closed."""

    url: str = ""
    all: list[int] = field(default_factory=list)
    hang_up: bool = False

    async def says(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.all)
        self.all.append(NOTHING_SENT)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not self.hang_up:
                await reader.readuntil(b"\r\n\r\n")
                self.all[number] += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.all[number] = ENDED

    async def become(self, *wanted: int) -> None:
        for _ in range(100):
            if self.all == list(wanted):
                return
            await asyncio.sleep(0.02)
        assert self.all == list(wanted)


@asynccontextmanager
async def listening() -> AsyncIterator[Talks]:
    talks = Talks()
    async with babbling(talks.says) as talks.url:
        yield talks


@pytest.fixture
async def talks() -> AsyncIterator[Talks]:
    async with listening() as one:
        yield one


@pytest.fixture
async def door(talks: Talks) -> AsyncIterator[http.Door]:
    one = http.Door("X", HERE)
    yield one
    await one.aclose()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    assert not http._OPEN


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> None:
    system = socket.getaddrinfo

    def look_up(*given: Any, **more: Any) -> Any:
        time.sleep(0.2)
        return system(*given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


async def test_requests_use_what_was_opened_ahead(talks: Talks) -> None:
    doors = [http.Door("Discord", HERE) for _ in range(5)]
    await asyncio.gather(*(door.connect(talks.url) for door in doors))
    await talks.become(*[NOTHING_SENT] * 5)
    assert {answer.status for answer in await asyncio.gather(*(door.ask("POST", talks.url) for door in doors))} == {200}
    assert talks.all == [1] * 5
    assert (await doors[0].ask("POST", talks.url)).status == 200
    assert sum(talks.all) == 6, "once used, they serve others as any do"
    for door in doors:
        await door.aclose()


async def test_one_that_was_used_and_lies_ready_is_none_that_is_opened_ahead(talks: Talks, door: http.Door) -> None:
    """Its time is half over, and with another wait it would be longer than a server keeps it."""
    assert (await door.ask("POST", talks.url)).status == 200
    await door.connect(talks.url)
    await talks.become(ENDED, NOTHING_SENT)
    assert (await door.ask("POST", talks.url)).status == 200
    assert talks.all == [ENDED, 1]


async def test_one_that_nobody_uses_is_closed_and_another_one_prolongs_nothing(
    monkeypatch: pytest.MonkeyPatch, talks: Talks, door: http.Door
) -> None:
    monkeypatch.setattr(connector, "IDLE", 1.0)
    await door.connect(talks.url)
    await asyncio.sleep(0.5)
    await door.connect(talks.url)
    await talks.become(NOTHING_SENT, NOTHING_SENT)
    await talks.become(ENDED, NOTHING_SENT)
    assert (await door.ask("POST", talks.url)).status == 200
    assert talks.all == [ENDED, 1]


async def test_a_request_elsewhere_leaves_it_alone(talks: Talks, door: http.Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "IDLE", 0.5)
    async with listening() as elsewhere:
        await door.connect(talks.url)
        assert (await door.ask("POST", elsewhere.url)).status == 200
        assert (talks.all, elsewhere.all) == ([NOTHING_SENT], [1])
        await talks.become(ENDED)
        await door.aclose()


async def test_one_that_the_other_side_closed_meanwhile_is_not_used(talks: Talks, door: http.Door) -> None:
    talks.hang_up = True
    await door.connect(talks.url)
    await talks.become(ENDED)
    await asyncio.sleep(0.05)  # it is told a moment before it is done
    talks.hang_up = False
    assert (await door.ask("POST", talks.url)).status == 200
    assert talks.all == [ENDED, 1]


@pytest.mark.usefixtures("slow_names")
async def test_a_request_waits_for_the_one_that_is_being_opened_even_where_nobody_else_does(talks: Talks, door: http.Door) -> None:
    opening = asyncio.create_task(door.connect(talks.url))
    await asyncio.sleep(0.05)
    opening.cancel()
    assert (await door.ask("POST", talks.url)).status == 200
    assert talks.all == [1]


@pytest.mark.usefixtures("slow_names")
async def test_closing_ends_what_is_being_opened_too(talks: Talks, door: http.Door) -> None:
    opening = asyncio.create_task(door.connect(talks.url))
    await asyncio.sleep(0.05)
    await door.aclose()
    await asyncio.wait_for(opening, 5)
    await asyncio.sleep(0.3)
    assert NOTHING_SENT not in talks.all


async def test_what_cannot_be_opened_ahead_is_told_by_the_request_alone(door: http.Door) -> None:
    for url in (f"{HERE}:9", "http://10.0.0.1", "http://no-such-host.invalid", "http://[", "nowhere"):
        await door.connect(url)
    for url in (f"{HERE}:9", "http://10.0.0.1", "http://no-such-host.invalid"):
        assert isinstance(await raised(door.ask("POST", url)), NotSent)


async def test_a_request_that_waits_for_one_that_cannot_be_opened_was_not_sent(door: http.Door) -> None:
    opening = asyncio.create_task(door.connect(f"{HERE}:9"))
    await asyncio.sleep(0)
    assert isinstance(await raised(door.ask("POST", f"{HERE}:9")), NotSent)
    await opening
