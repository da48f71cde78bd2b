"""The Telegram stand-in: the Bot API's few methods that an announcement needs, and the public page of a post.

Rules kept here: no method lists or finds messages, as the Bot API has none; errors carry the words and codes of
tdlib/telegram-bot-api (`ClientManager.cpp`, `Client.cpp`); messages are numbered per channel, from 2, as 1 is the channel's birth.
What the server makes of a text lies in `telegram_text.py`, how arguments and refusals look in `telegram_wire.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from aiohttp import web

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.pages import reader
from app.rehearsal.stand_ins.quota import Quota
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.telegram_text import embed, entities
from app.rehearsal.stand_ins.telegram_wire import PREFIXES, Arguments, arguments, failed, object_of, refuse, text_of, too_many
from app.rehearsal.stand_ins.wire import Answered, HttpStandIn

BOT = accounts.TELEGRAM
RIGHTS = [
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_post_messages",
    "can_edit_messages",
]
CHANNELS: dict[int, str] = {number: name for name, number in BOT["channels"].items()}
CHANNELS |= {BOT["pointer_id_base"] - n: f"{BOT['pointer_prefix']}{n:02d}" for n in range(100)}
IDS = {f"@{name}": number for number, name in CHANNELS.items()}
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
USER = {"id": BOT["bot_id"], "is_bot": True, "first_name": "Tocsin Drill", "username": BOT["bot_username"]}


@dataclass(slots=True)
class Channel:
    """A broadcast channel; `number` is the last message's."""

    id: int
    username: str
    number: int = 1
    pinned: str = ""

    def chat(self) -> dict[str, Any]:
        return {"id": self.id, "type": "channel", "title": self.username.replace("_", " ").title(), "username": self.username}


