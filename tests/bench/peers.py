"""`python -m tests.bench.peers NAME BASE_URL N TEXT`: another sender of the same posts, in a process of its own; prints [s, CPU s].

`aiohttp` is the least that Python does it with: one session, no limit on connections, nothing durable; `aiohttp-led` posts to one more
webhook first and to the others once that has answered. `httpx` is its own pool
without a limit. `apprise` is its Discord service and its `async_notify` as they come; only the host is another, by a subclass, as
Apprise has no setting for it. Everything is loaded and built before the clock starts, and each post must have been answered with 200.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from importlib import import_module

from tests.bench.platform import webhook

Taken = tuple[float, float]
"""Seconds, and CPU seconds of the process."""

QUIET = {"allowed_mentions": {"parse": []}, "flags": 4}
"""Goes with every post of Tocsin's Discord adapter too."""


def _clocks() -> Taken:
    return time.perf_counter(), time.process_time()


def _since(begun: Taken) -> Taken:
    now = _clocks()
    return now[0] - begun[0], now[1] - begun[1]


async def _aiohttp(urls: list[str], text: str, *, led: bool = False) -> Taken:
    import aiohttp

    connector, jar = aiohttp.TCPConnector(limit=0), aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:

        async def post(url: str) -> None:
            async with session.post(f"{url}?wait=true", json={"content": text, **QUIET}) as answer:
                await answer.read()
                assert answer.status == 200

        begun = _clocks()
        if led:
            await post(urls.pop())
        await asyncio.gather(*(post(url) for url in urls))
        return _since(begun)


async def _httpx(urls: list[str], text: str) -> Taken:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=600, trust_env=False) as client:

        async def post(url: str) -> None:
            answer = await client.post(f"{url}?wait=true", json={"content": text, **QUIET})
            assert answer.status_code == 200

        begun = _clocks()
        await asyncio.gather(*(post(url) for url in urls))
        return _since(begun)


async def _apprise(urls: list[str], text: str) -> Taken:
    apprise, discord = import_module("apprise"), import_module("apprise.plugins.discord")  # of the group `bench` alone
    here = type("Here", (discord.NotifyDiscord,), {"notify_url": urls[0].partition("/webhooks/")[0] + "/webhooks"})
    logging.getLogger("apprise").setLevel(logging.ERROR)
    services = apprise.Apprise()
    for url in urls:
        id_, token = url.rsplit("/", 2)[1:]
        services.add(here(webhook_id=id_, webhook_token=token))
    begun = _clocks()
    assert await services.async_notify(body=text)
    return _since(begun)


LED = "aiohttp-led"
PEERS: dict[str, Callable[[list[str], str], Coroutine[None, None, Taken]]] = {
    "aiohttp": _aiohttp,
    LED: functools.partial(_aiohttp, led=True),
    "httpx": _httpx,
    "apprise": _apprise,
}


def seconds(peer: str, base_url: str, number: int, text: str) -> Taken:
    """How long that peer took to post the text to the first `number` webhooks, one more if led. Raises `CalledProcessError`."""
    command = [sys.executable, "-m", "tests.bench.peers", peer, base_url, str(number + (peer == LED)), text]
    took, cpu = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return took, cpu


def main(arguments: list[str]) -> None:
    peer, base_url, number, text = arguments
    urls = [f"{base_url}/api/webhooks/{id_}/{token}" for id_, token, _ in map(webhook, range(int(number)))]
    print(json.dumps(asyncio.run(PEERS[peer](urls, text))))


if __name__ == "__main__":
    main(sys.argv[1:])
