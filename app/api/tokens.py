"""Machine tokens: a name, what it may do, and until when. Configured are their hashes, so who reads the configuration holds none.

An entry is `name:sha256:<64 hexadecimal digits>:<scopes>:<last day>`, as `tocsin token` writes it; entries stand on lines of their own or
between commas. Two may have one name, so that a token is replaced while the one before still works. In a drill the token itself may stand
there (`name:token`): it opens nothing but the drill, and does both things as long as that lasts. A token that `tocsin token` makes is 256
random bits, so that its plain SHA-256 gives nothing away. Where tokens are asked for lies in `app.api.access`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

MIN_TOKEN = 32
AT_ONCE = 2
"""Tokens of one name: the new one, and the one that it replaces."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_HASHED = re.compile(r"sha256:(?P<digest>[0-9a-f]{64}):(?P<scopes>[a-z]+(?:\+[a-z]+)*):(?P<last_day>\d{4}-\d\d-\d\d)")
_FORM = "name:sha256:<64 hexadecimal digits>:announce+read:<last day, like 2030-12-31>"


class Scope(StrEnum):
    """What a machine token may do. None lets it approve: it can only carry what a person signed."""

    ANNOUNCE = "announce"  # submit, and act on what was submitted
    READ = "read"  # see everything, and carry a signed decision


@dataclass(frozen=True, slots=True)
class Token:
    """One configured token; `last_day` is the last one (in UTC) on which it works, None for one of a drill."""

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    last_day: date | None = None

    @property
    def entry(self) -> str:
        """The entry to configure."""
        return f"{self.name}:sha256:{self.digest.hex()}:{'+'.join(sorted(self.scopes))}:{self.last_day}"

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.last_day is not None and self.last_day < today


class Tokens:
    """All configured tokens. Raises ValueError, which tells every wrong entry by its number and holds no token."""

    def __init__(self, listed: str, *, drill: bool = False) -> None:
        problems: list[str] = []
        known: list[Token] = []
        for at, entry in enumerate(filter(None, map(str.strip, re.split(r"[,\n]", listed))), 1):
            try:
                known.append(_token(entry, drill))
            except ValueError as error:
                problems.append(f"entry {at}: {error}")
        names = Counter(token.name for token in known)
        problems += [f"{name} has more than {AT_ONCE} tokens; remove the oldest" for name, count in names.items() if count > AT_ONCE]
        if len({token.digest for token in known}) < len(known):
            problems.append("one token stands there twice; make each its own")
        if problems:
            raise ValueError(f"TOCSIN_API_TOKENS: {'. '.join(problems)}.")
        self._known = tuple(known)

    def find(self, presented: str) -> Token | None:
        """The token that this is, expired or not; all are compared, in constant time each."""
        digest = _digest(presented)
        found = [token for token in self._known if hmac.compare_digest(token.digest, digest)]
        return found[0] if found else None

    def ending(self, day: date) -> tuple[Token, ...]:
        """Those whose last day is not after this one."""
        return tuple(token for token in self._known if token.last_day is not None and token.last_day <= day)


def make(name: str, scopes: Iterable[Scope], last_day: date) -> tuple[str, Token]:
    """A new token as its holder needs it, told this once, and as it is configured. Raises ValueError for a name of another form."""
    made = f"tocsin_{secrets.token_urlsafe(32)}"
    return made, Token(_named(name), _digest(made), frozenset(scopes), last_day)


def today() -> date:
    """By the real clock, in UTC: moving a drill's clock locks nobody out."""
    return datetime.now(UTC).date()


def _token(entry: str, drill: bool) -> Token:
    name, _, rest = entry.partition(":")
    if rest.startswith("sha256:"):
        return _hashed(_named(name), rest)
    if not rest or len(rest) < MIN_TOKEN:
        raise ValueError(f"write {_FORM}, as `tocsin token` prints it; in a drill also name:token, the token with at least 32 characters")
    if not drill:
        raise ValueError("outside of a drill no token stands here itself, only its hash: `tocsin token` makes one and prints its entry")
    return Token(_named(name), _digest(rest), frozenset(Scope))


def _hashed(name: str, rest: str) -> Token:
    found = _HASHED.fullmatch(rest)
    scopes = found["scopes"].split("+") if found else []
    if found is None or not set(scopes) <= set(Scope):
        raise ValueError(f"it begins as a hash does and is not of the form {_FORM}")
    return Token(name, bytes.fromhex(found["digest"]), frozenset(map(Scope, scopes)), date.fromisoformat(found["last_day"]))


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name is 1 to 64 letters, digits, dots, hyphens and underscores")
    return name


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
