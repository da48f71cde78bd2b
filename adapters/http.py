"""The one way out over HTTP, shared by all adapters of the process: aiohttp itself, one request a call.

Rules kept here: a connection that never came about is `NotSent`, everything else that goes wrong under way is `OutcomeUnknown`;
no POST is ever repeated, no redirect followed, no cookie kept; an answer's time and size are bounded; errors keep no cause, as
aiohttp's quote the URL, which may be a secret. As nothing is kept from one request to the next, sharing leaks nothing between
accounts. Where connections lead and how old they are lies in `adapters.connector`, what a status means in each platform's file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from adapters import guard
from adapters.connector import Connector, within
from adapters.contract import AdapterError, NotSent, OutcomeUnknown

TOTAL_TIMEOUT = 20.0
MAX_ANSWER = 4 * 1024 * 1024
LONGEST_WAIT = 86_400.0
USER_AGENT = "Tocsin/0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, eq=False)
class _Shared:
    """The connections of one event loop and how many doors use them."""

    loop: asyncio.AbstractEventLoop
    session: aiohttp.ClientSession
    connector: Connector
    users: int = 0


_OPEN: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


class Door:
    """One adapter's way out to `platform`. Its first request opens it, or opens the shared connections if it is the first of all.

    The host of `base_url`, which the operator wrote, may lie in a private network; no other one may.
    """

    __slots__ = ("_named", "_platform", "_shared")

    def __init__(self, platform: str, base_url: str = "") -> None:
        self._platform, self._named = platform, (URL(base_url).raw_host or "") if base_url else ""
        self._shared: _Shared | None = None

    async def connect(self, url: str | URL) -> None:
        """Opens a connection for the next request to that host. Sends nothing and, where that fails, says nothing: the request will."""
        with contextlib.suppress(guard.Private, ValueError):  # of a URL that is none
            guard.literal(URL(url).raw_host or "", self._named)
            await self._entered().connector.open_ahead(URL(url))

    async def ask(self, method: str, url: str | URL, **what: Any) -> Answer:
        """One request, with aiohttp's `headers`, `params`, `json`, `data`. Raises `NotSent`, `OutcomeUnknown`, neither with a cause."""
        shared = self._entered()
        try:
            guard.literal(URL(url).raw_host or "", self._named)
            async with shared.session.request(method, url, allow_redirects=False, timeout=within(TOTAL_TIMEOUT), **what) as answer:
                return Answer(answer.status, answer.headers, await self._whole(answer.content))
        except Exception as error:
            own = self._meaning(error)
        own.__cause__ = own.__context__ = None
        raise own

    async def look(self, url: str | URL, **what: Any) -> Answer:
        """A GET for `find` and `read`. Raises `OutcomeUnknown` where nothing was seen."""
        try:
            return await self.ask("GET", url, **what)
        except NotSent as error:
            raise OutcomeUnknown(str(error)) from None

    async def aclose(self) -> None:
        """The last to leave closes the connections. May be called again, and the door used again."""
        shared, self._shared = self._shared, None
        if shared is None:
            return
        shared.users -= 1
        if not shared.users:
            del _OPEN[shared.loop]
            await shared.session.close()

    def _entered(self) -> _Shared:
        self._shared = self._shared or _entered(self._named)
        return self._shared

    async def _whole(self, content: aiohttp.StreamReader) -> bytes:
        body = bytearray()
        async for chunk in content.iter_any():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise OutcomeUnknown(f"{self._platform}'s answer was far too long.")
        return bytes(body)

    def _meaning(self, error: Exception) -> AdapterError:
        if isinstance(error, AdapterError):
            return error
        if isinstance(error, guard.Private) or isinstance(getattr(error, "os_error", None), guard.Private):
            return NotSent(f"{self._platform}'s name leads into a private network: look at this machine's name server. Nothing was sent.")
        if isinstance(error, aiohttp.ClientSSLError):
            return NotSent(f"No trusted encryption with {self._platform}: look at its certificate and at this machine's clock.")
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):  # no byte of the request has left
            return NotSent(f"{self._platform} could not be reached.")
        if isinstance(error, TimeoutError):
            return OutcomeUnknown(f"{self._platform} gave no answer within {TOTAL_TIMEOUT:g} s.")
        return OutcomeUnknown(f"The connection to {self._platform} broke before a whole answer came.")


def _entered(named: str) -> _Shared:
    loop = asyncio.get_running_loop()
    if loop not in _OPEN:
        connector = Connector()
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )
        _OPEN[loop] = _Shared(loop, session, connector)
    _OPEN[loop].users += 1
    _OPEN[loop].connector.named.add(named)
    return _OPEN[loop]


def decoded(body: bytes) -> Any:
    """The JSON value, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def dig(value: object, *keys: str | int) -> object:
    """What lies under the keys and indices of a JSON value, None where something on the way is not there."""
    for key in keys:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and len(value) > key else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


def seconds(*said: object) -> float | None:
    """The first of them that is a number of seconds or, as a `Retry-After` may be, an HTTP date to come; at most a day."""
    for one in map(str, said):
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,20})?", one, re.ASCII):
            return min(float(one), LONGEST_WAIT)
        if one.endswith(" GMT") and (wait := _till(one)) is not None:
            return wait
    return None


def until(unix: object) -> float | None:
    """Seconds until a time in Unix seconds, at least one, at most a day; None where it is no such time."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,20})?", str(unix), re.ASCII):
        return None
    return min(max(float(str(unix)) - time.time(), 1.0), LONGEST_WAIT)


def _till(date: str) -> float | None:
    try:
        return until(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None
