"""WCAG 2.2 AA, as far as a program can measure it: contrast, names, targets, focus, reflow, motion; and the whole job by keyboard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.chromium import DESKTOP, PHONE, Phone, Scheme, phone
from tests.browser.fake_server import FakeServer
from tests.browser.measures import FOCUSED, LARGE, LOW_CONTRAST, STUMBLES
from tests.browser.samples import OVERRIDE, drill, enrolment, finding, manifest, rendering, request, sealed
from tests.support.soft_passkey import SoftPasskey

pytestmark = pytest.mark.asyncio(loop_scope="session")


PIECES = [["same", "Move your "], ["out", "funds "], ["in", "coins "], ["same", "now."]]
CHANGES = {"since": 1, "signed": True, "items": [{"where": "the text", "also": ["x-main (primary) · in full · 1"], "pieces": PIECES}]}
ASKED = {"who": "first-reviewer", "asked_at": "2026-11-24T07:20:10.000000Z", "reminded_at": None, "next_at": None}
HELD = {"destination": "x-main", "kind": "excluded", "why": "It posts of a giveaway.", "by": "second-reviewer", "at": ""}


def _requests(passkey: SoftPasskey) -> dict[str, dict[str, Any]]:
    keys = (passkey.credential_id,)
    found = [
        finding("live-link-affected", "block", "Leads to an affected domain.", OVERRIDE.excerpt),
        finding("asks-secret", "block", "Asks for a recovery phrase."),
        finding("fear", "warn", "Frightens.", "URGENT"),
    ]
    posts = [
        {"destination": "x-main", "role": "primary", "state": "posted", "permalink": "https://x.example/1", "detail": "Posted after all."},
        {"destination": "telegram", "role": "primary", "state": "failed", "permalink": "", "detail": "The bot was removed."},
    ]
    return {
        "live": request(passkeys=keys),
        "held": request(manifest(correction="We were wrong."), keys, held=[HELD], leads="telegram", deliveries=posts),
        "drill": request(drill(), keys),
        "blocked": request(manifest(overrides=(OVERRIDE,)), keys, findings=found),
        "closed": request(passkeys=keys, usable=False, state="incomplete", deliveries=posts),
        "without passkey": request(),
        "refused": request(passkeys=keys, revision=9),
        "to be sealed": request(sealed(), keys),
        "sealed": request(sealed(), keys, state="sealed", missing=0),
        "revised": request(passkeys=keys, changes=CHANGES, asked=[ASKED]),
    }


async def _open_everything(page: Page) -> None:
    await page.locator(".actions, .refusal").first.wait_for()
    await page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


@pytest.mark.parametrize("size", [PHONE, DESKTOP, ViewportSize(width=320, height=640)], ids=["phone", "desktop", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_state_can_be_read_and_pressed(
    scheme: Scheme, size: ViewportSize, chromium: Browser, server: FakeServer, passkey: SoftPasskey
) -> None:
    async with phone(chromium, scheme=scheme, size=size) as held:
        for name, asked in _requests(passkey).items():
            server.request = asked
            await held.page.goto(server.link)
            await _open_everything(held.page)
            measured, low = await held.page.evaluate(LOW_CONTRAST)
            assert measured >= 5
            assert (name, low) == (name, [])
            assert (name, await held.page.evaluate(STUMBLES)) == (name, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_sheet_enrolment_and_banner_page_too(scheme: Scheme, chromium: Browser, server: FakeServer, passkey: SoftPasskey) -> None:
    async with phone(chromium, scheme=scheme) as held:
        await held.page.goto(server.link)
        await held.page.get_by_role("button", name="Ask for changes", exact=True).tap()
        await held.page.get_by_role("button", name="Sign and ask").tap()
        await expect(held.page.get_by_role("dialog", name="Ask for changes")).to_be_visible()
        assert (await held.page.evaluate(LOW_CONTRAST))[1] == []
        assert await held.page.evaluate(STUMBLES) == []
        await held.page.keyboard.press("Escape")
        await held.page.get_by_role("button", name="x-main is not ours any more").tap()
        await expect(held.page.get_by_role("dialog", name="Leave x-main out")).to_be_visible()
        assert (await held.page.evaluate(LOW_CONTRAST))[1] == []
        assert await held.page.evaluate(STUMBLES) == []
        server.enrolment = enrolment()
        await held.page.goto(f"{server.origin}/enrol?person=first-reviewer")
        await held.page.get_by_role("button", name="Make a passkey").wait_for()
        assert (await held.page.evaluate(LOW_CONTRAST))[1] == []
        assert await held.page.evaluate(STUMBLES) == []


async def test_whole_job_by_keyboard(chromium: Browser, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [(200, {"decision": "approve", "state": "sending", "missing": 0})]
    async with phone(chromium, passkey=passkey, size=ViewportSize(width=600, height=700)) as held:
        await held.page.goto(server.link)
        await held.page.get_by_role("button", name="Approve and sign").wait_for()
        for _ in range(40):
            await held.page.keyboard.press("Tab")
            focused = await held.page.evaluate(FOCUSED)
            assert focused["outline"] >= 2, focused
            assert not focused["covered"], focused
            if focused["name"] == "Approve and sign":
                break
        await held.page.keyboard.press("Enter")
        await expect(held.page.get_by_label("Result")).to_be_focused()
        await expect(held.page.get_by_label("Result")).to_contain_text("Signed.")


async def test_twice_as_large_letters_stay_on_the_page(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.goto(server.link)
    await _open_everything(reviewer.page)
    await reviewer.page.evaluate(LARGE)
    assert await reviewer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]


async def test_less_motion_where_it_is_wished(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.emulate_media(reduced_motion="reduce")
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("button", name="Reject")).to_have_css("transition-duration", "0s")


async def test_times_are_in_utc_with_the_readers_own_beside(chromium: Browser, server: FakeServer, passkey: SoftPasskey) -> None:
    async with phone(chromium, passkey=passkey, time_zone="America/New_York") as held:
        await held.page.clock.set_fixed_time("2026-11-24T08:00:00Z")
        await held.page.goto(server.link)
        await expect(held.page.locator("header.title time").first).to_have_text("07:20 UTC (02:20 in New York)")
        await held.page.clock.set_fixed_time("2026-11-26T08:00:00Z")
        await held.page.goto(server.link)
        await expect(held.page.locator("header.title time").first).to_have_text("24 Nov 2026, 07:20 UTC (02:20 in New York)")


async def test_words_from_right_to_left_stand_on_the_right(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    words = "إذا أدخلت عبارة الاسترداد اليوم فانقل أموالك الآن: https://help.harbour-status.example"
    entries = (replace(manifest().destinations[0], full=rendering(words)),)
    server.request = request(manifest(destinations=entries, primaries=("x-main",)), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    said = reviewer.page.locator(".said").first
    await expect(said).to_have_css("direction", "rtl")
    assert await said.text_content() == words
