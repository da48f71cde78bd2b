"""`python -m tests.browser.taps`: from an opened approval link to the primary's post, in Chromium at phone size; eight times."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from playwright.async_api import Browser

from app.domain.roster import key_entry
from app.rehearsal import play
from tests.browser.chromium import browser, phone
from tests.support.desk import Desk
from tests.support.soft_passkey import SoftPasskey

TIMES = 8


async def once(desk: Desk, chromium: Browser, passkey: SoftPasskey) -> tuple[float, float]:
    """Seconds from opening the link to the button, and from the tap on it to the stand-in's record of the post."""
    accepted = desk.announce(destinations=["x", "telegram"])
    links = await asyncio.to_thread(play.await_links, desk.stage, accepted["digest"], lambda _text: None)
    desk.decide(accepted["id"], "first-reviewer")
    async with phone(chromium, passkey=passkey) as reviewer:
        opened = time.time()
        await reviewer.page.goto(links["second-reviewer"])
        button = reviewer.page.get_by_role("button", name="Approve and sign")
        await button.wait_for()
        tapped = time.time()
        await button.tap()
        await asyncio.to_thread(desk.await_state, accepted["id"], "sent", "incomplete")
    posted = max(post["at"] for post in desk.stage.state()["x"])
    return tapped - opened, posted - tapped


async def measure() -> None:
    """Prints the medians, and the least and most."""
    with tempfile.TemporaryDirectory() as folder, play.stage(Path(folder)) as stage:
        passkey = SoftPasskey.create("localhost")
        roster = stage.house.folder / "roster.toml"
        roster.write_text(roster.read_text() + "\n" + key_entry("second-reviewer", passkey.passkey("phone")))
        async with browser() as chromium:
            found = [await once(Desk(stage), chromium, passkey) for _ in range(TIMES)]
    for name, seconds in zip(("link opened to button", "tap to post"), zip(*found, strict=True), strict=True):
        print(f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f} s")


if __name__ == "__main__":
    asyncio.run(measure())
