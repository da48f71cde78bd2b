"""The way to X: one signed request through tweepy, one look through oEmbed, and what an error answer means for a post.

Rules kept here: nothing is repeated and no redirect followed; the whole time and the size of an answer are bounded; whatever is
not recognised is `OutcomeUnknown`. Sources: `docs/adapters/x.md`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
from tweepy.asynchronous import AsyncClient
from yarl import URL

from adapters import http
from adapters.contract import AdapterError, NeedsOperator, NotSent, OutcomeUnknown, Rejected, Secret
from adapters.text import quoted

OEMBED = "https://publish.x.com"
PARENT_UNSEEN = 5.0  # seconds: what helped when X did not see a parent of a second's age (gptme-contrib#811)
LONGEST_WAIT = 24 * 3600.0
MADE_NO_SENSE = "X gave an answer that makes no sense."

for name in ("tweepy", "oauthlib"):  # at DEBUG they log the Authorization header and what goes into its signature
    logging.getLogger(name).setLevel(logging.INFO)


class ReplyRefused(NeedsOperator):
    """X lets this account reply to nobody who has not mentioned it; certainly not posted."""


class Wire:
    """One account's connections, opened when first used. `base` "" means X's own hosts; `whose` names the account in errors."""

    def __init__(self, base: str, whose: str, keys: Mapping[str, Secret]) -> None:
        self._base, self._keys = base, keys
        self._door = _Door(base, whose)
        self._reader: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        await self._door.close()
        if self._reader:
            await self._reader.aclose()
            self._reader = None

    async def asked(self, call: str, *args: object, **wanted: object) -> tuple[int, object]:
        """One request by a method of tweepy's; gives status and decoded body of a 2xx, else raises what it means for a post."""
        client = AsyncClient(**{name: key.get_secret_value() for name, key in self._keys.items()}, return_type=aiohttp.ClientResponse)
        client.session = self._door
        async with http.under_way("X"):
            try:
                answer: _Answer = await getattr(client, call)(*args, user_auth=True, **wanted)
                return answer.status, json.loads(answer.body)
            except (AdapterError, aiohttp.ClientError, OSError):
                raise
            except Exception as error:
                raise OutcomeUnknown(MADE_NO_SENSE) from error

    async def embedded(self, permalink: str) -> tuple[int, object]:
        """Status and, of a 200, decoded body of oEmbed's answer to somebody logged out. Raises `OutcomeUnknown`."""
        self._reader = self._reader or http.client(self._base or OEMBED)
        try:
            async with http.under_way("X"), self._reader.stream("GET", "/oembed", params={"url": permalink, "omit_script": "1"}) as answer:
                body = await _bounded(answer.aiter_bytes())
                return answer.status_code, json.loads(body) if answer.status_code == 200 else None
        except (NotSent, ValueError, RecursionError) as error:
            raise OutcomeUnknown(str(error) if isinstance(error, NotSent) else MADE_NO_SENSE) from error


@dataclass(frozen=True, slots=True)
class _Answer:
    """As much of an aiohttp answer as tweepy asks of a 2xx."""

    status: int
    reason: str | None
    headers: Mapping[str, str]
    body: bytes

    async def read(self) -> bytes:
        return self.body


class _Door:
    """Stands where tweepy expects its session: the same signed requests, to `base` if there is one, following no redirect.

    It keeps refusals from tweepy, whose reading of them fails on what is not the JSON that it expects.
    """

    def __init__(self, base: str, whose: str) -> None:
        self._base, self._whose = base, whose
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(self, method: str, url: URL, **wanted: Any) -> AsyncIterator[_Answer]:
        there = URL(f"{self._base}{url.raw_path_qs}", encoded=True) if self._base else url
        self._session = self._session or aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))
        async with self._session.request(method, there, allow_redirects=False, **wanted) as response:
            body = await _bounded(response.content.iter_any())
        if not response.ok or response.status >= 300:
            raise _refusal(self._whose, response.status, response.headers, body)
        yield _Answer(response.status, response.reason, response.headers, body)

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None


async def _bounded(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > http.MAX_ANSWER:
            raise OutcomeUnknown(MADE_NO_SENSE)
    return bytes(body)


def _refusal(whose: str, status: int, headers: Mapping[str, str], body: bytes) -> AdapterError:
    """What an error answer means for a post. Of a body that is not a JSON object the status alone must speak."""
    answer = _object(body)
    said = quoted(answer.get("detail") or answer.get("title") or "no reason given")
    known: dict[int, AdapterError] = {
        401: NeedsOperator(f"X does not accept the keys of {whose}: renew them (a wrong clock here looks the same)."),
        402: NeedsOperator(f"X wants to be paid before it takes posts of {whose}: top up the developer account."),
        429: NotSent(f"X takes nothing of {whose} for now: a rate limit is used up.", _wait(headers)),
    }
    if status == 400 and answer:
        return Rejected(f"X refused the post: {said}. Edit the text.")
    if status == 403 and answer:
        return _forbidden(answer) or NeedsOperator(f"X forbids it to {whose}: {said}. Look at the app's permissions and the account.")
    return known.get(status) or OutcomeUnknown(f"X answered {status}, which does not tell whether it posted.")


def _forbidden(answer: Mapping[str, object]) -> AdapterError | None:
    """The kinds of 403 that are not the operator's, known by their words: gptme-contrib#811, node-twitter-api-v2#366, iembot#163."""
    words = json.dumps(answer).casefold()
    if "duplicate content" in words:
        return OutcomeUnknown("X says that this text was posted before: look whether an earlier attempt did it.")
    if "reply to this conversation is not allowed" in words:
        return ReplyRefused("X lets this account reply only to those who mentioned it: post it by itself.")
    if "deleted or not visible to you" in words:
        return NotSent("X does not see the post that this one replies to yet.", PARENT_UNSEEN)
    return None


def _object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until `x-rate-limit-reset` (Unix seconds), at least one, at most a day."""
    reset = headers.get("x-rate-limit-reset", "")
    return min(max(int(reset) - time.time(), 1.0), LONGEST_WAIT) if re.fullmatch(r"[0-9]{1,12}", reset) else None
