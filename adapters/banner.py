"""The banner that the company's homepage embeds; Tocsin serves it itself, from manifests whose signatures verify.

Rules kept here: publishing sends nothing, since what the banner shows follows from the signed manifest alone; reading asks the
public endpoint as any reader would. The endpoint itself lies in the application.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar

from adapters.contract import (
    PERMALINK_SLOT,
    Config,
    Field,
    Identity,
    Limits,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rendering,
    Role,
    Unsupported,
)
from adapters.http import Door, decoded

ALWAYS = 10 * 365 * 86_400.0  # seconds: the key is the banner's own and nothing forgets it
_ORIGIN = re.compile(r"https?://[^/?#@\s]+")


class BannerAdapter:
    """One banner at `base_url`, Tocsin's own public address, which is its account too."""

    platform: ClassVar[str] = "banner"
    fields: ClassVar[tuple[Field, ...]] = ()
    limits: ClassVar[Limits] = Limits(
        unit="characters (code points)",
        max_length=1000,
        max_parts=1,
        reconcile=Reconcile.KEY,
        public=True,
        readable=True,
        replies=False,
        key_lasts=ALWAYS,
        sends=False,
        links_names=False,
    )

    def __init__(self, config: Config) -> None:
        """Raises `ValueError` where base_url is no origin or the role is another one: a banner holds no lasting permalink."""
        self._base = config.base_url.rstrip("/")
        if not _ORIGIN.fullmatch(self._base):
            raise ValueError(f"{config.id}: base_url must be Tocsin's own public address, such as https://alerts.company.example.")
        if config.role is not Role.BANNER:
            raise ValueError(f"{config.id}: role must be banner.")
        self._account = config.account
        self._door = Door("The banner", self._base)

    def render(self, message: Message) -> Rendering:
        """The text as one part. The pages that show it escape it and make nothing of it, so nothing needs neutralising."""
        text = re.sub(r"\r\n?", "\n", message.text).strip()
        length = len(text.replace(PERMALINK_SLOT, " " * message.permalink_room))
        if not text or length > self.limits.max_length:
            raise Unsupported(f"The banner takes 1 to {self.limits.max_length} characters; this text has {length}.")
        if re.search(r"[\ud800-\udfff]", text):
            raise Unsupported("The text holds half a character (a lone surrogate), which no page can show.")
        return Rendering((Part(text),))

    def owns(self, permalink: str) -> bool:
        return permalink == self._permalink

    async def check(self) -> Identity:
        """Asks the public endpoint. Raises `NeedsOperator` where something else answers there, `NotSent` where nothing does."""
        if self._account.rstrip("/") != self._base:
            raise NeedsOperator(f"The banner is bound to the account {self._account}, but base_url is {self._base}; they must be equal.")
        try:
            await self._shown()
        except OutcomeUnknown as error:
            raise NotSent(f"The banner could not be asked: {error}") from error
        return Identity(self._account, "banner")

    async def connect(self) -> None:
        """A banner is posted by no request."""

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """No request: the same key is the same banner, as often as it is asked."""
        return Receipt(key, self._permalink)

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        raise Unsupported("There is nothing to look for: publishing the banner again is harmless.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        """Compares with what `/banner.json` says now. Raises `OutcomeUnknown` where it cannot be asked or answers something else."""
        try:
            shown = await self._shown()
        except NeedsOperator as error:
            raise OutcomeUnknown(str(error)) from error
        if not shown["active"]:
            return ReadBack("missing", "The banner shows nothing.")
        if shown["text"] != part.text:
            return ReadBack("altered", "The banner shows other words.")
        return ReadBack("seen")

    async def finish(self, receipt: Receipt) -> str:
        return ""

    async def aclose(self) -> None:
        await self._door.aclose()

    @property
    def _permalink(self) -> str:
        return f"{self._base}/banner.html"

    async def _shown(self) -> dict[str, Any]:
        """`/banner.json`: at least `active` (a bool) and, if active, `text` (a str)."""
        answer = await self._door.look(f"{self._base}/banner.json", headers={"Cache-Control": "no-cache"})
        if answer.status >= 500 or answer.status == 429:
            raise OutcomeUnknown(f"The banner's address answered {answer.status}.", answer.status)
        if answer.status != 200:
            raise NeedsOperator(f"No banner is served at {self._base}/banner.json: it answered {answer.status}.")
        shown = decoded(answer.body)
        if not isinstance(shown, dict) or not isinstance(shown.get("active"), bool):
            raise NeedsOperator(f"What {self._base}/banner.json answers is no banner.")
        if shown["active"] and not isinstance(shown.get("text"), str):
            raise NeedsOperator(f"What {self._base}/banner.json answers is no banner.")
        return shown
