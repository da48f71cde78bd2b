"""A destination without an API: a person copies the approved text, posts it and gives the URL back.

Rules kept here: nothing is ever sent by machine; the URL that a person gives counts only if it lies under the account's own
prefix on the configured site, character for character. The text that is shown for copying is the stored rendering.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from adapters.contract import (
    PERMALINK_SLOT,
    Config,
    Field,
    Identity,
    Limits,
    Message,
    NeedsPerson,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rendering,
    Unsupported,
)
from adapters.text import neutralise_mentions

CEILING = 100_000
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
_PREFIX = re.compile(r"/[\w.~@%+=/-]*[/_=-]", re.ASCII)
_REST = re.compile(r"[\w.~@%+:,=-]+(/[\w.~@%+:,=-]+)*/?", re.ASCII)
_MISLEADING = re.compile(r"//|(^|/)\.{1,2}(/|$)|%(2e|2f|5c|00)", re.IGNORECASE)


class ManualAdapter:
    """Posted by hand; `publish` always raises `NeedsPerson`."""

    platform: ClassVar[str] = "manual"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("site", "host of the platform, as in a post's URL: www.social.example"),
        Field("path_prefix", "how the path of each of the account's posts begins, up to a separator: /posts/our-company_"),
        Field("name", "what people call this place", required=False),
        Field("max_length", "the longest text the platform takes, in characters", required=False, default=str(CEILING)),
        Field("public", "true if everyone can read a post without logging in", required=False, default="false"),
    )

    def __init__(self, config: Config) -> None:
        """Raises `ValueError`, naming the field, for a site, prefix, length or switch that cannot be right."""
        given = {field.name: config.fields.get(field.name) or field.default for field in self.fields}
        if not _HOST.fullmatch(given["site"]):
            raise ValueError(f"{config.id}: site must be a bare host name in lower case, such as www.social.example.")
        if not _PREFIX.fullmatch(given["path_prefix"]) or _MISLEADING.search(given["path_prefix"]):
            raise ValueError(f"{config.id}: path_prefix must begin with / and end with one of / _ = -, so that it names one account only.")
        if not given["max_length"].isascii() or not given["max_length"].isdigit() or not 0 < int(given["max_length"]) <= CEILING:
            raise ValueError(f"{config.id}: max_length must be a number from 1 to {CEILING}.")
        if given["public"] not in {"true", "false"}:
            raise ValueError(f"{config.id}: public must be true or false.")
        self._account, self._name = config.account, given["name"] or given["site"]
        self._prefix = (config.base_url.rstrip("/") or f"https://{given['site']}") + given["path_prefix"]
        self.limits = Limits(
            unit="characters (code points)",
            max_length=int(given["max_length"]),
            max_parts=1,
            reconcile=Reconcile.NOBODY,
            public=given["public"] == "true",
            readable=False,
            replies=False,
            sends=False,
        )

    def render(self, message: Message) -> Rendering:
        """The text as one part; names that most platforms would ping get a space after their `@`, `#` or `$`."""
        text = re.sub(r"\r\n?", "\n", message.text).strip()
        text = neutralise_mentions(text) if len(text) <= self.limits.max_length else text
        length = len(text.replace(PERMALINK_SLOT, " " * message.permalink_room))
        if not text or length > self.limits.max_length:
            raise Unsupported(f"{self._name} takes 1 to {self.limits.max_length} characters; this text has {length}.")
        if re.search(r"[\ud800-\udfff]", text):
            raise Unsupported("The text holds half a character (a lone surrogate), which cannot be copied.")
        return Rendering((Part(text),))

    def owns(self, permalink: str) -> bool:
        """Compared as a string from the first character on, so no parser can be talked into another host, port or user."""
        rest = permalink.removeprefix(self._prefix)
        return (
            permalink.startswith(self._prefix)
            and len(permalink) <= 2000
            and _REST.fullmatch(rest) is not None
            and _MISLEADING.search(rest) is None
        )

    async def check(self) -> Identity:
        return Identity(self._account, self._name, ("posted by hand: nobody has proved whose account it is",))

    async def connect(self) -> None:
        """A person posts it."""

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        raise NeedsPerson(
            f"Post this text by hand on {self._name}. Then give the post's URL, which has to begin with {self._prefix} "
            "and goes without anything from ? or # on."
        )

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        raise Unsupported(f"Nothing can look for a post on {self._name}; a person has to.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        return ReadBack("not_possible", f"A person has to look at {self._name}.")

    async def finish(self, receipt: Receipt) -> str:
        return ""

    async def aclose(self) -> None:
        """Holds nothing open."""
