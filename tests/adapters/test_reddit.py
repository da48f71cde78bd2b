"""What is particular to Reddit: one POST whatever praw would repeat, Markdown shown literally, its error triplets, removed posts."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pydantic import SecretStr

import adapters.reddit.wire
from adapters import http
from adapters.contract import (
    PERMALINK_SLOT,
    AdapterError,
    Config,
    Message,
    NeedsOperator,
    NotSent,
    OutcomeUnknown,
    Part,
    Receipt,
    Rejected,
    Role,
    Unsupported,
)
from adapters.reddit.adapter import RedditAdapter
from adapters.reddit.text import literal, pause
from adapters.reddit.wire import AT_ONCE
from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import StandIn
from tests.adapters.hostile import Hostile, hostile_host

OURS = accounts.REDDIT
SECRETS = {name: OURS[name] for name in ("client_secret", "password")}
KEY = "abcdefghijklmnopqrst"
PART = Part("Do not sign anything.", "Security incident")


def config(base_url: str = "", **fields: str) -> Config:
    fields = {name: OURS[name] for name in ("subreddit", "username", "client_id")} | {"flair_id": "", "sticky": "false"} | fields
    secrets = {name: SecretStr(value) for name, value in SECRETS.items()}
    return Config("reddit-main", "reddit", Role.PRIMARY, OURS["account_id"], base_url, fields, secrets)


@pytest.fixture
async def reddit(running: Running) -> AsyncIterator[RedditAdapter]:
    adapter = RedditAdapter(config(running.urls["reddit"]))
    yield adapter
    await adapter.aclose()


@pytest.fixture
def stand_in(running: Running) -> StandIn:
    return running.stand_ins["reddit"]


@pytest.fixture
async def host() -> AsyncIterator[Hostile]:
    async with hostile_host() as host:
        host.say("/api/v1/access_token", {"access_token": "t", "token_type": "bearer", "expires_in": 3600, "scope": "*"})
        yield host


@pytest.fixture
async def hostile_reddit(host: Hostile) -> AsyncIterator[RedditAdapter]:
    adapter = RedditAdapter(config(host.base_url))
    yield adapter
    await adapter.aclose()


def posts_asked(stand_in: StandIn) -> int:
    return sum(entry.method == "POST" and "access_token" not in entry.path for entry in stand_in.log)


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


# Markdown

SIGNS = ["**", "__", "_", "*", "~~", "`", "===", "---", "|", "^(up)", ">!", "!<", "\\", "&amp;", "&#x41;", "<b>", "[x]:", "![i](x)"]
BLOCKS = ["# ", "> ", "- ", "+ ", "1. ", "2) ", "```\n", "\n", "\n\n", "    ", "\t", " "]
LINKS = ["[a](https://evil.example)", "<https://a.example>", "https://a.example/x", "word", "snake_case"]
MARKUP = st.sampled_from(SIGNS) | st.sampled_from(BLOCKS) | st.sampled_from(LINKS)


class Seen(HTMLParser):
    """What a reader of the rendered HTML sees, and what is marked up in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(max_examples=300, deadline=None)
