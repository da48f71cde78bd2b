"""`python -m tests.browser.pictures`: makes docs/images anew, from the real pages of a rehearsal."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from app.domain.roster import key_entry
from app.rehearsal import play
from tests.browser.chromium import browser, phone
from tests.support.soft_passkey import SoftPasskey

IMAGES = Path("docs/images")


async def make() -> None:
    """The approval page as a reviewer meets it, and the stand-ins' timelines after the broadcast."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, play.stage(Path(folder)) as stage:
        passkey = SoftPasskey.create("localhost")
        roster = stage.house.folder / "roster.toml"
        roster.write_text(roster.read_text() + "\n" + key_entry("first-reviewer", passkey.passkey("phone")))
        accepted = play.submit(stage, print)
        links = await asyncio.to_thread(play.await_links, stage, accepted["digest"], print)
        async with browser() as chromium, phone(chromium, passkey=passkey) as reviewer:
            await reviewer.page.goto(links["first-reviewer"])
            await reviewer.page.get_by_role("button", name="Approve and sign").wait_for()
            await reviewer.page.screenshot(path=IMAGES / "approve.png")


if __name__ == "__main__":
    asyncio.run(make())
