"""What a reviewer does on a phone: read, approve, ask for changes, reject; and what the page does where something is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Page, expect

from app.domain.approval import Approval, Decision, Verified, verify
from tests.browser.chromium import Phone
from tests.browser.fake_server import FakeServer
from tests.browser.samples import FACTS, NONCE, OVERRIDE, drill, finding, manifest, request, roster
from tests.support.soft_passkey import SoftPasskey

pytestmark = pytest.mark.asyncio(loop_scope="session")

SENT = (200, {"decision": "approve", "state": "sending", "missing": 0})


def _approve(page: Page) -> Any:
    return page.get_by_role("button", name="Approve and sign")


def _verified(server: FakeServer, passkey: SoftPasskey, at: int = -1) -> Verified:
    """The posted approval, checked as the server checks it."""
    approval = Approval.from_json(json.dumps(server.posts[at].body))
    return verify(approval, roster(passkey), origin=server.origin, rp_id="localhost")


async def test_one_tap_signs_exactly_the_digest_that_was_shown(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [SENT]
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed. It is going out now.")
    said = _verified(server, passkey).statement
    assert (said.decision, said.digest, said.nonce, said.comment) == (Decision.APPROVE, server.request["digest"], NONCE, "")
    assert (said.person, said.announcement, said.revision, said.environment) == ("first-reviewer", "an_7f3k2m", 2, "live")
    assert server.posts[0].path == "/approve/tok_A1b2C3d4E5f6"
    assert server.posts[0].headers["Origin"] == server.origin
    assert "Referer" not in server.posts[0].headers
    assert reviewer.errors == []


async def test_every_rendering_is_shown_letter_for_letter(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).wait_for()
    shown = await reviewer.page.locator(".said").all_text_contents()
    chip = "link to the post on X"
    planned = manifest().destinations
    expected = {
        part.text.replace("{{permalink}}", chip) for entry in planned for form in (entry.full, entry.pointer) if form for part in form.parts
    }
    assert set(shown) == expected
    places = await reviewer.page.locator(".accounts").all_inner_texts()
    for entry in planned:
        assert any(entry.id in place and entry.account in place for place in places)
    await expect(reviewer.page.get_by_role("heading", level=1)).to_have_text(FACTS.name)


async def test_words_that_repeat_are_folded_only_where_they_are_equal(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    entries = list(manifest().destinations)
    changed = entries[4].pointer
    assert changed
    evil = replace(changed, parts=(replace(changed.parts[0], text=changed.parts[0].text.replace("new wallet", "new waIlet")),))
    entries[4] = replace(entries[4], pointer=evil)
    server.request = request(manifest(destinations=tuple(entries)), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.locator(".said", has_text="new waIlet")).to_be_visible()
    folded = reviewer.page.locator("details.same").filter(has_text="This channel is not monitored")
    assert await folded.count() == 2


async def test_link_is_listed_with_where_it_leads(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.goto(server.link)
    links = reviewer.page.get_by_role("region", name="The one link")
    await expect(links.locator("strong")).to_have_text("help.harbour-status.example")
    await expect(links.locator(".flag")).to_have_count(0)
    assert await reviewer.page.locator("a[href]").count() == 0


async def test_slot_is_a_chip_and_what_is_missing_is_told(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.request = request(passkeys=(passkey.credential_id,), missing=2, approvals=[])
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.locator(".slot", has_text="link to the post on X").first).to_be_visible()
    await expect(reviewer.page.get_by_text("Your signature and one more")).to_be_visible()
    hexadecimal = server.request["digest"].removeprefix("sha256:")
    await expect(reviewer.page.locator(".digest")).to_contain_text(f"{hexadecimal[:4]} {hexadecimal[4:8]}")


async def test_rejection_is_signed_with_its_comment(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [(200, {"decision": "reject", "state": "returned", "missing": 1})]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_role("button", name="Reject").tap()
    await reviewer.page.get_by_label("Why?").fill('Falsch: die App ist "auch" betroffen\n… 🚨\u200b‏ ende')
    await reviewer.page.get_by_role("button", name="Sign and reject").tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Rejected, with your signature.")
    said = _verified(server, passkey).statement
    assert (said.decision, said.comment) == (Decision.REJECT, 'Falsch: die App ist "auch" betroffen … 🚨 ende')


async def test_asking_for_changes_wants_words_and_keeps_them(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [(200, {"decision": "request-changes", "state": "returned", "missing": 1})]
    await reviewer.page.goto(server.link)
    ask = reviewer.page.get_by_role("button", name="Ask for changes", exact=True)
    sign = reviewer.page.get_by_role("button", name="Sign and ask for changes")
    await ask.tap()
    await sign.tap()
    await expect(reviewer.page.get_by_text("in a few words")).to_be_visible()
    assert server.posts == []
    await reviewer.page.get_by_label("What should be changed?").fill("Name the time zone.")
    await reviewer.page.keyboard.press("Escape")
    await ask.tap()
    await sign.tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Sent back")
    assert _verified(server, passkey).statement.comment == "Name the time zone."


async def test_result_follows_the_deliveries(reviewer: Phone, server: FakeServer) -> None:
    server.answers = [SENT]
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("It is going out now.")
    server.request = server.request | {
        "state": "sent",
        "usable": False,
        "deliveries": [
            {"destination": "x-main", "state": "posted", "permalink": "https://x.example/harbour/status/1", "detail": ""},
            {"destination": "telegram", "state": "unknown", "permalink": "javascript:alert(1)", "detail": "Look at the channel."},
        ],
    }
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("It is out, everywhere.")
    assert await reviewer.page.get_by_role("link").count() == 1
    await expect(reviewer.page.get_by_role("link", name="open the post")).to_have_attribute("href", "https://x.example/harbour/status/1")
    await expect(reviewer.page.locator(".deliveries")).to_contain_text("perhaps posted: someone has to look")


async def test_blocks_and_overrides_stand_above_all_else(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    found = [
        finding("live-link-affected", "block", "Leads to an affected domain.", OVERRIDE.excerpt),
        finding("asks-secret", "block", "Asks for a recovery phrase.", "enter your phrase"),
        finding("fear", "warn", "Frightens.", "URGENT"),
    ]
    server.request = request(manifest(overrides=(OVERRIDE,)), (passkey.credential_id,), findings=found)
    await reviewer.page.goto(server.link)
    alerts = reviewer.page.get_by_role("region", name="Read this first")
    await expect(alerts).to_contain_text("Blocked: asks-secret")
    await expect(alerts).to_contain_text(f"The reason that you sign: {OVERRIDE.reason}")
    title = await reviewer.page.get_by_role("heading", level=1).bounding_box()
    last = await alerts.bounding_box()
    assert title
    assert last
    assert last["y"] + last["height"] <= title["y"]
    await _approve(reviewer.page).tap(force=True)
    await expect(reviewer.page.get_by_role("status")).to_contain_text("A finding blocks this revision")
    assert server.posts == []


async def test_override_lets_it_be_signed(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [SENT]
    found = [finding("live-link-affected", "block", "Leads to an affected domain.", OVERRIDE.excerpt)]
    server.request = request(manifest(overrides=(OVERRIDE,)), (passkey.credential_id,), findings=found)
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed.")


async def test_drill_and_live_cannot_be_taken_for_each_other(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text("LIVE", exact=True)).to_be_visible()
    server.request, server.answers = request(drill(), (passkey.credential_id,)), [SENT]
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text("DRILL", exact=True)).to_be_visible()
    assert (await reviewer.page.title()).startswith("[DRILL] ")
    await reviewer.page.get_by_role("button", name="Approve and sign (drill)").tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed.")
    assert _verified(server, passkey).statement.environment == "drill"


async def test_destination_out_of_order_is_told_before_anything_else(reviewer: Phone, server: FakeServer) -> None:
    server.request["broken_destinations"] = [{"destination": "x-main", "detail": "X refused the credentials. <b>Renew</b> them."}]
    await reviewer.page.goto(server.link)
    told = reviewer.page.get_by_role("region", name="Read this first")
    await expect(told).to_contain_text("Out of order: x-main")
    await expect(told).to_contain_text("<b>Renew</b>")
