"""What a reviewer does on a phone: read, approve, ask for changes, reject; and what the page does where something is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from playwright.async_api import Page, expect

from app.domain.announcement import Answers, OwnText, Translation
from app.domain.approval import Approval, Decision, Verified, verify
from app.domain.changes import changes
from app.domain.manifest import digest
from tests.browser.chromium import Phone
from tests.browser.fake_server import FakeServer
from tests.browser.samples import FACTS, NONCE, OVERRIDE, drill, finding, manifest, rendering, request, roster, sealed, thread
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
    planned = manifest().destinations
    expected = set()
    for entry in planned:
        chip = f"link to the post on {'Telegram' if entry.id == 'x-main' else 'X'}"
        expected |= {part.text.replace("{{permalink}}", chip) for form in (entry.full, entry.pointer) if form for part in form.parts}
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
    folded = reviewer.page.locator("details.same").filter(has_text="Exactly the words on").filter(has_text="This channel is not monitored")
    assert await folded.count() == 3


async def test_link_is_listed_with_where_it_leads(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.goto(server.link)
    links = reviewer.page.get_by_role("region", name="The one link")
    await expect(links.locator("strong")).to_have_text("help.harbour-status.example")
    await expect(links.locator(".flag")).to_have_count(0)
    assert await reviewer.page.locator("a[href]").count() == 0


async def test_slot_is_a_chip_and_what_is_missing_is_told(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.request = request(passkeys=(passkey.credential_id,), missing=2, approvals=[])
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.locator(".pointer .slot", has_text="link to the post on X").first).to_be_visible()
    await expect(reviewer.page.get_by_text("Your signature and one more")).to_be_visible()
    hexadecimal = server.request["digest"].removeprefix("sha256:")
    await expect(reviewer.page.locator(".digest")).to_contain_text(f"{hexadecimal[:4]} {hexadecimal[4:8]}")


async def test_that_a_terminal_has_to_sign_is_told_before_a_passkey_signs(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    keys = (passkey.credential_id,)
    server.request = request(passkeys=keys, missing=1, cli_signature=True)
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.locator(".needed")).to_contain_text("What sends it is a signature from a terminal")
    server.request = request(passkeys=keys, missing=2, approvals=[], cli_signature=True)
    await reviewer.page.reload()
    await expect(reviewer.page.get_by_text("2 signatures are needed, one of them from a terminal.")).to_be_visible()
    server.request = request(sealed(), keys, missing=1, cli_signature=True)
    await reviewer.page.reload()
    await expect(reviewer.page.locator(".needed")).to_contain_text("What seals it is a signature from a terminal")


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


async def test_who_takes_over_and_when_is_told_in_words_with_both_forms(reviewer: Phone, server: FakeServer) -> None:
    await reviewer.page.goto(server.link)
    primary = reviewer.page.get_by_role("region", name="In full on X")
    await expect(primary).to_contain_text(
        "If X refuses it, is left out, or has not posted within 60 seconds, it goes out in full on Telegram (telegram). Everyone"
    )
    pointed = primary.locator("details", has_text="Only if Telegram carries the full text in its place, it points there:")
    await pointed.locator("summary").tap()
    await expect(pointed.locator(".slot")).to_have_text("link to the post on Telegram")
    telegram = reviewer.page.get_by_role("region", name="Pointers").locator("article", has_text="telegram").first
    await expect(telegram).to_contain_text("Only if X cannot be posted within 60 seconds, it carries the full text:")
    await expect(reviewer.page.get_by_text("sent again after 120 seconds. It may then stand there twice.")).to_be_visible()


async def test_every_fallback_is_named_in_its_order(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    entries = [replace(e, full=thread()) if e.id == "subreddit" else e for e in manifest().destinations]
    changed = manifest(destinations=tuple(entries), primaries=("x-main", "subreddit", "telegram"), fallback_after=90)
    server.request = request(changed, (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    await expect(
        reviewer.page.get_by_text("within 90 seconds, it goes out in full on Reddit (subreddit), or else on Telegram (telegram).")
    ).to_be_visible()
    await expect(reviewer.page.get_by_text("Only if X and Reddit cannot be posted within 90 seconds")).to_be_visible()
    twin = replace(entries[2], id="telegram-two", account="-1001234567891")
    changed = manifest(destinations=(*entries, twin), primaries=("x-main", "telegram", "telegram-two"))
    server.request = request(changed, (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    pointers = reviewer.page.get_by_role("region", name="Pointers")
    await expect(pointers.locator("article", has_text="telegram-two")).to_contain_text("Only if X and Telegram cannot be posted")
    told = reviewer.page.get_by_text("Only if Telegram (telegram) or Telegram (telegram-two) carries the full text in its place")
    await expect(told).to_be_visible()


async def test_a_manifest_from_before_fallbacks_and_corrections_is_shown_whole(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    older = json.loads(manifest(primaries=("x-main",)).to_bytes())
    del older["fallback_after"], older["correction"]
    for entry in older["destinations"]:
        del entry["resend_after"]
        entry["on_unknown"] = "ask"
    raw = rfc8785.dumps(older)
    server.request = request(passkeys=(passkey.credential_id,)) | {"manifest": raw.decode(), "digest": digest(raw)}
    server.answers = [SENT]
    await reviewer.page.goto(server.link)
    await _approve(reviewer.page).tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed.")
    assert _verified(server, passkey).statement.digest == digest(raw)
    await expect(reviewer.page.get_by_text("unknown to this page")).to_have_count(0)
    assert reviewer.errors == []


async def test_the_correction_that_waits_is_read_with_the_rest(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    words = "The app is affected as well: see https://later.harbour-status.example"
    server.request = request(manifest(correction=words), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    told = reviewer.page.get_by_role("region", name="Should it turn out to be wrong")
    await expect(told.locator(".said")).to_have_text(words)
    await expect(told).to_contain_text("only when two people have signed that too")
    await expect(reviewer.page.get_by_role("region", name="All links")).to_contain_text("later.harbour-status.example")


async def test_every_language_is_read_and_named_and_arabic_from_the_right(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    words = "إذا استخدمتم موقعنا اليوم فانقلوا أموالكم الآن."
    told = Translation("ar", words, Answers(if_affected="انقلوا أموالكم الآن."), "كان هذا خطأ: https://later.harbour-status.example")
    entries = [
        replace(entry, full=rendering(words), language="ar") if entry.id == "homepage" else entry for entry in manifest().destinations
    ]
    several = manifest(language="en", translations=(told,), destinations=tuple(entries))
    server.request = request(several, (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    shown = reviewer.page.get_by_role("region", name="On your homepage")
    await expect(shown).to_contain_text("In Arabic")
    said = shown.locator(".said")
    await expect(said).to_have_text(words)
    assert await said.evaluate("node => [node.lang, getComputedStyle(node).direction]") == ["ar", "rtl"]
    waits = reviewer.page.get_by_role("region", name="Should it turn out to be wrong")
    await expect(waits.locator(".said[lang=ar]")).to_have_text("كان هذا خطأ: https://later.harbour-status.example")
    await expect(reviewer.page.get_by_role("region", name="All links")).to_contain_text("later.harbour-status.example")
    await reviewer.page.get_by_text("Everything else that you sign").tap()
    await expect(reviewer.page.locator("dt", has_text="In Arabic: What they do now")).to_be_visible()
    await expect(reviewer.page.locator("dd[lang=ar]", has_text="انقلوا أموالكم الآن.")).to_have_count(2)
    assert await reviewer.page.get_by_text("unknown to this page").count() == 0
    assert reviewer.errors == []


async def test_own_words_of_a_destination_are_told_and_no_others(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    own = (OwnText("subreddit", "Did you use Harbour Web today? Move your funds now."),)
    server.request = request(manifest(texts=own), (passkey.credential_id,))
    await reviewer.page.goto(server.link)
    told = reviewer.page.locator("article.card", has_text="Other words than the announcement’s")
    await expect(told).to_have_count(1)
    await expect(told.locator(".accounts")).to_contain_text("subreddit")
    assert reviewer.errors == []


async def test_a_signed_field_that_the_page_does_not_know_is_shown(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    newer = json.loads(manifest().to_bytes())
    newer["destinations"][0]["colour"] = "red"
    newer["sound"] = "bell"
    raw = rfc8785.dumps(newer)
    server.request = request(passkeys=(passkey.credential_id,)) | {"manifest": raw.decode(), "digest": digest(raw)}
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_text('unknown to this page: colour = "red"')).to_be_visible()
    await reviewer.page.get_by_text("Everything else that you sign").tap()
    await expect(reviewer.page.locator("dd", has_text="bell")).to_be_visible()


async def test_progress_tells_who_leads_and_who_had_posted_after_all(reviewer: Phone, server: FakeServer) -> None:
    late = "It was posted after all, when telegram led already, and telegram stays the reference."
    posts = [
        {"destination": "x-main", "role": "primary", "state": "posted", "permalink": "https://x.example/1", "detail": late},
        {"destination": "telegram", "role": "primary", "state": "posted", "permalink": "https://t.example/1", "detail": ""},
    ]
    server.request = server.request | {"usable": False, "state": "sent", "leads": "telegram", "deliveries": posts}
    await reviewer.page.goto(server.link)
    told = reviewer.page.get_by_role("region", name="How it stands")
    await expect(told).to_contain_text("Telegram telegram carries the full text in place of X, and everyone else points there.")
    await expect(told).to_contain_text("posted (in full now)")
    await expect(told.locator("[data-look]")).to_contain_text(late)


LOST = "x-main is not ours any more: leave it out"


async def test_an_account_is_left_out_after_it_was_said_what_follows(reviewer: Phone, server: FakeServer) -> None:
    server.answers = [(200, {"destination": "x-main", "excluded": True, "proposed": ["an_9"]})]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_role("button", name=LOST).tap()
    sheet = reviewer.page.get_by_role("dialog", name="Leave x-main out")
    await expect(sheet).to_contain_text("You do this alone, and it counts at once")
    await expect(sheet).to_contain_text("If it has not posted yet, telegram carries the full text in its place.")
    await expect(sheet).to_contain_text("Nothing is deleted.")
    await sheet.get_by_role("button", name="Leave it out", exact=True).tap()
    await expect(sheet).to_contain_text("Write in a few words what you saw.")
    assert server.posts == []
    await sheet.get_by_label("What did you see?").fill("It posts of a giveaway.")
    await sheet.get_by_role("button", name="Leave it out", exact=True).tap()
    card = reviewer.page.locator("article.primary")
    await expect(card).to_contain_text("Left out: first-reviewer said that it is not ours any more. It posts of a giveaway.")
    await expect(card).to_contain_text("A correction waits for signatures")
    await expect(reviewer.page.get_by_role("region", name="Read this first")).to_contain_text("Nothing is sent to x-main")
    await expect(reviewer.page.get_by_role("region", name="Read this first")).to_contain_text(
        "telegram carries the full text in its place."
    )
    await expect(reviewer.page.get_by_role("button", name=LOST)).to_be_hidden()
    assert (server.posts[0].path, server.posts[0].body) == (
        "/approve/tok_A1b2C3d4E5f6/exclude",
        {"destination": "x-main", "why": "It posts of a giveaway."},
    )
    assert await _approve(reviewer.page).is_enabled(), "what is left can still be signed"
    assert reviewer.errors == []


async def test_a_refused_exclusion_says_so_and_can_be_tried_again(reviewer: Phone, server: FakeServer) -> None:
    server.answers = [(403, {"title": "This link is over.", "detail": "Ask for a new one."})]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_role("button", name=LOST).tap()
    await reviewer.page.get_by_label("What did you see?").fill("It is gone.")
    await reviewer.page.get_by_role("button", name="Leave it out", exact=True).tap()
    await expect(reviewer.page.locator("article.primary")).to_contain_text("It was not left out. This link is over. Ask for a new one.")
    await expect(reviewer.page.get_by_role("button", name=LOST)).to_be_visible()


async def test_what_is_held_is_told_before_anything_else(reviewer: Phone, server: FakeServer) -> None:
    server.request["held"] = [
        {"destination": "telegram", "kind": "paused", "why": "Telegram refused the token.", "by": "tocsin", "at": ""},
        {"destination": "elsewhere", "kind": "excluded", "why": "Stolen.", "by": "token:ops", "at": ""},
    ]
    await reviewer.page.goto(server.link)
    told = reviewer.page.get_by_role("region", name="Read this first")
    await expect(told).to_contain_text("Paused until it is mended. Telegram refused the token.")
    await expect(told).not_to_contain_text("elsewhere")


async def test_what_is_to_be_sealed_is_told_in_large_words_and_its_correction_is_read(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    server.request = request(sealed(), (passkey.credential_id,))
    server.answers = [(200, {"decision": "approve", "state": "sealed", "missing": 0})]
    await reviewer.page.goto(server.link)
    told = reviewer.page.get_by_role("region", name="Sealed", exact=True)
    await expect(told.get_by_role("heading")).to_have_text("To be sealed. Nothing is sent now.")
    await expect(told).to_contain_text("ONE person alone can send it, on a day that nobody knows yet")
    await expect(told).to_contain_text("22 Feb 2027")
    title = await reviewer.page.get_by_role("heading", level=1).bounding_box()
    notice = await told.bounding_box()
    assert title
    assert notice
    assert notice["y"] + notice["height"] <= title["y"]
    its = reviewer.page.get_by_role("region", name="its correction, sealed with it")
    assert await its.locator(".said", has_text="It is safe: https://later").count() >= 3
    await expect(reviewer.page.get_by_role("region", name="All links")).to_contain_text("later.harbour-status.example")
    await expect(reviewer.page.get_by_text("Your signature seals it. Nothing is sent now.")).to_be_visible()
    await expect(_approve(reviewer.page)).to_have_count(0)
    await reviewer.page.get_by_role("button", name="Sign and seal").tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Signed. Sealed: it waits for one person to send it.")
    assert _verified(server, passkey).statement.decision is Decision.APPROVE
    await expect(reviewer.page.get_by_text("unknown to this page")).to_have_count(0)
    assert reviewer.errors == []


async def test_one_person_unseals_it_with_a_passkey(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.request = request(sealed(), (passkey.credential_id,), state="sealed", missing=0)
    server.answers = [(200, {"decision": "unseal", "state": "approved", "missing": 0})]
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("heading", name="Sealed. You alone can send it.")).to_be_visible()
    await reviewer.page.get_by_role("button", name="Unseal and send").tap()
    sheet = reviewer.page.get_by_role("dialog", name="Unseal it, and send it now")
    await expect(sheet).to_contain_text("It cannot be taken back, only corrected.")
    assert server.posts == []
    await sheet.get_by_label("Why now?").fill("Reports of a fake site.")
    before = datetime.now(UTC).replace(microsecond=0)
    await sheet.get_by_role("button", name="Sign and unseal it").tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Unsealed, with your signature. It is going out now.")
    said = _verified(server, passkey).statement
    assert (said.decision, said.comment, said.digest) == (Decision.UNSEAL, "Reports of a fake site.", server.request["digest"])
    assert before <= said.moment <= datetime.now(UTC)
    assert reviewer.errors == []


async def test_a_seal_is_revoked_by_a_signature(reviewer: Phone, server: FakeServer, passkey: SoftPasskey) -> None:
    server.request = request(sealed(), (passkey.credential_id,), state="sealed", missing=0)
    server.answers = [(200, {"decision": "reject", "state": "returned", "missing": 0})]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_role("button", name="Revoke the seal").tap()
    await reviewer.page.get_by_role("button", name="Sign and revoke the seal").tap()
    await expect(reviewer.page.get_by_label("Result")).to_contain_text("Rejected, with your signature.")
    assert _verified(server, passkey).statement.decision is Decision.REJECT


async def test_a_correction_of_another_form_inside_a_seal_cannot_be_signed(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    good = sealed()
    assert good.seal
    for evil in (good.seal.correction.replace('"text"', '"text":"","text"', 1), good.seal.correction.replace('"live"', '"drill"', 1)):
        server.request = request(replace(good, seal=replace(good.seal, correction=evil)), (passkey.credential_id,))
        await reviewer.page.goto(server.link)
        await expect(reviewer.page.get_by_role("heading", name="Do not sign this")).to_be_visible()


async def test_what_changed_since_the_revision_that_they_saw_is_told_word_by_word(
    reviewer: Phone, server: FakeServer, passkey: SoftPasskey
) -> None:
    before = manifest(revision=1, text=manifest().text.replace("a new wallet", "any <b>wallet</b>\u202e"))
    told = changes(before.to_bytes().decode(), manifest().to_bytes().decode())
    items = [{"where": one.where, "also": list(one.also), "pieces": [list(piece) for piece in one.pieces]} for one in told]
    server.request["changes"] = {"since": 1, "signed": True, "items": items}
    await reviewer.page.goto(server.link)
    section = reviewer.page.get_by_role("region", name="What changed since revision 1, which you signed about")
    await expect(section.locator("del")).to_contain_text("any <b>wallet</b>U+202E")
    await expect(section.locator("ins")).to_contain_text("a new wallet")
    await expect(section.locator("h3")).to_have_text("the text")
    server.request["changes"] = {"since": 1, "signed": False, "items": []}
    await reviewer.page.goto(server.link)
    await expect(reviewer.page.get_by_role("heading", name="Nothing changed since revision 1, the one before")).to_be_visible()
    assert reviewer.errors == []


async def test_who_was_asked_and_who_is_next_is_told(reviewer: Phone, server: FakeServer) -> None:
    server.request["asked"] = [
        {"who": "first-reviewer", "asked_at": "2026-11-24T07:20:10.000000Z", "reminded_at": "2026-11-24T07:23:10.000000Z", "next_at": None},
        {"who": "destination:team", "asked_at": "2026-11-24T07:20:10.000000Z", "reminded_at": None, "next_at": None},
        {"who": "third-reviewer", "asked_at": None, "reminded_at": None, "next_at": "2026-11-24T07:25:10.000000Z"},
    ]
    await reviewer.page.goto(server.link)
    await reviewer.page.get_by_text("Who was asked").tap()
    told = reviewer.page.locator(".asked li")
    await expect(told.nth(0)).to_contain_text("first-reviewer asked")
    await expect(told.nth(0)).to_contain_text("reminded")
    await expect(told.nth(1)).to_contain_text("team asked")
    await expect(told.nth(2)).to_contain_text("third-reviewer next,")
