"""The shapes of Reddit's answers; what the API does with them lies in `reddit.py`.

Shapes as in praw's recordings (`TestSubmission.test_reply`, `TestSubreddit.test_submit__*`), words of errors as in
reddit-archive/reddit `r2/lib/errors.py` (2017).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.stand_in import Post

WORDS = {
    "TOO_LONG": "this is too long (max: {0})",
    "NO_TEXT": "we need something here",
    "NO_URL": "a url is required",
    "BAD_URL": "you should check that url",
    "ALREADY_SUB": "that link has already been submitted",
    "INVALID_OPTION": "that option is not valid",
    "SUBREDDIT_NOEXIST": "that subreddit doesn't exist",
    "SUBREDDIT_REQUIRED": "you must specify a subreddit",
    "SUBREDDIT_NOTALLOWED": "you aren't allowed to post there.",
    "USER_REQUIRED": "please login to do that",
    "RATELIMIT": "Take a break for {0} before trying again.",
    "BAD_FLAIR_TEMPLATE_ID": "Flair template not found",
}


def refusal(code: str, field: str, detail: object = "", **more: Any) -> web.Response:
    """HTTP 200 with one error triplet."""
    return web.json_response({"json": {"errors": [[code, WORDS[code].format(detail), field]]} | more})


def data(**values: Any) -> web.Response:
    return web.json_response({"json": {"errors": [], "data": values}})


def bare(status: int, error: str = "") -> web.Response:
    """An error outside of the API proper. `error` goes into `www-authenticate`, which 401 and 403 always have."""
    words = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}
    answer = web.json_response({"message": words.get(status, "Error"), "error": status}, status=status)
    if status in (401, 403):
        kind = error or ("invalid_token" if status == 401 else "insufficient_scope")
        answer.headers["www-authenticate"] = f'Bearer realm="reddit", error="{kind}"'
    return answer


def too_many(seconds: float) -> web.Response:
    html = "<!doctype html><html><head><title>Too Many Requests</title></head><body><h1>whoa there, pardner!</h1></body></html>"
    return web.Response(status=429, text=html, content_type="text/html", headers={"retry-after": f"{max(seconds, 1):.0f}"})


def listing(children: Iterable[dict[str, Any]], after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"after": after, "before": None, "modhash": "", "dist": None, "children": list(children)}}


def thing(post: Post, base_url: str) -> dict[str, Any]:
    """A `t3` or a `t1`, by what the post is."""
    return _link(post, base_url) if post.extra["kind"] == "t3" else _comment(post)


def slug(title: str) -> str:
    """As in r2's `title_to_url`: words in lower case, joined by `_`, at most 50 characters. That only ASCII stays is a guess."""
    whole = re.sub(r"\s+", "_", re.sub(r"[^\w\s]", "", title.lower(), flags=re.ASCII).strip())
    if len(whole) <= 50:
        return whole or "_"
    return whole[:50].rpartition("_")[0] or whole[:50]


def escaped(value: Any) -> Any:
    """Every text of an answer as it comes without `raw_json=1`: `<`, `>` and `&` as entities."""
    if isinstance(value, str):
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if isinstance(value, dict):
        return {key: escaped(one) for key, one in value.items()}
    return [escaped(one) for one in value] if isinstance(value, list) else value


def _common(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "name": f"{post.extra['kind']}_{post.id}",
        "author": post.extra.get("author", accounts.REDDIT["username"]),
        "author_fullname": f"t2_{accounts.REDDIT['account_id']}",
        "subreddit": accounts.REDDIT["subreddit"],
        "subreddit_id": f"t5_{accounts.REDDIT['subreddit_id']}",
        "permalink": post.extra["path"],
        "created_utc": float(int(post.at)),
        "edited": False,
        "stickied": post.extra.get("stickied", False),
        "locked": False,
        "score": 1,
        "distinguished": None,
    }


def _link(post: Post, base_url: str) -> dict[str, Any]:
    is_self = not post.extra["url"]
    return {
        "kind": "t3",
        "data": _common(post)
        | {
            "title": post.title,
            "selftext": post.text if is_self else "",
            "is_self": is_self,
            "url": post.extra["url"] or base_url + post.extra["path"],
            "over_18": post.extra["nsfw"],
            "spoiler": post.extra["spoiler"],
            "link_flair_text": post.extra["flair_text"],
            "link_flair_template_id": post.extra["flair_id"] or None,
            "num_comments": post.extra["comments"],
        },
    }


def _comment(post: Post) -> dict[str, Any]:
    more = {"parent_id": post.reply_to, "link_id": post.extra["link_id"], "body": post.text, "replies": ""}
    return {"kind": "t1", "data": _common(post) | more}
