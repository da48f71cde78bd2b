"""The shared way out: one set of connections for all, nothing kept, nothing repeated, and no wait longer than it may be."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from adapters import http
from adapters.contract import AdapterError, NotSent, OutcomeUnknown
from tests.adapters.hostile import babbling, raised, serving

HERE = "http://127.0.0.1"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    assert not http._OPEN


async def fails(kind: type[AdapterError], doing: Awaitable[object]) -> str:
    error = await raised(doing)
    assert type(error) is kind
    assert error.__cause__ is error.__context__ is None
    return str(error)


async def test_all_doors_share_connections_and_the_last_one_closes_them() -> None:
    peers = set()

    async def answer(request: web.BaseRequest) -> web.Response:
        peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        return web.Response(text="here")

    doors = [http.Door("X", HERE), http.Door("Reddit", HERE), http.Door("Discord", HERE)]
    assert not http._OPEN, "a door opens nothing before it is used"
    async with serving(answer) as url:
        for door in doors:
            assert (await door.ask("GET", url)).body == b"here"
        assert len(peers) == 1
        for door in doors[1:]:
            await door.aclose()
            await door.aclose()
        assert (await doors[0].ask("GET", url)).status == 200
        await doors[0].aclose()
        assert not http._OPEN
        assert (await doors[1].ask("GET", url)).status == 200, "a closed door can be used again"
        await doors[1].aclose()
        assert not http._OPEN


async def test_nothing_is_carried_from_one_request_to_the_next() -> None:
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        return web.Response(headers={"Set-Cookie": "session=secret", "Location": "/elsewhere"}, status=307)

    door, other = http.Door("X", HERE), http.Door("X", HERE)
    async with serving(answer) as url:
        for one in (door, other):
            assert (await one.ask("POST", url, json={}, headers={"Authorization": "Bearer a"} if one is door else None)).status == 307
            await asyncio.sleep(0)
        await door.aclose()
        await other.aclose()
    assert [request.path for request in asked] == ["/", "/"], "no redirect is followed"
    assert [request.headers.get("Authorization") for request in asked] == ["Bearer a", None]
    assert not [request for request in asked if "Cookie" in request.headers]


async def test_a_platform_that_hangs_holds_up_no_other() -> None:
    release = asyncio.Event()

    async def hang(_: web.BaseRequest) -> web.Response:
        await release.wait()
        return web.Response()

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response()

    slow, quick = http.Door("X", HERE), http.Door("Reddit", HERE)
    async with serving(hang) as hanging, serving(answer) as url:
        waiting = [asyncio.create_task(slow.ask("POST", hanging)) for _ in range(150)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert (await quick.ask("POST", url)).status == 200
        assert time.monotonic() - began < 1.0
        assert not any(task.done() for task in waiting)
        release.set()
        assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}
        await slow.aclose()
        await quick.aclose()


async def test_a_post_over_a_connection_that_was_closed_meanwhile_is_unknown_and_not_repeated() -> None:
    requests = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        requests += 1

    door = http.Door("X", HERE)
    async with babbling(says) as url:
        assert (await door.ask("POST", url)).status == 200
        assert "broke" in await fails(OutcomeUnknown, door.ask("POST", url))
        assert requests == 2
        await door.aclose()


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (b"", OutcomeUnknown, "broke"),
        (b"220 mail.example ESMTP\r\n\r\n", OutcomeUnknown, "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", OutcomeUnknown, "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone", OutcomeUnknown, "broke"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (http.MAX_ANSWER + 1), OutcomeUnknown, "too long"),
    ],
)
async def test_an_answer_that_is_none_is_unknown(said: bytes, kind: type[AdapterError], told: str) -> None:
    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    door = http.Door("X", HERE)
    async with babbling(says) as url:
        assert told in await fails(kind, door.ask("POST", f"{url}/secret"))
        await door.aclose()


async def test_the_whole_time_is_bounded_however_slowly_an_answer_drips(impatient: None) -> None:
    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    door, began = http.Door("X", HERE), time.monotonic()
    async with babbling(says) as url:
        assert "within 0.5 s" in await fails(OutcomeUnknown, door.ask("POST", url))
        assert time.monotonic() - began < 1.0
        await door.aclose()


async def test_tls_needs_a_trusted_certificate_and_carries_long_answers(certificate: tuple[ssl.SSLContext, Path]) -> None:
    asked: list[bytes] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(await request.read())
        return web.Response(body=asked[-1])

    context, trusted = certificate
    door, long = http.Door("X", HERE), b"0123456789abcdef" * 60_000
    async with serving(answer, context) as url:
        assert "encryption" in await fails(NotSent, door.ask("POST", url, data=b"secret"))
        assert asked == []
        known = ssl.create_default_context(cafile=str(trusted))
        assert (await door.ask("POST", url, data=long, ssl=known)).body == long
        await door.aclose()


async def test_what_was_never_connected_was_not_sent_and_a_look_saw_nothing() -> None:
    door = http.Door("X", HERE)
    await fails(NotSent, door.ask("POST", "http://127.0.0.1:9"))
    with pytest.raises(OutcomeUnknown):
        await door.look("http://127.0.0.1:9")
    await door.aclose()


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (("1.5",), 1.5),
        ((64.57, "65"), 64.57),
        ((None, "65"), 65.0),
        (("599.0",), 599.0),
        (("999999999",), http.LONGEST_WAIT),
        ((True, "-1", "NaN", "1e5", "٣", "", None), None),
        ((formatdate(time.time() - 3600, usegmt=True),), 1.0),
        (("Sat, 99 Nov 2096 07:00:00 GMT",), None),
    ],
)
def test_a_wait_is_told_in_seconds_and_is_a_day_at_most(said: tuple[object, ...], wait: float | None) -> None:
    assert http.seconds(*said) == wait


def test_a_wait_until_a_time_is_a_second_at_least_and_a_day_at_most() -> None:
    assert 28 < (http.until(int(time.time()) + 30) or 0) <= 30
    assert 28 < (http.seconds(formatdate(time.time() + 30, usegmt=True)) or 0) <= 30
    assert (http.until("0"), http.until(10**11), http.until("soon"), http.until(None)) == (1.0, http.LONGEST_WAIT, None, None)
