"""Markup in every text that comes from outside: it is shown as text, runs nothing and opens nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from adapters.contract import Part, Receipt, Rendering, Role
from app.domain.announcement import Answers, Override
from app.domain.manifest import Planned
from tests.browser.chromium import Phone
from tests.browser.fake_server import FakeServer
from tests.browser.samples import FACTS, finding, manifest, request
from tests.support.soft_passkey import SoftPasskey

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=2><svg onload=window.pwned=3>"
    '<a href="javascript:window.pwned=4">x</a>\' onfocus=window.pwned=5 autofocus \u2028{{7*7}}<!--'
)
EVIL_URL = "javascript:window.pwned=6"


async def _harmless(held: Phone) -> None:
    assert await held.page.evaluate("window.pwned") is None
    assert await held.page.locator("#page img, #page svg, #page iframe, #page a[href^=javascript], #page [onfocus]").count() == 0
    assert held.errors == []  # nothing was even tried: the policy had nothing to refuse


async def test_every_text_of_a_request_is_only_text(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    part = Part(EVIL + " " + EVIL_URL, EVIL, EVIL + " {{permalink}}")
    entry = Planned(EVIL, EVIL, Role.PRIMARY, EVIL, Rendering((part, part)), None, Receipt(EVIL, EVIL_URL), EVIL)
    pointer = replace(entry, id="b", role=Role.POINTER, pointer=Rendering((part,)))
    shown = manifest(
        incident=replace(FACTS, name=EVIL, slug=EVIL, products=(EVIL,), own_domains=(EVIL,), affected_domains=(EVIL,), safe_links=(EVIL,)),
        author=EVIL,
        submitted_by=EVIL,
        text=EVIL,
        answers=Answers(EVIL, EVIL, EVIL),
        destinations=(entry, pointer),
        primaries=(EVIL, "b"),
        overrides=(Override(EVIL, EVIL, EVIL),),
        not_before=EVIL,
        not_after=EVIL,
        banner_until=EVIL,
        created_at=EVIL,
    )
    signed = [{"person": EVIL, "decision": EVIL, "key": EVIL, "at": EVIL}]
    found = [finding(EVIL, "block", EVIL, EVIL), finding(EVIL, "warn", EVIL, EVIL)]
    posts = [{"destination": EVIL, "state": EVIL, "permalink": EVIL_URL, "detail": EVIL}]
    server.request = request(
        shown, (passkey.credential_id,), person_name=EVIL, author=EVIL, approvals=signed, findings=found, deliveries=posts, expires_at=EVIL
    )
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("button", name="Approve and sign")).to_be_visible()
    await reviewer.page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert await reviewer.page.locator("h1").text_content() == EVIL
    await _harmless(reviewer)


async def test_words_of_a_refusal_and_of_a_closed_link_are_only_text(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.answers = [(409, {"title": EVIL, "detail": EVIL})]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_role("button", name="Approve and sign").tap()
    await expect(reviewer.page.get_by_role("status")).to_contain_text("</script>")
    assert await reviewer.page.evaluate("window.pwned") is None
    server.request = request(passkeys=(passkey.credential_id,), usable=False, why_not=EVIL)
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("status")).to_contain_text("</script>")
    assert await reviewer.page.evaluate("window.pwned") is None


async def test_letters_that_nobody_sees_are_shown_by_their_number(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    text = "Write to @\u200beveryone, open \u202egpj.exe, wave 👩\u200d💻 🏴󠁧󠁢󠁥󠁮󠁧󠁿 می\u200cخواهم, har\u200dbour har\u00adbour.example."
    entries = (replace(manifest().destinations[0], full=Rendering((Part(text),))),)
    server.request = request(manifest(destinations=entries, primaries=("x-main",)), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    said = reviewer.page.locator(".said").first
    assert await said.locator(".hidden-character").all_text_contents() == ["U+200B", "U+202E", "U+200D", "U+00AD"]
    await expect(said).to_have_attribute("dir", "auto")


@pytest.mark.parametrize(
    ("typed", "host", "flags"),
    [
        ("https://harbour.example/login", "harbour.example", ["affected by this incident"]),
        ("https://HELP.harbour.example.", "help.harbour.example", ["affected by this incident"]),
        ("app.harbour.example", "app.harbour.example", ["affected by this incident"]),
        (
            "https://help.harbour-status.example@evil.example/x",
            "evil.example",
            ["not one of your domains or safe links", "what stands before the @ is a decoy"],
        ),
        (
            "https://hаrbour.example",
            "xn--hrbour-3nf.example",
            ["not one of your domains or safe links", "written with other letters: https://hаrbour.example"],
        ),
        ("[here](http://evil.example/a_(b))", "evil.example", ["not one of your domains or safe links", "not encrypted"]),
        ("harb\u200bour.example", "harbour.example", ["affected by this incident", "written with other letters: harb\u200bour.example"]),
        ("evil。example", "evil.example", ["not one of your domains or safe links", "written with other letters: evil。example"]),
        ("tg://resolve?domain=x", "resolve", ["not one of your domains or safe links", "opens tg: instead of a page"]),
        ("javascript:alert(1)", "javascript:", ["not one of your domains or safe links", "opens javascript: instead of a page"]),
        ("http://10.0.0.7:8080/x", "10.0.0.7:8080", ["not one of your domains or safe links", "not encrypted"]),
    ],
)
async def test_link_shows_where_it_really_leads(
    typed: str, host: str, flags: list[str], reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    entries = (replace(manifest().destinations[0], full=Rendering((Part(f"Look: {typed}, please."),))),)
    server.request = request(manifest(destinations=entries, primaries=("x-main",)), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    links = reviewer.page.get_by_role("region", name="The one link")
    assert (await links.locator("strong").all_text_contents(), await links.locator(".flag").all_text_contents()) == ([host], flags)


@pytest.mark.parametrize("typed", ["harbour[.]example", "version 3.11", "e.g. this", "We are back.We are sorry", "10:30", "a/b", "1.5"])
async def test_what_is_no_link_is_not_listed(typed: str, reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    entries = (replace(manifest().destinations[0], full=Rendering((Part(typed),))),)
    server.request = request(manifest(destinations=entries, primaries=("x-main",)), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("region", name="All links")).to_contain_text("None but those to the primary post.")
