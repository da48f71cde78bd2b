"""The faults, on the wire: what a client sees of each, and whether the request was posted all the same."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterable
from typing import ClassVar

import aiohttp
import pytest
from aiohttp import web

from app.rehearsal.stand_ins.faults import Fault, Faults, UnknownFault
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import HttpStandIn

ANSWER = {"id": "1", "text": "posted, with an answer that is long enough to be cut in two"}


class Board(HttpStandIn):
    """The least platform: `POST /post` posts, `GET /read` does not."""

    name: ClassVar[str] = "board"
    switches: ClassVar[frozenset[str]] = frozenset({"closed"})

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.post("/post", self.publish), web.get("/read", self.read)]

    def publishes(self, request: web.Request) -> bool:
        return request.method == "POST"

    async def publish(self, request: web.Request) -> web.Response:
        self.hold_for(Post(id=str(len(self.posts) + 1), account="board", text="hello"), request)
        return web.json_response(ANSWER)

    async def read(self, request: web.Request) -> web.Response:
        return web.json_response({"closed": self.faults.on("closed")})


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    stand_in = Board()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def client(board: Board) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(board.base_url) as session:
        yield session


async def post(client: aiohttp.ClientSession) -> tuple[int, str]:
    async with client.post("/post", json={"text": "hello"}) as answer:
        return answer.status, await answer.text()


def test_a_fault_meets_as_many_requests_as_ordered() -> None:
    faults = Faults()
    faults.order(Fault("500"), count=2)
    taken = [faults.take(publishes=True) for _ in range(3)]
    assert [fault.name if fault else None for fault in taken] == ["500", "500", None]


def test_a_fault_for_posts_spares_other_requests() -> None:
    faults = Faults()
    faults.order(Fault("500"))
    faults.order(Fault("401", match="any"))
    assert (faults.take(publishes=False) or Fault("none")).name == "401"
    assert (faults.take(publishes=True) or Fault("none")).name == "500"


def test_an_unknown_fault_is_refused_and_the_known_are_told() -> None:
    with pytest.raises(UnknownFault, match=r"cut-after.*refuse-replies"):
        Faults(frozenset({"refuse-replies"})).order(Fault("cut_after"))


@pytest.mark.parametrize(("name", "status"), [("429", 429), ("401", 401), ("500", 500), ("502-html", 502)])
async def test_a_refusal_posts_nothing(board: Board, client: aiohttp.ClientSession, name: str, status: int) -> None:
    await board.order(Fault(name, 3.0))
    assert (await post(client))[0] == status
    assert board.posts == []
    assert (board.log[0].status, board.log[0].fault) == (status, name)
    assert (await post(client))[0] == 200


async def test_429_tells_when(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("429", 7.0))
    async with client.post("/post") as answer:
        assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(("name", "posts"), [("cut-before", 0), ("cut-after", 1)])
async def test_a_cut_connection_gives_no_answer(board: Board, client: aiohttp.ClientSession, name: str, posts: int) -> None:
    await board.order(Fault(name))
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await post(client)
    assert len(board.posts) == posts
    assert (board.log[0].status, board.log[0].fault) == (0, name)


async def test_a_truncated_answer_promises_more_than_it_brings(board: Board) -> None:
    await board.order(Fault("truncated"))
    reader, writer = await asyncio.open_connection(board.host, board.port)
    writer.write(b"POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    raw = await reader.read()
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    whole = json.dumps(ANSWER).encode()
    assert f"content-length: {len(whole)}".encode() in head.lower()
    assert body == whole[: len(whole) // 2]
    assert len(board.posts) == 1


async def test_a_truncated_answer_is_an_error_to_the_client(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("truncated"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await post(client)


async def test_junk_is_200_and_no_json(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("junk"))
    async with client.post("/post") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        with pytest.raises(ValueError, match=r"codec|JSON"):
            json.loads(await answer.read())
    assert len(board.posts) == 1


async def test_a_drip_comes_byte_by_byte(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("drip", 0.004))
    began = time.monotonic()
    async with client.post("/post") as answer:
        first = time.monotonic() - began
        body = await answer.read()
    assert json.loads(body) == ANSWER
    assert time.monotonic() - began >= len(body) * 0.004 > 3 * first
    assert len(board.posts) == 1


async def test_a_hang_ends_when_the_faults_are_cleared(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("hang"))
    asked = asyncio.create_task(post(client))
    done, _ = await asyncio.wait([asked], timeout=0.15)
    assert not done
    assert len(board.posts) == 1
    await board.clear()
    assert (await asked)[0] == 200


async def test_a_hang_ends_after_its_time(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("hang", 0.1))
    began = time.monotonic()
    assert (await post(client))[0] == 200
    assert time.monotonic() - began >= 0.1


async def test_latency_stays_until_cleared(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("latency", 0.1))
    for _ in range(2):
        began = time.monotonic()
        await post(client)
        assert time.monotonic() - began >= 0.1
    await board.clear()
    began = time.monotonic()
    await post(client)
    assert time.monotonic() - began < 0.1


async def test_refused_closes_the_port_and_open_connections(board: Board, client: aiohttp.ClientSession) -> None:
    await post(client)  # leaves a keep-alive connection behind
    idle, writer = await asyncio.open_connection(board.host, board.port)
    url = board.base_url
    await board.order(Fault("refused"))
    assert await asyncio.wait_for(_until_closed(idle), 1)
    writer.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(client)
    await board.clear()
    assert (await post(client))[0] == 200
    assert board.base_url == url
    assert len(board.log) == 2


async def test_nobody_can_take_the_closed_port(board: Board) -> None:
    await board.order(Fault("refused"))
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind((board.host, board.port))


async def test_a_refused_port_listens_again_by_itself(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("refused", 0.15))
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(client)
    await asyncio.sleep(0.3)
    assert (await post(client))[0] == 200


async def test_a_later_order_outlasts_an_earlier(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("refused", 0.1))
    await board.order(Fault("refused"))
    await asyncio.sleep(0.2)
    with pytest.raises(aiohttp.ClientConnectorError):
        await post(client)


async def test_a_request_under_way_is_posted_though_the_port_closes(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("latency", 0.15))
    asked = asyncio.create_task(post(client))
    await asyncio.sleep(0.05)
    await board.order(Fault("refused"))
    with pytest.raises(aiohttp.ClientError):
        await asked
    await asyncio.sleep(0.2)
    assert len(board.posts) == 1


async def test_one_of_two_simultaneous_requests_meets_the_fault(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("500"))
    statuses = sorted(status for status, _ in await asyncio.gather(post(client), post(client)))
    assert statuses == [200, 500]
    assert len(board.posts) == 1


async def test_a_platforms_own_switch_stays(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("closed"))
    for _ in range(2):
        async with client.get("/read") as answer:
            assert await answer.json() == {"closed": True}
    await board.clear()
    async with client.get("/read") as answer:
        assert await answer.json() == {"closed": False}


async def test_a_reset_empties_posts_log_and_faults(board: Board, client: aiohttp.ClientSession) -> None:
    await post(client)
    await board.order(Fault("500"))
    await board.reset()
    assert (board.posts, board.log) == ([], [])
    assert (await post(client))[0] == 200
    assert board.posts[0].request_index == 0


async def test_the_log_keeps_what_was_asked_and_told(board: Board, client: aiohttp.ClientSession) -> None:
    await post(client)
    entry = board.log[0]
    assert (json.loads(entry.body), json.loads(entry.answer)) == ({"text": "hello"}, ANSWER)
    assert entry.plain() == {"method": "POST", "path": "/post", "at": entry.at, "status": 200, "fault": ""}


async def test_stopping_waits_for_no_hanging_request(board: Board, client: aiohttp.ClientSession) -> None:
    await board.order(Fault("drip", 30.0))
    asked = asyncio.create_task(post(client))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await board.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientError):
        await asked


async def _until_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True
