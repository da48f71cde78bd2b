"""The pages for everybody: whole without scripts, on a phone, in the dark; with scripts the reader's own time stands beside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from app.domain.announcement import Kind
from app.services.published import Post, Signed
from app.services.recognise import Found
from app.web import pages
from tests.browser.chromium import DESKTOP, PHONE, Phone, Scheme, phone
from tests.browser.fake_server import FakeServer
from tests.browser.measures import LARGE, LOW_CONTRAST, STUMBLES
from tests.browser.samples import TEXT, manifest

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT = datetime(2026, 11, 24, 7, 20, tzinfo=UTC)


def post(text: str = TEXT, environment: str = "live", **changed: Any) -> Post:
    shown = manifest(environment=environment, **changed)
    facts, answers = shown.incident, shown.answers
    signed = Signed(shown.announcement, "sha256:0", environment, shown.kind, facts, answers, "", "", (), frozenset())
    return Post(signed, text, AT, "https://x.example/harbour/status/1")


def every_page(environment: str = "live") -> dict[str, str]:
    one, other = post(environment=environment), post(environment=environment, kind=Kind.UPDATE, announcement="an_7f3k2n")
    return {
        "incident": pages.incident_page([other, one], environment),
        "question": pages.verify_page("", None, environment),
        "ours": pages.verify_page(TEXT, Found(one, "x", AT, one.permalink, TEXT), environment),
        "fake": pages.verify_page("Send your coins here. " * 30, None, environment),
        "nothing": pages.nothing_page(environment),
    }


@pytest.mark.parametrize("size", [PHONE, DESKTOP, ViewportSize(width=320, height=640)], ids=["phone", "desktop", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_can_be_read_and_pressed(scheme: Scheme, size: ViewportSize, chromium: Browser, server: FakeServer) -> None:
    async with phone(chromium, scheme=scheme, size=size) as held:
        for environment in ("live", "drill"):
            for name, page in every_page(environment).items():
                server.public_page = page
                await held.page.goto(f"{server.origin}/public")
                measured, low = await held.page.evaluate(LOW_CONTRAST)
                assert measured >= 3
                assert (name, low) == (name, [])
                assert (name, await held.page.evaluate(STUMBLES)) == (name, [])
                assert await held.page.get_by_text("DRILL").count() == (environment == "drill")
        assert held.errors == []


async def test_it_is_whole_without_scripts(chromium: Browser, server: FakeServer) -> None:
    server.public_page = every_page()["incident"]
    async with phone(chromium, scripts=False) as held:
        await held.page.goto(f"{server.origin}/public")
        await expect(held.page.get_by_role("heading", level=1)).to_have_text("Harbour Web is serving a wallet drainer")
        await expect(held.page.locator(".said").first).to_have_text(TEXT)
        await expect(held.page.locator("time").first).to_have_text("24 Nov 2026, 07:20 UTC")
        await expect(held.page.get_by_role("link", name="The post itself").first).to_have_attribute(
            "href", "https://x.example/harbour/status/1"
        )


async def test_the_readers_own_time_stands_beside(chromium: Browser, server: FakeServer) -> None:
    server.public_page = every_page()["incident"]
    async with phone(chromium, time_zone="America/New_York") as held:
        await held.page.goto(f"{server.origin}/public")
        await expect(held.page.locator("li time").first).to_have_text("24 Nov 2026, 07:20 UTC (02:20 in New York)")


async def test_the_question_is_asked_by_keyboard(chromium: Browser, server: FakeServer) -> None:
    server.public_page = every_page()["question"]
    async with phone(chromium) as held:
        await held.page.goto(f"{server.origin}/public")
        await held.page.get_by_label("Address or text of the post").fill("https://x.example/1")
        await held.page.keyboard.press("Tab")
        await expect(held.page.get_by_role("button", name="Check")).to_be_focused()
        async with held.page.expect_request("**/verify") as asked:
            await held.page.keyboard.press("Enter")
        sent = await asked.value
        assert (sent.method, sent.post_data) == ("POST", "q=https%3A%2F%2Fx.example%2F1")


async def test_twice_as_large_letters_stay_on_the_page(reviewer: Phone, server: FakeServer) -> None:
    for page in every_page().values():
        server.public_page = page
        await reviewer.page.goto(f"{server.origin}/public")
        await reviewer.page.evaluate(LARGE)
        assert await reviewer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
