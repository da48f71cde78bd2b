"""What every adapter is and promises; the one file that the core and all adapters share.

Rules kept here: plain frozen dataclasses and a Protocol, standard library only. How a platform counts, what it accepts and
how its answers are read lies in that platform's own file; when a post may be tried again is decided by `app.domain.delivery`.

Errors are named by what has to happen next:

* `AdapterError`
  * `Unsupported` - this platform cannot carry that; the author edits or leaves the destination out
  * `Rejected` - the platform certainly refused the text; the author edits
  * `NeedsOperator` - credential, permission or account; the destination pauses until a person mends it
    * `WrongAccount` - the credentials open another account than the approved one; nothing may be posted with them
  * `NeedsPerson` - nothing is sent by machine here; a person posts by hand and gives the URL
  * `NotSent` - certainly not posted; the same post may be tried again, not before `retry_after`
  * `OutcomeUnknown` - perhaps posted; look before trying again. Whatever is not recognised is this one
    * `Duplicate` - refused, as the account has posted the same text before: an earlier attempt, or an older post
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

PERMALINK_SLOT = "{{permalink}}"
"""Stands in a rendering where the permalink of the primary's first part will be put; the only thing that is ever substituted."""

DRILL_MARK = "[DRILL] "
"""Begins every text of a drill; each part of a thread begins with it, so that none is taken for a real alert."""


class AdapterError(Exception):
    """Base of all that an adapter raises; the message is one sentence for the person on duty, free of secrets and URLs with tokens."""


class Unsupported(AdapterError):
    """The platform has no way to carry this; the author edits it or leaves the destination out."""


class Rejected(AdapterError):
    """The platform certainly refused these words; the author edits them."""


class NeedsOperator(AdapterError):
    """A credential, permission, payment or account is wrong; certainly not posted, and the destination pauses until it is mended."""


class WrongAccount(NeedsOperator):
    """The credentials work, and open another account than the destination is bound to; nothing may be posted with them."""


class NeedsPerson(AdapterError):
    """This destination is posted by hand: a person copies the text, posts it and gives the URL back."""


class NotSent(AdapterError):
    """Certainly not posted; may be tried again after `retry_after` seconds (None: the caller's own back-off)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(AdapterError):
    """Perhaps posted, perhaps not; `find` first, never just send again. `status` is the answer's, where one came (an answered 500)."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Duplicate(OutcomeUnknown):
    """The platform refuses the same text twice. If `find` shows no post of this delivery, an older one stands in the way: as `Rejected`."""


class Role(StrEnum):
    """What a destination is there for; see `docs/glossary.md`."""

    PRIMARY = "primary"
    POINTER = "pointer"
    BANNER = "banner"
    INTERNAL = "internal"
    PARTNER = "partner"


class Reconcile(StrEnum):
    """How an unknown outcome can be settled on a platform, for longer than a key may last."""

    KEY = "key"  # publishing again with the same key gives the first post back, for `Limits.key_lasts`
    LOOKUP = "lookup"  # `find` lists the account's own posts
    NOBODY = "nobody"  # neither: the approved `on_unknown` decides


