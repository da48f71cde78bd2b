"""The shapes of X's answers and the reading of its parameters; what the API does with them lies in `x.py`.

The shape of an error is the one seen in the wild (akrherz/iembot#163), its `errors` and kinds those of the docs
(response-codes-and-errors.mdx) and of the document before 2026-08.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import Answered

PROBLEMS = "https://api.x.com/2/problems/"
KNOWN_BODY = frozenset({"text", "reply", "reply_settings"})
BOTH = (
    "article attachments card_uri community_id context_annotations conversation_id created_at display_text_range edit_controls "
    "entities geo id lang matched_media_notes media_metadata non_public_metrics note_request_suggestions organic_metrics "
    "paid_partnership possibly_sensitive promoted_metrics public_metrics reply_settings scopes source suggested_source_links "
    "suggested_source_links_with_counts text withheld"
)
OLD_ONLY = "author_id edit_history_tweet_ids in_reply_to_user_id note_tweet referenced_tweets"
FIELDS = {
    "tweet.fields": frozenset(f"{BOTH} {OLD_ONLY}".split()),
    "post.fields": frozenset(f"{BOTH} article_title note_post".split()),
}
"""The documents' own lists, before 2026-08 and since."""


@dataclass(frozen=True, slots=True)
class Account:
    """One X account with its user token."""

    handle: str
    name: str
    user_id: str
    access_token: str
    access_token_secret: str


def problem(status: int, detail: str = "", title: str = "", kind: str = "", **more: Any) -> web.Response:
    phrase = HTTPStatus(status).phrase
    body = {"title": title or phrase, "detail": detail or phrase, "type": PROBLEMS + kind if kind else "about:blank", "status": status}
    return web.json_response(body | more, status=status)


def invalid(parameter: str, value: object, message: str) -> Answered:
    errors = [{"parameters": {parameter: [str(value)]}, "message": message}]
    detail = "One or more parameters to your request was invalid."
    return Answered(problem(400, detail, "Invalid Request", "invalid-request", errors=errors))


def missing(kind: str, parameter: str, value: str) -> Answered:
    more = {"parameter": parameter, "resource_id": value, "value": value, "resource_type": kind}
    detail = f"Could not find {kind} with {parameter}: [{value}]."
    return Answered(problem(404, detail, "Not Found Error", "resource-not-found", **more))


def body_of(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise invalid("body", "", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid("body", "", "the body is not an object")
    if strange := set(body) - KNOWN_BODY:
        raise invalid(min(strange), "", "not in the document, or not in this rehearsal")
    return body


def fields_of(request: web.Request) -> tuple[set[str], bool]:
    """The asked fields, and whether they were asked by the parameter of 2026-08."""
    parameter = "post.fields" if "post.fields" in request.query else "tweet.fields"
    told = request.query.get(parameter, "")
    fields = set(told.split(",")) if told else set()
    if strange := fields - FIELDS[parameter]:
        raise invalid(parameter, min(strange), f"The `{parameter}` query parameter value [{min(strange)}] is not one of the fields")
    return fields, parameter == "post.fields"


def asked(query: Mapping[str, str]) -> Callable[[Post], bool]:
    """The posts within `since_id` or `start_time`, `until_id` or `end_time`, and `exclude`: an id goes before a time."""
    since, until = _post_id(query, "since_id"), _post_id(query, "until_id")
    start, end = _moment(query, "start_time", 0.0), _moment(query, "end_time", float("inf"))
    no_replies = "replies" in query.get("exclude", "").split(",")

    def wanted(post: Post) -> bool:
        after = int(post.id) > since if since is not None else post.at >= start
        before = int(post.id) < until if until is not None else post.at <= end
        return after and before and not (no_replies and post.reply_to)

    return wanted


def page_size(query: Mapping[str, str]) -> int:
    size = query.get("max_results", "10")
    if not re.fullmatch(r"[0-9]{1,3}", size) or not 5 <= int(size) <= 100:
        raise invalid("max_results", size, f"The `max_results` query parameter value [{size}] is not between 5 and 100")
    return int(size)


def _post_id(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", query[name]):
        raise invalid(name, query[name], f"The `{name}` query parameter value [{query[name]}] does not match ^[0-9]{{1,19}}$")
    return int(query[name])


def _moment(query: Mapping[str, str], name: str, missing: float) -> float:
    if name not in query:
        return missing
    try:
        return datetime.fromisoformat(query[name]).timestamp()
    except ValueError:
        raise invalid(name, query[name], f"The `{name}` query parameter value is not a valid date") from None


def offset(token: str) -> int:
    if not token:
        return 0
    if not re.fullmatch(r"b[0-9a-f]+", token):
        raise invalid("pagination_token", token, "not a token of ours")
    return int(token[1:], 16)


def person(account: Account) -> dict[str, str]:
    return {"id": account.user_id, "name": account.name, "username": account.handle}
