"""What is particular to Telegram: tokens in URLs, its own words for refusals, entities, and the public page."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from hypothesis import example, given, settings
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
from adapters.telegram import TelegramAdapter
from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import Entry
from app.rehearsal.stand_ins.telegram_text import clean, entities, units
from tests.adapters import hostile
from tests.adapters.hostile import raised, serving

TOKEN = accounts.TELEGRAM["token"]
ACCOUNT = str(accounts.TELEGRAM["channels"]["tocsin_drill"])
KEY = "abcdefghijklmnopqrst"
PART = Part("Do not sign anything. We are looking into it.")


def config(base_url: str = "", chat: str = "@tocsin_drill", account: str = ACCOUNT, token: str = TOKEN, pin: str = "false") -> Config:
    return Config("telegram-main", "telegram", Role.PRIMARY, account, base_url, {"chat": chat, "pin": pin}, {"token": SecretStr(token)})


@pytest.fixture
async def adapter(running: Running) -> AsyncIterator[TelegramAdapter]:
    one = TelegramAdapter(config(running.urls["telegram"]))
    yield one
    await one.aclose()


def sent(running: Running) -> list[Entry]:
    return [entry for entry in running.stand_ins["telegram"].log if entry.path.endswith("/sendMessage")]


@asynccontextmanager
async def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> AsyncIterator[tuple[TelegramAdapter, list[str]]]:
    """An adapter towards a server that gives everyone this one answer, and what was asked of it."""
    async with hostile.answering(lambda _: (status, body), headers) as (base_url, asked):
        one = TelegramAdapter(config(base_url))
        try:
            yield one, asked
        finally:
            await one.aclose()


# Settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"chat": "tocsin_drill"}, "chat"),
        ({"chat": "@tocsin_drill/../x"}, "chat"),
        ({"chat": ""}, "chat"),
        ({"account": "@tocsin_drill"}, "account"),
        ({"account": ""}, "account"),
        ({"token": "7000000001:abc/getMe?x="}, "token"),
        ({"token": ""}, "token"),
        ({"pin": "yes"}, "pin"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(changed: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=f"telegram-main: {named} ") as caught:
        TelegramAdapter(config(**changed))
    assert changed.get("token") != "" or "token" in str(caught.value)
    assert "abc/getMe" not in str(caught.value)


def test_only_a_public_channel_can_be_primary_and_be_read() -> None:
    public, private = TelegramAdapter(config()), TelegramAdapter(config(chat=ACCOUNT))
    assert (public.limits.public, public.limits.readable) == (True, True)
    assert (private.limits.public, private.limits.readable) == (False, False)
    assert public.owns("https://t.me/tocsin_drill/7")
    assert not private.owns(f"https://t.me/{ACCOUNT}/7")


@pytest.mark.parametrize("rest", ["0", "07", "7/", "7?single", "7#x", "7\n", "٧", "", "s/7", "12345678901234567"])
def test_a_permalink_is_a_number_of_this_channel(rest: str) -> None:
    assert not TelegramAdapter(config()).owns(f"https://t.me/tocsin_drill/{rest}")


# Rendering


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab1 _-@#$/.:<>()\n\r\t\u2028\u202e\u030aé😀{}"), max_size=80))
@example("/#a")
@example("b/#a")
def test_the_server_changes_nothing_and_finds_no_entity_but_links(text: str) -> None:
    try:
        rendering = TelegramAdapter(config()).render(Message(text, "title"))
    except Unsupported:
        return
    for part in rendering.parts:
        assert clean(part.text) == part.text
        assert {entity["type"] for entity in entities(part.text)} <= {"url", "email"}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12), min_size=1, max_size=3000))
def test_a_long_text_keeps_its_words_in_parts_that_fit(words: list[str]) -> None:
    adapter, text = TelegramAdapter(config()), " ".join(words)
    try:
        rendering = adapter.render(Message(text, "title", permalink_room=0))
    except Unsupported:
        assert units(text) > 4096
        return
    assert all(0 < units(part.text) <= 4096 for part in rendering.parts)
    assert adapter.render(Message(" ".join(part.text for part in rendering.parts), "title")) is not None


def test_4096_units_are_one_part_and_one_more_are_two() -> None:
    adapter = TelegramAdapter(config())
    assert [units(part.text) for part in adapter.render(Message("😀" * 2048, "")).parts] == [4096]
    assert len(adapter.render(Message("😀" * 2048 + "!", "")).parts) == 2


def test_a_pointer_keeps_room_for_its_permalink() -> None:
    text = "x" * 4000 + f" {PERMALINK_SLOT}"
    parts = TelegramAdapter(config()).render(Message(text, "", permalink_room=95)).parts
    assert len(parts) == 1
    assert len(TelegramAdapter(config()).render(Message(text, "", permalink_room=96)).parts) == 2


def test_what_would_be_a_command_gets_a_visible_space_and_links_stay() -> None:
    text = "Send /start to nobody; https://help.example/start@x?a=/b and/or (/help)."
    (part,) = TelegramAdapter(config()).render(Message(text, "")).parts
    assert part.text == "Send / start to nobody; https://help.example/start@x?a=/b and/or (/ help)."


@pytest.mark.parametrize("text", ["", " \n\t", "\u202e", "half \ud83d", "a" * 40_961])
def test_what_telegram_cannot_carry_is_unsupported(text: str) -> None:
    with pytest.raises(Unsupported):
        TelegramAdapter(config()).render(Message(text, ""))


# What is sent


async def test_the_request_asks_for_neither_markup_nor_preview(adapter: TelegramAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    (entry,) = sent(running)
    form = {name: value for name, (value,) in parse_qs(entry.body.decode()).items()}
    assert form.pop("link_preview_options") == json.dumps({"is_disabled": True})
    assert form == {"chat_id": "@tocsin_drill", "text": PART.text}
    assert receipt == Receipt("2", f"{running.urls['telegram']}/tocsin_drill/2")
    assert not running.stand_ins["telegram"].posts[0].extra["preview"]


async def test_a_reply_whose_parent_is_gone_goes_out_alone(adapter: TelegramAdapter, running: Running) -> None:
    first = await adapter.publish(PART, KEY, None)
    await adapter.publish(PART, KEY, first)
    await adapter.publish(PART, KEY, Receipt("999"))
    await adapter.publish(PART, KEY, Receipt("", first.permalink))  # posted by hand
    await adapter.publish(PART, KEY, Receipt("nonsense"))
    assert [post.reply_to for post in running.stand_ins["telegram"].posts] == ["", "2", "", "2", ""]
    assert len(sent(running)) == 5


async def test_a_private_chat_has_no_permalink(running: Running) -> None:
    adapter = TelegramAdapter(config(running.urls["telegram"], chat=ACCOUNT))
    receipt = await adapter.publish(PART, KEY, None)
    assert receipt == Receipt("2", "")
    assert (await adapter.read(PART, receipt)).state == "not_possible"
    await adapter.aclose()


# What goes wrong


async def test_a_slow_chat_is_not_sent(adapter: TelegramAdapter, running: Running) -> None:
    await running.fault("telegram", "slow-chat")
    outcomes = await asyncio.gather(*(adapter.publish(PART, KEY, None) for _ in range(21)), return_exceptions=True)
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, AdapterError)]
    assert isinstance(error, NotSent)
    assert 0 < (error.retry_after or 0) <= 60
    assert len(running.stand_ins["telegram"].posts) == 20


def refused(status: int, description: object, **more: object) -> tuple[int, bytes]:
    return status, json.dumps({"ok": False, "error_code": status, "description": description, **more}).encode()


def took(**message: object) -> tuple[int, bytes]:
    whole = {"message_id": 5, "date": 1_800_000_000, "chat": {"id": int(ACCOUNT), "type": "channel"}, "text": PART.text} | message
    return 200, json.dumps({"ok": True, "result": whole}).encode()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "Bad Request: message is too long"), Rejected),
        (refused(400, "Bad Request: message to be replied not found"), Rejected),
        (refused(400, "Bad Request: chat not found"), NeedsOperator),
        (refused(400, "Bad Request: CHAT_WRITE_FORBIDDEN"), NeedsOperator),
        (refused(400, "Bad Request: not enough rights to send text messages to the chat"), NeedsOperator),
        (refused(400, "Bad Request: group chat was upgraded", parameters={"migrate_to_chat_id": -1009}), NeedsOperator),
        (refused(404, "Not Found: method not found"), NeedsOperator),
        (refused(429, "Too Many Requests: retry after 3", parameters={"retry_after": 3}), NotSent),
        ((429, b"<html>slow down</html>"), NotSent),
        (refused(409, "Conflict"), OutcomeUnknown),
        (refused(500, "Internal Server Error: Request aborted", parameters={"retry_after": 3}), OutcomeUnknown),
        (refused(400, None), OutcomeUnknown),
        (refused(403, ["Forbidden"]), OutcomeUnknown),
        ((400, b'{"ok": true, "description": "Bad Request"}'), OutcomeUnknown),
        ((401, b"<html>Log in to the proxy</html>"), OutcomeUnknown),
        ((403, b"<html>Blocked</html>"), OutcomeUnknown),
        ((404, b"<html>nginx</html>"), OutcomeUnknown),
        ((302, b""), OutcomeUnknown),
        ((204, b""), OutcomeUnknown),
        ((200, b"[]"), OutcomeUnknown),
        ((200, b"null"), OutcomeUnknown),
        ((200, b"[" * 100_000), OutcomeUnknown),
        ((200, b'{"ok": true}'), OutcomeUnknown),
        ((200, b'{"ok": true, "result": true}'), OutcomeUnknown),
        ((200, b'{"ok": true, "result": []}'), OutcomeUnknown),
        ((200, b'{"ok": false, "result": ' + took()[1][22:]), OutcomeUnknown),
        ((200, b" " * (4 * 1024 * 1024 + 1)), OutcomeUnknown),
        (took(message_id=0), OutcomeUnknown),
        (took(message_id=-5), OutcomeUnknown),
        (took(message_id=True), OutcomeUnknown),
        (took(message_id="5\n"), OutcomeUnknown),
        (took(message_id=5.0), OutcomeUnknown),
        (took(message_id=None), OutcomeUnknown),
        (took(chat={"id": 1, "type": "channel"}), OutcomeUnknown),
        (took(chat="channel"), OutcomeUnknown),
        (took(date="yesterday"), OutcomeUnknown),
    ],
)
async def test_an_answer_means_no_more_than_it_says(answer: tuple[int, bytes], kind: type[AdapterError]) -> None:
    async with answering(*answer) as (adapter, asked):
        error = await raised(adapter.publish(PART, KEY, None))
        assert type(error) is kind, error
        assert str(error).endswith(".")
        assert len(str(error)) < 400
        assert asked == [f"POST /bot{TOKEN}/sendMessage"]


async def test_a_good_answer_is_a_receipt_also_from_a_later_version_of_the_api() -> None:
    async with answering(*took(something_new={"a": 1})) as (adapter, _):
        assert (await adapter.publish(PART, KEY, None)).remote_id == "5"


@pytest.mark.parametrize(
    ("parameters", "headers", "wait"),
    [
        ({"retry_after": 35}, {"Retry-After": "35"}, 35.0),
        ({"retry_after": 10**8}, {}, 86_400.0),
        ({}, {"Retry-After": "17"}, 17.0),
    ],
)
async def test_how_long_to_wait(parameters: dict[str, object], headers: dict[str, str], wait: float) -> None:
    async with answering(*refused(429, "Too Many Requests: retry after 35", parameters=parameters), headers) as (adapter, _):
        error = await raised(adapter.publish(PART, KEY, None))
        assert isinstance(error, NotSent)
        assert error.retry_after == wait


@pytest.mark.parametrize("value", ["-1", "NaN", "1e999", [], {}, None, True, "９"])
async def test_a_senseless_wait_is_no_wait(value: object) -> None:
    async with answering(*refused(429, "Too Many Requests", parameters={"retry_after": value})) as (adapter, _):
        error = await raised(adapter.publish(PART, KEY, None))
        assert isinstance(error, NotSent)
        assert error.retry_after is None


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    async with answering(200, b"never") as (_, elsewhere):
        async with answering(307, b"", {"Location": "http://127.0.0.1:9/steal"}) as (adapter, asked):
            assert type(await raised(adapter.publish(PART, KEY, None))) is OutcomeUnknown
            assert len(asked) == 1
        assert elsewhere == []


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    import gzip

    async with answering(200, gzip.compress(b" " * 200_000_000, 1), {"Content-Encoding": "gzip"}) as (adapter, _):
        assert "too long" in str(await raised(adapter.publish(PART, KEY, None)))


# Secrets


@pytest.mark.parametrize(
    "answer",
    [
        refused(401, f"Unauthorized: {TOKEN}"),
        refused(400, f"Bad Request: /bot{TOKEN}/sendMessage"),
        (200, f"<html>GET /bot{TOKEN}/sendMessage".encode()),
        (404, f'{{"what": "/bot{TOKEN}/sendMessage"}}'.encode()),
        took(),
    ],
)
async def test_the_token_is_in_no_error_and_no_log(answer: tuple[int, bytes], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with answering(*answer) as (adapter, asked):
        for doing in (adapter.publish(PART, KEY, None), adapter.check(), adapter.read(PART, Receipt("5"))):
            (error,) = await asyncio.gather(doing, return_exceptions=True)
            shown = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
            assert TOKEN not in shown + repr(error)
            assert TOKEN not in repr((getattr(error, "__cause__", None), getattr(error, "__context__", None)))
    assert asked
    await _refused_everywhere()
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(adapter) + str(vars(adapter).get("_bot"))


async def test_a_cause_that_quotes_the_url_is_dropped() -> None:
    """What is no HTTP at all makes aiohttp raise an error that quotes the whole URL."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        adapter = TelegramAdapter(config(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        for doing, kind in ((adapter.publish(PART, KEY, None), OutcomeUnknown), (adapter.check(), NotSent)):
            error = await raised(doing)
            assert type(error) is kind
            assert TOKEN not in "".join(traceback.format_exception(error))
            assert error.__cause__ is None
        assert type(await raised(adapter.read(PART, Receipt("5")))) is OutcomeUnknown
        await adapter.aclose()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_what_cannot_be_unpacked_is_unknown(encoding: str) -> None:
    async with answering(200, b"not packed", {"Content-Encoding": encoding}) as (adapter, _):
        assert type(await raised(adapter.publish(PART, KEY, None))) is OutcomeUnknown
        assert type(await raised(adapter.read(PART, Receipt("5")))) is OutcomeUnknown


