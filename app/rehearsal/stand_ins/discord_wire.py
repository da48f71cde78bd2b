"""Discord's JSON: bodies that come in, errors, and messages, users, channels and webhooks as they go out.

Written from the v10 OpenAPI document (required fields) and Discord's pages (`reference.mdx`, `resources/message.mdx`). Codes of single
fields are strings, as on the page and unlike in the document. A body that asks for what no announcement has (embeds, components, polls,
stickers, files) is refused: the stand-in would show something else than Discord.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from aiohttp import web

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import Answered

DISCORD: Final = accounts.DISCORD
MAX_CONTENT = 2000
"""Of a message; code points and UTF-16 code units must both fit, as the unit is unsourced."""
CROSSPOSTED, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 0, 1 << 2, 1 << 12
MENTIONS = {"users": re.compile(r"<@!?(\d{1,20})>"), "roles": re.compile(r"<@&(\d{1,20})>"), "everyone": re.compile(r"@(?:everyone|here)")}
NOT_SHOWN = ("embeds", "components", "sticker_ids", "poll", "attachments", "payload_json")

Body = dict[str, Any]


def error(status: int, code: int, message: str, errors: Body | None = None) -> web.Response:
    return web.json_response({"message": message, "code": code} | ({"errors": errors} if errors else {}), status=status)


def refuse(status: int, code: int, message: str) -> NoReturn:
    raise Answered(error(status, code, message))


def invalid(field: str, code: str, message: str) -> NoReturn:
    """Refuses the body for one field; "" is the body as a whole."""
    detail: Body = {"_errors": [{"code": code, "message": message}]}
    raise Answered(error(400, 50035, "Invalid Form Body", {field: detail} if field else detail))


def too_many(seconds: float) -> web.Response:
    """A 429 of one route; without `code`, as in the page's examples."""
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
    return web.json_response(body, status=429, headers={"Retry-After": str(int(seconds) + 1), "X-RateLimit-Scope": "user"})


def snowflake(value: Any, field: str) -> str:
    """The id, or a refusal of the field."""
    if not re.fullmatch(r"0|[1-9]\d{0,19}", str(value)):
        invalid(field, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
    return str(value)


async def body_of(request: web.Request) -> Body:
    """The request's object, from JSON or a form."""
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(await request.post())
    if request.content_type != "application/json":
        invalid("", "CONTENT_TYPE_INVALID", "Expected \"Content-Type\" header to be one of {'application/json'}.")
    try:
        body = json.loads(await request.text())
    except ValueError:
        refuse(400, 50109, "The request body contains invalid JSON.")
    if not isinstance(body, dict):
        invalid("", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    return body


def content_of(body: Body) -> str:
    """The text as Discord keeps it: without spaces around it (seen, unsourced)."""
    content = body.get("content") or ""
    if not isinstance(content, str):
        invalid("content", "STRING_TYPE_CONVERT", f'Could not interpret "{content}" as string.')
    for field in NOT_SHOWN:
        if body.get(field):
            invalid(field, "UNSUPPORTED", "The stand-in does not show this.")
    content = content.strip()
    if max(len(content), len(content.encode("utf-16-le", "surrogatepass")) // 2) > MAX_CONTENT:
        invalid("content", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CONTENT} or fewer in length.")
    if not content:
        refuse(400, 50006, "Cannot send an empty message")
    return content


def flags_of(body: Body) -> int:
    """Only the two flags that a sender may set are kept."""
    flags = body.get("flags") or 0
    if not isinstance(flags, int):
        invalid("flags", "NUMBER_TYPE_COERCE", f'Value "{flags}" is not int.')
    return flags & (SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS)


def pings_of(content: str, body: Body, default: tuple[str, ...]) -> dict[str, list[str]]:
    """Who is notified: ids of users and roles, and "everyone" not empty if all are. `default` is what counts without `allowed_mentions`."""
    allowed = body.get("allowed_mentions")
    allowed = {"parse": list(default)} if allowed is None else allowed
    if not isinstance(allowed, dict):
        invalid("allowed_mentions", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    parse = allowed.get("parse") or []
    for kind in parse:
        if kind not in MENTIONS:
            invalid("allowed_mentions", "BASE_TYPE_CHOICES", "Value must be one of ('roles', 'users', 'everyone').")
        if allowed.get(kind):
            invalid(
                "allowed_mentions",
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
    found = {kind: sorted(set(pattern.findall(content))) for kind, pattern in MENTIONS.items()}
    if "everyone" not in parse:
        found["everyone"] = []
    elif MENTIONS["everyone"].search(content):
        found["everyone"] = ["everyone"]
    return found | {
        kind: [one for one in found[kind] if kind in parse or one in map(str, allowed.get(kind) or [])] for kind in ("users", "roles")
    }


def user(user_id: str, name: str, bot: bool = True) -> Body:
    return {
        "id": user_id,
        "username": name,
        "avatar": None,
        "discriminator": "0000",
        "public_flags": 0,
        "flags": 0,
        "bot": bot,
        "global_name": None,
        "primary_guild": None,
    }


def me() -> Body:
    return user(DISCORD["bot_id"], DISCORD["bot_name"]) | {"mfa_enabled": True, "locale": "en-US", "premium_type": 0, "verified": True}


def channel(channel_id: str, name: str, kind: int, last_message_id: str | None) -> Body:
    return {
        "id": channel_id,
        "type": kind,
        "flags": 0,
        "guild_id": DISCORD["guild_id"],
        "name": name,
        "position": 0,
        "parent_id": None,
        "topic": None,
        "nsfw": False,
        "permission_overwrites": [],
        "rate_limit_per_user": 0,
        "last_message_id": last_message_id,
    }


def webhook(base_url: str) -> Body:
    """The incoming webhook as it shows itself to whoever has its token."""
    webhook_id, token = DISCORD["webhook_id"], DISCORD["webhook_token"]
    return {
        "application_id": None,
        "avatar": None,
        "channel_id": DISCORD["webhook_channel_id"],
        "guild_id": DISCORD["guild_id"],
        "id": webhook_id,
        "name": DISCORD["webhook_name"],
        "type": 1,
        "token": token,
        "url": f"{base_url}/api/webhooks/{webhook_id}/{token}",
    }


def message(post: Post, parent: Post | None = None) -> Body:
    """A message as it is read; `parent` is shown within a reply."""
    extra = post.extra
    shown: Body = {
        "type": 19 if post.reply_to else 0,
        "content": post.text,
        "mentions": [user(one, f"user-{one}", bot=False) for one in extra["pings"]["users"]],
        "mention_roles": extra["pings"]["roles"],
        "mention_everyone": bool(extra["pings"]["everyone"]),
        "attachments": [],
        "embeds": [],
        "components": [],
        "timestamp": datetime.fromtimestamp(post.at, UTC).isoformat(timespec="milliseconds"),
        "edited_timestamp": None,
        "flags": extra["flags"],
        "id": post.id,
        "channel_id": extra["channel_id"],
        "author": user(extra["author_id"], post.account),
        "pinned": False,
        "tts": False,
    }
    if extra["webhook_id"]:
        shown["webhook_id"] = extra["webhook_id"]
    if post.reply_to:
        place = {"channel_id": extra["channel_id"], "guild_id": DISCORD["guild_id"]}
        shown["message_reference"] = {"type": 0, "message_id": post.reply_to} | place
        shown["referenced_message"] = message(parent) if parent else None
    return shown
