"""Discord through a bot: one channel of one guild. What it shares with the webhook lies in `wire.py`.

Rules kept here: every try of a part carries the same nonce with `enforce_nonce`, so Discord itself posts it once within "the past
few minutes", of which `limits.key_lasts` trusts one. After that it is looked for (`limits.reconcile` is LOOKUP), as the channel's
history lasts. Without READ_MESSAGE_HISTORY Discord shows an empty list and no error, so an empty list is believed only once the
bot is seen to have that right. Nobody reads Discord without logging in: it is never a primary, and `read` looks as the bot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from adapters.contract import (
    AdapterError,
    Config,
    Field,
    Identity,
    Limits,
    Message,
    NeedsOperator,
    OutcomeUnknown,
    Pace,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rendering,
    WrongAccount,
)
from adapters.discord import wire
from adapters.text import quoted

EPOCH_MS = 1420070400000  # doc `reference.mdx`, Snowflakes
PAGE, PAGES = 100, 20
KEY_LASTS = 60.0  # seconds, of "the past few minutes" (doc `message.mdx`): the least that the words allow
ANNOUNCEMENTS, ALREADY_CROSSPOSTED = 5, 40033  # a channel's type; an error's code


class DiscordAdapter:
    """`account` is the bot's user id."""

    platform: ClassVar[str] = "discord"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("guild", "id of the server"),
        Field("channel", "id of the channel"),
        Field("token", "the bot's token", secret=True),
        Field("crosspost", "true to publish each post to the channels that follow this announcement channel", False, False, "false"),
    )

    def __init__(self, config: Config) -> None:
        """Raises `ValueError`, naming the setting."""
        self._guild, self._channel = config.fields.get("guild", ""), config.fields.get("channel", "")
        self._account, crosspost = config.account, config.fields.get("crosspost", "false")
        for name, value in (("guild", self._guild), ("channel", self._channel), ("account", self._account)):
            if not wire.is_id(value):
                raise ValueError(f"{config.id}: {name} must be an id of Discord, a number of some 18 digits.")
        token = config.secrets["token"].get_secret_value().strip()
        if not token.isascii() or not token.isprintable() or not token or " " in token:
            raise ValueError(f"{config.id}: token must be a bot's token.")
        if crosspost not in {"true", "false"}:
            raise ValueError(f"{config.id}: crosspost must be true or false.")
        self._crosspost = crosspost == "true"
        self._messages = f"/channels/{self._channel}/messages"
        self._web = wire.web_of(config.base_url, self._guild, self._channel)
        self._wire = wire.Wire(config.base_url, token, {"Authorization": f"Bot {token}"})

    @cached_property
    def limits(self) -> Limits:
        """`settle` is a guess: how soon a post shows in the list has no source. What a channel takes Discord tells in headers only."""
        return Limits(
            unit=wire.UNIT,
            max_length=wire.MAX_LENGTH,
            max_parts=wire.MAX_PARTS,
            reconcile=Reconcile.LOOKUP,
            public=False,
            readable=True,
            settle=5.0,
            edit=True,
            pin=True,
            key_lasts=KEY_LASTS,
            paces=(Pace(f"discord:{self._account}", 50, 1.0),),
            links_names=False,
        )

    def render(self, message: Message) -> Rendering:
        return wire.render(message)

    def owns(self, permalink: str) -> bool:
        return wire.owned(permalink, self._web)

    async def check(self) -> Identity:
        """Whether the bot may post shows with the first post only: no answer says which permissions it has."""
        me = wire.object_of(await self._wire.ask("/users/@me"))
        if me.get("id") != self._account:
            raise WrongAccount(f"The token is of the bot {quoted(me.get('id'))}, not {self._account} as approved: correct one of them.")
        channel = wire.object_of(await self._wire.ask(f"/channels/{self._channel}"))
        if channel.get("guild_id") != self._guild:
            raise NeedsOperator(f"The channel {self._channel} is not in the server {self._guild}: correct channel or guild.")
        last = channel.get("last_message_id")
        if wire.is_id(last) and (await self._wire.ask(f"{self._messages}/{last}")).status == 403:
            raise NeedsOperator("The bot cannot read the channel's history: give it the permission Read Message History.")
        notes = ("cannot crosspost: this is no announcement channel",) if self._crosspost and channel.get("type") != ANNOUNCEMENTS else ()
        return Identity(self._account, f"{me.get('username')} in #{channel.get('name')}", notes)

    async def connect(self) -> None:
        await self._wire.connect()

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        """A reply whose parent is gone goes out as a plain message (`fail_if_not_exists`): each part makes sense alone."""
        body: dict[str, Any] = {"content": part.text, "nonce": key, "enforce_nonce": True, **wire.QUIET}
        if reply_to and (parent := wire.message_id(reply_to, self._web)):
            body["message_reference"] = {"message_id": parent, "fail_if_not_exists": False}
        return wire.receipt_of(await self._wire.call("POST", self._messages, body), self._channel, self._account, self._web)

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        """Pages upwards from `since`: with `after`, Discord gives the messages that came next, newest first.

        The one with our nonce, else the newest with our text.
        """
        after, found = max(int(since.timestamp() * 1000) - EPOCH_MS, 0) << 22, None
        for number in range(PAGES):
            page = await self._page(after)
            for said in page:
                if self._is_ours(said, part, key, since):
                    found = Receipt(said["id"], self._web + said["id"])
                    if said.get("nonce") == key:
                        return found
            if number == 0 and not page:
                await self._believe_empty(after)
            if len(page) < PAGE:
                return found
            after = int(page[-1]["id"])
        if found:
            return found
        raise OutcomeUnknown(f"More than {PAGE * PAGES} messages came since then: look at the channel for the message.")

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        message = wire.message_id(receipt, self._web)
        if message is None:
            return ReadBack("not_possible", "There is neither an id nor a permalink to look at.")
        return wire.compared(await self._wire.look(f"{self._messages}/{message}"), part, self._account, "the bot")

    async def finish(self, receipt: Receipt) -> str:
        message = wire.message_id(receipt, self._web)
        if not self._crosspost or message is None:
            return ""
        try:
            answer = await self._wire.call("POST", f"{self._messages}/{message}/crosspost")
        except AdapterError as error:
            return f"The post is out but not crossposted: {error}"
        done = answer.status == 200 or answer.code == ALREADY_CROSSPOSTED
        return "" if done else f"The post is out but not crossposted: {wire.refusal(answer)}"

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _page(self, after: int) -> list[dict[str, Any]]:
        """Up to 100 messages that came next, oldest first. Raises `OutcomeUnknown`."""
        answer = await self._wire.look(f"{self._messages}?after={after}&limit={PAGE}")
        page = answer.said if answer.status == 200 and isinstance(answer.said, list) else [None]
        if not all(isinstance(said, dict) and wire.is_id(said.get("id")) for said in page):
            raise OutcomeUnknown(f"Discord did not list the messages (status {answer.status}): look at the channel for the message.")
        return sorted(page, key=lambda said: int(said["id"]))

    async def _believe_empty(self, after: int) -> None:
        """Raises `OutcomeUnknown` where the channel may hold messages since `after` that the bot was not shown."""
        channel = await self._wire.look(f"/channels/{self._channel}")
        last = channel.said.get("last_message_id", "") if channel.status == 200 and isinstance(channel.said, dict) else ""
        if last is None:
            return
        shown = await self._wire.look(f"{self._messages}/{last}") if wire.is_id(last) else channel
        deleted = shown.status == 404 and shown.code == wire.UNKNOWN_MESSAGE
        if not deleted and not (shown.status == 200 and wire.is_id(last) and int(last) <= after):
            raise OutcomeUnknown("Discord shows the bot no messages: give it the permission Read Message History, or look yourself.")

    def _is_ours(self, said: Mapping[str, Any], part: Part, key: str, since: datetime) -> bool:
        """Ours by the nonce where Discord tells one, else by the text; white space aside, as Discord trims it."""
        try:
            recent = datetime.fromisoformat(str(said.get("timestamp"))) >= since
        except (TypeError, ValueError):
            recent = True  # its id says so already
        nonce = said.get("nonce")
        same = nonce == key if nonce else str(said.get("content")).split() == part.text.split()
        return same and recent and wire.author_of(said) == self._account