@given(st.lists(MARKUP, max_size=14).map("".join))
def test_markdown_shows_the_text_literally(text: str) -> None:
    assume(not re.search(r"://\S*[*~_&]", text))  # Reddit takes a link before it looks for markup in it, this parser does not
    seen = Seen(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(literal(text)))
    assert seen.tags <= {"p", "br"}
    # a space may be put behind a link; whitespace is HTML's own affair
    assert re.sub(r"\s", "", seen.text) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("**all** of snake_case", r"\*\*all\*\* of snake\_case"),
        ("a\nb\n\n\n\nc", "a  \nb\n\nc"),
        ("- one\n- two", "\\- one  \n\\- two"),
        ("2026. A year", r"2026\. A year"),
        ("-5 degrees, 1.5 more", "-5 degrees, 1.5 more"),
        ("u/name, /u/name, r/sub and /R/sub", "u/ name, /u/ name, r/ sub and /R/ sub"),
        ("and/or w/r/t our/their", "and/or w/r/t our/their"),
        ("https://a.example/x_y_z(1)?a=*b", "https://a.example/x_y_z(1)?a=*b"),
        ("(see https://a.example/x_).", "(see https://a.example/x \\_)."),
        ("**https://a.example/u/name**!", r"\*\*https://a.example/u/name \*\*!"),
        ("<https://a.example>", r"\<https://a.example \>"),
        ("now at" + PERMALINK_SLOT, f"now at {PERMALINK_SLOT}"),
        ("Title\n===", "Title  \n&#61;=="),
        ("help@company.example", "help@company.example"),
        ("first_last@company.example", r"first\_last&#64;company.example"),
        ("AT&T &copy; 2026", r"AT&T \&copy; 2026"),
    ],
)
def test_what_is_escaped_and_what_is_left(text: str, markdown: str) -> None:
    assert literal(text) == markdown


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.text(max_size=400))
def test_renders_one_part_within_reddits_limits(text: str, title: str) -> None:
    try:
        (part,) = RedditAdapter(config()).render(Message(text, title)).parts
    except Unsupported:
        return
    assert 0 < len(part.title) <= 300
    assert 0 < len(part.text) <= 40_000
    assert part.title == part.title.strip()


def test_limits_count_what_is_sent() -> None:
    render = RedditAdapter(config()).render
    assert len(render(Message("a" * 40_000, "t")).parts[0].text) == 40_000
    for message in (
        Message("a" * 40_001, "t"),
        Message("*" * 20_001, "t"),
        Message("a", "t" * 301),
        Message("a", " "),
        Message("a\ud800", "t"),
    ):
        with pytest.raises(Unsupported):
            render(message)
    with pytest.raises(Unsupported):
        render(Message("a" * 39_900 + f" {PERMALINK_SLOT}", "t", permalink_room=120))


def test_the_title_of_a_drill_is_marked_once() -> None:
    render = RedditAdapter(config()).render
    assert render(Message("a", "Incident", drill=True)).parts[0].title == "[DRILL] Incident"
    assert render(Message("a", "[DRILL] Incident", drill=True)).parts[0].title == "[DRILL] Incident"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.reddit.com/r/other/comments/abc/slug/",
        "https://www.reddit.com/r/tocsin_drill/comments/ABC/slug/",
        "https://www.reddit.com/r/tocsin_drill/comments/abc/slug",
        "https://www.reddit.com/r/tocsin_drill/comments/abc/../slug/",
        "https://www.reddit.com/r/tocsin_drill/comments/abc/slug/?utm=1",
        "https://www.reddit.com/r/tocsin_drill/comments/abc/slug/\n",
        "https://old.reddit.com/r/tocsin_drill/comments/abc/slug/",
        "https://www.reddit.com/r/tocsin_drill/",
        "http://www.reddit.com/r/tocsin_drill/comments/abc/slug/",
    ],
)
def test_owns_nothing_else(url: str) -> None:
    assert not RedditAdapter(config()).owns(url)


def test_owns_posts_and_comments_of_its_subreddit() -> None:
    owns = RedditAdapter(config()).owns
    assert owns("https://www.reddit.com/r/Tocsin_Drill/comments/abc/a_slug/")
    assert owns("https://www.reddit.com/r/tocsin_drill/comments/abc/gr%C3%B6%C3%9Fe/def/")


@pytest.mark.parametrize("fields", [{"subreddit": "a/b"}, {"subreddit": ""}, {"username": "x"}, {"sticky": "yes"}])
def test_a_setting_that_cannot_be_right_stops_the_start(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"reddit-main: {next(iter(fields))}"):
        RedditAdapter(config(**fields))
    with pytest.raises(ValueError, match="account"):
        RedditAdapter(replace(config(), account="t2_ABC"))


# Posting


@pytest.mark.parametrize("fault", ["cut-before", "500", "502-html", "junk", "truncated", "429", "hang"])
async def test_a_login_that_fails_posts_nothing_and_says_so(
    reddit: RedditAdapter, running: Running, stand_in: StandIn, fault: str, impatient: None
) -> None:
    await running.fault("reddit", fault, match="any")
    with pytest.raises(NotSent):
        await reddit.publish(PART, KEY, None)
    assert [entry.path for entry in stand_in.log] == ["/api/v1/access_token"]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 522])