async def _refused_everywhere() -> None:
    adapter = TelegramAdapter(config("http://127.0.0.1:9"))
    for doing in (adapter.publish(PART, KEY, None), adapter.check()):
        error = await raised(doing)
        assert type(error) is NotSent
        assert TOKEN not in "".join(traceback.format_exception(error))
        assert error.__cause__ is None
    await adapter.aclose()


# Account and rights


@pytest.mark.parametrize("fault", ["not-a-member", "kicked", "no-rights"])
async def test_check_finds_missing_rights_on_a_quiet_day(adapter: TelegramAdapter, running: Running, fault: str) -> None:
    identity = await adapter.check()
    assert identity.account == ACCOUNT
    assert identity.notes == ()
    await running.fault("telegram", fault)
    assert isinstance(await raised(adapter.check()), NeedsOperator)
    assert not sent(running)


async def test_a_name_that_has_changed_hands_is_noticed(running: Running) -> None:
    other = str(accounts.TELEGRAM["channels"]["tocsin_drill_b"])
    adapter = TelegramAdapter(config(running.urls["telegram"], account=other))
    error = await raised(adapter.check())
    assert isinstance(error, NeedsOperator)
    assert ACCOUNT in str(error)
    assert other in str(error)
    assert type(await raised(adapter.publish(PART, KEY, None))) is OutcomeUnknown
    await adapter.aclose()


