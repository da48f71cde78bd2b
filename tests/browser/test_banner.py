"""banner.js on somebody's homepage: under a strict policy, from another origin, through failures; and banner.html without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import Browser, Locator, expect

from app.services.stamp import Stamp
from app.web.pages import static_file
from tests.browser.chromium import Phone, phone
from tests.browser.fake_server import FakeServer, serving
from tests.browser.measures import LOW_CONTRAST
from tests.browser.samples import TEXT

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = '<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>'


OPEN_SHADOWS = """
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function () { return attach.call(this, { mode: "open" }); };
"""


def notice(**changed: Any) -> dict[str, Any]:
    """What `/banner.json` says while a notice is up."""
    return {
        "active": True,
        "id": "an_7f3k2m",
        "digest": "sha256:" + "a" * 64,
        "environment": "live",
        "incident": "Harbour Web is serving a wallet drainer",
        "kind": "initial",
        "text": TEXT,
        "permalink": "https://x.example/harbour/status/1",
        "updated_at": "2026-11-24T07:25:10Z",
        "expires_at": "2036-11-24T07:25:10Z",
    } | changed


def embedded(origin: str, body: str = "<h1>Harbour</h1>", key: str = "") -> str:
    """A homepage with the one tag, as the documentation gives it."""
    pinned = f' data-key="{key}"' if key else ""
    script = f'src="{origin}/banner.js" integrity="{static_file("banner.js").integrity}"'
    tag = f'<script {script} crossorigin="anonymous"{pinned} defer></script>'
    return (
        f'<!doctype html><html lang="en"><head><title>Harbour</title><link rel="icon" href="data:,">{tag}</head><body>{body}</body></html>'
    )


@pytest_asyncio.fixture(loop_scope="session")
async def homepage(server: FakeServer) -> AsyncIterator[FakeServer]:
    """Another origin than Tocsin's, with a policy that allows Tocsin's script and its JSON, and no style at all."""
    server.banner = notice()
    policy = (
        f"default-src 'none'; script-src {server.origin}; connect-src {server.origin}; img-src data:; require-trusted-types-for 'script'"
    )
    async with serving(FakeServer(host_page=embedded(server.origin), host_policy=policy)) as running:
        yield running


def _inside(held: Phone, selector: str) -> Locator:
    return held.page.locator("tocsin-banner").locator(selector)


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(chromium: Browser) -> AsyncIterator[Phone]:
    """A reader whose browser leaves shadow roots open to tests; nothing else is changed."""
    async with phone(chromium) as held:
        await held.page.add_init_script(OPEN_SHADOWS)
        yield held


async def test_notice_stands_dressed_on_top_under_a_strict_policy(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)
    await expect(_inside(visitor, "section")).to_have_css("background-color", "rgb(143, 20, 23)")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("Next update here by 09:30 UTC.")
    link = visitor.page.get_by_role("link", name="Full text and all updates")
    assert (await link.get_attribute("href"), await link.get_attribute("rel")) == (
        "https://x.example/harbour/status/1",
        "noopener noreferrer",
    )
    assert await visitor.page.evaluate("document.body.firstElementChild.localName") == "tocsin-banner"
    assert visitor.errors == []


async def test_it_can_be_folded_but_not_closed(visitor: Phone, homepage: FakeServer) -> None:
    await visitor.page.goto(f"{homepage.origin}/host")
    toggle = visitor.page.get_by_role("button", name="Hide details")
    await toggle.tap()
    await expect(_inside(visitor, ".text")).to_be_hidden()
    await expect(_inside(visitor, ".name")).to_be_visible()
    await expect(visitor.page.get_by_role("button", name="Show details")).to_have_attribute("aria-expanded", "false")
    assert await visitor.page.get_by_role("button").count() == 1


async def test_it_stays_while_the_network_is_away_and_goes_when_told(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    await visitor.page.clock.install()
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_be_visible()
    await visitor.page.clock.run_for(66_000)
    await visitor.page.wait_for_timeout(50)
    assert server.not_modified >= 1
    await visitor.page.context.set_offline(True)
    await visitor.page.clock.run_for(66_000)
    await expect(_inside(visitor, ".text")).to_be_visible()
    await visitor.page.context.set_offline(False)
    server.banner = notice(text="Harbour Web is safe again.", digest="sha256:b")
    await visitor.page.clock.run_for(66_000)
    await expect(_inside(visitor, ".text")).to_have_text("Harbour Web is safe again.")
    server.banner = {"active": False}
    await visitor.page.clock.run_for(66_000)
    await expect(visitor.page.locator("tocsin-banner")).to_be_hidden()


async def test_it_clears_itself_when_it_expires_even_without_a_network(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    await visitor.page.clock.install(time="2026-11-24T08:00:00Z")
    server.banner = notice(expires_at="2026-11-24T08:00:30Z")
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_be_visible()
    await visitor.page.context.set_offline(True)
    await visitor.page.clock.run_for(66_000)
    await expect(visitor.page.locator("tocsin-banner")).to_be_hidden()


async def test_drill_is_marked(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    server.banner = notice(environment="drill", permalink="http://127.0.0.1:8401/harbour/status/1")
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(visitor.page.get_by_role("region", name="Security notice, drill")).to_contain_text("DRILL")
    await expect(_inside(visitor, "a")).to_have_attribute("href", "http://127.0.0.1:8401/harbour/status/1")


@pytest.mark.parametrize(("language", "words", "direction"), [("he", "העבירו את הכספים לארנק חדש.", "rtl"), ("de", "Bitte warten.", "ltr")])
async def test_it_names_its_language_and_reads_from_the_right_where_that_does(
    language: str, words: str, direction: str, visitor: Phone, server: FakeServer, homepage: FakeServer
) -> None:
    server.banner = notice(text=words, language=language)
    await visitor.page.goto(f"{homepage.origin}/host")
    for text in (_inside(visitor, ".text"), visitor.page.locator(".text").first):
        await expect(text).to_have_text(words)
        assert await text.evaluate("node => [node.lang, getComputedStyle(node).direction]") == [language, direction]
        await visitor.page.goto(f"{server.origin}/banner.html")


@pytest.mark.parametrize("permalink", ["javascript:window.pwned=3", "http://x.example/1", "data:text/html,x", "", None, "//x.example"])
async def test_only_https_is_linked_and_text_is_only_text(
    permalink: str | None, visitor: Phone, server: FakeServer, homepage: FakeServer
) -> None:
    server.banner = notice(permalink=permalink, incident=EVIL, text=EVIL)
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_have_text(EVIL)
    await expect(_inside(visitor, ".name")).to_have_text(EVIL)
    assert await _inside(visitor, "a, img, script").count() == 0
    assert await visitor.page.evaluate("window.pwned") is None


@pytest.mark.parametrize("junk", [[], "x", 7, {"active": "yes", "text": "t"}, {"active": True}, {"active": True, "text": {}}])
async def test_junk_shows_nothing_and_breaks_nothing(junk: Any, visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    server.banner = junk
    async with visitor.page.expect_response("**/banner.json"):
        await visitor.page.goto(f"{homepage.origin}/host")
    await expect(visitor.page.get_by_role("heading", name="Harbour")).to_be_visible()
    assert await visitor.page.locator("tocsin-banner:not([hidden])").count() == 0
    assert visitor.errors == []


async def test_it_goes_where_the_page_wants_it_and_runs_once(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    homepage.host_page = embedded(
        server.origin, f'<h1>Harbour</h1><div id="tocsin-banner"></div><script src="{server.origin}/banner.js"></script>'
    )
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(visitor.page.locator("#tocsin-banner > tocsin-banner")).to_be_visible()
    assert await visitor.page.locator("tocsin-banner").count() == 1


def new_stamp() -> Stamp:
    key = ec.generate_private_key(ec.SECP256R1())
    return Stamp(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def stamped(stamp: Stamp, form: str = "tocsin-banner/1", **changed: Any) -> dict[str, Any]:
    """What `/banner.json` says where a key is configured."""
    return notice(**changed) | {"signed": stamp.over(form, notice(**changed))}


async def test_a_pinned_page_shows_only_what_its_key_stamped(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    ours, others = new_stamp(), new_stamp()
    homepage.host_page = embedded(server.origin, key=ours.public)
    true, evil = stamped(ours), notice(text="Send your coins here.")
    in_between: list[Any] = [
        evil,
        evil | {"signed": others.over("tocsin-banner/1", evil)},
        evil | {"signed": ours.over("tocsin-feed/1", evil)},
        evil | {"signed": true["signed"] | {"bytes": true["signed"]["bytes"].replace(TEXT[:20], "Send your coins here")}},
        evil | {"signed": true["signed"] | {"signature": ""}},
        evil | {"signed": None},
        evil | {"signed": {"bytes": 7, "signature": "%"}},
        stamped(ours, expires_at="2020-01-01T00:00:00Z"),
    ]
    for answer in in_between:
        server.banner = answer
        async with visitor.page.expect_response("**/banner.json"):
            await visitor.page.goto(f"{homepage.origin}/host")
        await visitor.page.wait_for_timeout(50)
        assert await visitor.page.locator("tocsin-banner:not([hidden])").count() == 0, answer
    server.banner = evil | {"signed": true["signed"]}
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)
    assert visitor.errors == []


async def test_what_was_stamped_stays_when_somebody_comes_in_between(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    ours = new_stamp()
    homepage.host_page = embedded(server.origin, key=ours.public)
    server.banner = stamped(ours)
    await visitor.page.clock.install()
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)
    server.banner = notice(text="Send your coins here.")
    await visitor.page.clock.run_for(66_000)
    await visitor.page.wait_for_timeout(50)
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)
    server.banner = stamped(ours, text="Harbour Web is safe again.")
    await visitor.page.clock.run_for(66_000)
    await expect(_inside(visitor, ".text")).to_have_text("Harbour Web is safe again.")


async def test_a_page_that_pins_nothing_shows_a_stamped_notice_too(visitor: Phone, server: FakeServer, homepage: FakeServer) -> None:
    server.banner = stamped(new_stamp())
    await visitor.page.goto(f"{homepage.origin}/host")
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("environment", ["live", "drill"])
async def test_page_for_frames_stands_without_scripts(scheme: Any, environment: str, chromium: Browser, server: FakeServer) -> None:
    server.banner = notice(environment=environment, text=EVIL)
    async with phone(chromium, scheme=scheme, scripts=False) as held:
        await held.page.goto(f"{server.origin}/banner.html")
        await expect(held.page.get_by_role("region", name="Security notice")).to_contain_text(EVIL)
        assert await held.page.get_by_text("DRILL").count() == (environment == "drill")
        assert (await held.page.evaluate(LOW_CONTRAST))[1] == []


async def test_page_for_frames_is_kept_fresh_where_scripts_run(visitor: Phone, server: FakeServer) -> None:
    await visitor.page.clock.install()
    server.banner = {"active": False}
    await visitor.page.goto(f"{server.origin}/banner.html")
    await expect(visitor.page.locator("#tocsin-banner > tocsin-banner")).to_be_hidden()
    server.banner = notice()
    await visitor.page.clock.run_for(66_000)
    await expect(_inside(visitor, ".text")).to_have_text(TEXT)
    assert visitor.errors == []