async def test_what_prawcore_repeats_is_sent_once(host: Hostile, hostile_reddit: RedditAdapter, status: int) -> None:
    host.say("/api/submit", "<html>", status, "text/html")
    with pytest.raises(OutcomeUnknown):
        await hostile_reddit.publish(PART, KEY, None)
    assert host.posts("/api/submit") == 1


async def test_a_token_that_ran_out_early_is_replaced_before_the_next_try(
    reddit: RedditAdapter, running: Running, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reddit.check()
    monkeypatch.setattr(adapters.reddit.wire, "YOUNG", 0.0)
    await running.fault("reddit", "401")
    with pytest.raises(NotSent):
        await reddit.publish(PART, KEY, None)
    assert posts_asked(stand_in) == 1
    await reddit.publish(PART, KEY, None)
    assert [entry.path for entry in stand_in.log].count("/api/v1/access_token") == 2
    assert len(stand_in.posts) == 1


async def test_nothing_is_sent_once_the_time_is_over(reddit: RedditAdapter, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_TIMEOUT", -1.0)
    with pytest.raises(NotSent):
        await reddit.publish(PART, KEY, None)
    assert not stand_in.log


async def test_a_caller_that_gave_up_is_not_posted_for_later(reddit: RedditAdapter, running: Running, stand_in: StandIn) -> None:
    await running.fault("reddit", "latency", value=0.3, match="any")  # the login takes longer than the caller waits
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reddit.publish(PART, KEY, None), 0.1)
    await asyncio.sleep(0.6)
    assert posts_asked(stand_in) == 0


async def test_the_rate_limit_is_heeded_by_refusing_not_by_sleeping(host: Hostile, hostile_reddit: RedditAdapter) -> None:
    me = {"id": OURS["account_id"], "name": OURS["username"]}
    host.say("/api/v1/me", me, x_ratelimit_remaining="0.0", x_ratelimit_used="600", x_ratelimit_reset="300")
    await hostile_reddit.check()
    began = time.monotonic()
    with pytest.raises(NotSent) as caught:
        await hostile_reddit.publish(PART, KEY, None)
    assert time.monotonic() - began < 1.0
    assert 290 < (caught.value.retry_after or 0) <= 300
    assert host.posts("/api/submit") == 0


@pytest.mark.parametrize(("left", "reset", "rest"), [("0.0", "312", 312), ("0", "999999", 86_400), ("599.0", "312", 0), ("soon", "1", 0)])
async def test_the_last_post_of_the_limit_says_when_the_next_may_come(
    host: Hostile, hostile_reddit: RedditAdapter, left: str, reset: str, rest: float
) -> None:
    answer = submitted(f"{host.base_url}/r/tocsin_drill/comments/abc/slug/")
    host.say("/api/submit", answer, x_ratelimit_remaining=left, x_ratelimit_used="1", x_ratelimit_reset=reset)
    receipt = await hostile_reddit.publish(PART, KEY, None)
    assert rest - 2 < receipt.rest <= rest


@pytest.mark.parametrize(
    ("headers", "wait"), [({"retry_after": "90"}, 90), ({"x_ratelimit_reset": "200"}, 200), ({"retry_after": "0"}, 1), ({}, None)]
)
async def test_how_long_to_wait(host: Hostile, hostile_reddit: RedditAdapter, headers: dict[str, str], wait: float | None) -> None:
    host.say("/api/submit", "<!doctype html><title>Too Many Requests</title>", 429, "text/html", **headers)
    with pytest.raises(NotSent) as caught:
        await hostile_reddit.publish(PART, KEY, None)
    assert caught.value.retry_after == wait


async def test_a_request_that_hangs_holds_up_only_itself(reddit: RedditAdapter, running: Running, stand_in: StandIn) -> None:
    await reddit.check()
    await running.fault("reddit", "hang")
    hanging = asyncio.create_task(reddit.publish(PART, KEY, None))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await asyncio.gather(*(reddit.publish(replace(PART, title=f"Another {number}"), KEY, None) for number in range(AT_ONCE - 1)))
    assert time.monotonic() - began < 2.0
    assert not hanging.done()
    assert len(stand_in.posts) == AT_ONCE
    hanging.cancel()
    await running.clear()
    await asyncio.gather(hanging, return_exceptions=True)
    before = [entry.path for entry in stand_in.log].count("/api/v1/access_token")
    await reddit.publish(replace(PART, title="And another"), KEY, None)
    assert [entry.path for entry in stand_in.log].count("/api/v1/access_token") == before, "one after the other uses one login"


@pytest.mark.parametrize(("switch", "kind"), [("ratelimit", NotSent), ("not-allowed", NeedsOperator), ("title-rule", Rejected)])
async def test_refusals_of_the_stand_in(
    reddit: RedditAdapter, running: Running, stand_in: StandIn, switch: str, kind: type[AdapterError]
) -> None:
    await running.fault("reddit", switch, value=540)
    with pytest.raises(kind) as caught:
        await reddit.publish(PART, KEY, None)
    assert posts_asked(stand_in) == 1
    assert not stand_in.posts
    if isinstance(caught.value, NotSent):
        assert caught.value.retry_after == 540


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([["TOO_LONG", "this is too long", "text"]], Rejected),
        ([["SUBMIT_VALIDATION_BODY_REQUIRED", None, None]], Rejected),
        ([["BANNED_FROM_SUBREDDIT", "you are banned", "sr"]], NeedsOperator),
        ([["RATELIMIT", "you are doing that too much. try again in 9 minutes.", "ratelimit"]], NotSent),
        ([["SOMETHING_NEW", "who knows", "x"]], OutcomeUnknown),
        ([["RATELIMIT", "try again in 1 minute", "x"], ["SOMETHING_NEW", "who knows", "x"]], OutcomeUnknown),
        ([7], OutcomeUnknown),
        ("TOO_LONG", OutcomeUnknown),
        ({"TOO_LONG": 1}, OutcomeUnknown),
    ],
)
async def test_error_triplets(host: Hostile, hostile_reddit: RedditAdapter, errors: object, kind: type[AdapterError]) -> None:
    host.say("/api/submit", {"json": {"errors": errors}})
    with pytest.raises(kind):
        await hostile_reddit.publish(PART, KEY, None)
    assert host.posts("/api/submit") == 1


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("you are doing that too much. try again in 9 minutes.", 540),
        ("Take a break for 1 minute before trying again.", 60),
        ("Take a break for 43 seconds before trying again.", 43),
        ("try again in 12 milliseconds", 1),
        ("try later", None),
    ],
)
def test_how_long_reddit_wants_one_to_wait(words: str, seconds: float | None) -> None:
    assert pause(words) == seconds


