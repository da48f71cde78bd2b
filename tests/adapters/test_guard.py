"""No name leads a request into a private network, unless the operator wrote it; what was looked up is what is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from adapters import guard, http
from adapters.connector import Resolver
from adapters.contract import NotSent, OutcomeUnknown
from adapters.reddit.session import session
from tests.adapters.hostile import raised, serving

NAME = "api.platform.example"
Answers = dict[str, list[list[str]]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A name server: by name its answers in turn, the last one staying. Addresses are looked up as ever."""
    told: Answers = {}
    system: Callable[..., Any] = socket.getaddrinfo

    def look_up(host: str, *given: Any, **more: Any) -> Any:
        if host not in told:
            return system(host, *given, **more)
        answers = told[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [one for address in found for one in system(address, *given, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return told


class Counted:
    """Whoever is reached tells by this."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request.path)
        return web.Response(text="secret")


def port(url: str) -> str:
    return url.rsplit(":", 1)[1]


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"),
    *(
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ),
    *("192.0.2.1", "198.18.0.1", "2001:db8::1", "", "nonsense", "127.0.0.1.example"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_the_public_internet_is_not_public(address: str) -> None:
    assert not guard.is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "151.101.1.140", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_public_internet_is(address: str) -> None:
    assert guard.is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_is_judged_alike_however_it_is_written(address: Any) -> None:
    nat64 = f"64:ff9b::{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
    assert guard.is_public(str(address)) == guard.is_public(f"::ffff:{address}") == guard.is_public(nat64)


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
async def test_a_name_that_leads_into_a_private_network_gets_no_byte(names: Answers, answer: list[str]) -> None:
    names[NAME] = [answer]
    reached, door = Counted(), http.Door("X")
    async with serving(reached.answer) as url:
        error = await raised(door.ask("POST", f"http://{NAME}:{port(url)}/", headers={"Authorization": "Bearer secret"}))
        assert isinstance(error, NotSent)
        assert "private network" in str(error)
        assert error.__cause__ is error.__context__ is None
        assert isinstance(await raised(door.look(f"http://{NAME}:{port(url)}/")), OutcomeUnknown)
    await door.aclose()
    assert reached.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost"])
async def test_nor_does_an_address_in_the_url_however_it_is_written(host: str) -> None:
    reached, door = Counted(), http.Door("X", "https://api.platform.example")
    async with serving(reached.answer) as url:
        await raised(door.ask("GET", f"http://{host}:{port(url)}/"))
    await door.aclose()
    assert reached.asked == []


async def test_a_name_that_is_bound_anew_while_it_is_asked_is_looked_up_once(names: Answers) -> None:
    """DNS rebinding: the first answer passes, the second would lead elsewhere."""
    names[NAME] = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.3"]]
    peers: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        peers.append(request.transport.get_extra_info("sockname")[0])
        return web.Response()

    async with serving(answer) as url:
        door = http.Door("X", f"http://{NAME}:{port(url)}")
        assert (await door.ask("GET", f"http://{NAME}:{port(url)}/")).status == 200
        await door.aclose()
    assert peers == ["127.0.0.1"]
    assert names[NAME] == [["127.0.0.2"], ["127.0.0.3"]], "one look-up, and its answer is the one connected to"


async def test_of_several_answers_only_the_public_ones_are_left(names: Answers) -> None:
    names[NAME] = [["127.0.0.1", "8.8.8.8", "10.0.0.1"]]
    named = set[str]()
    resolver = Resolver(named)
    assert [one["host"] for one in await resolver.resolve(NAME, 443, socket.AF_INET)] == ["8.8.8.8"]
    named.add(NAME)
    assert [one["host"] for one in await resolver.resolve(NAME, 443, socket.AF_INET)] == ["127.0.0.1", "8.8.8.8", "10.0.0.1"]


async def test_what_the_operator_names_may_lie_in_a_private_network(names: Answers) -> None:
    names[NAME] = [["127.0.0.1"]]
    reached = Counted()
    async with serving(reached.answer) as url:
        for base in (url, f"http://{NAME}:{port(url)}", f"http://localhost:{port(url)}"):
            door = http.Door("X", base)
            assert (await door.ask("GET", f"{base}/")).status == 200
            await door.aclose()
    assert len(reached.asked) == 3


async def test_reddits_own_way_out_is_guarded_too(names: Answers) -> None:
    names[NAME] = [["127.0.0.1"]]
    reached = Counted()
    async with serving(reached.answer) as url:
        with session(named=False) as guarded, pytest.raises(requests.ConnectionError, match="private network"):
            await asyncio.to_thread(guarded.get, f"http://{NAME}:{port(url)}/", timeout=5)
        assert reached.asked == []
        with session(named=True) as free:
            answer = await asyncio.to_thread(free.get, f"http://{NAME}:{port(url)}/", timeout=5)
            assert answer.status_code == 200
