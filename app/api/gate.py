"""Who is let in at all, before a body is read: requests to a host that is ours, and of each caller no more than a fair share.

A machine token has its own share; whoever has none shares with their address (of IPv6 the network, /64). What lies ready in memory
(banner, static files) may be asked for ten times as often, and `/healthz` always. A trusted proxy that names nobody is not counted, nor
is this machine: it may stand for everybody. Broadcasts do not come through here. Why each is so:
docs/decisions/0014-what-a-stranger-may-ask.md.
"""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import problem
from app.api.tokens import Tokens
from app.settings import Settings, words

BURST_SECONDS = 20
"""A share that was not used is kept for so long, and may then be used at once."""
READY_FACTOR = 10
MOST_CALLERS = 20_000

_READY = ("/banner.", "/feed.", "/static/")
_HOST = re.compile(r"(?:\[(?P<inner>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/?#@\s]+?)\.?)(?::\d{0,5})?")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Shares:
    """A token bucket for each caller; of too many callers the one that was silent longest is forgotten, so memory stays bounded."""

    def __init__(self, now: Callable[[], float] = time.monotonic, most: int = MOST_CALLERS) -> None:
        self._now, self._most = now, most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by caller: what was left, and when

    def take(self, caller: str, a_second: float) -> float:
        """Takes one request out of the caller's share: 0.0 where it had one, else the seconds until it has."""
        now, full = self._now(), a_second * BURST_SECONDS
        left, at = self._left.pop(caller, (full, now))
        left = min(full, left + (now - at) * a_second)
        wait = 0.0 if left >= 1 else (1 - left) / a_second
        self._left[caller] = (left if wait else left - 1, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait


class Gate:
    """Answers 421 to a request for another host, and 429 with `Retry-After` to one beyond its caller's share."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens, shares: Shares | None = None) -> None:
        self.app, self.tokens, self.shares = app, tokens, shares or Shares()
        self.hosts = {"localhost", urlsplit(settings.public_url).hostname or "localhost", *map(_plain, words(settings.trusted_hosts))}
        self.proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in words(settings.trusted_proxies)]
        self.token_rate, self.address_rate = settings.token_rate, settings.address_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if not self._ours(_header(scope, b"host")):
                detail = "Tocsin answers to the host of its public URL, to addresses, and to the names in TOCSIN_TRUSTED_HOSTS."
                await problem(421, "This host is not Tocsin's.", detail)(scope, receive, send)
                return
            if wait := self._wait(scope):
                seconds = str(math.ceil(wait))
                detail = f"Try again in {seconds} s; nothing was done."
                await problem(429, "Too many requests.", detail, headers={"Retry-After": seconds})(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _ours(self, named: list[str]) -> bool:
        """Whether the one Host of a request is ours. An address is: to point a browser elsewhere takes a name, and when names fail
        Tocsin is reached by its address."""
        if len(named) != 1:
            return False
        host = _plain(named[0])
        return host in self.hosts or _address(host) is not None

    def _wait(self, scope: Scope) -> float:
        """The seconds until this request may be made, 0.0 where it may now."""
        path = scope["path"]
        if path == "/healthz":
            return 0.0
        scheme, _, presented = " ".join(_header(scope, b"authorization")).partition(" ")
        token = self.tokens.find(presented.strip()) if scheme.lower() == "bearer" else None
        if token is not None:
            return self.shares.take(f"token {token.name}", self.token_rate)
        caller = self._caller(scope)
        if caller is None:
            return 0.0
        if path.startswith(_READY):
            return self.shares.take(f"ready {caller}", self.address_rate * READY_FACTOR)
        return self.shares.take(f"address {caller}", self.address_rate)

    def _caller(self, scope: Scope) -> str | None:
        """The network that a request comes from, behind the trusted proxies; None where that is no more than a proxy."""
        address = _address(scope["client"][0]) if scope.get("client") else None
        for told in reversed(",".join(_header(scope, b"x-forwarded-for")).split(",")):
            further = _address(told.strip())
            if address is None or further is None or not self._proxy(address):
                break
            address = further
        if address is None or self._proxy(address):
            return None
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((int(address), 64), strict=False))
        return str(address)

    def _proxy(self, address: _Address) -> bool:
        return address.is_loopback or any(address in network for network in self.proxies)


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for found, value in scope["headers"] if found == name]


def _plain(host: str) -> str:
    """A host in small letters, without its port, the brackets of IPv6 and the dot at its end; "" for what is none."""
    found = _HOST.fullmatch(host.strip().lower())
    return (found["inner"] or found["name"]) if found else ""


def _address(text: str) -> _Address | None:
    """The address that this is; one of IPv4 that is written in IPv6 is taken for what it is."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
