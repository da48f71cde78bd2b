"""The gate: whose host it is, who the caller is, and how much each may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.api.gate import BURST_SECONDS, READY_FACTOR, Gate, Shares
from app.api.tokens import Scope as TokenScope
from app.api.tokens import Tokens, make, today
from app.settings import Settings

TOKEN, KNOWN = make("desk", TokenScope, today())
SETTINGS: dict[str, Any] = {"public_url": "https://tocsin.example", "address_rate": 1, "token_rate": 2}
Ask = Callable[..., Any]


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def inside(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("in")(scope, receive, send)


def asking(clock: Time, **settings: Any) -> Ask:
    """A function that sends one request through a gate and gives back the answer."""
    gate = Gate(inside, Settings(**SETTINGS | settings), Tokens(KNOWN.entry), Shares(clock))

    async def ask(path: str = "/approve/x", peer: str = "198.51.100.1", host: str = "tocsin.example", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()} | {"host": host}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate, client=(peer, 1)), base_url="http://x") as client:
            return await client.get(path, headers=named)

    return ask


async def allowed(ask: Ask, **how: Any) -> int:
    """How many requests are let in at once."""
    count = 0
    while (await ask(**how)).status_code == 200:
        count += 1
        assert count < 1000, "never refused"
    return count


@pytest.mark.parametrize(
    "host",
    ["tocsin.example", "TOCSIN.example.", "tocsin.example:443", "localhost:8400", "127.0.0.1", "[::1]:8400", "203.0.113.7", "alt.example"],
)
async def test_our_hosts_and_addresses_are_let_in(host: str) -> None:
    assert (await asking(Time(), trusted_hosts="Alt.example, other.example:8443")(host=host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "tocsin.example.evil.example",
        "eviltocsin.example",
        "alt.example",
        "localhost.evil.example",
        "tocsin.example:80@evil.example",
        "evil.example#tocsin.example",
        "tocsin.example, evil.example",
        "[tocsin.example]",
        "[::1",
        "2130706433.evil.example",
    ],
)
async def test_another_host_is_told_that_it_is_none_of_ours(host: str) -> None:
    answer = await asking(Time())("/healthz", host=host)
    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
    assert "TOCSIN_TRUSTED_HOSTS" in answer.json()["detail"]


async def test_a_request_names_one_host() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the gate reads no body")

    gate = Gate(inside, Settings(**SETTINGS), Tokens(""))
    for hosts in ([], [(b"host", b"tocsin.example"), (b"host", b"tocsin.example")]):
        scope = {"type": "http", "method": "POST", "path": "/", "headers": hosts, "client": ("198.51.100.1", 1)}
        await gate(scope, receive, send)
    assert [message["status"] for message in sent if "status" in message] == [421, 421]


async def test_an_address_has_its_share_and_gets_it_again_with_time() -> None:
    clock = Time()
    ask = asking(clock)
    assert await allowed(ask) == BURST_SECONDS
    refused = await ask()
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["title"]) == (429, "1", "Too many requests.")
    assert (await ask(peer="198.51.100.2")).status_code == 200
    clock.now += 3
    assert await allowed(ask) == 3
    clock.now += 1_000_000
    assert await allowed(ask) == BURST_SECONDS


async def test_refused_requests_cost_no_share() -> None:
    clock = Time()
    ask = asking(clock)
    await allowed(ask)
    for _ in range(50):
        clock.now += 0.01
        assert (await ask()).status_code == 429
    clock.now += 0.5
    assert (await ask()).status_code == 200


async def test_a_token_has_a_share_of_its_own_wherever_it_comes_from() -> None:
    ask = asking(Time())
    await allowed(ask)
    assert await allowed(ask, authorization=f"Bearer {TOKEN}") == 2 * BURST_SECONDS
    assert (await ask(peer="198.51.100.2", authorization=f"bearer  {TOKEN}")).status_code == 429
    assert (await ask(peer="198.51.100.2")).status_code == 200
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", f"Bearer {KNOWN.entry}"):
        assert (await ask(authorization=wrong)).status_code == 429


async def test_banner_and_health_answer_while_links_do_not() -> None:
    ask = asking(Time())
    await allowed(ask)
    assert (await ask("/readyz")).status_code == 429
    assert await allowed(ask, path="/banner.json") == READY_FACTOR * BURST_SECONDS
    assert (await ask("/static/x/approve.js")).status_code == 429
    for _ in range(500):
        assert (await ask("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/../approve/x", "/HEALTHZ", "/xbanner.json", "//banner.json", "/v1/openapi.json"])
async def test_what_only_looks_like_health_or_banner_has_the_common_share(path: str) -> None:
    ask = asking(Time())
    await allowed(ask)
    assert (await ask(path)).status_code == 429


async def test_a_subscriber_of_ipv6_is_one_caller() -> None:
    ask = asking(Time())
    await allowed(ask, peer="2001:db8:1:2::3")
    assert (await ask(peer="2001:db8:1:2:ffff::4")).status_code == 429
    assert (await ask(peer="2001:db8:1:3::3")).status_code == 200
    await allowed(ask)
    assert (await ask(peer="::ffff:198.51.100.1")).status_code == 429


async def test_only_a_trusted_proxy_says_who_asks() -> None:
    ask = asking(Time(), trusted_proxies="10.0.0.0/8, 2001:db8::7")
    near, far = "203.0.113.5", "203.0.113.6"
    await allowed(ask, peer="127.0.0.1", x_forwarded_for=near)
    for peer in ("127.0.0.1", "::1", "10.1.2.3", "2001:db8::7"):
        assert (await ask(peer=peer, x_forwarded_for=near)).status_code == 429
        assert (await ask(peer=peer, x_forwarded_for=f"{far}, {near}, 10.9.9.9")).status_code == 429, "read from the right"
        assert (await ask(peer=peer, x_forwarded_for=f"{near}, {far}")).status_code == 200
    assert (await ask(peer=near, x_forwarded_for=far)).status_code == 429, "said of itself"


@pytest.mark.parametrize("named", [{}, {"x_forwarded_for": ""}, {"x_forwarded_for": "unknown"}, {"x_forwarded_for": "10.0.0.1"}])
async def test_a_proxy_that_names_nobody_is_not_counted(named: dict[str, str]) -> None:
    ask = asking(Time(), trusted_proxies="10.0.0.0/8")
    for peer in ("127.0.0.1", "10.0.0.2"):
        for _ in range(3 * BURST_SECONDS):
            assert (await ask(peer=peer, **named)).status_code == 200


def test_callers_without_end_take_no_memory_without_end() -> None:
    shares = Shares(Time(), most=100)
    for number in range(10_000):
        shares.take(f"caller {number}", 1)
    assert len(shares._left) == 100
    assert shares.take("caller 9999", 1) == 0.0


@given(st.lists(st.floats(0, 50), max_size=200), st.floats(1, 20))
def test_no_caller_gets_more_than_its_share(pauses: list[float], a_second: float) -> None:
    clock = Time()
    shares, taken = Shares(clock), 0
    for pause in pauses:
        clock.now += pause
        taken += shares.take("caller", a_second) == 0.0
        assert taken <= a_second * (BURST_SECONDS + clock.now) + 1e-6


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_raises(host: str, forwarded: str) -> None:
    gate = Gate(inside, Settings(**SETTINGS), Tokens(""))
    headers = [(b"host", host.encode("utf-8", "replace")), (b"x-forwarded-for", forwarded.encode("utf-8", "replace"))]
    scope: Scope = {"type": "http", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    gate._ours([host])
    assert gate._wait(scope) == 0.0
