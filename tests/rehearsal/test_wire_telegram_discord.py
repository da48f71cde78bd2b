"""python-telegram-bot and httpx against the stand-ins: every request and every answer is held against Telegram's and Discord's documents.

Known faults of the documents (their README) that are kept out of the way here: Telegram's says nothing of forms, whose nested objects
are JSON strings, so forms are decoded first; Discord's wants a `code` in every 429 and integers as codes of single fields, where
Discord's own pages show none and strings. Unknown fields pass in both documents, so their names are compared here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import telegram
from telegram import Bot, LinkPreviewOptions, ReplyParameters

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.discord import DiscordStandIn
from app.rehearsal.stand_ins.faults import Fault
from app.rehearsal.stand_ins.stand_in import Entry
from app.rehearsal.stand_ins.telegram import TelegramStandIn
from tests.rehearsal.wire import Document, captured, document

TOKEN, CHANNEL = accounts.TELEGRAM["token"], "@tocsin_drill"
D = accounts.DISCORD
Json = dict[str, Any]
OFFERED = {"getMe", "getChat", "getChatMember", "sendMessage", "pinChatMessage"}
LIMIT_HEADERS = {"Limit": r"\d+", "Remaining": r"\d+", "Reset": r"\d+(\.\d+)?", "Reset-After": r"\d+(\.\d+)?", "Bucket": r".+"}


@pytest.fixture(autouse=True)
def _new_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-telegram-bot warns of a type that will change unless it is asked for already."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def bot_api() -> Document:
    return document("telegram-bot-api")


@pytest.fixture
def rest() -> Document:
    return document("discord-v10")


async def telegram_traffic() -> list[Entry]:
    """Every method, well used and refused, by python-telegram-bot."""
    stand_in = TelegramStandIn()
    await stand_in.start()
    try:
        async with Bot(TOKEN, base_url=f"{stand_in.base_url}/bot") as bot:
            off = LinkPreviewOptions(is_disabled=True)
            first = await bot.send_message(
                CHANNEL, "🚨 https://acme.example @acme_team", disable_notification=False, link_preview_options=off
            )
            await bot.send_message(
                first.chat.id, "two", reply_parameters=ReplyParameters(first.message_id, allow_sending_without_reply=False)
            )
            await bot.get_chat(CHANNEL)
            await bot.pin_chat_message(CHANNEL, first.message_id, disable_notification=True)
            await bot.get_chat(first.chat.id)
            await bot.get_chat_member(CHANNEL, bot.id)
            for chat, text in (("@nowhere_at_all", "x"), (CHANNEL, "x" * 5000)):
                with pytest.raises(telegram.error.BadRequest):
                    await bot.send_message(chat, text)
            for fault in ("not-a-member", "no-rights", "429", "500", "401"):
                await stand_in.order(Fault(fault))
                with pytest.raises(telegram.error.TelegramError):
                    await bot.send_message(CHANNEL, "x")
                await bot.get_chat_member(CHANNEL, bot.id)
                await stand_in.clear()
    finally:
        await stand_in.stop()
    return stand_in.log


MESSAGES, HOOK = f"/api/v10/channels/{D['channel_id']}/messages", f"/api/v10/webhooks/{D['webhook_id']}/{D['webhook_token']}"
QUIET: Json = {"allowed_mentions": {"parse": []}, "flags": 4}
AGENT = {"User-Agent": "DiscordBot (https://tocsin.example, 0.1)"}


async def talk_as_bot(api: httpx.AsyncClient, stand_in: DiscordStandIn) -> None:
    await api.get("/api/v10/users/@me")
    await api.get(f"/api/v10/channels/{D['channel_id']}")
    post = {"content": "🚨 https://acme.example @everyone <@12> <@&34>", "nonce": "k" * 20, "enforce_nonce": True}
    first = (await api.post(MESSAGES, json=post | QUIET)).json()
    await api.post(MESSAGES, json=post | QUIET)
    await api.post(MESSAGES, json={"content": post["content"], "message_reference": {"message_id": first["id"]}})
    await api.get(MESSAGES, params={"after": "0", "limit": 100})
    await api.get(f"{MESSAGES}/{first['id']}")
    await api.post(f"{MESSAGES}/{first['id']}/crosspost")
    await api.post(f"{MESSAGES}/{first['id']}/crosspost")
    for refused in ({"content": "x" * 2001}, {"content": ""}, {"content": "x", "message_reference": {"message_id": "1"}}):
        await api.post(MESSAGES, json=refused)
    await api.get("/api/v10/channels/1")
    await api.get(f"{MESSAGES}/1")
    await api.get(MESSAGES, params={"limit": 100}, headers={"Authorization": "Bot wrong"})
    for fault in ("429", "no-permission", "automod"):
        await stand_in.order(Fault(fault))
        await api.post(MESSAGES, json={"content": "x"})
        await stand_in.clear()


async def talk_as_webhook(api: httpx.AsyncClient, stand_in: DiscordStandIn) -> None:
    await api.get(HOOK)
    sent = (await api.post(HOOK, params={"wait": "true"}, json={"content": "one"} | QUIET)).json()
    await api.post(HOOK, json={"content": "two"} | QUIET)
    await api.get(f"{HOOK}/messages/{sent['id']}")
    await api.get(f"{HOOK}/messages/1")
    await api.get(f"{HOOK}x")
    await api.post(f"/api/v10/webhooks/1/{D['webhook_token']}", json={"content": "x"})
    await stand_in.order(Fault("429", 2.5))
    await api.post(HOOK, json={"content": "x"})


async def discord_traffic() -> list[Entry]:
    """Every endpoint, well used and refused, by httpx."""
    stand_in = DiscordStandIn()
    await stand_in.start()
    try:
        async with httpx.AsyncClient(base_url=stand_in.base_url, headers=AGENT | {"Authorization": f"Bot {D['bot_token']}"}) as bot:
            await talk_as_bot(bot, stand_in)
        async with httpx.AsyncClient(base_url=stand_in.base_url, headers=AGENT) as anyone:
            await talk_as_webhook(anyone, stand_in)
    finally:
        await stand_in.stop()
    return stand_in.log


def method_of(entry: Entry) -> str:
    return entry.path.rsplit("/", 1)[1]


def decoded(form: bytes, fields: Mapping[str, Any]) -> Json:
    """A form's values as the document types them; a chat is a number or a name."""
    given: Json = {}
    for name, value in parse_qsl(form.decode(), keep_blank_values=True):
        text = re.fullmatch(r"-?\d+", value) is None if "anyOf" in fields[name] else fields[name].get("type") == "string"
        given[name] = value if text else json.loads(value)
    return given


