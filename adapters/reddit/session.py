"""The sessions of requests that praw goes out through: no cookie kept, nothing taken from the environment, no private network.

Rules kept here: a name that leads into a private network gets no byte, unless the operator wrote it (`adapters.guard`). When a session
is used, and what its failures mean, lies in `wire.py`.
"""

from __future__ import annotations

import socket
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from adapters import guard


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _in_public(self, super()._new_conn())


class _Encrypted(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _in_public(self, super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Guarded(HTTPAdapter):
    """Connections to the public internet alone (`adapters.guard`)."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


def _in_public(connection: HTTPConnection, made: socket.socket) -> socket.socket:
    """Gives up a connection that the name led into a private network, before a byte is sent over it."""
    try:
        guard.literal(made.getpeername()[0], "")
    except guard.Private as error:
        made.close()
        raise NewConnectionError(connection, str(error)) from error
    return made


def session(*, named: bool) -> requests.Session:
    """A session of its own; where the operator has not `named` the hosts, they must lie in the public internet."""
    made = requests.Session()
    if not named:
        for scheme in ("http://", "https://"):
            made.mount(scheme, _Guarded())
    made.trust_env = False  # no .netrc that replaces the token
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return made
