"""One Chromium for the folder; a server, a profile and a passkey for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import Phone, browser, phone
from tests.browser.fake_server import FakeServer, serving
from tests.browser.samples import request
from tests.support.soft_passkey import SoftPasskey


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as launched:
        yield launched


@pytest.fixture
def passkey() -> SoftPasskey:
    return SoftPasskey.create("localhost")


@pytest_asyncio.fixture(loop_scope="session")
async def server(passkey: SoftPasskey) -> AsyncIterator[FakeServer]:
    async with serving(FakeServer(request=request(passkeys=(passkey.credential_id,)))) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def reviewer(chromium: Browser, passkey: SoftPasskey) -> AsyncIterator[Phone]:
    async with phone(chromium, passkey=passkey) as held:
        yield held
