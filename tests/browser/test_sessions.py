"""The person's own pages on the real server: enrol, log in, approve, reject, log out; by touch, and as WCAG wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from app.rehearsal.play import stage
from tests.browser.chromium import DESKTOP, PHONE, Phone, Scheme, executable, phone
from tests.browser.measures import LOW_CONTRAST, STUMBLES
from tests.support.desk import Desk
from tests.support.soft_passkey import SoftPasskey
from tests.support.visitor import enrolled

pytestmark = pytest.mark.asyncio(loop_scope="session")

ME = "second-reviewer"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    executable()
    with stage(tmp_path_factory.mktemp("sessions")) as started:
        yield Desk(started)


@pytest.fixture(scope="module")
def mine(desk: Desk) -> SoftPasskey:
    return enrolled(desk, ME)


@pytest_asyncio.fixture(loop_scope="session")
async def person(desk: Desk, mine: SoftPasskey, chromium: Browser) -> AsyncIterator[Phone]:
    """A phone that holds the person's passkey."""
    async with phone(chromium) as held:
        await held.add(mine, ME)
        yield held


async def log_in(desk: Desk, page: Page) -> None:
    await page.goto(f"{desk.stage.house.url}/")
    await expect(page).to_have_url(f"{desk.stage.house.url}/login")
    await page.get_by_role("button", name="Log in with a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Announcements")


async def test_enrol_log_in_approve_reject_and_log_out(desk: Desk, chromium: Browser) -> None:
    async with phone(chromium) as held:
        invited = desk.post("/v1/roster/enrolments", {"person": "first-reviewer"}).json()
        await held.page.goto(invited["url"])
        await held.page.get_by_role("button", name="Make a passkey").tap()
        entry = held.page.get_by_text("[[person.first-reviewer.passkey]]")
        await entry.wait_for()
        roster = desk.stage.house.folder / "roster.toml"
        roster.write_text(f"{roster.read_text()}\n{await entry.inner_text()}\n")
        good, bad = desk.announce(destinations=["x", "telegram"]), desk.announce(destinations=["x"])
        assert desk.decide(good["id"], ME).status_code == 200

        await log_in(desk, held.page)  # the phone finds the passkey by itself
        waits = held.page.get_by_role("region", name="Waits for your signature")
        await waits.get_by_role("link", name=good["incident"]["name"]).tap()
        await held.page.get_by_role("button", name="Approve and sign").tap()
        await expect(held.page.get_by_label("Result")).to_contain_text("It is going out now.")
        sent = await asyncio.to_thread(desk.await_state, good["id"], "sent", "incomplete")
        assert sent["state"] == "sent"
        assert {(a["person"], a["key"]) for a in sent["approvals"]} == {("first-reviewer", "passkey"), (ME, "ssh")}

        await held.page.goto(f"{desk.stage.house.url}/")
        await expect(held.page.get_by_role("region", name="Over")).to_contain_text(good["incident"]["name"])
        await waits.get_by_role("link", name=bad["incident"]["name"]).tap()
        await held.page.get_by_role("button", name="Reject").tap()
        await held.page.get_by_role("button", name="Sign and reject").tap()
        await expect(held.page.get_by_label("Result")).to_contain_text("Rejected, with your signature.")
        assert desk.read(bad["id"])["state"] == "returned"

        await held.page.goto(f"{desk.stage.house.url}/")
        await held.page.get_by_role("button", name="Log out", exact=True).tap()
        await expect(held.page.get_by_role("heading", level=1)).to_have_text("Log in to read")
        await held.page.goto(f"{desk.stage.house.url}/announcements/{good['id']}")
        await expect(held.page).to_have_url(f"{desk.stage.house.url}/login")
        assert held.errors == []


async def test_a_session_offers_no_way_to_leave_an_account_out(desk: Desk, person: Phone) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    await log_in(desk, person.page)
    await person.page.goto(f"{desk.stage.house.url}/announcements/{accepted['id']}")
    await expect(person.page.get_by_role("button", name="Approve and sign")).to_be_visible()
    await expect(person.page.get_by_role("button", name="not ours any more")).to_have_count(0)
    command = person.page.get_by_text(f"tocsin approve {accepted['id']} --person {ME}", exact=False)
    await expect(command).to_have_count(1)
    assert person.errors == []


