"""Making a passkey on a phone, and the roster entry that comes back."""

from __future__ import annotations

import base64

import pytest
from playwright.async_api import expect

from app.domain.enrolment import verify_registration
from app.domain.passkey import decode
from app.domain.roster import Person, PersonRole, Roster, key_entry, person_entry
from tests.browser.chromium import Phone
from tests.browser.fake_server import FakeServer
from tests.browser.samples import CHALLENGE, enrolment

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = Person("first-reviewer", "First <b>Reviewer</b>", "first-reviewer@status.example", frozenset({PersonRole.REVIEWER}))


async def test_passkey_is_made_and_its_entry_can_be_copied(reviewer: Phone, server: FakeServer) -> None:
    entry = '[[person.first-reviewer.passkey]]\nlabel = "<img src=x onerror=alert(1)>"\n'
    server.enrolment, server.answers = enrolment(PERSON), [(200, {"toml": entry})]
    await reviewer.page.goto(f"{server.origin}/enrol?person=first-reviewer")
    await expect(reviewer.page.get_by_role("heading", level=1)).to_have_text("A passkey for First <b>Reviewer</b>")
    await reviewer.page.get_by_label("What you call this device").fill("pocket")
    await reviewer.page.get_by_role("button", name="Make a passkey").tap()
    await expect(reviewer.page.get_by_role("heading", level=2)).to_be_focused()
    assert await reviewer.page.locator("pre").text_content() == entry
    await reviewer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await reviewer.page.get_by_role("button", name="Copy the entry").tap()
    assert await reviewer.page.evaluate("navigator.clipboard.readText()") == entry
    held = {credential["credentialId"] for credential in await reviewer.credentials()}
    assert server.posts[0].path == "/enrol?person=first-reviewer"
    assert reviewer.errors == []
    label = server.posts[0].body.pop("label")
    key = verify_registration(server.posts[0].body, challenge=CHALLENGE, origin=server.origin, rp_id="localhost", label=label)
    assert key.label == "pocket"
    assert base64.b64encode(decode(key.credential_id, "credential_id")).decode() in held
    person = Person("first-reviewer", "First Reviewer", PERSON.email, PERSON.roles)
    assert Roster.parse("version = 1\n" + person_entry(person) + key_entry(person.id, key)).persons[0].passkeys == (key,)


async def test_lost_network_costs_no_second_passkey(reviewer: Phone, server: FakeServer) -> None:
    server.enrolment, server.answers = enrolment(PERSON), [None]
    await reviewer.page.goto(f"{server.origin}/enrol?person=first-reviewer")
    make = reviewer.page.get_by_role("button", name="Make a passkey")
    await make.tap()
    await expect(reviewer.page.get_by_role("status")).to_have_text("The server was not reached. Press again, it is safe.")
    server.answers = [(200, {"toml": "x = 1"})]
    await make.tap()
    await expect(reviewer.page.get_by_role("heading", level=2)).to_have_text("Your passkey is made")
    assert len({post.body["id"] for post in server.posts}) == 1


async def test_refusals_are_told(reviewer: Phone, server: FakeServer) -> None:
    server.enrolment, server.answers = enrolment(PERSON), [(409, {"title": "It is used.", "detail": "Ask for a new link."})]
    await reviewer.page.goto(f"{server.origin}/enrol?person=first-reviewer")
    await reviewer.page.get_by_role("button", name="Make a passkey").tap()
    await expect(reviewer.page.get_by_role("status")).to_have_text("It is used. Ask for a new link.")
    await reviewer.verifies(False)
    await reviewer.page.get_by_role("button", name="Make a passkey").tap()
    await expect(reviewer.page.get_by_role("status")).to_contain_text("The passkey request was closed")