def submitted(permalink: str, **other: object) -> dict[str, object]:
    return {"json": {"errors": [], "data": {"id": "abc", "name": "t3_abc", "url": permalink} | other}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {}),
        (200, []),
        (200, ""),
        (200, "<html>"),
        (200, {"json": {"errors": []}}),
        (200, {"json": {"errors": [], "data": []}}),
        (200, submitted("BASE/r/tocsin_drill/comments/abc/slug/", name="t3_other")),
        (200, submitted("BASE/r/tocsin_drill/comments/abc/slug/", name="t3_abc\n")),
        (200, submitted("BASE/r/other/comments/abc/slug/")),
        (200, submitted("https://evil.example/r/tocsin_drill/comments/abc/slug/")),
        (200, submitted("BASE/r/tocsin_drill/comments/abc/slug/", name=["t3_abc"])),
        (200, b"x" * (http.MAX_ANSWER + 1)),
        (200, "[" * 100_000),
        (204, ""),
        (302, ""),
        (307, ""),
        (400, {"message": "Bad Request", "error": 400}),
        (403, "<html>blocked</html>"),
        (404, {"message": "Not Found", "error": 404}),
        (409, {}),
        (418, ""),
    ],
)
async def test_what_is_not_clearly_a_post_is_none(host: Hostile, hostile_reddit: RedditAdapter, status: int, body: object) -> None:
    if isinstance(body, dict) and "json" in body and isinstance(data := body["json"].get("data"), dict):
        body = {"json": {"errors": [], "data": data | {"url": str(data["url"]).replace("BASE", host.base_url)}}}
    host.say("/api/submit", body, status, location=f"{host.base_url}/elsewhere")
    with pytest.raises(OutcomeUnknown):
        await hostile_reddit.publish(PART, KEY, None)
    assert host.posts("/api/submit") == 1
    assert not [request for request in host.asked if "elsewhere" in request.path]


