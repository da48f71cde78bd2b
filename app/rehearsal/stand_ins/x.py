"""X on loopback: API v2 as far as a broadcast needs it, oEmbed, and the page of a post for a logged-out reader.

Rules kept here: OAuth 1.0a is verified for real; 280 weighted characters; the same text twice is refused; a reply to another's post
is refused unless its author mentioned the replier (the rule of 2026-02-24); the rate limits of the docs count. Errors have the
shape seen in the wild (`about:blank`), which the document of 2026-08 does not describe. How texts are counted and shown lies in
`x_text.py`. Unsourced, so guesses: 400 for a text that is too long or has two cashtags; what oEmbed says of an unknown post.
Switches: `refuse-replies`; `new-names` (answers in the names of 2026-08); `slow-timeline` (posts younger than `value` seconds are not
listed); `young-parent` (a parent younger than `value` seconds is "not visible to you", as was seen).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from app.rehearsal.stand_ins import accounts, x_text
from app.rehearsal.stand_ins.pages import reader
from app.rehearsal.stand_ins.quota import Left, Quota
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.wire import Answered, HttpStandIn
from app.rehearsal.stand_ins.x_answers import Account, asked, body_of, fields_of, invalid, missing, offset, page_size, person, problem
from app.rehearsal.stand_ins.x_oauth import Verifier, parse

DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
NOT_ENGAGED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to."
)
NOT_VISIBLE = "You attempted to reply to a Tweet that is deleted or not visible to you."
APP_ONLY = "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint."
EPOCH_MS = 1288834974657  # of a post's id
SLICE = 15 * 60
LIMITS = {"create": (100, 0), "me": (75, 0), "posts": (900, 10_000), "post": (900, 450), "user": (900, 300)}
"""Requests in 15 minutes: of a user, of the app alone (0: not allowed)."""
LEFT = web.RequestKey("left", Left)
STATUS_URL = re.compile(r"/(?P<handle>\w{1,15}|i/web)/status(?:es)?/(?P<id>\d{1,19})/?(?:\?.*)?$")


class XStandIn(HttpStandIn):
    """See the module's docstring. A post's `extra` holds `author_id`, `conversation_id` and what the reply settings are."""

    name: ClassVar[str] = "x"
    switches: ClassVar[frozenset[str]] = frozenset({"new-names", "refuse-replies", "slow-timeline", "young-parent"})

    def __init__(self) -> None:
        super().__init__()
        self.accounts = [Account(**one) for one in accounts.X["accounts"]]
        self._verifier = Verifier(accounts.X["consumer_key"], accounts.X["consumer_secret"])
        self._quota = Quota(SLICE)
        self._last_id = 0

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [
            web.post("/2/tweets", self.create),
            web.get("/2/tweets/{id}", self.by_id),
            web.get("/2/users/me", self.me),
            web.get("/2/users/by/username/{username}", self.user),
            web.get("/2/users/{id}/tweets", self.timeline),
            web.get("/oembed", self.oembed),
            web.get("/{handle}/status/{id}", self.page),
            web.get("/i/web/status/{id}", self.page),
        ]

    def publishes(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path == "/2/tweets"

    def fault_answer(self, status: int, value: float | None) -> web.Response:
        answer = problem(status)
        if status == 429:
            answer.headers["x-rate-limit-remaining"] = "0"
            answer.headers["x-rate-limit-reset"] = str(int(time.time() + (value or 1) + 0.999))
        return answer

    def finish(self, request: web.Request, answer: web.Response) -> None:
        if not request.path.startswith("/2/"):
            return
        left = request.get(LEFT) or self._quota.look(("nobody",), 900)
        answer.headers.setdefault("x-rate-limit-limit", str(left.limit))
        answer.headers.setdefault("x-rate-limit-remaining", str(max(left.remaining, 0)))
        answer.headers.setdefault("x-rate-limit-reset", str(int(left.reset_at + 0.999)))

    async def reset(self) -> None:
        await super().reset()
        self._quota = Quota(SLICE)

    async def create(self, request: web.Request) -> web.Response:
        account = self._user(request, "create")
        body = body_of(await request.read())
        text = body.get("text", "")
        reply = body.get("reply") or {}
        if not isinstance(text, str) or not isinstance(reply, dict):
            raise invalid("text", text, "not of the right type")
        parent = self._parent(account, reply["in_reply_to_tweet_id"]) if "in_reply_to_tweet_id" in reply else None
        self._acceptable(account, text)
        post_id = self._next_id()
        post = Post(
            id=post_id,
            account=account.handle,
            text=text,
            reply_to=parent.id if parent else "",
            permalink=f"{self.base_url}/{account.handle}/status/{post_id}",
            extra={
                "author_id": account.user_id,
                "conversation_id": parent.extra["conversation_id"] if parent else post_id,
                "reply_settings": body.get("reply_settings", "everyone"),
            },
        )
        self.hold_for(post, request)
        answer = {"id": post_id, "text": x_text.shown(post)[0], "edit_history_tweet_ids": [post_id]}
        return web.json_response({"data": answer}, status=201)

    async def by_id(self, request: web.Request) -> web.Response:
        self._reader(request, "post")
        fields, new_names = fields_of(request)
        post = self.post(request.match_info["id"])
        if post is None:
            raise missing("tweet", "id", request.match_info["id"])
        return web.json_response({"data": self._told(post, fields, new_names)})

    async def me(self, request: web.Request) -> web.Response:
        return web.json_response({"data": person(self._user(request, "me"))})

    async def user(self, request: web.Request) -> web.Response:
        self._reader(request, "user")
        wanted = request.match_info["username"].lower()
        for account in self.accounts:
            if account.handle.lower() == wanted:
                return web.json_response({"data": person(account)})
        raise missing("user", "username", wanted)

    async def timeline(self, request: web.Request) -> web.Response:
        self._reader(request, "posts")
        fields, new_names = fields_of(request)
        user_id, query = request.match_info["id"], request.query
        if not any(account.user_id == user_id for account in self.accounts):
            raise missing("user", "id", user_id)
        size, wanted = page_size(query), asked(query)
        slow = self.faults.standing.get("slow-timeline")
        youngest = time.time() - ((slow.value or 0.0) if slow else 0.0)
        posts = [post for post in reversed(self.posts) if post.extra["author_id"] == user_id and post.at <= youngest and wanted(post)]
        start = offset(query.get("pagination_token", ""))
        end = start + size
        part = posts[start:end]
        meta: dict[str, Any] = {"result_count": len(part)}
        if part:
            meta |= {"newest_id": part[0].id, "oldest_id": part[-1].id}
        if end < len(posts):
            meta["next_token"] = f"b{end:x}"
        data = {"data": [self._told(post, fields, new_names) for post in part]} if part else {}
        return web.json_response(data | {"meta": meta})

    async def oembed(self, request: web.Request) -> web.Response:
        match = STATUS_URL.search(request.query.get("url", ""))
        post = self.post(match["id"]) if match else None
        if post is None:
            return web.Response(status=404, text="<h1>Not found</h1>", content_type="text/html")
        html = x_text.embedded(post, self._name(post), self.base_url)
        if request.query.get("omit_script") not in {"1", "true", "t"}:
            html += '<script async src="https://platform.x.com/widgets.js" charset="utf-8"></script>\n'
        answer = {
            "url": post.permalink,
            "author_name": self._name(post),
            "author_url": f"{self.base_url}/{post.account}",
            "html": html,
            "width": 550,
            "height": None,
            "type": "rich",
            "cache_age": "3153600000",
            "provider_name": "Twitter",
            "provider_url": self.base_url,
            "version": "1.0",
        }
        return web.json_response(answer)

    async def page(self, request: web.Request) -> web.Response:
        post = self.post(request.match_info["id"])
        if post is None:
            return reader("X", "This page does not exist", "", [], status=404)
        thread = [one for one in self.posts if one.extra.get("conversation_id", one.id) == post.extra.get("conversation_id", post.id)]
        return reader("X", f"{self._name(post)} (@{post.account})", post.id, thread)

    def _told(self, post: Post, fields: set[str], new_names: bool) -> dict[str, Any]:
        """The post as the API tells it: `fields`, and what always comes."""
        text, entities = x_text.shown(post)
        parent = self.post(post.reply_to)
        word = "post" if new_names or self.faults.on("new-names") else "tweet"
        known: dict[str, Any] = {
            "author_id": post.extra["author_id"],
            "created_at": datetime.fromtimestamp(post.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conversation_id": post.extra["conversation_id"],
            "reply_settings": post.extra["reply_settings"],
            "possibly_sensitive": False,
        }
        if entities:
            known["entities"] = entities
        if parent:
            known["in_reply_to_user_id"] = parent.extra["author_id"]
            known["referenced_tweets"] = [{"type": "replied_to", "id": parent.id}]
        always = {"id": post.id, "text": text, f"edit_history_{word}_ids": [post.id]}
        return always | {key.replace("tweet", word): value for key, value in known.items() if key in fields}

    def _name(self, post: Post) -> str:
        return next(account.name for account in self.accounts if account.handle == post.account)

    def _acceptable(self, account: Account, text: str) -> None:
        length, valid = x_text.weight(text)
        if not valid:
            raise invalid("text", text[:40], f"the text weighs {length}, of at most {x_text.MAX_WEIGHT}, or cannot be posted")
        if sum(one.kind == "cashtags" for one in x_text.found(text)) > x_text.MAX_CASHTAGS:
            raise invalid("text", text[:40], "more than one cashtag")
        if any(post.account == account.handle and post.text == text for post in self.posts):
            raise Answered(problem(403, DUPLICATE))

    def _parent(self, account: Account, parent_id: object) -> Post:
        if not isinstance(parent_id, str) or not re.fullmatch(r"[0-9]{1,19}", parent_id):
            raise invalid("reply.in_reply_to_tweet_id", parent_id, "does not match ^[0-9]{1,19}$")
        parent = self.post(parent_id)
        young = self.faults.standing.get("young-parent")
        if parent is None or (young and time.time() - parent.at < (young.value or 5.0)):
            raise Answered(problem(403, NOT_VISIBLE))
        own = parent.account == account.handle
        mentioned = any(one.kind == "mentions" and one.value.lower() == account.handle for one in x_text.found(parent.text))
        if self.faults.on("refuse-replies") or not (own or mentioned):
            raise Answered(problem(403, NOT_ENGAGED))
        return parent

    def _next_id(self) -> str:
        self._last_id = max(self._last_id + 1, (int(time.time() * 1000) - EPOCH_MS) << 22)
        return str(self._last_id)

    def _user(self, request: web.Request, what: str) -> Account:
        account = self._reader(request, what)
        if account is None:
            raise Answered(problem(403, APP_ONLY, "Unsupported Authentication", "unsupported-authentication"))
        return account

    def _reader(self, request: web.Request, what: str) -> Account | None:
        """Whose request it is (None: the app's own), counted against its limit. Raises `Answered` 401 or 429."""
        header = request.headers.get("Authorization", "")
        if header == f"Bearer {accounts.X['bearer_token']}":
            account = None
        else:
            oauth = parse(header)
            account = next((one for one in self.accounts if one.access_token == oauth.get("oauth_token")), None)
            if account is None or not self._verifier.verified(
                request.method, request.rel_url.raw_path, request.rel_url.raw_query_string, oauth, account.access_token_secret
            ):
                raise Answered(problem(401))
        of_user, of_app = LIMITS[what]
        limit = of_user if account else of_app
        if limit:
            left = request[LEFT] = self._quota.take((what, account), limit)
            if left.remaining < 0:
                raise Answered(problem(429))
        return account