async def test_a_key_that_holds_no_names_is_asked_for_by_the_persons_id(desk: Desk, person: Phone) -> None:
    await person.page.goto(f"{desk.stage.house.url}/login")
    await person.page.get_by_text("My security key does not find me by itself").tap()
    await person.page.get_by_label("Your id in the roster").fill("nobody-here")
    await person.page.get_by_role("button", name="Ask for my own passkeys").tap()
    await expect(person.page.get_by_role("alert")).to_contain_text("No passkey for this address is known under that id.")
    await person.page.get_by_label("Your id in the roster").fill(ME)
    await person.page.keyboard.press("Enter")
    await person.page.get_by_role("button", name=f"Log in as {ME}").tap()
    await expect(person.page.get_by_role("heading", level=1)).to_have_text("Announcements")


async def test_a_finger_that_does_not_fit_or_a_phone_without_the_passkey_stays_out(desk: Desk, person: Phone, chromium: Browser) -> None:
    await person.verifies(False)
    await person.page.goto(f"{desk.stage.house.url}/login")
    await person.page.get_by_role("button", name="Log in with a passkey").tap()
    await expect(person.page.get_by_role("status")).to_contain_text("The passkey request was closed")
    async with phone(chromium) as stranger:
        await stranger.add(SoftPasskey.create("localhost"), "stranger")
        await stranger.page.goto(f"{desk.stage.house.url}/login")
        await stranger.page.get_by_role("button", name="Log in with a passkey").tap()
        await expect(stranger.page.get_by_role("status")).to_contain_text("This passkey is not in the roster.")


async def test_another_sites_page_reads_and_sends_nothing(desk: Desk, person: Phone) -> None:
    """127.0.0.1 is another site than localhost, with the same server behind it: the cookie does not come along."""
    await log_in(desk, person.page)
    house = desk.stage.house.url
    await person.page.goto(house.replace("localhost", "127.0.0.1") + "/login")
    sent = await person.page.evaluate(
        """async (url) => {
          const how = { method: "POST", mode: "no-cors", credentials: "include", body: "{}" };
          await fetch(`${url}/logout`, how).catch(() => null);
          return document.cookie;
        }""",
        house,
    )
    assert sent == ""
    await person.page.goto(f"{house}/login")
    await person.page.goto(f"{house}/")
    await expect(person.page.get_by_role("heading", level=1)).to_have_text("Announcements")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_login_and_list_can_be_read_and_pressed(
    scheme: Scheme, size: ViewportSize, desk: Desk, mine: SoftPasskey, chromium: Browser
) -> None:
    desk.announce(destinations=["team"])
    async with phone(chromium, scheme=scheme, size=size) as held:
        await held.add(mine, ME)
        await held.page.goto(f"{desk.stage.house.url}/login")
        await held.page.get_by_text("My security key does not find me by itself").click()
        assert (await held.page.evaluate(LOW_CONTRAST))[1] == []
        assert await held.page.evaluate(STUMBLES) == []
        await log_in(desk, held.page)
        await held.page.get_by_role("button", name="Log out everywhere").wait_for()
        measured, low = await held.page.evaluate(LOW_CONTRAST)
        assert measured >= 5
        assert low == []
        assert await held.page.evaluate(STUMBLES) == []
        await expect(held.page.locator("main time").first).to_contain_text(" in Berlin)")


async def test_the_list_is_used_by_keyboard(desk: Desk, person: Phone) -> None:
    accepted = desk.announce(destinations=["team"])
    await log_in(desk, person.page)
    link = person.page.get_by_role("link", name=accepted["incident"]["name"])
    await link.focus()
    await person.page.keyboard.press("Enter")
    await expect(person.page.get_by_role("heading", level=1)).to_have_text(accepted["incident"]["name"])
