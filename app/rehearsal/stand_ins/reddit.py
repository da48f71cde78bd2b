"""Reddit on loopback: what a script app needs to submit, reply, pin and look, and a permalink's page for a logged-out reader.

Rules kept here: lengths and words of errors as in the server code of 2017, errors as triplets under HTTP 200; a wrong password is
HTTP 200 too; `www-authenticate` on every 401 and 403 (prawcore falls over without); nothing is idempotent: the same submission
twice is two posts. A library's own user agent is throttled. www.reddit.com and oauth.reddit.com are one host here. Unsourced, so
guesses: what a logged-out `.json` answers today, 600 requests in 600 s, the newer words of RATELIMIT.
Switches: `ratelimit` (`value` seconds), `not-allowed`, `title-rule`, `empty-things` (a comment is posted, the answer shows none).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from app.rehearsal.stand_ins import accounts, reddit_answers
from app.rehearsal.stand_ins.pages import reader
from app.rehearsal.stand_ins.quota import Left, Quota
from app.rehearsal.stand_ins.reddit_answers import bare, data, listing, refusal, thing, too_many
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import Answered, HttpStandIn

OURS = accounts.REDDIT
TOKEN_LIFE = 3600
TITLE, SELF_TEXT, COMMENT = 300, 40_000, 10_000  # code points
WINDOW, REQUESTS = 600, 600
FIRST_ID = 60_000_000_000  # base 36: seven characters, like today's
STICKY_SLOTS = 2
LEFT = web.RequestKey("left", Left)
LIBRARIES = re.compile(r"(python-requests|python-urllib|python-httpx|python/|aiohttp|curl|java|okhttp|$)", re.IGNORECASE)


class RedditStandIn(HttpStandIn):
    """See the module's docstring. Ids are without their prefix; a post's `extra["kind"]` is `t3` or `t1`."""

    name: ClassVar[str] = "reddit"
    switches: ClassVar[frozenset[str]] = frozenset({"ratelimit", "not-allowed", "title-rule", "empty-things"})

    def __init__(self) -> None:
        super().__init__()
        self._tokens: dict[str, float] = {}
        self._quota = Quota(WINDOW)
        self._next = FIRST_ID

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        permalink = "/r/{sr}/comments/{id:[0-9a-z]+}"
        return [
            web.post("/api/v1/access_token", self.token),
            web.get("/api/v1/me", self.me),
            web.post("/api/submit{end:/?}", self.submit),
            web.post("/api/comment{end:/?}", self.comment),
            web.post("/api/set_subreddit_sticky{end:/?}", self.sticky),
            web.get("/api/info{end:/?}", self.info),
            web.get("/user/{name}/{what:submitted|comments}{end:/?}", self.by_user),
            web.get("/user/{name}/{what:submitted|comments}{end:/?}.json", self.by_user),
            web.get("/comments/{id:[0-9a-z]+}{end:/?}", self.thread),
            web.get("/comments/{id:[0-9a-z]+}{end:/?}.json", self.thread),
            web.get(permalink + "{rest:(/[^/.]*){0,2}/?}", self.thread),
            web.get(permalink + "{rest:(/[^/.]*){0,2}/?}.json", self.thread),
        ]

    def publishes(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path.rstrip("/") in {"/api/submit", "/api/comment"}

    def fault_answer(self, status: int, value: float | None) -> web.Response:
        return too_many(value or 1) if status == 429 else bare(status)

    def finish(self, request: web.Request, answer: web.Response) -> None:
        if left := request.get(LEFT):
            answer.headers["x-ratelimit-remaining"] = f"{max(left.remaining, 0)}.0"
            answer.headers["x-ratelimit-used"] = str(left.used)
            answer.headers["x-ratelimit-reset"] = str(left.reset_in)
        if request.query.get("raw_json") != "1" and isinstance(answer.body, bytes) and answer.content_type == "application/json":
            answer.text = json.dumps(reddit_answers.escaped(json.loads(answer.body)))

    async def reset(self) -> None:
        await super().reset()
        self._quota = Quota(WINDOW)

    async def token(self, request: web.Request) -> web.Response:
        right = base64.b64encode(f"{OURS['client_id']}:{OURS['client_secret']}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {right}":
            return bare(401)
        form = await _form(request)
        if form.get("grant_type") == "refresh_token":
            return web.json_response({"message": "Bad Request", "error": 400}, status=400)
        if form.get("grant_type") != "password":
            return web.json_response({"error": "unsupported_grant_type"})
        if (form.get("username", "").lower(), form.get("password")) != (OURS["username"], OURS["password"]):
            return web.json_response({"error": "invalid_grant"})
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.time() + TOKEN_LIFE
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_LIFE, "scope": "*"})

    async def me(self, request: web.Request) -> web.Response:
        self._signed_in(request)
        return web.json_response({"id": OURS["account_id"], "name": OURS["username"], "is_suspended": False, "has_verified_email": True})

    async def submit(self, request: web.Request) -> web.Response:
        self._signed_in(request)
        form = await _form(request)
        kind, title, text = form.get("kind", ""), form.get("title", "").strip(), form.get("text", "")
        self._may_submit(form, kind, title, text)
        flair = self._flair(form)
        post_id = self._new_id()
        path = f"/r/{OURS['subreddit']}/comments/{post_id}/{reddit_answers.slug(title)}/"
        extra = {
            "kind": "t3",
            "path": path,
            "url": form.get("url", "") if kind == "link" else "",
            "flair_id": form.get("flair_id", ""),
            "flair_text": flair,
            "nsfw": _true(form, "nsfw"),
            "spoiler": _true(form, "spoiler"),
            "sendreplies": _true(form, "sendreplies", missing=True),
            "stickied": False,
            "comments": 0,
        }
        account = f"r/{OURS['subreddit']}"
        self.hold_for(Post(post_id, account, text, title, permalink=self.base_url + path, extra=extra), request)
        return data(url=self.base_url + path, id=post_id, name=f"t3_{post_id}", drafts_count=0)

    async def comment(self, request: web.Request) -> web.Response:
        self._signed_in(request)
        form = await _form(request)
        self._not_too_much()
        text, parent = form.get("text", ""), self._thing(form.get("thing_id", ""))
        if parent is None:
            return bare(403)
        if not text.strip():
            return refusal("NO_TEXT", "text")
        if len(text) > COMMENT:
            return refusal("TOO_LONG", "text", COMMENT)
        link_id = parent.extra.get("link_id", f"t3_{parent.id}")
        link = self._thing(link_id)
        if link is None:
            return bare(403)
        post_id = self._new_id()
        path = f"{link.extra['path']}{post_id}/"
        extra = {"kind": "t1", "path": path, "link_id": link_id}
        post = Post(post_id, link.account, text, reply_to=form["thing_id"], permalink=self.base_url + path, extra=extra)
        self.hold_for(post, request)
        link.extra["comments"] += 1
        return data(things=[] if self.faults.on("empty-things") else [thing(post, self.base_url)])

    async def sticky(self, request: web.Request) -> web.Response:
        self._signed_in(request)
        form = await _form(request)
        post = self._thing(form.get("id", ""))
        if post is None or post.extra["kind"] != "t3":
            return bare(403)
        pinned = [one for one in self.posts if one.extra.get("stickied") and one is not post]
        post.extra["stickied"] = _true(form, "state")
        if post.extra["stickied"] and len(pinned) == STICKY_SLOTS:
            pinned[-1].extra["stickied"] = False  # the lower slot is taken over
        return web.json_response({"json": {"errors": []}})

    async def info(self, request: web.Request) -> web.Response:
        self._signed_in(request)
        found = (self._thing(name) for name in request.query.get("id", "").split(","))
        return web.json_response(listing(thing(post, self.base_url) for post in found if post))

    async def by_user(self, request: web.Request) -> web.Response:
        """The account's submissions or comments, newest first (praw's recordings `TestRedditorListings`)."""
        self._reader(request)
        if request.match_info["name"].lower() != OURS["username"]:
            return bare(404)
        limit = request.query.get("limit", "25")
        size = min(int(limit), 100) if limit.isdigit() and int(limit) else 25
        kind = "t3" if request.match_info["what"] == "submitted" else "t1"
        posts = [post for post in reversed(self.posts) if post.extra["kind"] == kind]
        names = [f"{kind}_{post.id}" for post in posts]
        start = names.index(after) + 1 if (after := request.query.get("after", "")) in names else 0
        part = posts[start : start + size]
        more = names[start + size - 1] if start + size < len(posts) else None
        return web.json_response(listing((thing(post, self.base_url) for post in part), more))

    async def thread(self, request: web.Request) -> web.Response:
        """JSON for an app and for `.json`, a page for a browser."""
        as_json = request.path.endswith(".json") or "Authorization" in request.headers
        if as_json:
            self._reader(request)
        link = self._thing(f"t3_{request.match_info['id']}")
        if link is None:
            return bare(404) if as_json else reader("Reddit", "Page not found", "", [], status=404)
        comments = [post for post in self.posts if post.extra.get("link_id") == f"t3_{link.id}"]
        if not as_json:
            asked = request.path.rstrip("/").rpartition("/")[2]
            return reader("Reddit", f"{link.account}, by u/{OURS['username']}", asked if self.post(asked) else link.id, [link, *comments])
        return web.json_response([listing([thing(link, self.base_url)]), listing(thing(post, self.base_url) for post in comments)])

    def _thing(self, name: str) -> Post | None:
        kind, _, post_id = name.partition("_")
        post = self.post(post_id)
        return post if post and post.extra["kind"] == kind else None

    def _new_id(self) -> str:
        self._next += 1
        number, digits = self._next, ""
        while number:
            number, digit = divmod(number, 36)
            digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        return digits

    def _reader(self, request: web.Request) -> None:
        """Counts a request that needs no login. Raises `Answered` 401, 429."""
        if "Authorization" in request.headers:
            self._signed_in(request)
        elif LIBRARIES.match(request.headers.get("User-Agent", "")):
            raise Answered(too_many(1))

    def _signed_in(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._tokens.get(token, 0.0) < time.time():
            raise Answered(bare(401))
        left = request[LEFT] = self._quota.take(OURS["client_id"], REQUESTS)
        if left.remaining < 0 or LIBRARIES.match(request.headers.get("User-Agent", "")):
            raise Answered(too_many(left.reset_in))

    def _not_too_much(self) -> None:
        if pause := self.faults.standing.get("ratelimit"):
            seconds = pause.value or 540.0
            told = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
            raise Answered(refusal("RATELIMIT", "ratelimit", told, ratelimit=seconds))

    def _may_submit(self, form: dict[str, str], kind: str, title: str, text: str) -> None:
        """Raises `Answered` with the first thing that is wrong."""
        subreddit, url = form.get("sr", ""), form.get("url", "")
        banned = self.faults.on("not-allowed")
        old = any(post.extra["url"] == url for post in self.posts if post.extra.get("url"))
        wrong = {
            ("SUBREDDIT_REQUIRED", "sr", ""): not subreddit,
            ("SUBREDDIT_NOEXIST", "sr", ""): subreddit.lower() != OURS["subreddit"],
            ("SUBREDDIT_NOTALLOWED", "sr", ""): banned,
            ("INVALID_OPTION", "kind", ""): kind not in {"self", "link"},
            ("NO_TEXT", "title", ""): not title,
            ("TOO_LONG", "title", TITLE): len(title) > TITLE,
            ("TOO_LONG", "text", SELF_TEXT): len(text) > SELF_TEXT,
            ("NO_URL", "url", ""): kind == "link" and not url,
            ("BAD_URL", "url", ""): kind == "link" and not url.startswith(("http://", "https://")),
            ("ALREADY_SUB", "url", ""): kind == "link" and old and not _true(form, "resubmit"),
        }
        if (found := next((what for what, is_so in wrong.items() if is_so), None)) is not None:
            raise Answered(refusal(*found))
        if self.faults.on("title-rule"):
            raise Answered(_against_the_rules(title))
        self._not_too_much()

    def _flair(self, form: dict[str, str]) -> str | None:
        """The flair's text. A text without an id is refused (praw-dev/asyncpraw#66)."""
        flair_id, text = form.get("flair_id", ""), form.get("flair_text", "")
        if not flair_id:
            if text:
                raise Answered(bare(400))
            return None
        if flair_id not in OURS["flairs"]:
            raise Answered(refusal("BAD_FLAIR_TEMPLATE_ID", "flair"))
        return text or str(OURS["flairs"][flair_id])


async def _form(request: web.Request) -> dict[str, str]:
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


def _true(form: dict[str, str], name: str, missing: bool = False) -> bool:
    return form.get(name, str(missing)).lower() in {"true", "1", "on"}


def _against_the_rules(title: str) -> web.Response:
    """As recorded: praw's `TestSubreddit.test_submit__verify_invalid`."""
    told: dict[str, Any] = {
        "fields": ["title"],
        "explanation": f'You may not have "{title}" in your title. ',
        "error_type": "SUBMIT_VALIDATION_ERROR",
        "message": "Bad Request",
        "reason": "SUBMIT_VALIDATION_TITLE_BLACKLISTED_STRING",
    }
    return web.json_response(told, status=400)