@pytest.mark.parametrize(
    ("token", "status", "kind"),
    [
        ({"error": "invalid_grant"}, 200, NeedsOperator),
        ({"message": "Unauthorized", "error": 401}, 401, NeedsOperator),
        ({"error": "unsupported_grant_type"}, 400, NeedsOperator),
        ({"access_token": "t\r\nX-Evil: 1", "token_type": "bearer", "expires_in": 3600, "scope": "*"}, 200, NotSent),
        ({"access_token": None, "expires_in": 3600, "scope": "*"}, 200, NotSent),
        ({"access_token": "t", "expires_in": "soon", "scope": "*"}, 200, NotSent),
        ({}, 307, NotSent),
        ("<html>", 200, NotSent),
    ],
)
async def test_a_token_that_is_none(
    host: Hostile, hostile_reddit: RedditAdapter, token: object, status: int, kind: type[AdapterError]
) -> None:
    host.answers.clear()
    host.say("/api/v1/access_token", token, status, location=f"{host.base_url}/elsewhere")
    with pytest.raises(kind):
        await hostile_reddit.publish(PART, KEY, None)
    assert [request.path for request in host.asked] == ["/api/v1/access_token"]


async def test_the_form_is_the_one_that_praw_was_recorded_to_send(running: Running, stand_in: StandIn) -> None:
    flair = next(iter(OURS["flairs"]))
    reddit = RedditAdapter(config(running.urls["reddit"], flair_id=flair))
    await reddit.publish(PART, KEY, None)
    await reddit.aclose()
    (entry,) = [entry for entry in stand_in.log if entry.path.startswith("/api/submit")]
    assert entry.path == "/api/submit/?raw_json=1"
    assert {name: values[0] for name, values in parse_qs(entry.body.decode()).items()} == {
        "api_type": "json",
        "kind": "self",
        "nsfw": "False",
        "resubmit": "True",
        "sendreplies": "False",
        "spoiler": "False",
        "sr": OURS["subreddit"],
        "title": PART.title,
        "text": PART.text,
        "validate_on_submit": "True",
        "flair_id": flair,
    }
    assert entry.headers["User-Agent"].startswith(f"python:tocsin:0.1 (by /u/{OURS['username']}) PRAW/")


# Replies


async def test_replies_are_comments_below_what_they_answer(reddit: RedditAdapter, stand_in: StandIn) -> None:
    post = await reddit.publish(PART, KEY, None)
    reply = await reddit.publish(Part("It is over.", "Resolved"), KEY, post)
    again = await reddit.publish(Part("Really.", "Resolved"), KEY, reply)
    assert [one.reply_to for one in stand_in.posts] == ["", post.remote_id, reply.remote_id]
    assert reply.permalink == f"{post.permalink}{reply.remote_id.removeprefix('t1_')}/"
    assert reddit.owns(again.permalink)
    assert (await reddit.read(Part("Really.", "Resolved"), again)).state == "seen"


async def test_a_comment_that_reddit_does_not_show_is_unknown(reddit: RedditAdapter, running: Running, stand_in: StandIn) -> None:
    post = await reddit.publish(PART, KEY, None)
    await running.fault("reddit", "empty-things")
    with pytest.raises(OutcomeUnknown):
        await reddit.publish(Part("It is over."), KEY, post)
    assert len(stand_in.posts) == 2


