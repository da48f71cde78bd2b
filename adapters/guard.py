"""Which addresses a request may go to: those of the public internet, and a host that the operator names.

What a platform answers never says where a request goes: hosts are fixed in each adapter, and no redirect is followed. What is left is a
name that leads elsewhere, by a hijacked zone or a name server that lies (DNS rebinding): into a private network, to this machine, to a
cloud's metadata. Such an address is refused when it is looked up, and the connection goes to what was looked up then.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Private(OSError):
    """The name leads into a private network, and nobody named it; no connection was made."""


def is_public(address: str) -> bool:
    """Whether this is one machine on the public internet, also where an address of IPv4 is written in IPv6."""
    try:
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    return found.is_global and not found.is_multicast


def public(found: Sequence[T], address: Callable[[T], str]) -> list[T]:
    """Those that lead into the public internet. Raises `Private` where there is none, though some were found."""
    left = [one for one in found if is_public(address(one))]
    if found and not left:
        raise Private("It leads into a private network.")
    return left


def literal(host: str, named: str) -> None:
    """Raises `Private` for an address that is written in the URL itself and is not public; names are looked at when they are resolved."""
    if host != named and _is_private_literal(host):
        raise Private("It is an address in a private network.")


@functools.lru_cache(1024)
def _is_private_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def _plain(address: _Address) -> _Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        return inside or address
    return address