def errors_of_bot_api(bot_api: Document, entry: Entry, body: Json | None = None) -> list[str]:
    """Of the request (`body` replaces what was sent) and of its answer."""
    path = f"/{method_of(entry)}"
    wrong = bot_api.check_answer("POST", path, entry.status, entry.answer_headers["Content-Type"], entry.answer)
    if path == "/getMe":
        return wrong
    schema = bot_api.spec["components"]["schemas"][f"{method_of(entry)}Request"]
    return wrong + bot_api.check(decoded(entry.body, schema["properties"]) if body is None else body, schema, writing=True)


def as_documented(entry: Entry) -> bytes:
    """Discord's answer as the document would have it, see above; what is mended is first seen to be as the page has it."""
    answer = json.loads(entry.answer or b"null")
    if entry.status == 429:
        assert "code" not in answer
        answer["code"] = 0
    if isinstance(answer, dict) and answer.get("code") == 50035:
        for field in answer["errors"].values():
            for detail in field["_errors"]:
                assert isinstance(detail["code"], str)
                detail["code"] = 0
    return json.dumps(answer).encode()


def errors_of_answer(rest: Document, entry: Entry) -> list[str]:
    target = entry.path.removeprefix("/api/v10")
    wrong = [
        f"X-RateLimit-{name}"
        for name, pattern in LIMIT_HEADERS.items()
        if not re.fullmatch(pattern, entry.answer_headers.get(f"X-RateLimit-{name}", ""))
    ]
    kind = entry.answer_headers.get("Content-Type", "")
    return wrong + rest.check_answer(entry.method, target, entry.status, kind, as_documented(entry))


