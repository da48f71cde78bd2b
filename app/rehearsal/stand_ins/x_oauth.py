"""Verifies OAuth 1.0a (HMAC-SHA1) signatures, written from RFC 5849 and not from the library that signs them.

Rules kept here: the signature covers method, URL and query under one of X's own hosts, never the JSON body; a timestamp is good
for 300 s either way; a nonce is good once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote

HOSTS = ("https://api.twitter.com", "https://api.x.com")
WINDOW = 300.0
_PAIR = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*')


def parse(header: str) -> dict[str, str]:
    """The parameters of an `Authorization: OAuth …` header, decoded; empty when it is none."""
    scheme, _, rest = header.partition(" ")
    if scheme != "OAuth":
        return {}
    pairs = [_PAIR.fullmatch(part) for part in rest.split(",")]
    return {unquote(pair[1]): unquote(pair[2]) for pair in pairs if pair}


def signature(method: str, url: str, parameters: Iterable[tuple[str, str]], consumer_secret: str, token_secret: str) -> str:
    """Base64 HMAC-SHA1 over the base string of RFC 5849, 3.4.1; `url` without its query."""
    normal = "&".join(f"{key}={value}" for key, value in sorted((_escape(key), _escape(value)) for key, value in parameters))
    base = "&".join([method.upper(), _escape(url), _escape(normal)])
    key = f"{_escape(consumer_secret)}&{_escape(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha1)).decode()


class Verifier:
    """Remembers the nonces that it has seen."""

    def __init__(self, consumer_key: str, consumer_secret: str) -> None:
        self._key, self._secret = consumer_key, consumer_secret
        self._seen: dict[tuple[str, str], float] = {}

    def verified(self, method: str, path: str, query: str, oauth: dict[str, str], token_secret: str) -> bool:
        """Whether the request is signed by the holder of both secrets, now, and for the first time."""
        if oauth.get("oauth_signature_method") != "HMAC-SHA1" or oauth.get("oauth_consumer_key") != self._key:
            return False
        if oauth.get("oauth_version", "1.0") != "1.0" or not oauth.get("oauth_timestamp", "").isdigit():
            return False
        if abs(time.time() - int(oauth["oauth_timestamp"])) > WINDOW:
            return False
        given = oauth.get("oauth_signature", "")
        signed = [(key, value) for key, value in oauth.items() if key not in {"oauth_signature", "realm"}]
        signed += parse_qsl(query, keep_blank_values=True)
        right = (signature(method, host + path, signed, self._secret, token_secret) for host in HOSTS)
        return any(hmac.compare_digest(one, given) for one in right) and self._first(oauth)

    def _first(self, oauth: dict[str, str]) -> bool:
        now = time.time()
        self._seen = {key: until for key, until in self._seen.items() if until > now}
        key = (oauth.get("oauth_token", ""), oauth.get("oauth_nonce", ""))
        if not key[1] or key in self._seen:
            return False
        self._seen[key] = now + 2 * WINDOW
        return True


def _escape(text: str) -> str:
    return quote(text, safe="~")