class TelegramStandIn(HttpStandIn):
    """`per_second`: what the bot may send over all; `per_minute`: what a channel takes while `slow-chat` stands (Bot Support's figures)."""

    name: ClassVar[str] = "telegram"
    switches: ClassVar[frozenset[str]] = frozenset({"not-a-member", "kicked", "no-rights", "slow-chat"})
    per_second: int = 30
    per_minute: int = 20

    def __init__(self) -> None:
        super().__init__()
        self._channels: dict[int, Channel] = {}
        self._by_second, self._by_minute = Quota(1), Quota(60)

    async def reset(self) -> None:
        await super().reset()
        self._channels.clear()
        self._by_second, self._by_minute = Quota(1), Quota(60)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [
            web.get("/bot{token:[^/]*}/{method}", self._call),
            web.post("/bot{token:[^/]*}/{method}", self._call),
            web.get(r"/{channel:\w+}/{number:\d+}", self._page),
        ]

    def publishes(self, request: web.Request) -> bool:
        return request.path.startswith("/bot") and request.path.lower().endswith("/sendmessage")

    def fault_answer(self, status: int, value: float | None) -> web.Response:
        return too_many(math.ceil(value or 1)) if status == 429 else failed(status, PREFIXES.get(status, "Bad Request"))

    async def _call(self, request: web.Request) -> web.Response:
        self._admit(request.match_info["token"])
        method = {
            "getme": lambda _: USER,
            "getchat": self._get_chat,
            "getchatmember": self._get_chat_member,
            "sendmessage": lambda given: self._send_message(given, request),
            "pinchatmessage": self._pin_chat_message,
        }.get(request.match_info["method"].lower())
        if method is None:
            refuse(404, "method not found")
        return web.json_response({"ok": True, "result": method(await arguments(request))})

    def _admit(self, token: str) -> None:
        bot, colon, _ = token.partition(":")
        if token.startswith("0") or len(token) > 80 or not colon or not bot.isdecimal():
            refuse(401, "invalid token specified")
        if token != BOT["token"]:
            raise Answered(failed(401, "Unauthorized"))

    def _get_chat(self, given: Arguments) -> dict[str, Any]:
        channel = self._channel(given, write=False)
        full = channel.chat() | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(GIFTS, False)}
        full |= {"active_usernames": [channel.username], "has_visible_history": True}
        pinned = self._held(channel, channel.pinned)
        return full | ({"pinned_message": _message(channel, pinned)} if pinned else {})

    def _get_chat_member(self, given: Arguments) -> dict[str, Any]:
        if not re.fullmatch(r"\d{1,16}", given.get("user_id", "")):
            refuse(400, "invalid user_id specified")
        self._channel(given, write=False)
        if int(given["user_id"]) != BOT["bot_id"]:
            refuse(400, "user not found")
        if self.faults.on("not-a-member"):
            return {"status": "left", "user": USER}
        rights = dict.fromkeys(RIGHTS, not self.faults.on("no-rights"))
        return {"status": "administrator", "user": USER, "can_be_edited": False, "is_anonymous": False} | rights

    def _send_message(self, given: Arguments, request: web.Request) -> dict[str, Any]:
        text = text_of(given)
        preview = object_of(given, "link_preview_options", "link preview options")
        reply = object_of(given, "reply_parameters", "reply parameters")
        channel = self._channel(given)
        if self.faults.on("no-rights"):
            refuse(400, "need administrator rights in the channel chat")
        parent = self._parent(channel, reply)
        self._spend(channel)
        channel.number += 1
        post = Post(
            id=str(channel.number),
            account=f"@{channel.username}",
            text=text,
            reply_to=parent.id if parent else "",
            permalink=f"{self.base_url}/{channel.username}/{channel.number}",
            extra={"chat_id": channel.id, "entities": entities(text), "preview": not preview.get("is_disabled"), "pinned": False},
        )
        message = _message(channel, self.hold_for(post, request))
        if preview:
            message["link_preview_options"] = preview
        return message | ({"reply_to_message": _message(channel, parent)} if parent else {})

    def _parent(self, channel: Channel, reply: dict[str, Any]) -> Post | None:
        if not reply:
            return None
        if not re.fullmatch(r"\d+", str(reply.get("message_id", ""))):
            refuse(400, 'field "message_id" must be a valid Number')
        other = reply.get("chat_id")
        parent = self._held(channel if other is None else self._channel({"chat_id": str(other)}, write=False), str(reply["message_id"]))
        if parent is None and not reply.get("allow_sending_without_reply"):
            refuse(400, "message to be replied not found")
        return parent

    def _pin_chat_message(self, given: Arguments) -> bool:
        channel = self._channel(given)
        post = self._held(channel, given.get("message_id", ""))
        if post is None:
            refuse(400, "message to pin not found")
        if self.faults.on("no-rights"):
            refuse(400, "not enough rights to manage pinned messages in the chat")
        channel.pinned = post.id
        post.extra["pinned"] = True
        return True

    def _channel(self, given: Arguments, write: bool = True) -> Channel:
        """The chat that was asked for. A public one can be read by a bot that is no member, but not by one that was thrown out."""
        channel = self._known(given.get("chat_id", ""))
        if self.faults.on("kicked"):
            refuse(403, "bot was kicked from the channel chat")
        if write and self.faults.on("not-a-member"):
            refuse(403, "bot is not a member of the channel chat")
        return channel

    def _known(self, chat_id: str) -> Channel:
        if not chat_id:
            refuse(400, "chat_id is empty")
        number = int(chat_id) if re.fullmatch(r"-\d{1,17}", chat_id) else IDS.get(chat_id.lower(), 0)
        if number not in CHANNELS:
            refuse(400, "chat not found")
        return self._channels.setdefault(number, Channel(number, CHANNELS[number]))

    def _held(self, channel: Channel, number: str) -> Post | None:
        return next((post for post in self.posts if post.extra["chat_id"] == channel.id and post.id == number), None)

    def _spend(self, channel: Channel) -> None:
        """Counts a post against the limits; raises the 429 that the service would give."""
        left = [self._by_second.take("bot", self.per_second)]
        if self.faults.on("slow-chat"):
            left.append(self._by_minute.take(channel.id, self.per_minute))
        if spent := [one.reset_in for one in left if one.remaining < 0]:
            raise Answered(too_many(max(spent)))

    async def _page(self, request: web.Request) -> web.Response:
        """The post as anyone sees it, whole or as the widget asks for it."""
        channel = self._channels.get(IDS.get(f"@{request.match_info['channel'].lower()}", 0))
        post = self._held(channel, request.match_info["number"]) if channel else None
        if "embed" in request.query:
            return web.Response(text=embed(post, self.base_url), content_type="text/html")
        return reader("Telegram", f"@{request.match_info['channel']}", request.match_info["number"], [post] if post else [])


def _message(channel: Channel, post: Post) -> dict[str, Any]:
    chat = channel.chat()
    message = {"message_id": int(post.id), "sender_chat": chat, "chat": chat, "date": int(post.at), "text": post.text}
    return message | ({"entities": post.extra["entities"]} if post.extra["entities"] else {})
