"""What every service works with, given by `app.bootstrap`; and how a service refuses."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.contract import Adapter, Config, Role
from app.domain.roster import Roster
from app.domain.roster_history import Trusted
from app.domain.templates.template import Template
from app.services.checkpoint import Checkpoints
from app.services.stamp import Stamp
from app.settings import Settings
from app.store.database import Database


class Refused(Exception):
    """A request that cannot be done: `title` says what is wrong, `detail` what to do; nothing was changed."""

    def __init__(self, status: int, title: str, detail: str = "", errors: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(f"{title} {detail}".strip())
        self.status, self.title, self.detail, self.errors = status, title, detail, errors


class Clock:
    """The time in UTC. A drill's clock can be moved, so that follow-ups need no real waiting."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """The time that all rules go by."""
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, slots=True)
class Destination:
    """A configured account and the adapter that speaks to it, and that alone holds its secrets.

    `fallback` orders the primaries to try after the first (0: none); `language` is what its readers speak, "" for that of the text.
    """

    id: str  # in `destinations.toml`
    platform: str
    role: Role
    account: str
    adapter: Adapter
    language: str = ""
    fallback: int = 0
    on_unknown: str = "ask"
    resend_after: int = 0

    @classmethod
    def of(cls, config: Config, adapter: Adapter, fallback: int = 0, on_unknown: str = "ask", resend_after: int = 0) -> Destination:
        """What is kept of a configuration once its adapter is made."""
        return cls(config.id, config.platform, config.role, config.account, adapter, config.language, fallback, on_unknown, resend_after)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An invitation to make a passkey; it gives no right, since only the roster's file makes anyone a reviewer."""

    person: str
    challenge: bytes
    expires_at: datetime


@dataclass(slots=True)
class Context:
    """The house as its services see it."""

    settings: Settings
    database: Database
    clock: Clock
    destinations: Mapping[str, Destination]
    read_roster: Callable[[], Roster]  # the roster in force
    post_mail: Callable[[str, str, str], Awaitable[None]] | None  # to, subject, text
    roster_problem: Callable[[], str] = str  # what is wrong with its files since, or ""
    roster_trusted: Callable[[], Trusted | None] = lambda: None  # the signed version in force; None in a drill that nobody signed
    templates: Mapping[str, Template] = field(default_factory=dict)  # by id
    works: bool = True  # whether a worker runs in this process, and its adapters hold their credentials
    enrolments: dict[str, Enrolment] = field(default_factory=dict, repr=False)  # by token; a restart forgets them
    checkpoints: Checkpoints | None = None  # of the record, where this process makes them
    wrong_accounts: dict[str, str] = field(default_factory=dict)  # by destination: what its check said, where it opened another account
    roster_recorded: str = ""  # the digest of the roster's version that is known to stand in the timeline
    runner: str = field(default_factory=lambda: new_id("wk", datetime.now(UTC)))  # this worker; one that was buried takes another
    stamp: Stamp | None = None  # over what homepages embed; None where no key for it is configured

    @property
    def now(self) -> datetime:
        """The time."""
        return self.clock.now()

    def with_role(self, role: Role) -> tuple[Destination, ...]:
        """All destinations of one role, in configured order."""
        return tuple(d for d in self.destinations.values() if d.role is role)


def new_id(prefix: str, now: datetime) -> str:
    """An id that sorts by time: prefix, milliseconds in base 32, 40 random bits."""
    return f"{prefix}_{_base32(int(now.timestamp() * 1000), 9)}{_base32(secrets.randbits(40), 8)}"


def seeded_id(prefix: str, seed: str) -> str:
    """The id that belongs to an idempotent request: `seed` begins with the time at which it was first made (ISO 8601)."""
    moment = datetime.fromisoformat(seed.split(" ", 1)[0])
    bits = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:5])
    return f"{prefix}_{_base32(int(moment.timestamp() * 1000), 9)}{_base32(bits, 8)}"


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(digits)))
