"""What is particular to Discord through a bot: markdown, the nonce, the look-up, and Discord's own words for refusals."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

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
from adapters.discord.bot import DiscordAdapter
from adapters.discord.wire import literal
from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import Entry
from tests.adapters.hostile import Say, answering, raised

TOKEN, BOT = accounts.DISCORD["bot_token"], accounts.DISCORD["bot_id"]
GUILD, CHANNEL = accounts.DISCORD["guild_id"], accounts.DISCORD["channel_id"]
KEY = "abcdefghijklmnopqrst"
PART = Part("Do not sign anything. We are looking into it.")


def config(base_url: str = "", account: str = BOT, token: str = TOKEN, **fields: str) -> Config:
    given = {"guild": GUILD, "channel": CHANNEL, "crosspost": "false"} | fields
    return Config("discord-main", "discord", Role.POINTER, account, base_url, given, {"token": SecretStr(token)})


@pytest.fixture
async def adapter(running: Running) -> AsyncIterator[DiscordAdapter]:
    one = DiscordAdapter(config(running.urls["discord"]))
    yield one
    await one.aclose()


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def sent(running: Running) -> list[Entry]:
    return [entry for entry in running.stand_ins["discord"].log if entry.method == "POST"]


# Settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"guild": ""}, "guild"),
        ({"channel": "#incidents"}, "channel"),
        ({"channel": f"{CHANNEL}/messages"}, "channel"),
        ({"account": f"{BOT}\n"}, "account"),
        ({"account": ""}, "account"),
        ({"token": "a b"}, "token"),
        ({"token": "a\r\nX-Other: b"}, "token"),
        ({"token": ""}, "token"),
        ({"crosspost": "1"}, "crosspost"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(changed: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=f"discord-main: {named} "):
        DiscordAdapter(config(**changed))


@pytest.mark.parametrize("rest", ["", "0", "1\n", "1/", "1?a", "1/2", "x", "１", "123456789012345678901"])
def test_a_permalink_is_a_message_of_this_channel(rest: str) -> None:
    adapter, web_url = DiscordAdapter(config()), f"https://discord.com/channels/{GUILD}/{CHANNEL}/"
    assert adapter.owns(f"{web_url}1100000000000000009")
    assert not adapter.owns(web_url + rest)
    assert not adapter.owns(f"https://discord.com/channels/{CHANNEL}/{GUILD}/1100000000000000009")


# Rendering

URL = re.compile(r"<https?://[^\s<>]+>|https?://[^\s<]+", re.IGNORECASE)


def read_as_discord_would(content: str) -> str:
    """Backslash escapes taken away outside links, as a client shows them."""
    shown, at = [], 0
    for match in URL.finditer(content):
        shown += [re.sub(r"\\([^0-9A-Za-z\s])", r"\1", content[at : match.start()]), match[0]]
        at = match.end()
    return "".join([*shown, re.sub(r"\\([^0-9A-Za-z\s])", r"\1", content[at:])])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(list("*_~`|\\<>[]()#-+ \n\tab.1@:/é😀{}")), st.sampled_from(["https://x.example/a_b*c", "@everyone"]))
    )
)
def test_markdown_is_shown_and_nothing_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert read_as_discord_would(literal(text)) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("*_~`|\\<>[]#-+ \nab.1@:"), max_size=60))
def test_no_markup_is_left(text: str) -> None:
    bare = re.sub(r"\\[^0-9A-Za-z\s]", "", literal(text))
    assert not re.search(r"[*_~`|<\[\]\\]", bare)
    assert not re.search(r"^[^\S\n]*(#{1,3}|-#|>{1,3}|[-+]|[0-9]+[.])\s", re.sub(r"\\(?=\S)", "\\\\", literal(text)), re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("# No *panic*: see __this__", r"\# No \*panic\*: see \_\_this\_\_"),
        ("- a\n  - b\n> c\n-# d\n1. e\n>>> f", "\\- a\n  \\- b\n\\> c\n\\-# d\n1\\. e\n\\>>> f"),
        ("@everyone <@1> <#2> <@&3> @name", r"\@everyone \<@1> \<#2> \<@&3> @name"),
        ("https://x.example/a_b_*c* snake_case", r"https://x.example/a_b_*c* snake\_case"),
        ("<https://x.example/a_b> [https://x.example/](https://evil.example/)", None),
        ("#tag -5 1.5 a-b a>b", "#tag -5 1.5 a-b a>b"),
        (f"All news: {PERMALINK_SLOT}", f"All news: {PERMALINK_SLOT}"),
        ("C:\\temp ¯\\_(ツ)_/¯", "C:\\\\temp ¯\\\\\\_(ツ)\\_/¯"),
    ],
)
def test_what_people_sign(text: str, content: str | None) -> None:
    expected = content or r"<https://x.example/a_b> \[https://x.example/](https://evil.example/)"
    assert literal(text) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30), min_size=1, max_size=600))
def test_every_part_fits_as_it_is_counted(words: list[str]) -> None:
    try:
        rendering = DiscordAdapter(config()).render(Message(" ".join(words), "title"))
    except Unsupported:
        return
    for part in rendering.parts:
        assert 0 < max(len(part.text), len(part.text.encode("utf-16-le")) // 2) <= 2000


def test_escapes_count_and_so_does_the_permalink() -> None:
    adapter = DiscordAdapter(config())
    assert len(adapter.render(Message("* " * 666 + "ab", "")).parts) == 1
    assert len(adapter.render(Message("* " * 668, "")).parts) == 2
    text = f"{'x' * 1900} {PERMALINK_SLOT}"
    assert len(adapter.render(Message(text, "", permalink_room=99)).parts) == 1
    assert len(adapter.render(Message(text, "", permalink_room=100)).parts) == 2


@pytest.mark.parametrize("text", ["", " \n", "half \ud83d", "a" * 20_001, "\x00"])
def test_what_discord_cannot_carry_is_unsupported(text: str) -> None:
    with pytest.raises(Unsupported):
        DiscordAdapter(config()).render(Message(text, ""))


# What is sent


async def test_the_request_pings_nobody_shows_no_preview_and_carries_its_nonce(adapter: DiscordAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    (entry,) = sent(running)
    assert entry.path == f"/api/v10/channels/{CHANNEL}/messages"
    assert json.loads(entry.body) == {
        "content": PART.text,
        "nonce": KEY,
        "enforce_nonce": True,
        "allowed_mentions": {"parse": []},
        "flags": 4,
    }
    assert re.fullmatch(r"DiscordBot \(https://\S+, [\d.]+\)", entry.headers["User-Agent"])
    assert entry.headers["Authorization"] == f"Bot {TOKEN}"
    assert receipt.permalink == f"{running.urls['discord']}/channels/{GUILD}/{CHANNEL}/{receipt.remote_id}"


async def test_a_reply_whose_parent_is_gone_goes_out_alone(adapter: DiscordAdapter, running: Running) -> None:
    first = await adapter.publish(PART, KEY, None)
    parents = [first, Receipt("999"), Receipt("", first.permalink), Receipt("nonsense\n")]
    for number, parent in enumerate(parents):
        await adapter.publish(PART, KEY[:-1] + "abcd"[number], parent)
    posts = running.stand_ins["discord"].posts
    assert [post.reply_to for post in posts] == ["", first.remote_id, "", first.remote_id, ""]


# What goes wrong


async def test_a_full_bucket_is_not_sent(adapter: DiscordAdapter, running: Running) -> None:
    await running.fault("discord", "slow-bucket")
    doing = (adapter.publish(PART, KEY[:-1] + one, None) for one in "abcdef")
    outcomes = await asyncio.gather(*doing, return_exceptions=True)
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, AdapterError)]
    assert isinstance(error, NotSent)
    assert 0 < (error.retry_after or 0) <= 2


def refused(status: int, code: object, message: object = "No", **more: object) -> Say:
    return status, {"message": message, "code": code} | more


def took(**message: object) -> Say:
    author = {"id": BOT, "username": "b", "global_name": None, "primary_guild": None}
    return 200, {"id": "1100000000000000009", "channel_id": CHANNEL, "author": author, "content": PART.text} | message


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        (refused(400, 50035), Rejected),
        (refused(400, 50006), Rejected),
        (refused(400, 240000), Rejected),
        (refused(403, 200000), Rejected),
        (refused(401, 0), NeedsOperator),
        (refused(403, 50001), NeedsOperator),
        (refused(403, 40333), NeedsOperator),
        (refused(400, 160002), NeedsOperator),
        (refused(404, 10003), NeedsOperator),
        (refused(429, 0, retry_after=1.5), NotSent),
        (refused(400, 20028), NotSent),
        (refused(403, 40062), NotSent),
        ((429, b"<html>1015</html>"), NotSent),
        (refused(400, 0), OutcomeUnknown),
        (refused(400, 99999), OutcomeUnknown),
        (refused(500, 0), OutcomeUnknown),
        (refused(503, 130000), OutcomeUnknown),
        (refused(500, 50035), OutcomeUnknown),
        (refused(403, "50013"), OutcomeUnknown),
        (refused(403, 50013, ["No"]), OutcomeUnknown),
        (refused(401, True), OutcomeUnknown),
        ((401, b"<html>Log in to the proxy</html>"), OutcomeUnknown),
        ((403, b"<html>Blocked</html>"), OutcomeUnknown),
        ((404, b"<html>nginx</html>"), OutcomeUnknown),
        ((302, b""), OutcomeUnknown),
        ((204, b""), OutcomeUnknown),
        ((200, b""), OutcomeUnknown),
        ((200, b"[" * 100_000), OutcomeUnknown),
        ((200, b" " * (4 * 1024 * 1024 + 1)), OutcomeUnknown),
        ((200, [took()[1]]), OutcomeUnknown),
        (took(id="1100000000000000009\n"), OutcomeUnknown),
        (took(id=1100000000000000009), OutcomeUnknown),
        (took(id="../../1"), OutcomeUnknown),
        (took(id=None), OutcomeUnknown),
        (took(channel_id="1"), OutcomeUnknown),
        (took(author={"id": "1"}), OutcomeUnknown),
        (took(author=None), OutcomeUnknown),
        (took(author=[BOT]), OutcomeUnknown),
        (took(webhook_id="1100000000000000004"), OutcomeUnknown),
    ],
)
async def test_an_answer_means_no_more_than_it_says(says: Say, kind: type[AdapterError]) -> None:
    async with answering(lambda _: says, {"Location": "http://127.0.0.1:9/"}) as (base_url, asked):
        adapter = DiscordAdapter(config(base_url))
        error = await raised(adapter.publish(PART, KEY, None))
        assert type(error) is kind, error
        assert str(error).endswith(".")
        assert asked == [f"POST /api/v10/channels/{CHANNEL}/messages"]
        await adapter.aclose()


@pytest.mark.parametrize("code", [50035, "BASE_TYPE_MAX_LENGTH"])
async def test_the_author_is_told_what_was_wrong(code: object) -> None:
    detail = {"content": {"_errors": [{"code": code, "message": "Must be 2000 or fewer in length."}]}}
    async with answering(lambda _: refused(400, 50035, "Invalid Form Body", errors=detail)) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        assert "Must be 2000 or fewer" in str(await raised(adapter.publish(PART, KEY, None)))
        await adapter.aclose()


@pytest.mark.parametrize("errors", [[], {}, {"a": 1}, {"_errors": {}}, {"_errors": [1]}, {"a": {"b": {"_errors": [{}]}}}])
async def test_odd_details_do_no_harm(errors: object) -> None:
    async with answering(lambda _: refused(400, 50035, "Bad\n\u202eForm " + "x" * 5000, errors=errors)) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        said = str(await raised(adapter.publish(PART, KEY, None)))
        assert said.isprintable()
        assert len(said) < 400
        await adapter.aclose()


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retry_after": 64.57, "global": True}, {"Retry-After": "65"}, 64.57),
        ({}, {"Retry-After": "65"}, 65.0),
        ({}, {"X-RateLimit-Reset-After": "1.25"}, 1.25),
        ({"retry_after": "NaN"}, {}, None),
        ({"retry_after": -1}, {"Retry-After": "Tue, 24 Nov 2020 07:00:00 GMT"}, 1.0),
        ({"retry_after": -1}, {"Retry-After": "Sat, 24 Nov 2096 07:00:00 GMT"}, 86400.0),
        ({"retry_after": -1}, {"Retry-After": "Tue, 99 Nov 2026 07:00:00 GMT"}, None),
        ({"retry_after": 10**8}, {}, 86400.0),
        ({"retry_after": True}, {}, None),
    ],
)
async def test_how_long_to_wait(body: dict[str, object], headers: dict[str, str], seconds: float | None) -> None:
    async with answering(lambda _: (429, {"message": "slow"} | body), headers) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        error = await raised(adapter.publish(PART, KEY, None))
        assert isinstance(error, NotSent)
        assert error.retry_after == seconds
        await adapter.aclose()


@pytest.mark.parametrize(
    ("headers", "rest"),
    [
        ({"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.25"}, 1.25),
        ({"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset-After": "1.25"}, 0.0),
        ({"X-RateLimit-Remaining": "0"}, 0.0),
        ({}, 0.0),
    ],
)
async def test_the_last_message_of_a_bucket_says_when_the_next_may_come(headers: dict[str, str], rest: float) -> None:
    async with answering(lambda _: took(), headers) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        assert (await adapter.publish(PART, KEY, None)).rest == rest
        await adapter.aclose()


# The look-up


async def test_find_goes_through_a_busy_channel(adapter: DiscordAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    stand_in = running.stand_ins["discord"]
    (post,) = stand_in.posts
    for number in range(250):
        other = type(post)(str(int(post.id) - 250 + number), "other", PART.text, extra=dict(post.extra, author_id="1"))
        stand_in.posts.insert(number, other)
    assert await adapter.find(PART, KEY, lately()) == receipt
    assert await adapter.find(Part("Another text."), KEY[::-1], lately()) is None
    post.text = "\n" + post.text.replace(" ", "  ")  # as Discord may trim it
    assert await adapter.find(PART, KEY, lately()) == receipt


async def test_a_nonce_that_is_told_decides_whatever_the_text() -> None:
    at = {"timestamp": datetime.now(UTC).isoformat(), "author": {"id": BOT}}
    messages = [
        {"id": str(number), "content": PART.text, "nonce": nonce} | at for number, nonce in enumerate(("other", KEY, "other", ""), 1)
    ]
    async with answering(lambda _: (200, messages)) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        found = [
            await adapter.find(Part(text), key, lately()) for text, key in ((PART.text, KEY), ("Stripped.", KEY), (PART.text, "a" * 20))
        ]
        assert [receipt.remote_id for receipt in found if receipt] == ["2", "2", "4"]
        await adapter.aclose()


async def test_a_webhook_of_the_same_channel_is_not_us(adapter: DiscordAdapter, running: Running) -> None:
    await adapter.publish(PART, KEY, None)
    running.stand_ins["discord"].posts[0].extra["webhook_id"] = "1100000000000000004"
    assert await adapter.find(PART, KEY, lately()) is None


LATER = str((int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000) - 1420070400000) << 22)


@pytest.mark.parametrize(
    ("last", "message", "found"),
    [
        (None, refused(404, 10008), True),
        ("1100000000000000001", took(), True),
        (LATER, refused(404, 10008), True),
        (LATER, took(), False),
        ("1100000000000000001", refused(403, 50001), False),
        ("1100000000000000001", refused(404, 0), False),
        ("", took(), False),
        (7, took(), False),
    ],
)
async def test_an_empty_list_is_believed_only_where_the_history_can_be_read(last: object, message: Say, found: bool) -> None:
    def says(request: web.BaseRequest) -> Say:
        if request.path.endswith("/messages"):
            return 200, []
        return message if "/messages/" in request.path else (200, {"id": CHANNEL, "guild_id": GUILD, "last_message_id": last})

    async with answering(says) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        if found:
            assert await adapter.find(PART, KEY, lately()) is None
        else:
            assert type(await raised(adapter.find(PART, KEY, lately()))) is OutcomeUnknown
        await adapter.aclose()


@pytest.mark.parametrize(
    "says",
    [
        (200, {}),
        (200, [1]),
        (200, [{"id": "x"}]),
        (200, b"<html>"),
        (401, {"message": "No", "code": 0}),
        (429, {"message": "slow", "retry_after": 1}),
        (500, b""),
        (302, b""),
    ],
)
async def test_a_look_that_shows_nothing_is_unknown(says: Say) -> None:
    async with answering(lambda _: says) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        assert type(await raised(adapter.find(PART, KEY, lately()))) is OutcomeUnknown
        assert type(await raised(adapter.read(PART, Receipt("1")))) is OutcomeUnknown
        await adapter.aclose()


async def test_a_channel_without_end_is_unknown_after_some_pages() -> None:
    def says(request: web.BaseRequest) -> Say:
        after = int(request.query["after"])
        return 200, [{"id": str(after + 1 + n), "content": "x", "author": {"id": "1"}} for n in range(100)]

    async with answering(says) as (base_url, asked):
        adapter = DiscordAdapter(config(base_url))
        assert type(await raised(adapter.find(PART, KEY, lately()))) is OutcomeUnknown
        assert len(asked) == len(set(asked)) == 20
        await adapter.aclose()


# Reading back


async def test_read_says_whose_eyes_they_are(adapter: DiscordAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    seen = await adapter.read(PART, receipt)
    assert seen.state == "seen"
    assert "bot" in seen.detail
    assert (await adapter.read(PART, Receipt("", receipt.permalink))).state == "seen"
    running.stand_ins["discord"].posts[0].extra["author_id"] = "1"
    assert (await adapter.read(PART, receipt)).state == "altered"
    assert (await adapter.read(PART, Receipt("999"))).state == "missing"
    assert (await adapter.read(PART, Receipt("x"))).state == "not_possible"


# Account, rights, extras


async def test_check_names_the_bot_and_the_channel(adapter: DiscordAdapter) -> None:
    assert (await adapter.check()).name == "tocsin-drill in #announcements"


@pytest.mark.parametrize("changed", [{"account": "1"}, {"guild": "1"}, {"channel": "1"}, {"token": "wrong"}])
async def test_check_finds_what_is_not_as_approved(running: Running, changed: dict[str, str]) -> None:
    adapter = DiscordAdapter(config(running.urls["discord"], **changed))
    assert isinstance(await raised(adapter.check()), NeedsOperator)
    await adapter.aclose()


@pytest.mark.parametrize(("message", "kind"), [(took(), None), (refused(404, 10008), None), (refused(403, 50001), NeedsOperator)])
async def test_check_finds_that_the_history_is_hidden(message: Say, kind: type[AdapterError] | None) -> None:
    def says(request: web.BaseRequest) -> Say:
        if request.path.endswith("/@me"):
            return 200, {"id": BOT, "username": "b"}
        return message if "/messages/" in request.path else (200, {"id": CHANNEL, "guild_id": GUILD, "last_message_id": "7", "name": "n"})

    async with answering(says) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        (outcome,) = await asyncio.gather(adapter.check(), return_exceptions=True)
        assert type(outcome) is kind if kind else not isinstance(outcome, AdapterError)
        await adapter.aclose()


@pytest.mark.parametrize("says", [(500, b""), (200, b"<html>"), (200, []), (400, {"message": "?", "code": 0}), (429, b"")])
async def test_a_check_that_learns_nothing_blames_nobody(says: Say) -> None:
    async with answering(lambda _: says) as (base_url, _):
        adapter = DiscordAdapter(config(base_url))
        assert type(await raised(adapter.check())) is NotSent
        await adapter.aclose()


async def test_crossposts_once_when_told_to(running: Running) -> None:
    adapter = DiscordAdapter(config(running.urls["discord"], crosspost="true"))
    receipt = await adapter.publish(PART, KEY, None)
    assert await adapter.finish(receipt) == await adapter.finish(receipt) == ""
    assert running.stand_ins["discord"].posts[0].extra["flags"] & 1
    await running.fault("discord", "no-permission")
    assert "not crossposted" in await adapter.finish(receipt)
    await running.fault("discord", "refused")
    assert "not crossposted" in await adapter.finish(receipt)
    await adapter.aclose()


async def test_crossposts_nothing_unless_told_to(adapter: DiscordAdapter, running: Running) -> None:
    assert await adapter.finish(await adapter.publish(PART, KEY, None)) == ""
    assert len(sent(running)) == 1


# Secrets


@pytest.mark.parametrize("says", [refused(401, 0, f"Bot {TOKEN}"), refused(400, 50035, TOKEN), (500, TOKEN.encode()), took()])
async def test_the_token_is_in_no_error_and_no_log(says: Say, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with answering(lambda _: says) as (base_url, _):
        for where in (base_url, "http://127.0.0.1:9"):
            adapter = DiscordAdapter(config(where, crosspost="true"))
            doing = (adapter.publish(PART, KEY, None), adapter.check(), adapter.read(PART, Receipt("1")), adapter.finish(Receipt("1")))
            for outcome in await asyncio.gather(*doing, return_exceptions=True):
                shown = "".join(traceback.format_exception(outcome)) if isinstance(outcome, BaseException) else ""
                assert TOKEN not in shown + repr(outcome) + repr((getattr(outcome, "__cause__", 0), getattr(outcome, "__context__", 0)))
            assert TOKEN not in repr(adapter)
            await adapter.aclose()
    assert TOKEN not in caplog.text
