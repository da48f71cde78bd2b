"""The Bot API's envelope: how arguments arrive, and the words of a refusal (tdlib/telegram-bot-api, `Client.cpp`).

A body may be JSON, a form or the query; each value is held as the string that a form would hold, nested objects as JSON. Markup
(`parse_mode`, `entities`) is refused, as it would not be read faithfully, and so are multipart bodies, which are for files.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from aiohttp import web

from app.rehearsal.stand_ins.telegram_text import MAX_UNITS, clean, units
from app.rehearsal.stand_ins.wire import Answered

MAX_BYTES = 1 << 15
PREFIXES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}

Arguments = dict[str, str]


def failed(status: int, description: str) -> web.Response:
    """An answer with `ok: false`; the HTTP status is the error code."""
    return web.json_response({"ok": False, "error_code": status, "description": description}, status=status)


def too_many(seconds: int) -> web.Response:
    """The 429, which says twice when to come back."""
    body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
    return web.json_response(body | {"parameters": {"retry_after": seconds}}, status=429, headers={"Retry-After": str(seconds)})


def refuse(status: int, why: str) -> NoReturn:
    raise Answered(failed(status, f"{PREFIXES[status]}: {why}"))


async def arguments(request: web.Request) -> Arguments:
    """What was given in the query and the body, every value as the string that a form would hold."""
    given = {name: str(value) for name, value in request.query.items()}
    if request.content_type == "application/json" and (text := await request.text()):
        try:
            body = json.loads(text)
        except ValueError:
            refuse(400, "can't parse JSON object")
        if not isinstance(body, dict):
            refuse(400, "object expected as the request's body")
        return given | {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items() if v is not None}
    if request.content_type.startswith("multipart/"):
        refuse(400, "the stand-in takes no files")
    return given | {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def text_of(given: Arguments) -> str:
    if not given.get("text"):
        refuse(400, "message text is empty")
    if len(given["text"].encode("utf-8", "surrogatepass")) > MAX_BYTES:
        refuse(400, "text is too long")
    if given.get("parse_mode", "none").lower() not in ("", "none") or given.get("entities"):
        refuse(400, "unsupported parse_mode")
    text = clean(given["text"])
    if not text:
        refuse(400, "text must be non-empty")
    if units(text) > MAX_UNITS:
        refuse(400, "message is too long")
    return text


def object_of(given: Arguments, name: str, words: str) -> dict[str, Any]:
    """A nested object, which a form holds as a JSON string; {} when it is not given."""
    if not given.get(name):
        return {}
    try:
        value = json.loads(given[name])
    except ValueError:
        refuse(400, f"can't parse {words} JSON object")
    if not isinstance(value, dict):
        refuse(400, f"object expected as {words}")
    return value