def errors_of_request(rest: Document, entry: Entry) -> list[str]:
    target = entry.path.removeprefix("/api/v10")
    wrong = rest.check_query(entry.method, target)
    if entry.body:
        schemas = rest.spec["components"]["schemas"]
        named = schemas["IncomingWebhookRequestPartial" if "webhooks" in target else "MessageCreateRequest"]["properties"]
        wrong += [f"{name} is unknown" for name in json.loads(entry.body) if name not in named]
    return wrong + rest.check_body(entry.method, target, entry.headers.get("Content-Type", ""), entry.body)


async def test_what_telegram_s_library_sends_and_gets_fits_the_document(bot_api: Document) -> None:
    log = await telegram_traffic()
    assert {method_of(entry) for entry in log} == OFFERED
    assert {entry.status for entry in log} == {200, 400, 401, 403, 429, 500}
    for entry in log:
        assert errors_of_bot_api(bot_api, entry) == [], entry.plain()


async def test_telegram_s_library_sends_what_was_captured() -> None:
    """The same fields in the same encoding as the recorder met."""
    log = await telegram_traffic()
    met = {(method_of(entry), frozenset(dict(parse_qsl(entry.body.decode())))) for entry in log}
    recorded = {(one["path"].rsplit("/", 1)[1], frozenset(dict(parse_qsl(one["body"])))) for one in captured("python-telegram-bot")}
    assert {one for one in recorded - met if one[0] in OFFERED} == set()
    agents = {entry.headers["User-Agent"] for entry in log}
    assert agents == {one["headers"]["User-Agent"] for one in captured("python-telegram-bot")}


async def test_what_is_sent_to_discord_and_comes_back_fits_the_document(rest: Document) -> None:
    log = await discord_traffic()
    assert {entry.status for entry in log} == {200, 204, 400, 401, 403, 404, 429}
    for entry in log:
        assert [*errors_of_request(rest, entry), *errors_of_answer(rest, entry)] == [], entry.plain()


async def test_discord_s_document_allows_twice_what_its_page_does(rest: Document) -> None:
    """Why 2001 characters pass above as a request: 4000 stand in the document, 2000 on the page, and the page is followed."""
    longest = [
        rest.spec["components"]["schemas"][name]["properties"]["content"]["maxLength"]
        for name in ("MessageCreateRequest", "IncomingWebhookRequestPartial")
    ]
    assert longest == [4000, 2000]


async def test_the_lane_finds_what_is_wrong_with_telegram(bot_api: Document) -> None:
    entry = next(entry for entry in await telegram_traffic() if method_of(entry) == "sendMessage")
    answer = json.loads(entry.answer)
    del answer["result"]["chat"]
    entry.answer = json.dumps(answer).encode()
    found = " ".join(errors_of_bot_api(bot_api, entry, {"chat_id": CHANNEL, "text": "x", "link_preview_options": "{}"}))
    assert "'chat' is a required property" in found
    assert "'{}' is not of type 'object'" in found


async def test_the_lane_finds_what_is_wrong_with_discord(rest: Document) -> None:
    entry = next(entry for entry in await discord_traffic() if entry.method == "POST" and entry.status == 200)
    answer = json.loads(entry.answer)
    del answer["author"]["primary_guild"]
    entry.answer, entry.body = json.dumps(answer).encode(), b'{"content": "x", "nonce": true, "reply_to": 1}'
    del entry.answer_headers["X-RateLimit-Bucket"]
    found = " ".join([*errors_of_request(rest, entry), *errors_of_answer(rest, entry)])
    assert "'primary_guild' is a required property" in found
    assert "X-RateLimit-Bucket" in found
    assert "reply_to is unknown" in found
    assert "True is not valid under any of the given schemas" in found