async def test_a_comment_without_a_permalink_gets_its_posts(host: Hostile, hostile_reddit: RedditAdapter) -> None:
    post = f"{host.base_url}/r/tocsin_drill/comments/abc/slug/"
    host.say("/api/comment", {"json": {"errors": [], "data": {"things": [{"kind": "t1", "data": {"id": "def", "name": "t1_def"}}]}}})
    assert await hostile_reddit.publish(Part("Over."), KEY, Receipt("", post)) == Receipt("t1_def", f"{post}def/")


async def test_what_cannot_be_a_reply_is_said_before_anything_is_sent(reddit: RedditAdapter, stand_in: StandIn) -> None:
    with pytest.raises(Unsupported):
        await reddit.publish(PART, KEY, Receipt("t3_abc", "https://evil.example/"))
    with pytest.raises(Unsupported):
        await reddit.publish(Part(f"See {PERMALINK_SLOT}", "t"), KEY, None)
    post = await reddit.publish(PART, KEY, None)
    with pytest.raises(Rejected, match="10000"):
        await reddit.publish(Part("a" * 10_001), KEY, post)
    assert posts_asked(stand_in) == 1


# Looking


def listing(*children: dict[str, object], after: object = None) -> dict[str, object]:
    return {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": child} for child in children], "after": after}}


def link(**other: object) -> dict[str, object]:
    at = float(int(time.time()))
    known = {"name": "t3_abc", "title": PART.title, "selftext": PART.text, "subreddit": "Tocsin_Drill", "created_utc": at}
    return known | {"permalink": "/r/tocsin_drill/comments/abc/slug/"} | other


async def test_find_takes_its_own_post_of_this_time_and_subreddit_only(host: Hostile, hostile_reddit: RedditAdapter) -> None:
    host.say("/user/tocsin_drill/comments", listing())
    host.say(
        "/user/tocsin_drill/submitted",
        listing(
            link(name="t3_1", permalink="/r/tocsin_drill/comments/1/slug/", created_utc=1.0),
            link(name="t3_2", permalink="/r/other/comments/2/slug/", subreddit="other"),
            link(name="t3_3", permalink="/r/tocsin_drill/comments/3/slug/", title="Another"),
            link(name="t3_4", permalink="/r/tocsin_drill/comments/4/slug/", selftext="Other words."),
            link(),
        ),
    )
    assert await hostile_reddit.find(PART, KEY, lately()) == Receipt("t3_abc", f"{host.base_url}/r/tocsin_drill/comments/abc/slug/")
    assert await hostile_reddit.find(PART, KEY, datetime.now(UTC) + timedelta(seconds=2)) is None


async def test_find_finds_a_comment_too(host: Hostile, hostile_reddit: RedditAdapter) -> None:
    host.say("/user/tocsin_drill/submitted", listing())
    comment = link(name="t1_def", permalink="/r/tocsin_drill/comments/abc/slug/def/", body="It is &lt;over&gt;.")
    host.say("/user/tocsin_drill/comments", listing(comment))
    found = await hostile_reddit.find(Part("It is <over>.", "Resolved"), KEY, lately())
    assert found == Receipt("t1_def", f"{host.base_url}/r/tocsin_drill/comments/abc/slug/def/")


async def test_find_reads_on_and_gives_up_openly(host: Hostile, hostile_reddit: RedditAdapter) -> None:
    other = link(title="Another")
    host.say("/user/tocsin_drill/submitted", listing(other, after="t3_x"))
    host.say("/user/tocsin_drill/submitted", listing(link()))
    assert await hostile_reddit.find(PART, KEY, lately()) is not None
    assert "after=t3_x" in host.asked[-1].path_qs
    host.answers["/user/tocsin_drill/submitted"].clear()
    host.say("/user/tocsin_drill/submitted", listing(other, after="t3_x"))
    with pytest.raises(OutcomeUnknown, match="too many"):
        await hostile_reddit.find(PART, KEY, lately())


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "<html>",
        {"data": {"children": {}}},
        listing(link(created_utc="now")),
        listing(link(permalink="//evil.example/")),
        listing(link(name=7)),
    ],
)
async def test_a_listing_that_makes_no_sense_proves_nothing(host: Hostile, hostile_reddit: RedditAdapter, answer: object) -> None:
    host.say("/user/tocsin_drill/", answer)
    with pytest.raises(OutcomeUnknown):
        await hostile_reddit.find(PART, KEY, datetime.fromtimestamp(0, UTC))  # as the posts are of when this file was read


