"""The page's bytes against Python's: canonical JSON, statement, challenge, and what a comment is made into."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import rfc8785
from playwright.async_api import Browser

from app.domain.approval import Decision, Statement, challenge
from app.web.pages import static_version
from tests.browser.chromium import Phone, phone
from tests.browser.fake_server import FakeServer, serving
from tests.browser.samples import NONCE, request

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = f"/static/{static_version()}/bytes.js"
COMMENTS = [
    "",
    "plain",
    "Grüße, 東京, ‎العربية, e\u0301, 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👩‍💻",
    'quotes " and \\ and / and </script>',
    "\u00a0no-break\u3000wide",
    "\ufffd\uffff\U0010ffff",
]
VALUES: list[Any] = [
    {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
    {"b": [True, False, None, {"z": 0, "a": ""}], "a": {}},
    [0, -1, 9007199254740991, 1e21, 1e-7, 0.1, 123456.789, -0.0],
    "".join(map(chr, range(0x100))),
    "\u2028\u2029\ufeff\u200b\U000e0041",
    {"__proto__": "x", "constructor": [], "toString": "y"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(chromium: Browser) -> AsyncIterator[Phone]:
    async with serving(FakeServer(request=request())) as server, phone(chromium) as held:
        await held.page.goto(server.link)
        yield held


async def _call(held: Phone, name: str, *given: Any) -> Any:
    return await held.page.evaluate("async ([path, name, given]) => (await import(path))[name](...given)", [PATH, name, list(given)])


@pytest.mark.parametrize("value", VALUES)
async def test_canonical_json_is_rfc_8785(page: Phone, value: Any) -> None:
    written = await page.page.evaluate(
        "async ([path, text]) => (await import(path)).canonical(JSON.parse(text))", [PATH, json.dumps(value)]
    )
    assert written.encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("comment", COMMENTS)
async def test_statement_and_challenge_are_the_domains(page: Phone, comment: str) -> None:
    asked = request()
    claim = {name: asked[name] for name in ("announcement", "revision", "environment")}
    tidy = await _call(page, "tidyComment", comment)
    expected = Statement(**claim, digest=asked["digest"], person="first-reviewer", decision=Decision.REJECT, nonce=NONCE, comment=tidy)
    text = await _call(page, "statement", asked, claim, "reject", tidy)
    assert text.encode() == expected.to_bytes()
    signed = await page.page.evaluate("async ([path, text]) => Array.from(await (await import(path)).challenge(text))", [PATH, text])
    assert bytes(signed) == challenge(expected.to_bytes())


async def test_an_unseal_has_its_moment_among_the_bytes(page: Phone) -> None:
    asked, moment = request(), "2026-11-24T03:12:09Z"
    claim = {name: asked[name] for name in ("announcement", "revision", "environment")}
    expected = Statement(**claim, digest=asked["digest"], person="first-reviewer", decision=Decision.UNSEAL, nonce=NONCE, at=moment)
    assert (await _call(page, "statement", asked, claim, "unseal", "", moment)).encode() == expected.to_bytes()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" two\r\nlines\tand \u0000a\u0007 bell ", "two lines and a bell"),
        ("safe\u202egnp.exe\u2069", "safegnp.exe"),
        ("\u200b \ufeff", ""),
        ("half \ud83d", "half"),
        ("é" * 2100, "é" * 2000),
        ("🚨" * 2100, "🚨" * 2000),
        ("line\u2028line\u0085x", "line linex"),
    ],
)
async def test_comment_becomes_one_that_can_be_signed(page: Phone, typed: str, kept: str) -> None:
    # a lone half of a character does not pass the protocol as text: it travels as numbers
    raw = typed.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    script = "async ([path, codes]) => (await import(path)).tidyComment(String.fromCharCode(...codes))"
    found = await page.page.evaluate(script, [PATH, codes])
    assert found == kept
    claim = {name: request()[name] for name in ("announcement", "revision", "environment", "digest")}
    Statement(**claim, person="first-reviewer", decision=Decision.REJECT, nonce=NONCE, comment=found)
