"""The Discord stand-in: REST v10 for a bot, and one webhook, each in a channel of its own.

Rules kept here: a webhook lists nothing and replies to nothing; without `wait` it answers 204 and tells no id; a `nonce` that is
enforced gives the first message back and posts no second; nobody who is not logged in reads anything. Limits count 50 requests a
second of a bot or webhook (the page's global limit); with `slow-bucket` 5 posts in 2 s (what staff said of webhooks in 2017).
How bodies, errors and messages look lies in `discord_wire.py`. Unsourced, so guesses: for how long a nonce is remembered.
Switches: `no-permission`, `webhook-gone`, `automod`, `slow-bucket`, and `drops-unwaited` (204, and nothing is saved).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from app.rehearsal.stand_ins import discord_wire as wire
from app.rehearsal.stand_ins.discord_wire import DISCORD, invalid, refuse, snowflake
from app.rehearsal.stand_ins.pages import reader
from app.rehearsal.stand_ins.quota import Left, Quota
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import Answered, HttpStandIn

EPOCH_MS = 1420070400000  # of a snowflake
API = r"/api{version:(?:/v10)?}"
CHANNELS = {DISCORD["channel_id"]: ("announcements", 5), DISCORD["webhook_channel_id"]: ("incidents", 0)}
"""Name and type; 5 is an announcement channel, the only kind that can be crossposted."""
EVERYONE = ("users", "roles", "everyone")
LEFT = web.RequestKey("left", Left)
PLAIN = {
    400: (50035, "Invalid Form Body"),
    401: (40001, "Unauthorized"),
    404: (0, "404: Not Found"),
    405: (0, "405: Method Not Allowed"),
    500: (0, "500: Internal Server Error"),
}


class DiscordStandIn(HttpStandIn):
    """A post's `extra` holds `channel_id`, `author_id`, `webhook_id`, `nonce`, `flags`, `pings` (who was notified) and `preview`."""

    name: ClassVar[str] = "discord"
    switches: ClassVar[frozenset[str]] = frozenset({"no-permission", "webhook-gone", "automod", "slow-bucket", "drops-unwaited"})
    nonce_seconds: float = 300.0

    def __init__(self) -> None:
        super().__init__()
        self._last_id = 0
        self._all, self._posts = Quota(1), Quota(2)

    async def reset(self) -> None:
        await super().reset()
        self._all, self._posts = Quota(1), Quota(2)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        messages, hook = f"{API}/channels/{{channel}}/messages", f"{API}/webhooks/{{webhook}}/{{token}}"
        return [
            web.get(f"{API}/users/@me", self.me),
            web.get(f"{API}/channels/{{channel}}", self.channel),
            web.get(messages, self.messages),
            web.post(messages, self.create),
            web.get(f"{messages}/{{message}}", self.message),
            web.post(f"{messages}/{{message}}/crosspost", self.crosspost),
            web.get(hook, self.webhook),
            web.post(hook, self.execute),
            web.get(f"{hook}/messages/{{message}}", self.webhook_message),
            web.get("/channels/{guild}/{channel}/{message}", self.page),
        ]

    def publishes(self, request: web.Request) -> bool:
        parts = request.path.split("/")
        return request.method == "POST" and (parts[-1] == "messages" or parts[-3] == "webhooks")

    def fault_answer(self, status: int, value: float | None) -> web.Response:
        return wire.too_many(value or 1.0) if status == 429 else wire.error(status, *PLAIN.get(status, (0, f"{status}: Error")))

    def finish(self, request: web.Request, answer: web.Response) -> None:
        if request.path.startswith("/api"):
            left = request.get(LEFT) or self._all.look(self._bucket(request), 50)
            after = max(left.reset_at - time.time(), 0.0)
            answer.headers["X-RateLimit-Limit"] = str(left.limit)
            answer.headers["X-RateLimit-Remaining"] = "0" if answer.status == 429 else str(max(left.remaining, 0))
            answer.headers["X-RateLimit-Reset"] = f"{left.reset_at:.3f}"
            answer.headers["X-RateLimit-Reset-After"] = f"{after:.3f}"
            answer.headers["X-RateLimit-Bucket"] = f"rehearsal-{request.method.lower()}-{left.limit}"

    async def me(self, request: web.Request) -> web.Response:
        self._as_bot(request)
        return web.json_response(wire.me())

    async def channel(self, request: web.Request) -> web.Response:
        channel = self._channel(request)
        last = next((post.id for post in reversed(self.posts) if post.extra["channel_id"] == channel), None)
        return web.json_response(wire.channel(channel, *CHANNELS[channel], last))

    async def messages(self, request: web.Request) -> web.Response:
        """Newest first; after an id, the ones that came next."""
        channel, query = self._channel(request), request.query
        limit = query.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        held = [post for post in self.posts if post.extra["channel_id"] == channel]
        many = int(limit)
        if "around" in query:
            middle = int(snowflake(query["around"], "around"))
            near = sorted(held, key=lambda post: abs(int(post.id) - middle))[:many]
            held = sorted(near, key=lambda post: int(post.id))
        elif "after" in query:
            held = [post for post in held if int(post.id) > int(snowflake(query["after"], "after"))][:many]
        elif "before" in query:
            held = [post for post in held if int(post.id) < int(snowflake(query["before"], "before"))]
        return web.json_response([self._shown(post) for post in reversed(held[-many:])])

    async def message(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._held(request, self._channel(request))))

    async def create(self, request: web.Request) -> web.Response:
        channel = self._channel(request)
        body = await wire.body_of(request)
        nonce = self._nonce(body)
        post = self._written(body, EVERYONE, channel, {"author_id": DISCORD["bot_id"], "webhook_id": "", "nonce": nonce})
        parent = self._parent(body.get("message_reference"), channel)
        post.reply_to = parent.id if parent else ""
        if nonce and body.get("enforce_nonce") and (first := self._first_with(nonce)):
            return web.json_response(self._shown(first) | {"nonce": body["nonce"]})
        self._post(post, DISCORD["bot_name"], request)
        return web.json_response(self._shown(post) | ({"nonce": body["nonce"]} if nonce else {}))

    async def crosspost(self, request: web.Request) -> web.Response:
        channel = self._channel(request)
        if CHANNELS[channel][1] != 5:
            refuse(400, 50024, "Cannot execute action on this channel type")
        post = self._held(request, channel)
        if post.extra["flags"] & wire.CROSSPOSTED:
            refuse(400, 40033, "This message has already been crossposted.")
        post.extra["flags"] |= wire.CROSSPOSTED
        return web.json_response(self._shown(post))

    async def webhook(self, request: web.Request) -> web.Response:
        self._as_webhook(request)
        return web.json_response(wire.webhook(self.base_url))

    async def execute(self, request: web.Request) -> web.Response:
        webhook = self._as_webhook(request)
        if request.query.get("thread_id"):
            refuse(404, 10003, "Unknown Channel")
        wait = request.query.get("wait", "").lower() in ("true", "1")
        body = await wire.body_of(request)
        post = self._written(body, ("users",), DISCORD["webhook_channel_id"], {"author_id": webhook, "webhook_id": webhook, "nonce": ""})
        if wait or not self.faults.on("drops-unwaited"):
            self._post(post, str(body.get("username") or DISCORD["webhook_name"]), request)
        return web.json_response(self._shown(post)) if wait else web.Response(status=204)

    async def webhook_message(self, request: web.Request) -> web.Response:
        webhook = self._as_webhook(request)
        post = self._held(request, DISCORD["webhook_channel_id"])
        if post.extra["webhook_id"] != webhook:
            refuse(404, 10008, "Unknown Message")
        return web.json_response(self._shown(post))

    async def page(self, request: web.Request) -> web.Response:
        """What a browser sees without login: nothing of the message."""
        return reader("Discord", "Log in to read messages", "", [])

    def _as_bot(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bot {DISCORD['bot_token']}":
            refuse(401, 40001, "Unauthorized")
        self._spend(request)

    def _as_webhook(self, request: web.Request) -> str:
        webhook = snowflake(request.match_info["webhook"], "webhook_id")
        if webhook != DISCORD["webhook_id"] or self.faults.on("webhook-gone"):
            refuse(404, 10015, "Unknown Webhook")
        if request.match_info["token"] != DISCORD["webhook_token"]:
            refuse(401, 50027, "Invalid Webhook Token")
        self._spend(request)
        return webhook

    def _channel(self, request: web.Request) -> str:
        self._as_bot(request)
        channel = snowflake(request.match_info["channel"], "channel_id")
        if channel not in CHANNELS:
            refuse(404, 10003, "Unknown Channel")
        if self.faults.on("no-permission"):
            refuse(403, *((50013, "Missing Permissions") if request.method == "POST" else (50001, "Missing Access")))
        return channel

    def _bucket(self, request: web.Request) -> str:
        return request.match_info.get("webhook") or "bot"

    def _spend(self, request: web.Request) -> None:
        left = self._all.take(self._bucket(request), 50)
        if self.publishes(request) and self.faults.on("slow-bucket"):
            left = self._posts.take(self._bucket(request), 5)
        request[LEFT] = left
        if left.remaining < 0:
            raise Answered(wire.too_many(round(max(left.reset_at - time.time(), 0.001), 3)))

    def _held(self, request: web.Request, channel: str) -> Post:
        post = self.post(snowflake(request.match_info["message"], "message_id"))
        if post is None or post.extra["channel_id"] != channel:
            refuse(404, 10008, "Unknown Message")
        return post

    def _nonce(self, body: wire.Body) -> str:
        nonce = body.get("nonce")
        if nonce is not None and (not isinstance(nonce, int | str) or len(str(nonce)) > 25):
            invalid("nonce", "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer characters long.")
        return "" if nonce is None else str(nonce)

    def _first_with(self, nonce: str) -> Post | None:
        since = time.time() - self.nonce_seconds
        return next((post for post in self.posts if post.extra["nonce"] == nonce and post.at > since), None)

    def _parent(self, reference: Any, channel: str) -> Post | None:
        if reference is None:
            return None
        if not isinstance(reference, dict):
            invalid("message_reference", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        if str(reference.get("channel_id") or channel) != channel:
            invalid("message_reference", "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", "Cannot reply to a message in a different channel")
        post = self.post(snowflake(reference.get("message_id"), "message_reference"))
        if post is not None and post.extra["channel_id"] == channel:
            return post
        if reference.get("fail_if_not_exists") is not False:
            invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None

    def _written(self, body: wire.Body, mentions: tuple[str, ...], channel: str, extra: dict[str, Any]) -> Post:
        """The message as asked for, not posted yet."""
        content, flags = wire.content_of(body), wire.flags_of(body)
        if self.faults.on("automod"):
            refuse(400, 200000, "Message was blocked by automatic moderation")
        extra |= {"channel_id": channel, "flags": flags, "pings": wire.pings_of(content, body, mentions)}
        return Post("", "", content, extra=extra | {"preview": not flags & wire.SUPPRESS_EMBEDS and "://" in content})

    def _post(self, post: Post, author: str, request: web.Request) -> None:
        self._last_id = max(self._last_id + 1, (int(post.at * 1000) - EPOCH_MS) << 22)
        post.id, post.account = str(self._last_id), author
        post.permalink = f"{self.base_url}/channels/{DISCORD['guild_id']}/{post.extra['channel_id']}/{post.id}"
        self.hold_for(post, request)

    def _shown(self, post: Post) -> wire.Body:
        return wire.message(post, self.post(post.reply_to) if post.reply_to else None)
