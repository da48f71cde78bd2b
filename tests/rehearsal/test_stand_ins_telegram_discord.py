"""The Telegram and Discord stand-ins, asked by an unmodified python-telegram-bot and by plain httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import telegram
from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ChatMemberStatus

from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.discord import DiscordStandIn
from app.rehearsal.stand_ins.faults import Fault
from app.rehearsal.stand_ins.telegram import TelegramStandIn
from app.rehearsal.stand_ins.telegram_text import clean, entities

TOKEN, CHANNEL = accounts.TELEGRAM["token"], "@tocsin_drill"
D = accounts.DISCORD
BOT_CHANNEL, HOOK = f"/api/v10/channels/{D['channel_id']}", f"/api/webhooks/{D['webhook_id']}/{D['webhook_token']}"
AS_BOT = {"Authorization": f"Bot {D['bot_token']}", "User-Agent": "DiscordBot (https://tocsin.example, 0.1)"}


@pytest.fixture
async def tg() -> AsyncIterator[TelegramStandIn]:
    stand_in = TelegramStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def bot(tg: TelegramStandIn) -> AsyncIterator[Bot]:
    async with Bot(TOKEN, base_url=f"{tg.base_url}/bot") as bot:
        yield bot


@pytest.fixture
async def tg_http(tg: TelegramStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=tg.base_url) as client:
        yield client


@pytest.fixture
async def dc() -> AsyncIterator[DiscordStandIn]:
    stand_in = DiscordStandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def api(dc: DiscordStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=dc.base_url, headers=AS_BOT) as client:
        yield client


@pytest.fixture
async def anyone(dc: DiscordStandIn) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=dc.base_url) as client:
        yield client


class _Text(HTMLParser):
    """The text of the page's message, `<br/>` as line ends."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.text = False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = self.inside or (tag == "div" and "js-message_text" in (dict(attrs).get("class") or ""))
        self.text += "\n" if tag == "br" and self.inside else ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "div"

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside else ""


# Telegram


async def test_telegram_bot_is_itself_and_may_post(bot: Bot) -> None:
    chat = await bot.get_chat(CHANNEL)
    member = await bot.get_chat_member(chat.id, bot.id)
    assert (bot.id, bot.username) == (accounts.TELEGRAM["bot_id"], accounts.TELEGRAM["bot_username"])
    assert chat.id == accounts.TELEGRAM["channels"]["tocsin_drill"]
    assert chat.type == "channel"
    assert member.status == ChatMemberStatus.ADMINISTRATOR
    assert isinstance(member, telegram.ChatMemberAdministrator)
    assert member.can_post_messages


async def test_telegram_message_comes_back_with_its_entities(bot: Bot, tg: TelegramStandIn) -> None:
    text = "🚨 Incident\nhttps://status.acme.example/1 by @acme_team, #alert $BTC /start mail a.b@acme.example"
    message = await bot.send_message(CHANNEL, text, link_preview_options=LinkPreviewOptions(is_disabled=True))
    found = {(kind.type, message.parse_entity(kind)) for kind in message.entities}
    assert message.text == text
    assert found == {
        ("url", "https://status.acme.example/1"),
        ("mention", "@acme_team"),
        ("hashtag", "#alert"),
        ("cashtag", "$BTC"),
        ("bot_command", "/start"),
        ("email", "a.b@acme.example"),
    }
    assert message.link_preview_options
    assert message.link_preview_options.is_disabled
    assert tg.posts[0].extra["preview"] is False
    assert tg.posts[0].permalink == f"{tg.base_url}/tocsin_drill/{message.message_id}"


async def test_telegram_reply_names_its_parent_or_fails(bot: Bot, tg: TelegramStandIn) -> None:
    first = await bot.send_message(CHANNEL, "one")
    second = await bot.send_message(CHANNEL, "two", reply_parameters=ReplyParameters(first.message_id))
    lone = await bot.send_message(CHANNEL, "three", reply_parameters=ReplyParameters(99, allow_sending_without_reply=True))
    with pytest.raises(telegram.error.BadRequest, match="Message to be replied not found"):
        await bot.send_message(CHANNEL, "four", reply_parameters=ReplyParameters(99))
    assert second.reply_to_message
    assert second.reply_to_message.text == "one"
    assert lone.reply_to_message is None
    assert [post.text for post in tg.posts] == ["one", "two", "three"]
    assert [post.reply_to for post in tg.posts] == ["", str(first.message_id), ""]