def shown(**other: object) -> list[object]:
    return [listing(link(id="abc", author="Tocsin_Drill") | other), listing()]


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [
        (shown(), 200, "seen"),
        (shown(author="somebody"), 200, "altered"),
        (shown(selftext="Other words."), 200, "altered"),
        (shown(title="Another"), 200, "altered"),
        (shown(selftext="[removed]"), 200, "missing"),
        (shown(author="[deleted]"), 200, "missing"),
        (shown(removed_by_category="moderator"), 200, "missing"),
        (shown(id="other"), 200, "missing"),
        ({"error": 404}, 404, "missing"),
        ("<html>", 403, "not_possible"),
    ],
)
async def test_how_a_reader_sees_it(host: Hostile, hostile_reddit: RedditAdapter, answer: object, status: int, state: str) -> None:
    host.say("/r/tocsin_drill/comments/abc/slug/.json", answer, status)
    seen = await hostile_reddit.read(PART, Receipt("t3_abc", f"{host.base_url}/r/tocsin_drill/comments/abc/slug/"))
    assert seen.state == state
    assert bool(seen.detail) == (state != "seen")
    assert "Authorization" not in host.asked[0].headers
    assert len(host.asked) == 1


@pytest.mark.parametrize(("answer", "status"), [({}, 200), ("<html>", 200), ("<html>", 500), ("", 302), ([], 200)])
async def test_an_answer_that_shows_nothing_is_not_a_look(
    host: Hostile, hostile_reddit: RedditAdapter, answer: object, status: int
) -> None:
    host.say("/r/", answer, status)
    with pytest.raises(OutcomeUnknown):
        await hostile_reddit.read(PART, Receipt("t3_abc", f"{host.base_url}/r/tocsin_drill/comments/abc/slug/"))


# Pinning and the account


async def test_pins_where_configured_and_only_posts(running: Running, stand_in: StandIn) -> None:
    reddit = RedditAdapter(config(running.urls["reddit"], sticky="true"))
    post = await reddit.publish(PART, KEY, None)
    reply = await reddit.publish(Part("Over."), KEY, post)
    assert [await reddit.finish(one) for one in (post, post, reply)] == ["", "", ""]
    assert [one.extra.get("stickied") for one in stand_in.posts] == [True, None]
    await reddit.aclose()


async def test_what_keeps_it_from_being_pinned_is_told(host: Hostile) -> None:
    reddit = RedditAdapter(config(host.base_url, sticky="true"))
    host.say("/api/set_subreddit_sticky", {"error": 403}, 403)
    host.say("/api/set_subreddit_sticky", {"error": 409}, 409)
    assert "by hand" in await reddit.finish(Receipt("t3_abc", ""))
    assert await reddit.finish(Receipt("t3_abc", "")) == ""
    await reddit.aclose()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"id": "other", "name": OURS["username"]}, NeedsOperator),
        ({"id": OURS["account_id"], "name": "somebody"}, NeedsOperator),
        ({"id": 7, "name": None}, NotSent),
        ("<html>", NotSent),
    ],
)
async def test_check_is_strict_about_the_account(
    host: Hostile, hostile_reddit: RedditAdapter, answer: object, kind: type[AdapterError]
) -> None:
    host.say("/api/v1/me", answer)
    with pytest.raises(kind):
        await hostile_reddit.check()


async def test_no_praw_ini_and_no_variable_has_a_say(
    running: Running, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name, value in {
        "praw_refresh_token": "theirs",
        "praw_site": "DEFAULT",
        "praw_username": "theirs",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    reddit = RedditAdapter(config(running.urls["reddit"]))
    assert (await reddit.check()).name == OURS["username"]
    await reddit.aclose()
