"""What is particular to a Discord webhook: the URL is the secret, nothing can be looked up, and a 404 is final."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from adapters.contract import AdapterError, Config, NeedsOperator, NotSent, OutcomeUnknown, Part, Receipt, Role
from adapters.discord.webhook import DiscordWebhookAdapter
from app.rehearsal.stand_ins import accounts
from app.rehearsal.stand_ins.server import Running
from app.rehearsal.stand_ins.stand_in import Entry
from tests.adapters.hostile import Say, answering, raised
from tests.adapters.test_discord import refused

HOOK, TOKEN = accounts.DISCORD["webhook_id"], accounts.DISCORD["webhook_token"]
GUILD, CHANNEL = accounts.DISCORD["guild_id"], accounts.DISCORD["webhook_channel_id"]
KEY = "abcdefghijklmnopqrst"
PART = Part("Do not sign anything. We are looking into it.")


def config(base_url: str = "", account: str = HOOK, url: str = f"https://discord.com/api/webhooks/{HOOK}/{TOKEN}", **fields: str) -> Config:
    given = {"guild": GUILD, "channel": CHANNEL} | fields
    return Config("hook", "discord_webhook", Role.POINTER, account, base_url, given, {"url": SecretStr(url)})


@pytest.fixture
async def adapter(running: Running) -> AsyncIterator[DiscordWebhookAdapter]:
    one = DiscordWebhookAdapter(config(running.urls["discord"]))
    yield one
    await one.aclose()


def log(running: Running) -> list[Entry]:
    return running.stand_ins["discord"].log


# Settings


@pytest.mark.parametrize(
    "url",
    [
        f"https://discord.com/api/webhooks/{HOOK}/{TOKEN}",
        f"https://discord.com/api/v10/webhooks/{HOOK}/{TOKEN}\n",
        f"https://ptb.discord.com/api/webhooks/{HOOK}/{TOKEN}/",
        f"https://discordapp.com/api/webhooks/{HOOK}/{TOKEN}",
    ],
)
def test_every_form_of_the_url_that_discord_gives_is_taken(url: str) -> None:
    assert DiscordWebhookAdapter(config(url=url)).owns(f"https://discord.com/channels/{GUILD}/{CHANNEL}/1100000000000000009")


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://discord.com/api/webhooks/{HOOK}/{TOKEN}",
        f"https://discord.com.evil.example/api/webhooks/{HOOK}/{TOKEN}",
        f"https://discord.com@evil.example/api/webhooks/{HOOK}/{TOKEN}",
        f"https://discord.com/api/webhooks/{HOOK}",
        f"https://discord.com/api/webhooks/{HOOK}/{TOKEN}/github",
        f"https://discord.com/api/webhooks/{HOOK}/{TOKEN}?wait=false",
        f"https://discord.com/api/webhooks/{HOOK}/../{TOKEN}",
    ],
)
def test_another_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="hook: url ") as caught:
        DiscordWebhookAdapter(config(url=url))
    assert TOKEN not in str(caught.value)


async def test_a_url_of_another_webhook_is_never_called(running: Running) -> None:
    adapter = DiscordWebhookAdapter(config(running.urls["discord"], account="1"))
    for doing in (adapter.check(), adapter.publish(PART, KEY, None)):
        assert isinstance(await raised(doing), NeedsOperator)
    assert log(running) == []


# What is sent


async def test_the_request_waits_pings_nobody_and_shows_no_preview(adapter: DiscordWebhookAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, Receipt("1"))
    (entry,) = log(running)
    assert (entry.method, entry.path) == ("POST", f"/api/v10/webhooks/{HOOK}/{TOKEN}?wait=true")
    assert json.loads(entry.body) == {"content": PART.text, "allowed_mentions": {"parse": []}, "flags": 4}
    assert "Authorization" not in entry.headers
    assert receipt.permalink == f"{running.urls['discord']}/channels/{GUILD}/{CHANNEL}/{receipt.remote_id}"


# What goes wrong


async def test_what_discord_drops_silently_is_still_confirmed(adapter: DiscordWebhookAdapter, running: Running) -> None:
    await running.fault("discord", "drops-unwaited")
    receipt = await adapter.publish(PART, KEY, None)
    assert [post.id for post in running.stand_ins["discord"].posts] == [receipt.remote_id]


async def test_a_webhook_that_is_gone_is_never_called_again(adapter: DiscordWebhookAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    await running.fault("discord", "webhook-gone")
    first = await raised(adapter.publish(PART, KEY, None))
    asked = len(log(running))
    for doing in (adapter.publish(PART, KEY, None), adapter.check()):
        assert "make a new one" in str(await raised(doing))
    assert (await adapter.read(PART, receipt)).state == "not_possible"
    assert isinstance(first, NeedsOperator)
    assert len(log(running)) == asked


@pytest.mark.parametrize("looking", ["check", "read"])
async def test_any_call_may_find_out_that_it_is_gone(adapter: DiscordWebhookAdapter, running: Running, looking: str) -> None:
    await running.fault("discord", "webhook-gone")
    await raised(adapter.check() if looking == "check" else adapter.read(PART, Receipt("1")))
    assert isinstance(await raised(adapter.publish(PART, KEY, None)), NeedsOperator)
    assert len(log(running)) == 1


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ((204, b""), OutcomeUnknown),
        ((404, b"<html>nginx</html>"), OutcomeUnknown),
        (refused(404, 0), NeedsOperator),
        (refused(401, 50027), NeedsOperator),
        ((200, {"id": "1100000000000000009", "channel_id": CHANNEL, "author": {"id": HOOK}}), None),
        ((200, {"id": "1100000000000000009", "channel_id": CHANNEL, "webhook_id": HOOK, "author": {"id": "1"}}), None),
        ((200, {"id": "1100000000000000009", "channel_id": CHANNEL, "webhook_id": "1", "author": {"id": HOOK}}), OutcomeUnknown),
        ((200, {"id": "1100000000000000009", "channel_id": "1", "webhook_id": HOOK}), OutcomeUnknown),
        ((200, {"id": "9\n", "channel_id": CHANNEL, "webhook_id": HOOK}), OutcomeUnknown),
    ],
)
async def test_an_answer_means_no_more_than_it_says(says: Say, kind: type[AdapterError] | None) -> None:
    async with answering(lambda _: says) as (base_url, asked):
        adapter = DiscordWebhookAdapter(config(base_url))
        (outcome,) = await asyncio.gather(adapter.publish(PART, KEY, None), return_exceptions=True)
        assert type(outcome) is (kind or Receipt), outcome
        assert asked == [f"POST /api/v10/webhooks/{HOOK}/{TOKEN}?wait=true"]
        await adapter.aclose()


# Reading back and checking


async def test_read_says_whose_eyes_they_are(adapter: DiscordWebhookAdapter, running: Running) -> None:
    receipt = await adapter.publish(PART, KEY, None)
    seen = await adapter.read(PART, receipt)
    assert seen.state == "seen"
    assert "webhook" in seen.detail
    assert (await adapter.read(Part("Other words."), receipt)).state == "altered"
    assert (await adapter.read(PART, Receipt("999"))).state == "missing"
    assert (await adapter.read(PART, Receipt("999/../.."))).state == "not_possible"
    assert await adapter.finish(receipt) == ""
    assert isinstance(await adapter.publish(PART, KEY, receipt), Receipt)  # a message that is gone does not make the webhook gone


@pytest.mark.parametrize("changed", [{"guild": "1"}, {"channel": "1"}])
async def test_check_finds_another_place(running: Running, changed: dict[str, str]) -> None:
    adapter = DiscordWebhookAdapter(config(running.urls["discord"], **changed))
    assert "another channel" in str(await raised(adapter.check()))
    await adapter.aclose()


@pytest.mark.parametrize("says", [(500, b""), (200, b"<html>"), (404, b"<html>"), (429, b""), (200, [])])
async def test_a_check_that_learns_nothing_blames_nobody(says: Say) -> None:
    async with answering(lambda _: says) as (base_url, _):
        adapter = DiscordWebhookAdapter(config(base_url))
        assert type(await raised(adapter.check())) is NotSent
        await adapter.aclose()


# Secrets

QUOTING: list[Say] = [
    refused(404, 10015, f"/api/webhooks/{HOOK}/{TOKEN}"),
    refused(400, 50035, TOKEN),
    (200, f"<html>POST /api/v10/webhooks/{HOOK}/{TOKEN}".encode()),
    (200, {"id": HOOK, "name": TOKEN, "guild_id": GUILD, "channel_id": CHANNEL, "content": TOKEN, "webhook_id": HOOK}),
]


@pytest.mark.parametrize("says", QUOTING)
async def test_the_url_is_in_no_error_and_no_log(says: Say, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with answering(lambda _: says) as (base_url, _):
        for where in (base_url, "http://127.0.0.1:9"):
            adapter = DiscordWebhookAdapter(config(where))
            doing = (adapter.read(PART, Receipt("1")), adapter.publish(PART, KEY, None), adapter.check())
            for outcome in await asyncio.gather(*doing, return_exceptions=True):
                shown = "".join(traceback.format_exception(outcome)) if isinstance(outcome, BaseException) else ""
                assert TOKEN not in shown + repr(outcome) + repr((getattr(outcome, "__cause__", 0), getattr(outcome, "__context__", 0)))
            assert TOKEN not in repr(adapter)
            await adapter.aclose()
    assert TOKEN not in caplog.text