async def test_telegram_counts_utf16_units(bot: Bot, tg: TelegramStandIn) -> None:
    await bot.send_message(CHANNEL, "🚨" * 2048)
    with pytest.raises(telegram.error.BadRequest, match="Message is too long"):
        await bot.send_message(CHANNEL, "🚨" * 2048 + "x")
    with pytest.raises(telegram.error.BadRequest, match="Text is too long"):
        await bot.send_message(CHANNEL, "x" * 40_000)
    with pytest.raises(telegram.error.BadRequest, match="Message text is empty"):
        await bot.send_message(CHANNEL, "")
    with pytest.raises(telegram.error.BadRequest, match="Text must be non-empty"):
        await bot.send_message(CHANNEL, " \n ")
    assert len(tg.posts) == 1


async def test_telegram_each_pointer_channel_has_its_own_id_and_numbers(bot: Bot) -> None:
    chats = [await bot.get_chat(f"@tocsin_pointer_{n:02d}") for n in (0, 7, 99)]
    sent = [await bot.send_message(chat.id, "here") for chat in chats]
    assert [chat.id for chat in chats] == [accounts.TELEGRAM["pointer_id_base"] - n for n in (0, 7, 99)]
    assert [message.message_id for message in sent] == [2, 2, 2]
    assert (await bot.send_message("@Tocsin_Pointer_07", "again")).message_id == 3


@pytest.mark.parametrize("chat", ["@tocsin_nowhere", "@tocsin_pointer_100", -1009999999999, 12])
async def test_telegram_unknown_chat(bot: Bot, chat: str | int) -> None:
    with pytest.raises(telegram.error.BadRequest, match="Chat not found"):
        await bot.send_message(chat, "x")


@pytest.mark.parametrize(
    ("switch", "error", "words"),
    [
        ("not-a-member", telegram.error.Forbidden, "bot is not a member of the channel chat"),
        ("kicked", telegram.error.Forbidden, "bot was kicked from the channel chat"),
        ("no-rights", telegram.error.BadRequest, "administrator rights in the channel chat"),
    ],
)
async def test_telegram_without_rights(bot: Bot, tg: TelegramStandIn, switch: str, error: type[Exception], words: str) -> None:
    await tg.order(Fault(switch))
    with pytest.raises(error, match=words):
        await bot.send_message(CHANNEL, "x")
    assert tg.posts == []
    await tg.clear()
    assert (await bot.send_message(CHANNEL, "x")).text == "x"


async def test_telegram_member_shows_what_is_missing(bot: Bot, tg: TelegramStandIn) -> None:
    await tg.order(Fault("not-a-member"))
    assert (await bot.get_chat(CHANNEL)).username == "tocsin_drill"
    assert (await bot.get_chat_member(CHANNEL, bot.id)).status == ChatMemberStatus.LEFT
    await tg.clear()
    await tg.order(Fault("no-rights"))
    member = await bot.get_chat_member(CHANNEL, bot.id)
    assert isinstance(member, telegram.ChatMemberAdministrator)
    assert not member.can_post_messages


async def test_telegram_pin_is_all_that_can_be_looked_up(bot: Bot, tg_http: httpx.AsyncClient) -> None:
    message = await bot.send_message(CHANNEL, "one")
    assert (await bot.get_chat(CHANNEL)).pinned_message is None
    assert await bot.pin_chat_message(CHANNEL, message.message_id, disable_notification=True)
    pinned = (await bot.get_chat(CHANNEL)).pinned_message
    assert pinned
    assert pinned.text == "one"
    with pytest.raises(telegram.error.BadRequest, match="Message to pin not found"):
        await bot.pin_chat_message(CHANNEL, 99)
    for method in ("getChatHistory", "getMessage", "searchMessages", "deleteMessage"):
        answer = await tg_http.post(f"/bot{TOKEN}/{method}", json={"chat_id": CHANNEL, "message_id": 2})
        assert (answer.status_code, answer.json()["description"]) == (404, "Not Found: method not found")


@pytest.mark.parametrize("token", ["0:x", "nocolon", "x:y", ""])
async def test_telegram_malformed_token(tg_http: httpx.AsyncClient, token: str) -> None:
    answer = await tg_http.post(f"/bot{token}/getMe")
    assert answer.status_code == 401
    assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized: invalid token specified"}


