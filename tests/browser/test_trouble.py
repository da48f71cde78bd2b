"""The approval page where something is wrong: a changed text, a lost network, a finger that does not fit, no scripts."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from playwright.async_api import Browser, Page, expect

from app.domain.manifest import digest
from tests.browser.chromium import Phone, phone
from tests.browser.fake_server import FakeServer
from tests.browser.samples import TEXT, request
from tests.support.soft_passkey import SoftPasskey

pytestmark = pytest.mark.asyncio(loop_scope="session")

SENT = (200, {"decision": "approve", "state": "sending", "missing": 0})


def _approve(page: Page) -> Any:
    return page.get_by_role("button", name="Approve and sign")


@pytest.mark.parametrize("broken", ["text", "digest", "revision", "environment", "announcement", "form", "format", "twice"])
async def test_what_does_not_agree_is_not_shown_and_cannot_be_signed(
    broken: str, reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    server.request = _tampered(broken, passkey)
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("alert")).to_contain_text("Do not sign this")
    assert await reviewer.page.get_by_role("button").count() == 0
    assert TEXT[:40] not in await reviewer.page.inner_text("body")


def _tampered(broken: str, passkey: SoftPasskey) -> dict[str, Any]:
    good = request(passkeys=(passkey.credential_id,))
    text = good["manifest"]

    def signed(other: str) -> dict[str, Any]:
        return good | {"manifest": other, "digest": "sha256:" + hashlib.sha256(other.encode()).hexdigest()}

    return {
        "text": good | {"manifest": text.replace("new wallet now", "my wallet now")},
        "digest": good | {"digest": "sha256:" + "0" * 64},
        "revision": good | {"revision": 3},
        "environment": good | {"environment": "drill"},
        "announcement": good | {"announcement": "an_other"},
        "form": signed(text.replace('":', '": ', 1)),
        "format": signed(text.replace("tocsin-manifest/1", "tocsin-manifest/2")),
        "twice": signed(text.replace('"author":"first-author"', '"author":"x","author":"first-author"', 1)),
    }[broken]


async def test_two_quick_taps_sign_once(reviewer: Phone, server: FakeServer) -> None:
    server.answers, server.delay = [SENT], 0.3
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).wait_for()
    await reviewer.page.evaluate("() => { const b = document.querySelector('button.primary'); b.click(); b.click(); b.click(); }")
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed.")
    assert len(server.posts) == 1


async def test_a_finger_that_does_not_fit_signs_nothing_and_the_terminal_helps(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.verifies(False)
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_role("status")).to_contain_text("Nothing was signed.")
    await reviewer.page.get_by_role("button", name="Or sign from a terminal").tap()
    await expect(reviewer.page.locator("#terminal pre")).to_have_text(f"tocsin approve {server.link} --key ~/.ssh/id_ed25519")
    assert server.posts == []


async def test_lost_network_keeps_the_signature(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    await reviewer.page.goto(server.link)
    for answer in (None, (503, {"title": "Starting."})):
        server.answers = [answer]
        await _approve(reviewer.page).tap()
        await expect(reviewer.page.get_by_role("status")).to_contain_text("press again, it is safe")
        await expect(reviewer.page.locator("body")).not_to_have_attribute("aria-busy", "true")
        await reviewer.verifies(False)  # the signature that was given is sent again: no new one could be made now
    server.answers = [SENT]
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed.")
    assert len(server.posts) >= 3
    assert all(post.body == server.posts[0].body for post in server.posts)


async def test_refusal_of_the_server_is_told_in_its_words(reviewer: Phone, server: FakeServer) -> None:
    server.answers = [(409, {"title": "There is a newer revision.", "detail": "Read it and sign that."})]
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_role("status")).to_have_text("There is a newer revision. Read it and sign that.")


async def test_closed_link_shows_why_and_nothing_to_press(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.request = request(passkeys=(passkey.credential_id,), usable=False, why_not="This link has expired. Ask for a new one.")
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text("This link has expired.")).to_be_visible()
    assert await _approve(reviewer.page).count() == 0


async def test_link_that_closes_while_it_is_read(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.clock.install()
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).wait_for()
    server.request = server.request | {"usable": False, "why_not": "There is a newer revision. Use the link in the newer mail."}
    await reviewer.page.clock.run_for(11_000)
    await expect(reviewer.page.get_by_text("There is a newer revision.")).to_be_visible()
    assert await _approve(reviewer.page).count() == 0


async def test_without_a_passkey_the_terminal_is_offered(reviewer: Phone, server: FakeServer) -> None:
    server.request = request()
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.locator(".actions pre")).to_have_text(f"tocsin approve {server.link} --key ~/.ssh/id_ed25519")


async def test_browser_inside_an_app_sends_to_the_phones_own(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.add_init_script("delete window.PublicKeyCredential")
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text("Copy the link into your phone’s own browser")).to_be_visible()
    assert await reviewer.page.locator(".actions pre").all_text_contents() == [
        server.link,
        f"tocsin approve {server.link} --key ~/.ssh/id_ed25519",
    ]


async def test_page_that_is_not_secure_cannot_sign_but_says_how(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.add_init_script("Object.defineProperty(crypto, 'subtle', {value: undefined})")
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("alert")).to_contain_text("not opened over HTTPS")
    await expect(reviewer.page.locator("pre")).to_contain_text("tocsin approve")


async def test_opening_without_scripts_explains_and_changes_nothing(chromium: Browser, server: FakeServer) -> None:
    async with phone(chromium, scripts=False) as held:
        await held.page.goto(server.link)
        await expect(held.page.get_by_role("heading", level=1)).to_contain_text("Scripts are off")
        await expect(held.page.get_by_text("LIVE", exact=True)).to_be_visible()
    assert server.posts == []


async def test_unknown_signed_fields_are_shown_not_dropped(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    data = json.loads(request()["manifest"])
    data["destinations"][0]["attachment"] = "https://evil.example/a.png"
    data["surprise"] = "a top field"
    raw = rfc8785.dumps(data)
    server.request = request(passkeys=(passkey.credential_id,)) | {"manifest": raw.decode(), "digest": digest(raw)}
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text("unknown to this page: attachment")).to_be_visible()
    await reviewer.page.get_by_text("Everything else that you sign").tap()
    await expect(reviewer.page.get_by_text("a top field").first).to_be_visible()