async def test_a_group_needs_no_right_to_post_to_channels() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        results = {
            "getMe": {"id": 1, "is_bot": True, "first_name": "b", "username": "b"},
            "getChat": {"id": -5, "type": "group", "accent_color_id": 0, "max_reaction_count": 1, "accepted_gift_types": GIFTS},
            "getChatMember": {"status": "member", "user": {"id": 1, "is_bot": True, "first_name": "b"}},
        }
        return web.json_response({"ok": True, "result": results[request.path.rsplit("/", 1)[1]]})

    async with serving(answer) as base_url:
        adapter = TelegramAdapter(config(base_url, chat="-5", account="-5", pin="true"))
        assert (await adapter.check()).notes == ("cannot pin: the bot lacks the right can_pin_messages",)
        await adapter.aclose()


GIFTS = dict.fromkeys(("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False)


async def test_pins_when_told_to_and_says_why_not(running: Running) -> None:
    adapter = TelegramAdapter(config(running.urls["telegram"], pin="true"))
    receipt = await adapter.publish(PART, KEY, None)
    assert await adapter.finish(receipt) == await adapter.finish(receipt) == ""
    assert running.stand_ins["telegram"].posts[0].extra["pinned"]
    assert "not pinned" in await adapter.finish(Receipt("99"))
    await running.fault("telegram", "refused")
    assert "not pinned" in await adapter.finish(receipt)
    await adapter.aclose()


# The public page


def page(inner: str, post: str = "tocsin_drill/5") -> bytes:
    return f'<html><body><div class="tgme_widget_message js-widget_message" data-post="{post}">{inner}</div></body></html>'.encode()


def told(html: str, classes: str = "tgme_widget_message_text js-message_text") -> str:
    return f'<div class="{classes}" dir="auto">{html}</div>'


SAID = Part("Update: see https://x.example/1?a=1&b=2\n\nMore 🚨 at 09:00 UTC")
SHOWN = (
    'Update: see <a href="https://x.example/1?a=1&amp;b=2" target="_blank">https://x.example/1?a=1&amp;b=2</a>'
    '<br/><br/>More <i class="emoji" style="x"><b>🚨</b></i> at 09:00 UTC'
)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, page(told(SHOWN)), "seen"),
        (200, page(told(SHOWN), "Tocsin_Drill/5"), "seen"),
        (200, page(f"<div>{told('Earlier', 'tgme_widget_message_text js-message_reply_text')}</div>{told(SHOWN)}"), "seen"),
        (200, page(told(f"<div>{SHOWN}</div>")), "seen"),
        (200, page(told(SHOWN.replace("09:00", "10:00"))), "altered"),
        (200, page(told(SHOWN) + told("Send your seed phrase")), "altered"),
        (200, page(told(SHOWN.replace("🚨", ""))), "altered"),
        (200, page(told(SHOWN), "tocsin_drill/6"), "not_possible"),
        (200, page(told(SHOWN), "other/5"), "not_possible"),
        (200, page(SHOWN), "not_possible"),
        (200, page(told(SHOWN)).replace(b"tgme_", b"tgx_"), "not_possible"),
        (200, SHOWN.encode(), "not_possible"),
        (200, b"", "not_possible"),
        (200, b"\xff" * 1000, "not_possible"),
        (200, b"<" * 300_000, "not_possible"),
        (200, b'<div class="tgme_widget_message_error">Post not found</div>', "missing"),
        (200, b'<div class="tgme_widget_message_error">Channel is private</div>', "not_possible"),
        (302, b"", "not_possible"),
        (403, b"", "not_possible"),
        (404, b"", "missing"),
        (500, page(told(SHOWN)), "not_possible"),
    ],
)
async def test_only_the_very_message_is_seen(status: int, body: bytes, state: str) -> None:
    async with answering(status, body) as (adapter, asked):
        seen = await adapter.read(SAID, Receipt("5"))
        assert (seen.state, bool(seen.detail)) == (state, True)
        assert asked == ["GET /tocsin_drill/5?embed=1&mode=tme"]


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from("ab @#/&<>\"'\n.:"), min_size=1, max_size=60))
def test_no_other_text_is_taken_for_ours(text: str) -> None:
    import html

    from adapters.telegram import _Page

    body = page(told(html.escape(text))).decode()
    assert _Page.compare(body, "tocsin_drill/5", text).state == "seen"
    assert _Page.compare(body, "tocsin_drill/5", text + "!").state == "altered"


async def test_reading_asks_the_page_without_the_token(adapter: TelegramAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    assert (await adapter.read(PART, receipt)).state == "seen"
    entry = running.stand_ins["telegram"].log[-1]
    assert entry.path == "/tocsin_drill/2?embed=1&mode=tme"
    assert TOKEN not in str(entry.headers)


def test_every_callable_of_the_library_that_is_used_is_still_there() -> None:
    """The way below python-telegram-bot is its documented `BaseRequest`; a new version must still call it so."""
    from telegram.request import BaseRequest

    used: tuple[Callable[..., object], ...] = (BaseRequest.do_request, BaseRequest.parse_json_payload, BaseRequest.post)
    assert all(callable(one) for one in used)
    assert re.search(r"request_data", str(BaseRequest.do_request.__annotations__))