async def test_telegram_wrong_token_and_path(tg: TelegramStandIn, tg_http: httpx.AsyncClient) -> None:
    answer = await tg_http.get("/bot7000000001:wrong/getMe")
    assert (answer.status_code, answer.json()["description"]) == (401, "Unauthorized")
    nothing = await tg_http.get("/nothing")
    assert (nothing.status_code, nothing.json()) == (404, {"ok": False, "error_code": 404, "description": "Not Found"})
    wrong = Bot("7000000001:wrong", base_url=f"{tg.base_url}/bot")
    with pytest.raises(telegram.error.InvalidToken):
        await wrong.initialize()
    await wrong.shutdown()


async def test_telegram_takes_query_form_and_json_alike(tg_http: httpx.AsyncClient) -> None:
    given = {"chat_id": CHANNEL, "text": "one"}
    preview = {"is_disabled": True}
    answers = [
        await tg_http.get(f"/bot{TOKEN}/SENDMESSAGE", params=given | {"link_preview_options": '{"is_disabled": true}'}),
        await tg_http.post(f"/bot{TOKEN}/sendMessage", data=given | {"link_preview_options": '{"is_disabled": true}'}),
        await tg_http.post(f"/bot{TOKEN}/sendMessage", json=given | {"link_preview_options": preview}),
    ]
    assert [answer.json()["result"]["link_preview_options"] for answer in answers] == [preview] * 3
    broken = await tg_http.post(f"/bot{TOKEN}/sendMessage", data=given | {"reply_parameters": "{"})
    assert broken.json()["description"] == "Bad Request: can't parse reply parameters JSON object"
    markup = await tg_http.post(f"/bot{TOKEN}/sendMessage", json=given | {"parse_mode": "HTML"})
    assert markup.status_code == 400


async def test_telegram_429_says_twice_when_to_come_back(
    bot: Bot, tg: TelegramStandIn, tg_http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else the library warns that it will change its type
    await tg.order(Fault("429", 7), count=2)
    with pytest.raises(telegram.error.RetryAfter) as caught:
        await bot.send_message(CHANNEL, "one")
    assert caught.value.retry_after == timedelta(seconds=7)
    answer = await tg_http.post(f"/bot{TOKEN}/sendMessage", json={"chat_id": CHANNEL, "text": "one"})
    assert answer.headers["Retry-After"] == "7"
    assert answer.json()["parameters"] == {"retry_after": 7}
    assert tg.posts == []


async def test_telegram_bot_sends_no_more_than_its_limit(tg: TelegramStandIn, tg_http: httpx.AsyncClient) -> None:
    tg.per_minute = 2
    await tg.order(Fault("slow-chat"))
    answers = [await tg_http.post(f"/bot{TOKEN}/sendMessage", json={"chat_id": CHANNEL, "text": str(n)}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    assert len(tg.posts) == 2
    await tg.reset()
    tg.per_second = 5
    burst = await asyncio.gather(
        *(tg_http.post(f"/bot{TOKEN}/sendMessage", json={"chat_id": f"@tocsin_pointer_{n:02d}", "text": "x"}) for n in range(20))
    )
    assert 5 <= sum(answer.status_code == 200 for answer in burst) <= 10
    assert {answer.status_code for answer in burst} == {200, 429}


async def test_telegram_page_shows_a_reader_the_text(bot: Bot, tg: TelegramStandIn, tg_http: httpx.AsyncClient) -> None:
    text = "🚨 <b>Incident</b> & more\n\nhttps://status.acme.example/1?a=1&b=2 by @acme_team"
    number = (await bot.send_message(CHANNEL, text)).message_id
    page = await tg_http.get(f"/tocsin_drill/{number}?embed=1&mode=tme")
    parser = _Text()
    parser.feed(page.text)
    assert parser.text == text
    assert f'data-post="tocsin_drill/{number}"' in page.text
    assert "Post not found" in (await tg_http.get("/tocsin_drill/99?embed=1&mode=tme")).text
    assert "status.acme.example/1" in (await tg_http.get(f"/tocsin_drill/{number}")).text


@pytest.mark.parametrize("fault", ["cut-after", "junk", "truncated"])
async def test_telegram_posted_though_the_answer_was_lost(bot: Bot, tg: TelegramStandIn, fault: str) -> None:
    await tg.order(Fault(fault))
    with pytest.raises(telegram.error.TelegramError):
        await bot.send_message(CHANNEL, "one")
    assert [post.text for post in tg.posts] == ["one"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("  \n one \n", "one"), ("a\r\nb\tc\x07", "a\nb c"), ("a\u202eb\u2028c", "abc"), (" \n\t", ""), ("é\u0301", "é\u0301")],
)
def test_telegram_cleans_text(text: str, kept: str) -> None:
    assert clean(text) == kept


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see acme.com/a_(b), now", [("url", "acme.com/a_(b)")]),
        ("see (https://acme.example/a).", [("url", "https://acme.example/a")]),
        ("acme.example and v1.2 are no links", []),
        ("https://acme.example/@name#tag", [("url", "https://acme.example/@name#tag")]),
        ("#1 is no tag, #a1 is", [("hashtag", "#a1")]),
        ("a/b and /c/d are no commands", []),
        ("$usd $BITCOINS1 $EUR", [("cashtag", "$EUR")]),
        ("x@abcd is no mention, @abc neither", []),
        ("https://127.0.0.1:8080/x", [("url", "https://127.0.0.1:8080/x")]),
    ],
)
def test_telegram_finds_entities(text: str, found: list[tuple[str, str]]) -> None:
    assert [(kind["type"], text[kind["offset"] :][: kind["length"]]) for kind in entities(text)] == found


