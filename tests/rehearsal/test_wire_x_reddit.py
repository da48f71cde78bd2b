"""tweepy and praw, unmodified, against the stand-ins: every request and every answer is held against X's and Reddit's documents.

Known faults of the documents (their README) that are kept out of the way here: the names of X's fields changed in the document of
2026-08 only; X's errors fit only the `Problem` of the document before; `{}` passes as an X request and as an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import praw
import prawcore
import pytest
from praw.models import Comment, Redditor
from tweepy.asynchronous import AsyncClient
from tweepy.errors import HTTPException

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import Entry
from tests.rehearsal.clients import tweepy_client
from tests.rehearsal.wire import Document, captured, document, requests_in

URL_TEXT = "Incident: \u00e9 \U0001f6a8 <b>& all users: https://status.acme.com/1 #incident"
FIELDS = ["author_id", "created_at", "entities", "conversation_id", "referenced_tweets", "in_reply_to_user_id"]


def errors_of_x(document: Document, entry: Entry) -> list[str]:
    if entry.status < 400:
        return document.check_answer(entry.method, entry.path, entry.status, entry.answer_headers["Content-Type"], entry.answer)
    return document.check(json.loads(entry.answer), {"$ref": "#/components/schemas/Problem"})


async def talk_to_x(client: AsyncClient, base: str) -> None:
    """Everything an adapter does, and every refusal that it can meet."""
    first = (await client.create_tweet(text=URL_TEXT, user_auth=True))["data"]["id"]
    await client.create_tweet(text="Part 2", in_reply_to_tweet_id=first, user_auth=True)
    me = (await client.get_me(user_auth=True))["data"]["id"]
    await client.get_tweet(first, tweet_fields=FIELDS, user_auth=True)
    await client.get_users_tweets(
        me, max_results=5, start_time="2026-01-01T00:00:00Z", tweet_fields=FIELDS, exclude=["replies"], user_auth=True
    )
    await client.get_users_tweets(me, max_results=5, since_id=first, until_id=first, user_auth=True)
    await client.get_user(username="tocsin_drill", user_auth=True)
    for wrong in (
        client.create_tweet(text=URL_TEXT, user_auth=True),
        client.create_tweet(text="x" * 281, user_auth=True),
        client.create_tweet(text="$ONE $TWO", user_auth=True),
        client.create_tweet(text="to nobody", in_reply_to_tweet_id="1", user_auth=True),
        client.get_tweet("1", user_auth=True),
        client.get_users_tweets("1", user_auth=True),
        client.get_users_tweets(me, max_results=4, user_auth=True),
    ):
        with pytest.raises(HTTPException):
            await wrong
    async with tweepy_client(base, access_token_secret="wrong") as stranger:
        with pytest.raises(HTTPException):
            await stranger.get_me(user_auth=True)
    async with tweepy_client(base, bearer_token=accounts.X["bearer_token"]) as app_only:
        await app_only.get_tweet(first)
        with pytest.raises(HTTPException):
            await app_only.create_tweet(text="by the app alone", user_auth=False)


@pytest.fixture
async def x_log(running: Running, x: AsyncClient) -> list[Entry]:
    await talk_to_x(x, running.urls["x"])
    for fault in ("429", "401", "500"):
        await running.fault("x", fault)
        with contextlib.suppress(HTTPException):
            await x.create_tweet(text=f"meets {fault}", user_auth=True)
    return list(requests_in(running.stand_ins["x"].log, "/2/"))


async def test_what_tweepy_sends_fits_the_document(x_log: list[Entry]) -> None:
    old, new = document("x-api-v2-before-2026-08"), document("x-api-v2")
    for entry in x_log:
        if "max_results=4" not in entry.path:
            assert old.check_query(entry.method, entry.path) == [], entry.path
        for doc in (old, new):
            assert doc.check_body(entry.method, entry.path, entry.headers.get("Content-Type", ""), entry.body) == []


async def test_what_the_x_stand_in_answers_fits_the_document(x_log: list[Entry]) -> None:
    old = document("x-api-v2-before-2026-08")
    assert {entry.status for entry in x_log} == {200, 201, 400, 401, 403, 404, 429, 500}
    for entry in x_log:
        assert errors_of_x(old, entry) == [], (entry.path, entry.answer)
        assert re.fullmatch(r"\d{10}", entry.answer_headers["x-rate-limit-reset"])
        assert int(entry.answer_headers["x-rate-limit-remaining"]) <= int(entry.answer_headers["x-rate-limit-limit"] or 0) or entry.fault


async def test_x_answers_fit_the_renamed_document_too(x_log: list[Entry]) -> None:
    new = document("x-api-v2")
    good = [entry for entry in x_log if entry.status < 400]
    assert [errors_of_x(new, entry) for entry in good] == [[] for _ in good]
    assert all(re.fullmatch(r"\d{19}", json.loads(entry.answer)["data"]["id"]) for entry in good if entry.status == 201)


async def test_x_tells_new_names_to_who_asks_by_them(running: Running, x: AsyncClient) -> None:
    first = (await x.create_tweet(text="the first", user_auth=True))["data"]["id"]
    reply = (await x.create_tweet(text="the reply", in_reply_to_tweet_id=first, user_auth=True))["data"]["id"]
    headers = {"Authorization": f"Bearer {accounts.X['bearer_token']}"}
    async with (
        aiohttp.ClientSession(running.urls["x"], headers=headers) as app_only,
        app_only.get(f"/2/tweets/{reply}", params={"post.fields": "created_at,conversation_id"}) as answer,
    ):
        body = await answer.read()
    assert set(json.loads(body)["data"]) == {"id", "text", "edit_history_post_ids", "created_at", "conversation_id"}
    entry = running.stand_ins["x"].log[-1]
    new = document("x-api-v2")
    assert new.check_query(entry.method, entry.path) == []
    assert errors_of_x(new, entry) == []
    await running.fault("x", "new-names")
    told = (await x.get_tweet(reply, tweet_fields=["referenced_tweets"], user_auth=True))["data"]
    assert told["referenced_posts"] == [{"type": "replied_to", "id": first}]
    assert errors_of_x(new, running.stand_ins["x"].log[-1]) == []


async def test_tweepy_still_sends_what_was_once_recorded(running: Running, x: AsyncClient) -> None:
    """The same calls as in the recording give the same methods, paths, headers and bodies."""
    await x.create_tweet(text="Incident: \u00e9 \U0001f6a8 https://status.acme.example/1", user_auth=True)
    post_id = running.stand_ins["x"].posts[0].id
    await x.create_tweet(text="Part 2", in_reply_to_tweet_id=post_id, user_auth=True)
    me = (await x.get_me(user_auth=True))["data"]["id"]
    await x.get_tweet(post_id, tweet_fields=["author_id", "created_at"], user_auth=True)
    await x.get_users_tweets(me, max_results=5, start_time="2026-11-24T00:00:00Z", user_auth=True)
    sent = running.stand_ins["x"].log
    for entry, once in zip(sent, captured("tweepy"), strict=False):
        assert (entry.method, _blank(entry.path)) == (once["method"], _blank(once["path"]))
        assert _shape(entry.body) == _shape(once["body"].encode())
        assert set(once["headers"]) <= {"Content-Type", "Authorization", "User-Agent", "Accept"} & set(entry.headers)
        assert _names(entry.headers["Authorization"]) == _names(once["headers"]["Authorization"])
    assert len(sent) == 5


def talk_to_reddit(reddit: praw.Reddit, running: Running) -> None:
    subreddit = reddit.subreddit("tocsin_drill")
    post = subreddit.submit(
        "Incident: \u00e9 \U0001f6a8", selftext="**All** <users> & more", send_replies=False, flair_id=next(iter(accounts.REDDIT["flairs"]))
    )
    comment = post.reply("Part 2")
    assert isinstance(comment, Comment)
    comment.reply("Part 3")
    post.mod.sticky()
    me = reddit.user.me()
    assert isinstance(me, Redditor)
    assert me.id == accounts.REDDIT["account_id"]
    assert next(iter(reddit.info(fullnames=[post.fullname]))).title.startswith("Incident")
    assert [one.id for one in reddit.redditor("tocsin_drill").submissions.new(limit=5)] == [post.id]
    assert [one.body for one in reddit.submission(post.id).comments.list() if isinstance(one, Comment)] == ["Part 2", "Part 3"]
    with pytest.raises(praw.exceptions.RedditAPIException, match="BAD_FLAIR_TEMPLATE_ID"):
        subreddit.submit("with a flair of nobody's", selftext="x", flair_id="none")
    with pytest.raises(praw.exceptions.RedditAPIException, match="SUBREDDIT_NOEXIST"):
        reddit.subreddit("nowhere").submit("title", selftext="x")
    with pytest.raises(prawcore.InsufficientScope):
        reddit.comment("zzzz").reply("to nobody")


def refused_by_reddit(reddit: praw.Reddit) -> None:
    with pytest.raises((prawcore.PrawcoreException, praw.exceptions.RedditAPIException)):
        reddit.subreddit("tocsin_drill").submit("refused", selftext="x")


@pytest.fixture
async def reddit_log(running: Running, reddit: praw.Reddit) -> list[Entry]:
    await asyncio.to_thread(talk_to_reddit, reddit, running)
    await running.fault("reddit", "title-rule")
    await asyncio.to_thread(refused_by_reddit, reddit)
    await running.clear()
    await running.fault("reddit", "429", value=1)
    await asyncio.to_thread(refused_by_reddit, reddit)
    await running.fault("reddit", "401")
    await asyncio.to_thread(reddit.subreddit("tocsin_drill").submit, "after a new token", selftext="x")
    return list(requests_in(running.stand_ins["reddit"].log))


async def test_what_praw_sends_fits_the_document(reddit_log: list[Entry]) -> None:
    doc = document("reddit")
    for entry in reddit_log:
        assert doc.check_query(entry.method, reddit_path(entry)) == [], entry.path
        assert doc.check_body(entry.method, reddit_path(entry), entry.headers.get("Content-Type", ""), entry.body) == []


async def test_what_the_reddit_stand_in_answers_fits_the_document(reddit_log: list[Entry]) -> None:
    doc = document("reddit")
    assert {entry.status for entry in reddit_log} == {200, 400, 401, 403, 429}
    for entry in reddit_log:
        kind = entry.answer_headers["Content-Type"]
        assert doc.check_answer(entry.method, reddit_path(entry), entry.status, kind, entry.answer) == [], (entry.path, entry.answer)
        assert "www-authenticate" in entry.answer_headers or entry.status not in (401, 403)
        if not (entry.fault or entry.path.startswith("/api/v1/access_token")):
            assert re.fullmatch(r"\d+\.0", entry.answer_headers["x-ratelimit-remaining"])


async def test_praw_still_sends_what_was_once_recorded(running: Running, reddit: praw.Reddit) -> None:
    def talk() -> None:
        me = reddit.user.me()
        assert isinstance(me, Redditor)
        post = reddit.subreddit("tocsin_drill").submit("Incident", selftext="**All** users", send_replies=False)
        post.reply("Part 2")
        list(me.submissions.new(limit=5))
        list(reddit.info(fullnames=[post.fullname]))
        post.mod.sticky(bottom=False)

    await asyncio.to_thread(talk)
    sent = [entry for entry in running.stand_ins["reddit"].log if not entry.path.startswith("/comments")]
    for entry, once in zip(sent, captured("praw"), strict=False):
        assert (entry.method, _blank(entry.path)) == (once["method"], _blank(once["path"]))
        missing = set(_shape(once["body"].encode())) ^ set(_shape(entry.body))
        assert missing <= {"num"}, entry.path
        assert entry.headers["Authorization"].split()[0] == once["headers"]["Authorization"].split()[0]
    assert len(sent) == 7


async def test_the_lane_can_fail() -> None:
    """What is wrong is found: a bad body, a bad parameter, a bad answer, an unknown path."""
    x, reddit = document("x-api-v2-before-2026-08"), document("reddit")
    assert x.check_body("POST", "/2/tweets", "application/json", b'{"text": 1}')
    assert x.check_body("POST", "/2/tweets", "text/plain", b"{}")
    assert x.check_query("GET", "/2/users/1/tweets?max_results=4")
    assert x.check_query("GET", "/2/users/1/tweets?newest=1")
    assert x.check_answer("GET", "/2/users/me", 200, "application/json", b'{"data": {"id": 5, "name": "n", "username": "u"}}')
    assert x.check({"title": "no type"}, {"$ref": "#/components/schemas/Problem"})
    assert reddit.check_body("POST", "/api/submit", "application/x-www-form-urlencoded", b"api_type=json&kind=self&sr=x&title=t&colour=red")
    assert reddit.check_answer("POST", "/api/submit", 200, "application/json", b'{"json": {"errors": [["too_long", "x", "y"]]}}')
    with pytest.raises(LookupError):
        x.operation("POST", "/2/tweets/5")


def reddit_path(entry: Entry) -> str:
    """The document has the paths without praw's last slash."""
    url = urlsplit(entry.path)
    return f"{url.path.rstrip('/')}?{url.query}"


def _blank(path: str) -> str:
    """Ids, names and dates of the recording and of the run made alike."""
    url = urlsplit(path)
    query = sorted((key, "" if key in {"id", "start_time"} else value) for key, value in parse_qsl(url.query))
    return f"{re.sub(r'[0-9]{5,}|/user/[^/]+', '*', url.path)} {query}"


def _shape(body: bytes) -> Any:
    """The keys of a form or of a JSON body, nested ones too."""
    if body.startswith(b"{"):
        loaded = json.loads(body)
        return {key: set(value) if isinstance(value, dict) else None for key, value in loaded.items()}
    return dict.fromkeys(key for key, _ in parse_qsl(body.decode(), keep_blank_values=True))


def _names(header: str) -> set[str]:
    return set(re.findall(r"oauth_\w+", header))
