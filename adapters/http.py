"""The one way out for adapters that speak HTTP themselves: the httpx API on aiohttp's transport, one client an account.

Keeps two rules that prevent a double post: a failed connection is `NotSent`, everything else that goes wrong under way is
`OutcomeUnknown`; and nothing here ever repeats a request. What a status code means lies in each platform's file.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from adapters.contract import NotSent, OutcomeUnknown

TOTAL_TIMEOUT = 20.0
MAX_ANSWER = 4 * 1024 * 1024
USER_AGENT = "Tocsin/0.1"


_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def transport() -> AiohttpTransport:
    """A transport of its own: unbounded pool, no cookies (the shared jar would leak them between accounts).

    The context is given since the transport would load the system's certificates into one of its own, for a tenth of a second, and
    then not use it: aiohttp's connector checks certificates.
    """
    return AiohttpTransport(
        verify=_UNUSED, client=lambda: aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))
    )


def client(base_url: str, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client for one account on one host. Follows no redirect, so credentials never travel to another host."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers={"User-Agent": USER_AGENT} | (headers or {}),
        transport=transport(),
        timeout=TOTAL_TIMEOUT,
        follow_redirects=False,
    )


def never_left(error: BaseException | None) -> bool:
    """Whether the error proves that no byte of the request reached the platform.

    httpx-aiohttp reports "sent, then hung up" as `httpx.ConnectTimeout` too, so the cause decides, not the httpx class. Only
    `__cause__` is followed: a `__context__` may be the failure of an earlier try.
    """
    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return True
        error, seen = error.__cause__, seen + 1
    return False


@asynccontextmanager
async def under_way(platform: str, total: float = TOTAL_TIMEOUT) -> AsyncIterator[None]:
    """Wraps one request: bounds its whole time and names what went wrong on the way by what it means for the post."""
    try:
        async with asyncio.timeout(total):
            yield
    except TimeoutError as error:
        if never_left(error):
            raise NotSent(f"{platform} could not be reached within {total:g} s.") from error
        raise OutcomeUnknown(f"{platform} gave no answer within {total:g} s.") from error
    except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
        if never_left(error):
            raise NotSent(f"{platform} refused the connection.") from error
        raise OutcomeUnknown(f"The connection to {platform} broke before an answer came.") from error