@dataclass(frozen=True, slots=True)
class Pace:
    """At most so many posts in any so many seconds, over everything that shares the bucket: all destinations and workers.

    `bucket` names the account or credential that the platform counts by, `<platform>:<what>`, and holds no secret.
    """

    bucket: str
    posts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform can do, as shown in `docs/adapters.md`.

    A platform with both a key and a look-up declares LOOKUP and `key_lasts`: while the key is certain to last, publishing again
    under it settles an unknown outcome, afterwards a look does.
    """

    unit: str  # how length is counted, in words
    max_length: int  # of one part, in that unit
    max_parts: int  # 1: no threads
    reconcile: Reconcile
    public: bool  # a logged-out reader can read it; only such a platform can be primary
    readable: bool  # `read` can look; else read-back is `not_possible`
    replies: bool = True  # `reply_to` is honoured
    settle: float = 0.0  # seconds until a new post is sure to show in `find`
    edit: bool = False
    pin: bool = False
    key_lasts: float = 0.0  # seconds after its first use in which the same key gives the first post back; 0: no such key
    paces: tuple[Pace, ...] = ()  # what the platform publishes; what it tells in headers only comes as `retry_after` and `rest`
    at_once: int = 0  # requests that may be under way at the same time on one credential; 0: no limit
    sends: bool = True  # False: `publish` never makes a request, so a crash in the middle of it leaves nothing undecided
    permalinks: bool = True  # False: its posts have no URL, so a post that a person marks has none either
    links_names: bool = True  # it makes a link of a bare name, be it a file's (`setup.zip`); False: of URLs and `www.` alone, or nothing


class Secret(Protocol):
    """A secret that does not show itself (pydantic's SecretStr is one)."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a platform; secret ones come from the environment only, as `TOCSIN_<ID>_<NAME>`."""

    name: str
    help: str
    secret: bool = False
    required: bool = True
    default: str = ""
    blank: str = "none"  # in place of a secret where a process holds none: of the form that the adapter wants, opening nothing


@dataclass(frozen=True, slots=True)
class Config:
    """One destination as configured: `fields` and `secrets` hold just what the adapter's `fields` declare, defaults filled in."""

    id: str
    platform: str
    role: Role
    account: str  # the platform's immutable account id that this destination is bound to
    base_url: str = ""  # "" means the platform's own
    fields: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    language: str = ""  # that its readers speak (BCP 47); "" where it is not told


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said, untouched by any platform. `text` may hold one PERMALINK_SLOT; `permalink_room` is the length to keep for it."""

    text: str
    title: str
    permalink_room: int = 120
    drill: bool = False  # text and title begin with DRILL_MARK; each further part has to begin with it too


@dataclass(frozen=True, slots=True)
class Part:
    """One post. `title` where the platform has one; `standalone` goes out where a reply is refused (slot: part one's permalink)."""

    text: str
    title: str = ""
    standalone: str = ""

    def filled(self, permalink: str) -> Part:
        """The same part with the permalink in its slot."""
        return Part(
            self.text.replace(PERMALINK_SLOT, permalink),
            self.title,
            self.standalone.replace(PERMALINK_SLOT, permalink),
        )


@dataclass(frozen=True, slots=True)
class Rendering:
    """The exact parts a destination will receive, in order; what reviewers see and sign."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose account the credentials open: the platform's immutable id, its name now, and what is worth telling (scopes, expiry, quota)."""

    account: str
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came back from a post: enough to reply to it, to read it and to point to it. `permalink` is "" where there is none.

    `rest` is no part of which post it is: for so many seconds the platform wants no further post on this account.
    """

    remote_id: str
    permalink: str = ""
    rest: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How a logged-out reader sees a post; `detail` says what differs."""

    state: Literal["seen", "altered", "missing", "not_possible"]
    detail: str = ""


class Adapter(Protocol):
    """One configured destination on one platform. Built as `cls(config)`; opens connections lazily; closed by `aclose`."""

    platform: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]

    @property
    def limits(self) -> Limits: ...

    def render(self, message: Message) -> Rendering:
        """Pure. Splits by the platform's own count and neutralises mentions, markup and previews. Raises `Unsupported`."""
        ...

    def owns(self, permalink: str) -> bool:
        """Pure. Whether the URL is a post's permalink on this platform and this account."""
        ...

    async def check(self) -> Identity:
        """Proves the credentials and whose account it is, posting nothing. Raises `NeedsOperator`, `NotSent`."""
        ...

    async def connect(self) -> None:
        """Opens the connection that the next post will use, where one can be opened ahead. Sends nothing, raises nothing."""
        ...

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """One post, one request. `key` is 20 characters of [a-z2-7], the same at every try of this part. Raises any `AdapterError`."""
        ...

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        """The post with exactly this text on our account, not older than `since` (UTC); None: looked, and it is not there.

        Raises `Unsupported` where `limits.reconcile` is not LOOKUP, `OutcomeUnknown` where the look itself failed.
        """
        ...

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        """Looks at the post as a logged-out reader would. Raises `OutcomeUnknown` where the look itself failed."""
        ...

    async def finish(self, receipt: Receipt) -> str:
        """Configured extras after the post (pin, crosspost); safe to repeat. Returns what did not work, or ""."""
        ...

    async def aclose(self) -> None: ...
