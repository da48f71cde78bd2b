"""That the bench measures what it says: its platform answers Tocsin's adapter as the stand-in does, and figures are told rightly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from pydantic import SecretStr

from adapters.contract import Config, NeedsOperator, Part, Role
from adapters.discord.webhook import DiscordWebhookAdapter
from tests.bench import page, plot
from tests.bench.houses import Far, process
from tests.bench.measures import exponent, spread
from tests.bench.platform import GUILD, webhook


@pytest.fixture
def far() -> Iterator[Far]:
    with process("tests.bench.platform", "--latency=0.02") as line:
        there = Far(json.loads(line)["base_url"])
        yield there
        there.http.close()


def _adapter(far: Far, number: int, url: str = "") -> DiscordWebhookAdapter:
    id_, _, channel = webhook(number)
    secrets = {"url": SecretStr(url or far.url(number))}
    fields = {"guild": GUILD, "channel": channel}
    return DiscordWebhookAdapter(Config(f"w{number}", "discord_webhook", Role.POINTER, id_, far.base_url, fields, secrets))


async def test_the_platform_answers_the_adapter_as_discord_does(far: Far) -> None:
    adapter, part = _adapter(far, 7), Part("Move your funds: https://example.com/a_b *now*")
    assert (await adapter.check()).account == webhook(7)[0]
    receipt = await adapter.publish(part, "a" * 20, None)
    assert adapter.owns(receipt.permalink)
    assert (await adapter.read(part, receipt)).state == "seen"
    assert (await adapter.read(Part("Other words."), receipt)).state == "altered"
    await adapter.aclose()

    told = far.ask("record")
    assert (told["post"], told["check"], told["read"], told["waiting"], told["connections"]) == (1, 1, 2, 0, 2)
    ((number, came, answered),) = told["asked"]["post"]
    assert number == 7
    assert 0.02 <= answered - came < 1


async def test_a_webhook_that_is_not_there_is_refused(far: Far) -> None:
    adapter = _adapter(far, 7, far.url(7) + "x")
    with pytest.raises(NeedsOperator):
        await adapter.check()
    await adapter.aclose()


def test_hanging_up_leaves_the_one_who_asks(far: Far) -> None:
    with Far(far.base_url).http as other:
        other.get(f"{far.base_url}/bench/counts")
        assert far.ask("counts")["open"] == 2
        far.ask("hang-up")
        assert far.ask("counts")["open"] == 1


def test_spreads_and_slopes() -> None:
    assert spread([float(n) for n in range(1, 101)]) == {"median": 50.5, "p95": 95, "p99": 99, "min": 1, "max": 100, "of": 100}
    assert exponent({10: 0.5, 100: 5.0, 1000: 50.0}) == 1


def test_only_the_named_part_of_the_page_is_filled() -> None:
    before = "Words.\n<!-- a -->\nold\n<!-- end -->\n<!-- b -->\nkept\n<!-- end -->\n"
    assert page.filled(before, "a", ["new"]) == before.replace("old\n", "\nnew\n\n")
    with pytest.raises(ValueError, match="no place for c"):
        page.filled(before, "c", [])


def test_the_plot_is_whole_and_names_each_line() -> None:
    of = {"median": 1.0, "min": 0.9, "max": 1.2}
    both = {"tocsin": {"durable": of, "last_answered": of}, "others": {"aiohttp": of}}
    drawn = ElementTree.fromstring(plot.svg({"sizes": {"10": both, "1000": both}}))
    shown = " ".join(text.text or "" for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
    assert all(
        words in shown for words in ("Tocsin, durable", "bare aiohttp", "1,000", "pointers in one broadcast (N)", "seconds to the last")
    )
    assert "Apprise" not in shown
