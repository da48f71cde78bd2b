"""`python -m app.rehearsal` as others script it: the ports, the main port's orders, the page, and a quick end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.rehearsal.stand_ins.server import Running, main_port
from tests.rehearsal.clients import tweepy_client


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.rehearsal", *arguments, stdin=pipe, stdout=pipe)
    try:
        assert child.stdout
        yield child, json.loads(await asyncio.wait_for(child.stdout.readline(), 20))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@pytest.fixture
async def desk(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with main_port(running) as base, aiohttp.ClientSession(base) as session:
        yield session


async def test_a_process_tells_its_ports_and_ends_on_sigterm(tmp_path: Path) -> None:
    async with process("--ports-file", str(tmp_path / "ports.json")) as (child, ports):
        assert json.loads((tmp_path / "ports.json").read_text()) == ports
        assert set(ports) == {"main", "x", "reddit", "telegram", "discord", "smtp"}
        assert set(ports["smtp"]) == {"host", "port"}
        async with aiohttp.ClientSession() as session, session.get(f"{ports['main']}/healthz") as answer:
            assert await answer.json() == {"status": "ok", "platforms": ["x", "reddit", "telegram", "discord", "smtp"]}
        async with tweepy_client(ports["x"]) as client:
            await client.create_tweet(text="to a process of its own", user_auth=True)
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 5) == 0
        assert time.monotonic() - began < 2


async def test_a_process_ends_with_its_parent() -> None:
    async with process("--die-with-parent") as (child, _):
        assert child.stdin
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 5) == 0


async def test_a_process_outlives_its_standard_input_otherwise() -> None:
    async with process() as (child, ports):
        assert child.stdin
        child.stdin.close()
        async with aiohttp.ClientSession() as session, session.get(f"{ports['main']}/healthz") as answer:
            assert answer.status == 200
        os.kill(child.pid, signal.SIGINT)
        assert await asyncio.wait_for(child.wait(), 5) == 0


async def test_orders_reach_a_platform_and_are_taken_back(running: Running, desk: aiohttp.ClientSession) -> None:
    async with desk.post("/faults", json={"platform": "x", "fault": "500", "count": 2}) as answer:
        assert (answer.status, await answer.json()) == (200, {"ordered": "500"})
    async with desk.post("/faults", json={"platform": "x", "fault": "refuse-replies"}) as answer:
        assert answer.status == 200
    faults = running.stand_ins["x"].faults
    assert ([fault.name for fault in faults.queue], faults.on("refuse-replies")) == (["500", "500"], True)
    async with desk.delete("/faults") as answer:
        assert answer.status == 200
    assert (faults.queue, faults.on("refuse-replies")) == ([], False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"platform": "x", "fault": "refuse-everything"},
        {"platform": "usenet", "fault": "500"},
        {"platform": "x", "fault": "500", "count": 0},
        {"platform": "x", "fault": "500", "match": "some"},
        {"platform": "x", "fault": "latency", "value": -1},
        {"platform": "x", "fault": "500", "colour": "red"},
        {"fault": "500"},
        ["500"],
    ],
)
async def test_a_wrong_order_is_refused(running: Running, desk: aiohttp.ClientSession, wrong: object) -> None:
    async with desk.post("/faults", json=wrong) as answer:
        assert answer.status == 400
        assert "error" in await answer.json()
    assert all(not stand_in.faults.queue for stand_in in running.stand_ins.values())


async def test_no_page_from_elsewhere_gives_orders(running: Running, desk: aiohttp.ClientSession) -> None:
    async with desk.post("/reset", headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    async with desk.post("/faults", json={"platform": "x", "fault": "500"}, headers={"Origin": "null"}) as answer:
        assert answer.status == 403
    assert running.stand_ins["x"].faults.queue == []


async def test_the_state_tells_posts_and_requests(running: Running, desk: aiohttp.ClientSession) -> None:
    async with tweepy_client(running.urls["x"]) as client:
        await client.get_me(user_auth=True)
        await client.create_tweet(text="All <users>", user_auth=True)
    async with desk.get("/state.json") as answer:
        state = await answer.json()
    (post,) = state["x"]
    assert {key: post[key] for key in ("account", "text", "title", "reply_to", "request_index")} == {
        "account": "tocsin_drill",
        "text": "All <users>",
        "title": "",
        "reply_to": "",
        "request_index": 1,
    }
    assert post["permalink"] == f"{running.urls['x']}/tocsin_drill/status/{post['id']}"
    assert abs(post["at"] - time.time()) < 10
    asked = state["log"]["x"][1]
    assert (asked["method"], asked["path"], asked["status"], asked["fault"]) == ("POST", "/2/tweets", 201, "")
    async with desk.post("/reset") as answer:
        assert answer.status == 200
    async with desk.get("/state.json") as answer:
        assert (await answer.json())["x"] == []


async def test_the_page_shows_every_account_and_says_that_it_is_a_rehearsal(running: Running, desk: aiohttp.ClientSession) -> None:
    async with desk.get("/") as answer:
        empty = await answer.text()
    assert empty.count("Nothing posted yet.") == 4
    assert "No mail received yet." in empty
    for account in (0, 1):
        async with tweepy_client(running.urls["x"], account) as client:
            await client.create_tweet(text="<script>alert(1)</script> https://status.acme.com/1", user_auth=True)
    async with desk.get("/") as answer:
        page = await answer.text()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "REHEARSAL" in page
    assert "<h3>tocsin_drill</h3>" in page
    assert "<h3>tocsin_drill_b</h3>" in page
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert f'href="{running.stand_ins["x"].posts[0].permalink}"' in page
    assert 'name="viewport"' in page
    async with desk.get("/timelines.js") as answer:
        assert answer.content_type == "text/javascript"


async def test_every_permalink_on_the_page_opens(running: Running, desk: aiohttp.ClientSession) -> None:
    async with tweepy_client(running.urls["x"]) as client:
        first = (await client.create_tweet(text="the first", user_auth=True))["data"]["id"]
        await client.create_tweet(text="the reply", in_reply_to_tweet_id=first, user_auth=True)
    for post in running.stand_ins["x"].posts:
        async with desk.get(post.permalink) as answer:
            assert answer.status == 200
            page = await answer.text()
        assert "REHEARSAL" in page
        assert "the first" in page
        assert "the reply" in page
