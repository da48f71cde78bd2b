"""X's and Reddit's rules as the stand-ins keep them: signatures, lengths, refusals, limits, and what a logged-out reader sees."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import aiohttp
import praw
import prawcore
import pytest
import yaml
from praw.exceptions import RedditAPIException
from tweepy.asynchronous import AsyncClient
from tweepy.errors import BadRequest, Forbidden, HTTPException, NotFound, TooManyRequests, Unauthorized

from app.rehearsal.stand_ins import accounts, x_text
from app.rehearsal.stand_ins.quota import Quota
from app.rehearsal.stand_ins.reddit_answers import slug
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import Post
from app.rehearsal.stand_ins.x_oauth import Verifier, parse, signature
from tests.rehearsal.clients import Lost, tweepy_client
from tests.rehearsal.wire import documents

# --- X -------------------------------------------------------------------------------------------------------------------------------


async def post(client: AsyncClient, text: str, **more: Any) -> str:
    answer = await client.create_tweet(text=text, user_auth=True, **more)
    return str(answer["data"]["id"])


def test_a_signature_is_the_one_of_xs_own_example() -> None:
    """xdevplatform/docs, `oauth-1-0a/creating-a-signature.mdx`: its parameters, secrets and result."""
    parameters = {
        "status": "Hello Ladies + Gentlemen, a signed OAuth request!",
        "include_entities": "true",
        "oauth_consumer_key": "xvz1evFS4wEEPTGEFPHBog",
        "oauth_nonce": "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1318622958",
        "oauth_token": "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "oauth_version": "1.0",
    }
    url = "https://api.x.com/1.1/statuses/update.json"
    consumer, token = "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"
    assert signature("post", url, parameters.items(), consumer, token) == "Ls93hJiZbQ3akF3HF3x1Bz8/zU4="


@pytest.mark.parametrize("wrong", ["consumer_key", "consumer_secret", "access_token", "access_token_secret"])
async def test_each_of_the_four_secrets_counts(running: Running, wrong: str) -> None:
    async with tweepy_client(running.urls["x"], 0, **{wrong: "wrong"}) as stranger:
        with pytest.raises(Unauthorized):
            await post(stranger, "by a stranger")
    assert running.stand_ins["x"].posts == []


async def test_a_replayed_request_is_refused(running: Running, x: AsyncClient) -> None:
    await x.get_me(user_auth=True)
    seen = running.stand_ins["x"].log[0].headers["Authorization"]
    async with aiohttp.ClientSession(running.urls["x"], headers={"Authorization": seen}) as thief, thief.get("/2/users/me") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(("age", "good"), [(0, True), (290, True), (-290, True), (310, False), (-310, False)])
def test_an_old_signature_is_refused(age: int, good: bool) -> None:
    oauth = {
        "oauth_consumer_key": "key",
        "oauth_nonce": "n",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time()) - age),
        "oauth_token": "t",
    }
    url = "https://api.x.com/2/users/me"
    oauth["oauth_signature"] = signature("GET", url, [*oauth.items(), ("a", "b c")], "cs", "ts")
    assert Verifier("key", "cs").verified("GET", "/2/users/me", "a=b%20c", oauth, "ts") is good
    assert not Verifier("key", "cs").verified("GET", "/2/users/me", "a=b%20d", oauth, "ts")
    assert not Verifier("key", "cs").verified("POST", "/2/users/me", "a=b%20c", oauth, "ts")


def test_only_an_oauth_header_is_parsed() -> None:
    assert parse('OAuth a="1%2B", b="2"') == {"a": "1+", "b": "2"}
    assert parse('Bearer a="1"') == parse("") == {}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 280, True),
        ("x" * 281, False),
        ("\u6f22" * 140, True),
        ("\u6f22" * 141, False),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467" * 140, True),
        ("x" * 256 + " https://status.acme.com/" + "y" * 200, True),
        ("x" * 257 + " https://status.acme.com/", False),
        ("", False),
        ("a\ufffeb", False),
    ],
)
async def test_280_weighted_characters(running: Running, x: AsyncClient, text: str, fits: bool) -> None:
    if fits:
        assert await post(x, text) == running.stand_ins["x"].posts[0].id
    else:
        with pytest.raises(BadRequest):
            await post(x, text)
        assert running.stand_ins["x"].posts == []


async def test_the_same_text_twice_is_refused_to_one_account_only(running: Running, x: AsyncClient) -> None:
    await post(x, "same")
    with pytest.raises(Forbidden, match="You are not allowed to create a Tweet with duplicate content"):
        await post(x, "same")
    async with tweepy_client(running.urls["x"], account=1) as other:
        await post(other, "same")
    assert len(running.stand_ins["x"].posts) == 2


async def test_a_reply_makes_a_thread(running: Running, x: AsyncClient) -> None:
    first = await post(x, "first")
    second = await post(x, "second", in_reply_to_tweet_id=first)
    third = await post(x, "third", in_reply_to_tweet_id=second)
    told = (await x.get_tweet(third, tweet_fields=["conversation_id", "referenced_tweets", "in_reply_to_user_id"], user_auth=True))["data"]
    assert (told["conversation_id"], told["referenced_tweets"]) == (first, [{"type": "replied_to", "id": second}])
    assert told["in_reply_to_user_id"] == accounts.X["accounts"][0]["user_id"]


async def test_a_reply_to_nothing_is_refused(x: AsyncClient) -> None:
    with pytest.raises(Forbidden, match="deleted or not visible to you"):
        await post(x, "to nobody", in_reply_to_tweet_id="1")


async def test_replies_can_be_refused(running: Running, x: AsyncClient) -> None:
    first = await post(x, "first")
    await running.fault("x", "refuse-replies")
    for _ in range(2):
        with pytest.raises(Forbidden, match="Reply to this conversation is not allowed because you have not been mentioned"):
            await post(x, "second", in_reply_to_tweet_id=first)
    await running.clear()
    assert await post(x, "second", in_reply_to_tweet_id=first)


async def test_a_reply_to_another_needs_a_mention(running: Running, x: AsyncClient) -> None:
    silent, calling = await post(x, "no names"), await post(x, "over to @Tocsin_Drill_B")
    async with tweepy_client(running.urls["x"], account=1) as other:
        with pytest.raises(Forbidden, match="you have not been mentioned"):
            await post(other, "me too", in_reply_to_tweet_id=silent)
        assert await post(other, "me too", in_reply_to_tweet_id=calling)


async def test_a_young_parent_can_be_invisible(running: Running, x: AsyncClient) -> None:
    first = await post(x, "first")
    await running.fault("x", "young-parent", value=0.2)
    with pytest.raises(Forbidden, match="deleted or not visible"):
        await post(x, "second", in_reply_to_tweet_id=first)
    await asyncio.sleep(0.25)
    assert await post(x, "second", in_reply_to_tweet_id=first)


async def test_a_timeline_can_lag(running: Running, x: AsyncClient) -> None:
    await post(x, "first")
    me = accounts.X["accounts"][0]["user_id"]
    await running.fault("x", "slow-timeline", value=0.2)
    assert await x.get_users_tweets(me, user_auth=True) == {"meta": {"result_count": 0}}
    await asyncio.sleep(0.25)
    assert (await x.get_users_tweets(me, user_auth=True))["meta"]["result_count"] == 1


async def test_a_timeline_is_cut_by_its_parameters(running: Running, x: AsyncClient) -> None:
    ids = [await post(x, f"post {number}") for number in range(6)]
    ids.append(await post(x, "a reply", in_reply_to_tweet_id=ids[0]))
    me = accounts.X["accounts"][0]["user_id"]

    async def listed(**more: Any) -> list[str]:
        answer = await x.get_users_tweets(me, user_auth=True, **more)
        return [one["id"] for one in answer.get("data", [])]

    assert await listed() == ids[::-1]
    assert await listed(since_id=ids[4]) == ids[:4:-1]
    assert await listed(until_id=ids[1]) == ids[:1]
    assert await listed(exclude="replies", since_id=ids[4]) == [ids[5]]
    assert await listed(start_time="2100-01-01T00:00:00Z") == []
    assert await listed(end_time="2020-01-01T00:00:00Z") == []
    first = await x.get_users_tweets(me, max_results=5, user_auth=True)
    assert first["meta"] | {"next_token": ""} == {"result_count": 5, "newest_id": ids[6], "oldest_id": ids[2], "next_token": ""}
    assert await listed(max_results=5, pagination_token=first["meta"]["next_token"]) == [ids[1], ids[0]]
    assert [one.account for one in running.stand_ins["x"].posts] == ["tocsin_drill"] * 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_results": 4},
        {"max_results": 101},
        {"start_time": "yesterday"},
        {"since_id": "x"},
        {"tweet_fields": ["colour"]},
        {"pagination_token": "?"},
    ],
)
async def test_a_wrong_parameter_is_refused(x: AsyncClient, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"does not match|between|valid date|not one of|not a token"):
        await x.get_users_tweets(accounts.X["accounts"][0]["user_id"], user_auth=True, **wrong)


@pytest.mark.parametrize("body", ["no json", "[]", '{"text": 5}', '{"text": "x", "colour": "red"}', '{"text": "x", "reply": 5}', "{}"])
async def test_a_wrong_body_is_refused(running: Running, x: AsyncClient, body: str) -> None:
    """Signed by tweepy's own means; the body is not part of the signature."""
    await x.create_tweet(text="lends its signature", user_auth=True)
    entry = running.stand_ins["x"].log[-1]
    x_platform = running.stand_ins["x"]
    x_platform._verifier = Verifier(accounts.X["consumer_key"], accounts.X["consumer_secret"])  # type: ignore[attr-defined]  # forgets the nonce
    headers = {"Authorization": entry.headers["Authorization"]}
    async with aiohttp.ClientSession(running.urls["x"], headers=headers) as client, client.post("/2/tweets", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["title"] == "Invalid Request"
    assert len(x_platform.posts) == 1


async def test_links_come_back_as_tco_and_markup_as_entities(x: AsyncClient) -> None:
    link = "https://status.acme.com/incidents/2026/11/login"
    post_id = await post(x, f"A & B <c> {link}, status.acme.com #now @acme")
    told = (await x.get_tweet(post_id, tweet_fields=["entities", "created_at", "author_id"], user_auth=True))["data"]
    (first, second) = told["entities"]["urls"]
    assert told["text"] == f"A &amp; B &lt;c&gt; {first['url']}, {second['url']} #now @acme"
    assert re.fullmatch(r"https://t\.co/[0-9A-Za-z]{10}", first["url"])
    assert first["expanded_url"] == link
    assert first["display_url"] == "status.acme.com/incidents/2026\u2026"
    assert second["expanded_url"] == "http://status.acme.com"
    assert told["text"][first["start"] : first["end"]] == first["url"]
    assert [one["tag"] for one in told["entities"]["hashtags"]] == ["now"]
    assert [one["username"] for one in told["entities"]["mentions"]] == ["acme"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", told["created_at"])


async def test_only_asked_fields_are_told(x: AsyncClient) -> None:
    post_id = await post(x, "short")
    assert set((await x.get_tweet(post_id, user_auth=True))["data"]) == {"id", "text", "edit_history_tweet_ids"}


async def test_a_missing_post_and_user_are_404(x: AsyncClient) -> None:
    for missing in (
        x.get_tweet("5", user_auth=True),
        x.get_users_tweets("5", user_auth=True),
        x.get_user(username="nobody", user_auth=True),
    ):
        with pytest.raises(NotFound):
            await missing


async def test_the_app_alone_reads_and_does_not_post(running: Running, x: AsyncClient) -> None:
    post_id = await post(x, "first")
    async with tweepy_client(running.urls["x"], bearer_token=accounts.X["bearer_token"]) as app:
        assert (await app.get_tweet(post_id))["data"]["text"] == "first"
        with pytest.raises(Forbidden, match="Application-Only is forbidden"):
            await app.create_tweet(text="x", user_auth=False)
    async with tweepy_client(running.urls["x"], bearer_token="unknown") as stranger:
        with pytest.raises(Unauthorized):
            await stranger.get_tweet(post_id)


async def test_the_limit_of_posts_is_kept_per_account(running: Running, x: AsyncClient) -> None:
    for number in range(100):
        await post(x, f"post {number}")
    with pytest.raises(TooManyRequests) as refusal:
        await post(x, "one too many")
    assert 0 < refusal.value.reset_time - time.time() <= 900
    assert len(running.stand_ins["x"].posts) == 100
    async with tweepy_client(running.urls["x"], account=1) as other:
        assert await post(other, "another account")


async def test_a_429_order_tells_when(running: Running, x: AsyncClient) -> None:
    await running.fault("x", "429", value=30)
    with pytest.raises(TooManyRequests) as refusal:
        await post(x, "refused")
    assert 29 <= refusal.value.reset_time - time.time() <= 32
    assert running.stand_ins["x"].posts == []


async def test_oembed_shows_the_post_to_anybody(running: Running, x: AsyncClient, web: aiohttp.ClientSession) -> None:
    await post(x, "It's <b> & https://status.acme.com/1\nnext @acme #now")
    held = running.stand_ins["x"].posts[0]
    async with web.get(f"{running.urls['x']}/oembed", params={"url": held.permalink, "omit_script": "1"}) as answer:
        told = await answer.json()
    short = x_text.short(held.id, "https://status.acme.com/1")
    base = running.urls["x"]
    assert told["author_url"] == f"{base}/tocsin_drill"
    assert f'<p lang="en" dir="ltr">It&#39;s &lt;b&gt; &amp; <a href="{short}">{short}</a><br>next ' in told["html"]
    assert f'<a href="{base}/acme?ref_src=twsrc%5Etfw">@acme</a>' in told["html"]
    assert "<script" not in told["html"]
    async with web.get(f"{base}/oembed", params={"url": held.permalink}) as answer:
        assert "<script" in (await answer.json())["html"]
    async with web.get(f"{base}/oembed", params={"url": f"{base}/tocsin_drill/status/1"}) as answer:
        assert answer.status == 404


async def test_the_page_of_a_post_needs_no_login_and_escapes(running: Running, x: AsyncClient, web: aiohttp.ClientSession) -> None:
    await post(x, '<img src=x onerror=alert(1)> https://status.acme.com/?a=1&b="2"')
    async with web.get(running.stand_ins["x"].posts[0].permalink) as answer:
        page = await answer.text()
    assert "&lt;img src=x" in page
    assert "<img" not in page
    assert '<a href="https://status.acme.com/?a=1&amp;b=" rel=' in page
    async with web.get(f"{running.urls['x']}/tocsin_drill/status/1") as answer:
        assert answer.status == 404


def test_what_x_links_is_what_twitter_text_links() -> None:
    """twitter-text's own conformance cases."""
    cases = yaml.safe_load((documents() / "twitter-text" / "extract.yml").read_text("utf-8"))["tests"]
    for kind in ("urls", "mentions", "hashtags", "cashtags"):
        for case in cases[kind]:
            assert [one.value for one in x_text.found(case["text"]) if one.kind == kind] == case["expected"], case["description"]


def test_every_post_has_links_of_its_own() -> None:
    first, second = Post("1", "a", "https://status.acme.com/"), Post("2", "a", "https://status.acme.com/")
    assert x_text.shown(first)[0] != x_text.shown(second)[0]


def test_a_quota_counts_in_slices() -> None:
    quota = Quota(seconds=10)
    assert [quota.take("a", 2).remaining for _ in range(3)] == [1, 0, -1]
    assert quota.take("b", 2).remaining == 1
    quota.began -= 10
    assert quota.look("a", 2).remaining == 2
    assert 0 < quota.look("a", 2).reset_at - time.time() <= 10


# --- Reddit --------------------------------------------------------------------------------------------------------------------------


async def submit(reddit: praw.Reddit, title: str = "Incident", text: str = "All users", **more: Any) -> str:
    submission = await asyncio.to_thread(lambda: reddit.subreddit("tocsin_drill").submit(title, selftext=text, **more))
    assert submission is not None
    return str(submission.id)


async def test_a_wrong_password_is_http_200(running: Running, web: aiohttp.ClientSession) -> None:
    ours = accounts.REDDIT
    url = f"{running.urls['reddit']}/api/v1/access_token"
    right = {"Authorization": aiohttp.encode_basic_auth(ours["client_id"], ours["client_secret"])}
    form = {"grant_type": "password", "username": ours["username"], "password": "wrong"}
    async with web.post(url, data=form, headers=right) as answer:
        assert (answer.status, await answer.json()) == (200, {"error": "invalid_grant"})
    async with web.post(url, data=form, headers={"Authorization": aiohttp.encode_basic_auth("nobody", "x")}) as answer:
        assert (answer.status, await answer.json()) == (401, {"message": "Unauthorized", "error": 401})
        assert "www-authenticate" in answer.headers
    async with web.post(url, data={"grant_type": "refresh_token", "refresh_token": "x"}, headers=right) as answer:
        assert answer.status == 400
    async with web.post(url, data=form | {"password": ours["password"]}, headers=right) as answer:
        token = await answer.json()
    assert token | {"access_token": ""} == {"access_token": "", "token_type": "bearer", "expires_in": 3600, "scope": "*"}


async def test_an_expired_token_is_401_and_praw_takes_a_new_one(running: Running, reddit: praw.Reddit) -> None:
    await submit(reddit)
    platform = running.stand_ins["reddit"]
    platform._tokens.clear()  # type: ignore[attr-defined]
    await submit(reddit, "after an hour")
    assert [entry.status for entry in platform.log] == [200, 200, 401, 200, 200]
    assert len(platform.posts) == 2


async def test_a_submission_and_its_replies(running: Running, reddit: praw.Reddit) -> None:
    post_id = await submit(reddit, "Incident: \u00e9 all", "**All** <users> & more", send_replies=False, spoiler=True)
    held = running.stand_ins["reddit"].posts[0]
    assert held.permalink == f"{running.urls['reddit']}/r/tocsin_drill/comments/{post_id}/incident_all/"
    assert (held.extra["sendreplies"], held.extra["spoiler"], held.extra["nsfw"]) == (False, True, False)

    def reply() -> praw.models.Comment:
        comment = reddit.submission(post_id).reply("Part 2")
        assert isinstance(comment, praw.models.Comment)
        return comment

    comment = await asyncio.to_thread(reply)
    part = running.stand_ins["reddit"].posts[1]
    assert (part.reply_to, part.permalink) == (f"t3_{post_id}", f"{held.permalink}{comment.id}/")
    assert (comment.parent_id, comment.link_id, comment.body) == (f"t3_{post_id}", f"t3_{post_id}", "Part 2")


@pytest.mark.parametrize(
    ("title", "text", "code"),
    [("x" * 301, "y", "TOO_LONG"), ("x", "y" * 40_001, "TOO_LONG"), (" ", "y", "NO_TEXT"), ("\U0001f6a8" * 301, "y", "TOO_LONG")],
)
async def test_too_long_and_empty_submissions_are_refused(running: Running, reddit: praw.Reddit, title: str, text: str, code: str) -> None:
    with pytest.raises(RedditAPIException, match=code):
        await submit(reddit, title, text)
    assert running.stand_ins["reddit"].log[-1].status == 200
    assert running.stand_ins["reddit"].posts == []


async def test_the_longest_submission_fits(running: Running, reddit: praw.Reddit) -> None:
    await submit(reddit, "\U0001f6a8" * 300, "\U0001f6a8" * 40_000)
    assert len(running.stand_ins["reddit"].posts[0].text) == 40_000


async def test_a_comment_has_limits_of_its_own(running: Running, reddit: praw.Reddit) -> None:
    submission = reddit.submission(await submit(reddit))
    with pytest.raises(RedditAPIException, match=r"TOO_LONG.*10000"):
        await asyncio.to_thread(submission.reply, "x" * 10_001)
    with pytest.raises(RedditAPIException, match="NO_TEXT"):
        await asyncio.to_thread(submission.reply, " ")
    assert await asyncio.to_thread(submission.reply, "x" * 10_000)


async def test_nothing_is_idempotent(running: Running, reddit: praw.Reddit) -> None:
    assert await submit(reddit) != await submit(reddit)
    assert len(running.stand_ins["reddit"].posts) == 2


async def test_a_link_is_submitted_once(reddit: praw.Reddit) -> None:
    subreddit = reddit.subreddit("tocsin_drill")
    await asyncio.to_thread(subreddit.submit, "The blog", url="https://acme.example/post")
    with pytest.raises(RedditAPIException, match="ALREADY_SUB"):
        await asyncio.to_thread(subreddit.submit, "The blog", url="https://acme.example/post", resubmit=False)
    with pytest.raises(RedditAPIException, match="BAD_URL"):
        await asyncio.to_thread(subreddit.submit, "The blog", url="acme")


async def test_a_flair_by_its_id(running: Running, reddit: praw.Reddit, web: aiohttp.ClientSession) -> None:
    flair_id, text = next(iter(accounts.REDDIT["flairs"].items()))
    await submit(reddit, flair_id=flair_id)
    await submit(reddit, flair_id=flair_id, flair_text="Incident, own words")
    assert [one.extra["flair_text"] for one in running.stand_ins["reddit"].posts] == [text, "Incident, own words"]
    with pytest.raises(prawcore.BadRequest):
        await submit(reddit, flair_text="without an id")
    with pytest.raises(RedditAPIException, match="BAD_FLAIR_TEMPLATE_ID"):
        await submit(reddit, flair_id="none")


@pytest.mark.parametrize(("switch", "code"), [("not-allowed", "SUBREDDIT_NOTALLOWED"), ("title-rule", "TITLE_BLACKLISTED_STRING")])
async def test_a_subreddit_can_refuse(running: Running, reddit: praw.Reddit, switch: str, code: str) -> None:
    await running.fault("reddit", switch)
    with pytest.raises(RedditAPIException, match=code):
        await submit(reddit)
    await running.clear()
    assert await submit(reddit)


async def test_a_ratelimit_is_an_error_under_200(running: Running, reddit: praw.Reddit) -> None:
    await running.fault("reddit", "ratelimit", value=540)
    with pytest.raises(RedditAPIException, match="RATELIMIT: 'Take a break for 9 minutes before trying again"):
        await submit(reddit)
    assert json.loads(running.stand_ins["reddit"].log[-1].answer)["json"]["ratelimit"] == 540


async def test_a_comment_can_be_posted_and_not_shown(running: Running, reddit: praw.Reddit) -> None:
    submission = reddit.submission(await submit(reddit))
    await running.fault("reddit", "empty-things")
    assert await asyncio.to_thread(submission.reply, "Part 2") is None
    assert running.stand_ins["reddit"].posts[1].text == "Part 2"


async def test_a_submission_is_pinned_in_one_of_two_places(running: Running, reddit: praw.Reddit) -> None:
    submissions = [reddit.submission(await submit(reddit, f"Incident {number}")) for number in range(3)]
    for submission in submissions:
        await asyncio.to_thread(submission.mod.sticky)
    posts = running.stand_ins["reddit"].posts
    assert [one.extra["stickied"] for one in posts] == [True, False, True]
    await asyncio.to_thread(submissions[0].mod.sticky, state=False)
    assert [one.extra["stickied"] for one in posts] == [False, False, True]


async def test_own_posts_are_listed_newest_first(reddit: praw.Reddit) -> None:
    ids = [await submit(reddit, f"Incident {number}") for number in range(3)]

    def listed(limit: int) -> list[str]:
        return [one.id for one in reddit.redditor("tocsin_drill").submissions.new(limit=limit)]

    assert await asyncio.to_thread(listed, 2) == ids[:0:-1]
    assert await asyncio.to_thread(listed, 100) == ids[::-1]
    for number in range(2):
        await asyncio.to_thread(reddit.submission(ids[0]).reply, f"Part {number}")
    comments = await asyncio.to_thread(lambda: [one.body for one in reddit.redditor("tocsin_drill").comments.new(limit=5)])
    assert comments == ["Part 1", "Part 0"]
    with pytest.raises(prawcore.NotFound):
        await asyncio.to_thread(lambda: list(reddit.redditor("nobody").submissions.new(limit=1)))


async def test_a_logged_out_reader_sees_the_thread(running: Running, reddit: praw.Reddit, web: aiohttp.ClientSession) -> None:
    submission = reddit.submission(await submit(reddit, "Incident", "<b>All</b> & users"))
    await asyncio.to_thread(submission.reply, "Part 2")
    held, part = running.stand_ins["reddit"].posts
    async with web.get(f"{held.permalink}.json", params={"raw_json": "1"}) as answer:
        (links, comments) = await answer.json()
    link = links["data"]["children"][0]["data"]
    assert (link["selftext"], link["author"], link["permalink"]) == ("<b>All</b> & users", "tocsin_drill", held.extra["path"])
    assert [one["data"]["body"] for one in comments["data"]["children"]] == ["Part 2"]
    async with web.get(f"{held.permalink.rstrip('/')}.json") as answer:
        assert (await answer.json())[0]["data"]["children"][0]["data"]["selftext"] == "&lt;b&gt;All&lt;/b&gt; &amp; users"
    for url in (held.permalink, part.permalink, held.permalink.rstrip("/")):
        async with web.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            page = await answer.text()
        assert "&lt;b&gt;All&lt;/b&gt; &amp; users" in page
        assert "Part 2" in page
    async with web.get(f"{running.urls['reddit']}/r/tocsin_drill/comments/zzz/gone/.json") as answer:
        assert answer.status == 404


async def test_a_librarys_own_user_agent_is_throttled(running: Running, reddit: praw.Reddit) -> None:
    await submit(reddit)
    permalink = running.stand_ins["reddit"].posts[0].permalink
    for agent in ("python-requests/2.34", "Python/3.11 aiohttp/3.14.5", ""):
        async with aiohttp.ClientSession(headers={"User-Agent": agent}) as client, client.get(f"{permalink}.json") as answer:
            assert (answer.status, answer.content_type) == (429, "text/html")


async def test_rate_limit_headers_are_a_float_and_seconds_left(running: Running, reddit: praw.Reddit) -> None:
    await submit(reddit)
    told = running.stand_ins["reddit"].log[-1].answer_headers
    assert (told["x-ratelimit-remaining"], told["x-ratelimit-used"]) == ("599.0", "1")
    assert 1 <= int(told["x-ratelimit-reset"]) <= 600


async def test_a_429_order_is_html_with_retry_after(running: Running, reddit: praw.Reddit) -> None:
    await running.fault("reddit", "429", value=7)
    with pytest.raises(prawcore.TooManyRequests):
        await submit(reddit)
    entry = running.stand_ins["reddit"].log[-1]
    assert (entry.answer_headers["retry-after"], entry.answer_headers["Content-Type"]) == ("7", "text/html; charset=utf-8")
    assert running.stand_ins["reddit"].posts == []


@pytest.mark.parametrize(("fault", "posts"), [("cut-before", 0), ("cut-after", 1), ("truncated", 1)])
async def test_a_lost_answer_is_one_request(running: Running, reddit: praw.Reddit, fault: str, posts: int) -> None:
    """With a requestor of one's own praw does not repeat; without, it sends three."""
    await asyncio.to_thread(reddit.user.me)
    await running.fault("reddit", fault)
    with pytest.raises(Lost):
        await submit(reddit)
    assert len(running.stand_ins["reddit"].posts) == posts
    assert sum(entry.path.startswith("/api/submit") for entry in running.stand_ins["reddit"].log) == 1


async def test_praw_as_it_comes_posts_three_times(running: Running, reddit: praw.Reddit) -> None:
    """Why a requestor of one's own is needed: the stand-in shows the danger."""
    await running.fault("reddit", "500", count=2)
    await submit(reddit)
    assert [entry.status for entry in running.stand_ins["reddit"].log if entry.path.startswith("/api/submit")] == [500, 500, 200]


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("Incident: All users!", "incident_all_users"),
        ("\u6f22\u5b57", "_"),
        ("word " * 20, "word_word_word_word_word_word_word_word_word_word"),
    ],
)
def test_a_slug_is_made_as_in_reddits_code(title: str, path: str) -> None:
    assert slug(title)[:49] == path[:49]
    assert len(slug(title)) <= 50


async def test_every_platform_rejects_strangers(running: Running, web: aiohttp.ClientSession) -> None:
    for url in (f"{running.urls['x']}/2/users/me", f"{running.urls['reddit']}/api/v1/me"):
        async with web.get(url) as answer:
            assert answer.status == 401
    with pytest.raises(HTTPException):
        async with tweepy_client(running.urls["x"], bearer_token="x") as stranger:
            await stranger.get_user(username="tocsin_drill")
