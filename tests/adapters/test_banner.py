"""The banner beyond the contract suite: what it reads from its own public endpoint, and what it takes for none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from aiohttp import web

from adapters.banner import BannerAdapter
from adapters.contract import AdapterError, Config, Message, NeedsOperator, NotSent, OutcomeUnknown, Part, Receipt, Role, Unsupported

PART, RECEIPT = Part("Do not sign anything."), Receipt("k" * 20, "https://alerts.company.example/banner.html")


class Endpoint:
    """Answers `/banner.json` with `answer`, and counts."""

    def __init__(self) -> None:
        self.answer, self.status, self.asked, self.base_url = "{}", 200, 0, ""

    async def serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert not {"Authorization", "Cookie"} & set(request.headers)
        return web.Response(text=self.answer, status=self.status, headers={"Location": "https://evil.example/"})


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    one, app = Endpoint(), web.Application()
    app.router.add_get("/banner.json", one.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    assert site._server is not None
    one.base_url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield one
    await runner.cleanup()


def adapter(base_url: str, account: str = "", role: Role = Role.BANNER) -> BannerAdapter:
    return BannerAdapter(Config("banner", "banner", role, account or base_url, base_url))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"active": True, "text": PART.text, "permalink": "https://x.example/1"}, "seen"),
        ({"active": True, "text": PART.text + " "}, "altered"),
        ({"active": True, "text": ""}, "altered"),
        ({"active": False}, "missing"),
        ({"active": False, "text": PART.text}, "missing"),
    ],
)
async def test_reads_what_the_endpoint_shows(endpoint: Endpoint, answer: object, state: str) -> None:
    endpoint.answer = json.dumps(answer)
    async with aclosing(adapter(endpoint.base_url)) as banner:
        assert (await banner.read(PART, RECEIPT)).state == state


@pytest.mark.parametrize(
    ("status", "answer", "meaning"),
    [
        (200, "<html>", NeedsOperator),
        (200, "[]", NeedsOperator),
        (200, '{"active": "yes"}', NeedsOperator),
        (200, '{"active": true}', NeedsOperator),
        (200, "[" * 100_000, NeedsOperator),
        (302, "", NeedsOperator),
        (404, "", NeedsOperator),
        (429, "", NotSent),
        (502, "<html>", NotSent),
    ],
)
async def test_what_is_no_banner_fails_the_check_and_leaves_reading_open(
    endpoint: Endpoint, status: int, answer: str, meaning: type[AdapterError]
) -> None:
    endpoint.status, endpoint.answer = status, answer
    async with aclosing(adapter(endpoint.base_url)) as banner:
        with pytest.raises(meaning):
            await banner.check()
        with pytest.raises(OutcomeUnknown):
            await banner.read(PART, RECEIPT)


async def test_publishing_sends_nothing_and_gives_the_same_receipt_for_the_same_key(endpoint: Endpoint) -> None:
    banner = adapter(endpoint.base_url + "/")
    receipts = {await banner.publish(PART, "k" * 20, None) for _ in range(3)}
    assert receipts == {Receipt("k" * 20, f"{endpoint.base_url}/banner.html")}
    assert endpoint.asked == 0


async def test_is_bound_to_its_own_address() -> None:
    with pytest.raises(NeedsOperator, match="must be equal"):
        await adapter("https://alerts.company.example", "https://other.company.example").check()


@pytest.mark.parametrize("base_url", ["", "alerts.company.example", "https://", "https://a.example/path", "https://user@a.example"])
def test_needs_an_origin_and_the_role(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        adapter(base_url)
    with pytest.raises(ValueError, match="role"):
        adapter("https://alerts.company.example", role=Role.PRIMARY)


def test_says_how_long_it_may_be() -> None:
    with pytest.raises(Unsupported, match="1000 characters; this text has 1001"):
        adapter("https://alerts.company.example").render(Message("a" * 1001, "t"))