# Discord


async def _say(api: httpx.AsyncClient, content: str, **more: Any) -> httpx.Response:
    return await api.post(f"{BOT_CHANNEL}/messages", json={"content": content, **more})


async def test_discord_bot_is_itself(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    me, channel = (await api.get("/api/v10/users/@me")).json(), (await api.get(BOT_CHANNEL)).json()
    assert (me["id"], me["bot"]) == (D["bot_id"], True)
    assert (channel["id"], channel["guild_id"], channel["type"]) == (D["channel_id"], D["guild_id"], 5)
    for header in ("Bot wrong", D["bot_token"], ""):
        answer = await api.get("/api/v10/users/@me", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["code"]) == (401, 40001)


async def test_discord_message_can_be_read_and_listed(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    sent = [(await _say(api, f"message {n}", flags=4)).json() for n in range(3)]
    ids = [message["id"] for message in sent]
    assert ids == sorted(ids, key=int)
    assert dc.posts[0].permalink == f"{dc.base_url}/channels/{D['guild_id']}/{D['channel_id']}/{ids[0]}"
    assert (await api.get(f"{BOT_CHANNEL}/messages/{ids[0]}")).json() == sent[0]
    after = await api.get(f"{BOT_CHANNEL}/messages", params={"after": ids[0], "limit": 50})
    assert [message["id"] for message in after.json()] == [ids[2], ids[1]]
    first_after = await api.get(f"{BOT_CHANNEL}/messages", params={"after": "0", "limit": 1})
    assert [message["id"] for message in first_after.json()] == [ids[0]]
    before = await api.get(f"{BOT_CHANNEL}/messages", params={"before": ids[2], "limit": 1})
    assert [message["id"] for message in before.json()] == [ids[1]]
    assert (await api.get(f"{BOT_CHANNEL}/messages", params={"limit": 101})).json()["code"] == 50035
    unknown = await api.get(f"{BOT_CHANNEL}/messages/1")
    assert (unknown.status_code, unknown.json()["code"]) == (404, 10008)


async def test_discord_nonce_posts_once(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    first = (await _say(api, "one", nonce="k" * 25, enforce_nonce=True)).json()
    again = await _say(api, "one", nonce="k" * 25, enforce_nonce=True)
    other = (await _say(api, "one", nonce="other", enforce_nonce=True)).json()
    assert (again.status_code, again.json()["id"], again.json()["nonce"]) == (200, first["id"], "k" * 25)
    assert [post.id for post in dc.posts] == [first["id"], other["id"]]
    assert (await _say(api, "one", nonce="k" * 25)).json()["id"] != first["id"]
    dc.posts[0].at -= dc.nonce_seconds + 1
    dc.posts[2].at -= dc.nonce_seconds + 1
    assert (await _say(api, "one", nonce="k" * 25, enforce_nonce=True)).json()["id"] not in {post.id for post in dc.posts[:-1]}
    assert (await _say(api, "one", nonce="k" * 26, enforce_nonce=True)).json()["code"] == 50035


async def test_discord_cut_answer_is_settled_by_the_nonce(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await dc.order(Fault("cut-after"))
    with pytest.raises(httpx.TransportError):
        await _say(api, "one", nonce="key", enforce_nonce=True)
    again = await _say(api, "one", nonce="key", enforce_nonce=True)
    assert again.json()["id"] == dc.posts[0].id
    assert len(dc.posts) == 1


async def test_discord_reply(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    first = (await _say(api, "one")).json()
    reply = (await _say(api, "two", message_reference={"message_id": first["id"]})).json()
    assert reply["type"] == 19
    assert reply["message_reference"]["message_id"] == first["id"]
    assert reply["referenced_message"]["content"] == "one"
    lost = await _say(api, "three", message_reference={"message_id": "1"})
    assert lost.status_code == 400
    assert lost.json()["errors"]["message_reference"]["_errors"][0]["code"] == "REPLIES_UNKNOWN_MESSAGE"
    alone = (await _say(api, "four", message_reference={"message_id": "1", "fail_if_not_exists": False})).json()
    assert (alone["type"], "message_reference" in alone) == (0, False)
    assert [post.reply_to for post in dc.posts] == ["", first["id"], ""]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"content": "x" * 2001}, 50035, "content"),
        ({"content": "🚨" * 1001}, 50035, "content"),
        ({"content": 5}, 50035, "content"),
        ({"content": "x", "embeds": [{"title": "x"}]}, 50035, "embeds"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 50035, "allowed_mentions"),
        ({"content": "x", "message_reference": {"message_id": "abc"}}, 50035, "message_reference"),
        ({"content": " \n"}, 50006, ""),
        ({}, 50006, ""),
    ],
)
async def test_discord_refuses_a_body(api: httpx.AsyncClient, dc: DiscordStandIn, body: dict[str, Any], code: int, field: str) -> None:
    answer = await api.post(f"{BOT_CHANNEL}/messages", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert list(answer.json().get("errors", {"": 0})) == [field]
    assert dc.posts == []


async def test_discord_refuses_what_is_no_json(api: httpx.AsyncClient) -> None:
    broken = await api.post(f"{BOT_CHANNEL}/messages", content=b"{", headers={"Content-Type": "application/json"})
    untyped = await api.post(f"{BOT_CHANNEL}/messages", content=b"{}", headers={"Content-Type": "text/plain"})
    form = await api.post(f"{BOT_CHANNEL}/messages", data={"content": "by form"})
    assert (broken.status_code, broken.json()["code"]) == (400, 50109)
    assert (untyped.status_code, untyped.json()["code"]) == (400, 50035)
    assert form.json()["content"] == "by form"


async def test_discord_pings_whom_nobody_forbade(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    text = "@everyone <@12> <@&34>"
    loud = (await _say(api, text)).json()
    quiet = (await _say(api, text, allowed_mentions={"parse": []})).json()
    hook = (await api.post(HOOK, params={"wait": "true"}, json={"content": text})).json()
    one = (await _say(api, text, allowed_mentions={"users": ["12"]})).json()
    pinged = [([u["id"] for u in m["mentions"]], m["mention_roles"], m["mention_everyone"]) for m in (loud, quiet, hook, one)]
    assert pinged == [(["12"], ["34"], True), ([], [], False), (["12"], [], False), (["12"], [], False)]
    assert [any(post.extra["pings"].values()) for post in dc.posts] == [True, False, True, True]


async def test_discord_flags_kill_the_preview(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await _say(api, "https://acme.example")
    flagged = (await _say(api, "https://acme.example", flags=4 | 64)).json()
    assert [post.extra["preview"] for post in dc.posts] == [True, False]
    assert flagged["flags"] == 4


async def test_discord_crosspost_once(api: httpx.AsyncClient) -> None:
    message = (await _say(api, "one")).json()
    first = await api.post(f"{BOT_CHANNEL}/messages/{message['id']}/crosspost")
    again = await api.post(f"{BOT_CHANNEL}/messages/{message['id']}/crosspost")
    hook = (await api.post(HOOK, params={"wait": "true"}, json={"content": "two"})).json()
    other = await api.post(f"/api/v10/channels/{hook['channel_id']}/messages/{hook['id']}/crosspost")
    assert (first.status_code, first.json()["flags"] & 1) == (200, 1)
    assert (again.status_code, again.json()["code"]) == (400, 40033)
    assert (other.status_code, other.json()["code"]) == (400, 50024)


async def test_discord_webhook_shows_itself_and_its_own_messages(api: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    about = (await anyone.get(HOOK)).json()
    sent = await api.post(HOOK, params={"wait": "true"}, json={"content": "one", "allowed_mentions": {"parse": []}})
    mine = (await _say(api, "by the bot")).json()
    silent = await api.post(HOOK, json={"content": "two"})
    assert (about["id"], about["channel_id"], about["guild_id"]) == (D["webhook_id"], D["webhook_channel_id"], D["guild_id"])
    assert (sent.status_code, sent.json()["webhook_id"], sent.json()["author"]["id"]) == (200, D["webhook_id"], D["webhook_id"])
    assert (silent.status_code, silent.content) == (204, b"")
    assert (await api.get(f"/api/v10{HOOK[4:]}/messages/{sent.json()['id']}")).json()["content"] == "one"
    assert (await api.get(f"{HOOK}/messages/{mine['id']}")).json()["code"] == 10008
    listed = (await api.get(f"/api/v10/channels/{D['webhook_channel_id']}/messages")).json()
    assert [message["content"] for message in listed] == ["two", "one"]


async def test_discord_webhook_lists_nothing_and_cannot_reply(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    first = (await api.post(HOOK, params={"wait": "true"}, json={"content": "one"})).json()
    reply = (
        await api.post(HOOK, params={"wait": "true"}, json={"content": "two", "message_reference": {"message_id": first["id"]}})
    ).json()
    again = (await api.post(HOOK, params={"wait": "true"}, json={"content": "x", "nonce": "n", "enforce_nonce": True})).json()
    third = (await api.post(HOOK, params={"wait": "true"}, json={"content": "x", "nonce": "n", "enforce_nonce": True})).json()
    assert (reply["type"], dc.posts[1].reply_to) == (0, "")
    assert again["id"] != third["id"]
    assert (await api.get(f"{HOOK}/messages")).status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/api/webhooks/1/{D['webhook_token']}", 404, 10015),
        (f"/api/webhooks/{D['webhook_id']}/wrong", 401, 50027),
        (f"/api/webhooks/abc/{D['webhook_token']}", 400, 50035),
    ],
)
async def test_discord_wrong_webhook(api: httpx.AsyncClient, dc: DiscordStandIn, path: str, status: int, code: int) -> None:
    answers = [await api.get(path), await api.post(path, json={"content": "x"}), await api.post(f"{path}?wait=true", json={"content": "x"})]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(status, code)] * 3
    assert dc.posts == []


@pytest.mark.parametrize(
    ("switch", "status", "code"), [("no-permission", 403, 50013), ("automod", 400, 200000), ("webhook-gone", 404, 10015)]
)
async def test_discord_switches(api: httpx.AsyncClient, dc: DiscordStandIn, switch: str, status: int, code: int) -> None:
    await dc.order(Fault(switch))
    answer = await (api.post(HOOK, json={"content": "x"}) if switch == "webhook-gone" else _say(api, "x"))
    assert (answer.status_code, answer.json()["code"], dc.posts) == (status, code, [])


async def test_discord_unsaved_message_makes_no_error_without_wait(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await dc.order(Fault("drops-unwaited"))
    assert (await api.post(HOOK, json={"content": "lost"})).status_code == 204
    assert dc.posts == []
    assert (await api.post(HOOK, params={"wait": "true"}, json={"content": "kept"})).status_code == 200


async def test_discord_tells_its_limits(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await dc.order(Fault("slow-bucket"))
    answers = [await api.post(HOOK, json={"content": str(n)}) for n in range(8)]
    first, refused = answers[0], next(answer for answer in reversed(answers) if answer.status_code == 429)
    assert first.headers["X-RateLimit-Limit"] == "5"
    assert first.headers["X-RateLimit-Remaining"] == "4"
    assert float(first.headers["X-RateLimit-Reset-After"]) <= 2
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert 0 < refused.json()["retry_after"] <= int(refused.headers["Retry-After"])
    assert refused.json()["global"] is False
    assert len(dc.posts) == sum(answer.status_code == 204 for answer in answers) < 8


async def test_discord_ordered_429_posts_nothing(api: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await dc.order(Fault("429", 3.5))
    answer = await _say(api, "x")
    assert (answer.status_code, answer.json()["retry_after"], answer.headers["Retry-After"]) == (429, 3.5, "4")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert dc.posts == []


async def test_discord_nobody_reads_without_login(api: httpx.AsyncClient, anyone: httpx.AsyncClient, dc: DiscordStandIn) -> None:
    await _say(api, "for members only")
    page = await anyone.get(dc.posts[0].permalink)
    assert page.status_code == 200
    assert "for members only" not in page.text
    plain = await anyone.get(f"{BOT_CHANNEL}/messages")
    assert plain.status_code == 401
    assert (await api.delete(f"{BOT_CHANNEL}/messages/{dc.posts[0].id}")).status_code == 405
