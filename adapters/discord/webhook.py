"""Discord through a webhook: one channel, no bot. What it shares with the bot lies in `wire.py`.

Rules kept here: always `?wait=true`, as without it Discord confirms nothing; a webhook has no key, no list and no replies, so an
unknown outcome is for a person to settle and each part stands alone; a webhook that Discord calls unknown (404) is never called
again. The URL is the secret: only its id, which is the account, ever shows.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from adapters.contract import (
    Config,
    Field,
    Identity,
    Limits,
    Message,
    NeedsOperator,
    Pace,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rendering,
    Unsupported,
    WrongAccount,
)
from adapters.discord import wire
from adapters.text import quoted

_URL = re.compile(r"(?P<host>https?://[^/?#@\s]+)/api(?:/v[0-9]+)?/webhooks/(?P<id>[1-9][0-9]{0,19})/(?P<token>[A-Za-z0-9_-]+)/?")
_HOSTS = {f"https://{sub}{host}" for sub in ("", "ptb.", "canary.") for host in ("discord.com", "discordapp.com")}
_BY_ADDRESS = (Pace("discord:address", 50, 1.0),)
"""Discord counts requests without an Authorization header by address; another host would have rules of its own."""

GONE = "Discord no longer knows the webhook: make a new one in the channel's settings and set its URL and id."


class DiscordWebhookAdapter:
    """`account` is the webhook's id."""

    platform: ClassVar[str] = "discord_webhook"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("guild", "id of the server"),
        Field("channel", "id of the channel that the webhook posts to"),
        Field("url", "the webhook's URL, as Discord gives it to copy", secret=True, blank="https://discord.com/api/webhooks/1/none"),
    )

    __slots__ = ("_account", "_channel", "_gone", "_guild", "_id", "_path", "_web", "_wire", "limits")  # there may be ten thousand

    def __init__(self, config: Config) -> None:
        """Raises `ValueError`, naming the setting. With a `base_url` the host of the URL does not count."""
        self._guild, self._channel, self._account = config.fields.get("guild", ""), config.fields.get("channel", ""), config.account
        for name, value in (("guild", self._guild), ("channel", self._channel), ("account", self._account)):
            if not wire.is_id(value):
                raise ValueError(f"{config.id}: {name} must be an id of Discord, a number of some 18 digits.")
        url = _URL.fullmatch(config.secrets["url"].get_secret_value().strip())
        if url is None or (not config.base_url and url["host"] not in _HOSTS):
            raise ValueError(f"{config.id}: url must be a webhook's, https://discord.com/api/webhooks/, its id and its token.")
        self._id, self._path = url["id"], f"/webhooks/{url['id']}/{url['token']}"
        self._gone = False
        self._web = wire.web_of(config.base_url, self._guild, self._channel)
        self._wire = wire.Wire(config.base_url, url["token"])
        by_address = () if config.base_url else _BY_ADDRESS
        self.limits = Limits(
            unit=wire.UNIT,
            max_length=wire.MAX_LENGTH,
            max_parts=wire.MAX_PARTS,
            reconcile=Reconcile.NOBODY,
            public=False,
            readable=True,
            replies=False,
            edit=True,
            paces=(Pace(f"discord:webhook:{self._account}", 5, 2.0), Pace(f"discord:channel:{self._channel}", 30, 60.0), *by_address),
            links_names=False,
        )

    def render(self, message: Message) -> Rendering:
        return wire.render(message, numbered=True)

    def owns(self, permalink: str) -> bool:
        return wire.owned(permalink, self._web)

    async def check(self) -> Identity:
        self._must_be_usable()
        answer = await self._wire.ask(self._path)
        self._remember(answer)
        hook = wire.object_of(answer)
        if hook.get("id") != self._account:
            raise WrongAccount(f"The URL is of another webhook than {self._account}, as approved: correct url or account.")
        if (hook.get("guild_id"), hook.get("channel_id")) != (self._guild, self._channel):
            raise NeedsOperator("The webhook posts to another channel than is configured: correct guild and channel, or move the webhook.")
        return Identity(self._account, f"webhook {quoted(hook.get('name'), 80)}")

    async def connect(self) -> None:
        await self._wire.connect()

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        self._must_be_usable()
        answer = await self._wire.call("POST", f"{self._path}?wait=true", {"content": part.text, **wire.QUIET})
        self._remember(answer)
        return wire.receipt_of(answer, self._channel, self._account, self._web)

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        raise Unsupported("A Discord webhook cannot look for a message: a person has to look at the channel.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        message = wire.message_id(receipt, self._web)
        if message is None or self._gone:
            return ReadBack("not_possible", GONE if self._gone else "There is neither an id nor a permalink to look at.")
        answer = await self._wire.look(f"{self._path}/messages/{message}")
        self._remember(answer)
        return wire.compared(answer, part, self._account, "the webhook")

    async def finish(self, receipt: Receipt) -> str:
        return ""

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _must_be_usable(self) -> None:
        if self._id != self._account:
            raise NeedsOperator(f"The URL is of the webhook {self._id}, not {self._account} as approved: correct url or account.")
        if self._gone:
            raise NeedsOperator(GONE)

    def _remember(self, answer: wire.Answer) -> None:
        """Discord restricts whoever goes on calling a webhook after a 404 (doc `rate-limits.mdx`)."""
        self._gone = self._gone or (answer.status == 404 and answer.code not in {None, wire.UNKNOWN_MESSAGE})
