"""The passkey story on the real server: enrol on a phone, open the mailed link, sign with one tap, and see it go out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from app.domain.approval import Decision
from app.rehearsal import play
from app.rehearsal.play import stage
from tests.browser.chromium import executable, phone
from tests.support.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    executable()
    with stage(tmp_path_factory.mktemp("browser")) as started:
        yield Desk(started)


def _links(desk: Desk, digest: str) -> dict[str, str]:
    return play.await_links(desk.stage, digest, lambda _text: None)


async def test_enrol_then_approve_from_the_mailed_link_in_two_taps(desk: Desk, chromium: Browser) -> None:
    async with phone(chromium) as reviewer:
        invited = desk.post("/v1/roster/enrolments", {"person": "second-reviewer"}).json()
        await reviewer.page.goto(invited["url"])
        await reviewer.page.get_by_role("button", name="Make a passkey").tap()
        entry = reviewer.page.get_by_text("[[person.second-reviewer.passkey]]")
        await entry.wait_for()
        roster = desk.stage.house.folder / "roster.toml"
        _append(roster, await entry.inner_text())

        accepted = desk.announce(destinations=["x", "telegram", "homepage"])
        link = (await asyncio.to_thread(_links, desk, accepted["digest"]))["second-reviewer"]
        assert desk.decide(accepted["id"], "first-reviewer").status_code == 200

        await reviewer.page.goto(link)  # the first tap opened the mail's link; the second one signs
        await reviewer.page.get_by_role("button", name="Approve and sign").tap()
        await expect(reviewer.page.get_by_label("Result")).to_contain_text("It is going out now.")
        sent = await asyncio.to_thread(desk.await_state, accepted["id"], "sent", "incomplete")
        assert sent["state"] == "sent"
        assert {a["key"] for a in sent["approvals"]} == {"ssh", "passkey"}
        await expect(reviewer.page.get_by_label("How it stands")).to_contain_text("telegram")
        assert reviewer.errors == []


def _append(roster: Path, entry: str) -> None:
    roster.write_text(roster.read_text() + "\n" + entry + "\n")


async def test_a_phone_without_the_persons_passkey_signs_nothing(desk: Desk, chromium: Browser) -> None:
    accepted = desk.announce(destinations=["x"])
    link = (await asyncio.to_thread(_links, desk, accepted["digest"]))["first-reviewer"]
    async with phone(chromium) as stranger:
        await stranger.page.goto(link)
        await expect(stranger.page.get_by_text("tocsin approve").first).to_be_visible()
    assert desk.read(accepted["id"])["approvals"] == []


async def test_a_returned_revision_shows_as_closed(desk: Desk, chromium: Browser) -> None:
    accepted = desk.announce(destinations=["x"])
    link = (await asyncio.to_thread(_links, desk, accepted["digest"]))["second-reviewer"]
    desk.decide(accepted["id"], "first-reviewer", Decision.REQUEST_CHANGES)
    async with phone(chromium) as reviewer:
        await reviewer.page.goto(link)
        await expect(reviewer.page.get_by_text("Nothing is left to sign").first).to_be_visible()
    assert (await asyncio.to_thread(desk.read, accepted["id"]))["state"] == "returned"


async def test_the_banner_shows_what_was_signed(desk: Desk, chromium: Browser) -> None:
    async with phone(chromium, scripts=False) as reader:
        await reader.page.goto(f"{desk.stage.house.url}/banner.html")
        await expect(reader.page.get_by_text("move your funds").first).to_be_visible()
        await expect(reader.page.get_by_text("DRILL").first).to_be_visible()


async def test_an_account_is_left_out_by_a_tap_and_what_waits_goes_out_without_it(desk: Desk, chromium: Browser) -> None:
    accepted = desk.announce(destinations=["x", "telegram", "discord"])
    link = (await asyncio.to_thread(_links, desk, accepted["digest"]))["first-reviewer"]
    async with phone(chromium) as reviewer:
        await reviewer.page.goto(link)
        await reviewer.page.get_by_role("button", name="x is not ours any more").tap()
        await reviewer.page.get_by_label("What did you see?").fill("It posts of a giveaway.")
        await reviewer.page.get_by_role("button", name="Leave it out", exact=True).tap()
        await expect(reviewer.page.get_by_role("region", name="Read this first")).to_contain_text(
            "telegram carries the full text in its place."
        )
        held = {item["destination"]: item["held"] for item in desk.http.get("/v1/destinations").json()["items"] if item["held"]}
        assert (held["x"]["by"], held["x"]["why"]) == ("first-reviewer", "It posts of a giveaway.")
        await asyncio.to_thread(desk.approve_by_both, accepted["id"])
        shown = await asyncio.to_thread(desk.await_state, accepted["id"], "sent", "incomplete")
        assert {d["destination"]: d["state"] for d in shown["deliveries"]} == {"x": "skipped", "telegram": "posted", "discord": "posted"}
        progress = reviewer.page.get_by_role("region", name="How it stands")
        await expect(progress).to_contain_text("Telegram telegram carries the full text in place of X", timeout=15000)
        assert reviewer.errors == []
    assert desk.post("/v1/destinations/x/include").status_code == 200
