"""The stand-ins in this event loop, and the platforms' own client libraries pointed at them, unmodified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import praw
import pytest
from tweepy.asynchronous import AsyncClient

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running, start_in_process
from tests.rehearsal.clients import OnePost, tweepy_client


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with start_in_process() as started:
        yield started


@pytest.fixture
async def x(running: Running) -> AsyncIterator[AsyncClient]:
    async with tweepy_client(running.urls["x"]) as client:
        yield client


@pytest.fixture
async def web(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who is not logged in."""
    async with aiohttp.ClientSession(headers={"User-Agent": "Mozilla/5.0 (tests)"}) as session:
        yield session


@pytest.fixture
def reddit(running: Running) -> Iterator[praw.Reddit]:
    """Call it in a thread: praw blocks."""
    ours = accounts.REDDIT
    base = running.urls["reddit"]
    with praw.Reddit(
        client_id=ours["client_id"],
        client_secret=ours["client_secret"],
        username=ours["username"],
        password=ours["password"],
        user_agent="test:tocsin:1 (by /u/tocsin_drill)",
        reddit_url=base,
        oauth_url=base,
        check_for_updates=False,
        check_for_async=False,
        requestor_class=OnePost,
    ) as client:
        yield client
