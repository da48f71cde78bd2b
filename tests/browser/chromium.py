"""A real phone for tests: Debian's Chromium, headless, with an authenticator in software (CDP's WebAuthn domain).

    async with browser() as chromium, phone(chromium, passkey=SoftPasskey.create("localhost")) as reviewer:
        await reviewer.page.goto(link)

Passkeys want a secure context: open `http://localhost:<port>`, not 127.0.0.1. Where no Chromium is found the test is skipped with the
reason; with CI or TOCSIN_REQUIRE_BROWSER set it fails, so that nothing is left untested silently.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, ViewportSize, async_playwright

from app.domain.passkey import decode
from tests.support.soft_passkey import SoftPasskey

Scheme = Literal["light", "dark"]

PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1280, height=900)
_ARGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    "--disable-features=OptimizationHints,MediaRouter,Translate",
)


def executable() -> str:
    """Where Chromium lies; skips the test, or fails it where a browser is demanded."""
    named = os.environ.get("TOCSIN_CHROMIUM", "")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    if not found:
        demanded = os.environ.get("CI") or os.environ.get("TOCSIN_REQUIRE_BROWSER")
        (pytest.fail if demanded else pytest.skip)("No Chromium: `apt-get install chromium`, or set TOCSIN_CHROMIUM to its path.")
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started; about half a second."""
    path = executable()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=_ARGS)
        try:
            yield launched
        finally:
            await launched.close()


@dataclass
class Phone:
    """One page with its authenticator. `errors` holds what the page's scripts threw or its policy refused, in order."""

    page: Page
    cdp: CDPSession
    authenticator: str
    errors: list[str] = field(default_factory=list)

    async def add(self, passkey: SoftPasskey, user: str = "first-reviewer") -> None:
        """Puts a passkey on the phone, as if it had been enrolled with it."""
        key = passkey.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        credential = {
            "credentialId": _base64(decode(passkey.credential_id, "credential_id")),
            "isResidentCredential": True,
            "rpId": passkey.rp_id,
            "privateKey": _base64(key),
            "userHandle": _base64(user.encode()),
            "signCount": 1,
        }
        await self.cdp.send("WebAuthn.addCredential", {"authenticatorId": self.authenticator, "credential": credential})

    async def credentials(self) -> list[dict[str, Any]]:
        """The passkeys on the phone, as CDP lists them."""
        answer = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        credentials: list[dict[str, Any]] = answer["credentials"]
        return credentials

    async def verifies(self, verified: bool) -> None:
        """Whether the finger fits from now on."""
        await self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": verified})


@asynccontextmanager
async def phone(
    browser: Browser,
    *,
    passkey: SoftPasskey | None = None,
    scheme: Scheme = "light",
    size: ViewportSize = PHONE,
    time_zone: str = "Europe/Berlin",
    scripts: bool = True,
) -> AsyncIterator[Phone]:
    """A fresh profile at phone size, with an authenticator that answers by itself, as if a finger lay on it."""
    context = await browser.new_context(
        viewport=size, color_scheme=scheme, timezone_id=time_zone, locale="en-GB", java_script_enabled=scripts, has_touch=size == PHONE
    )
    context.set_default_timeout(5000)
    try:
        held = await _with_authenticator(context)
        if passkey:
            await held.add(passkey)
        yield held
    finally:
        await context.close()


async def _with_authenticator(context: BrowserContext) -> Phone:
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    answer = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    held = Phone(page, cdp, answer["authenticatorId"])
    page.on("pageerror", lambda error: held.errors.append(str(error)))
    page.on("console", lambda said: held.errors.append(said.text) if said.type == "error" else None)
    return held


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
