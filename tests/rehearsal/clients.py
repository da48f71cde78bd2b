"""tweepy and praw as they come, sent to the stand-ins by the ways that each of them offers for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import prawcore
import requests
from tweepy.asynchronous import AsyncClient
from yarl import URL

from app.rehearsal.stand_ins import accounts


@asynccontextmanager
async def tweepy_client(base: str, account: int = 0, **secrets: str) -> AsyncIterator[AsyncClient]:
    """Signs over https://api.twitter.com as ever; only the connection goes to `base`. `secrets` replace the right ones."""

    async def elsewhere(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.url = URL(base + request.url.raw_path_qs, encoded=True)
        return await handler(request)

    ours = accounts.X["accounts"][account]
    right = {name: accounts.X[name] for name in ("consumer_key", "consumer_secret")}
    right |= {name: ours[name] for name in ("access_token", "access_token_secret")}
    client = AsyncClient(**(right | secrets), return_type=dict)
    async with aiohttp.ClientSession(middlewares=(elsewhere,)) as session:
        client.session = session
        yield client


class Lost(Exception):
    """A request whose answer never came."""


class OnePost(prawcore.Requestor):
    """As measured: raises on a failed POST what prawcore does not know, so that it is not repeated."""

    def request(self, *args: Any, timeout: float | None = None, **wanted: Any) -> requests.Response:
        try:
            return super().request(*args, timeout=5.0, **wanted)
        except prawcore.RequestException as error:
            raise Lost(str(error)) from error
