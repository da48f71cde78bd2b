"""The way to X: one signed request through tweepy, one look through oEmbed, and what an error answer means for a post.

Rules kept here: tweepy names and signs a request, `adapters.http` sends it; a refusal is read before tweepy sees it; whatever is
not recognised is `OutcomeUnknown`. Sources: `docs/adapters/x.md`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from tweepy.asynchronous import AsyncClient
from yarl import URL

from adapters import http
from adapters.contract import AdapterError, Duplicate, NeedsOperator, NotSent, OutcomeUnknown, Rejected, Secret
from adapters.text import quoted

API, OEMBED = "https://api.twitter.com", "https://publish.x.com"  # the first is tweepy's
PARENT_UNSEEN = 5.0  # seconds: what helped when X did not see a parent of a second's age (gptme-contrib#811)
LIMITS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")  # each with -remaining and -reset (Unix seconds)
MADE_NO_SENSE = "X gave an answer that makes no sense."

for name in ("tweepy", "oauthlib"):  # at DEBUG they log the Authorization header and what goes into its signature
    logging.getLogger(name).setLevel(logging.INFO)


class ReplyRefused(NeedsOperator):
    """X lets this account reply to nobody who has not mentioned it; certainly not posted."""


class Wire:
    """One account's connections, opened when first used. `base` "" means X's own hosts; `whose` names the account in errors."""

    def __init__(self, base: str, whose: str, keys: Mapping[str, Secret]) -> None:
        self._base, self._keys = base, keys
        self._door = http.Door("X", base)
        self._session = _Session(base, whose, self._door)

    async def aclose(self) -> None:
        await self._door.aclose()

    async def connect(self) -> None:
        """As the door does."""
        await self._door.connect(self._base or API)

    async def asked(self, call: str, *args: object, **wanted: object) -> tuple[http.Answer, object]:
        """One request by a method of tweepy's; gives a 2xx and its decoded body, else raises what it means for a post."""
        client = AsyncClient(**{name: key.get_secret_value() for name, key in self._keys.items()}, return_type=aiohttp.ClientResponse)
        client.session = self._session
        try:
            answer: _Answer = await getattr(client, call)(*args, user_auth=True, **wanted)
            return answer.whole, json.loads(answer.whole.body)
        except AdapterError:
            raise
        except Exception as error:
            raise OutcomeUnknown(MADE_NO_SENSE) from error

    async def embedded(self, permalink: str) -> tuple[int, object]:
        """Status and, of a 200, decoded body of oEmbed's answer to somebody logged out. Raises `OutcomeUnknown`."""
        answer = await self._door.look(f"{self._base or OEMBED}/oembed", params={"url": permalink, "omit_script": "1"})
        return answer.status, http.decoded(answer.body) if answer.status == 200 else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """As much of an aiohttp answer as tweepy asks of a 2xx."""

    whole: http.Answer
    reason: str = ""

    @property
    def status(self) -> int:
        return self.whole.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.whole.headers

    async def read(self) -> bytes:
        return self.whole.body


@dataclass(frozen=True, slots=True)
class _Session:
    """Stands where tweepy expects its session: the same signed requests, to `base` if there is one.

    It keeps refusals from tweepy, whose reading of them fails on what is not the JSON that it expects.
    """

    base: str
    whose: str
    door: http.Door

    @asynccontextmanager
    async def request(self, method: str, url: URL, **wanted: Any) -> AsyncIterator[_Answer]:
        there = URL(f"{self.base}{url.raw_path_qs}", encoded=True) if self.base else url
        answer = await self.door.ask(method, there, **wanted)
        if not 200 <= answer.status < 300:
            raise _refusal(self.whose, answer.status, answer.headers, answer.body)
        yield _Answer(answer)


def rest(headers: Mapping[str, str]) -> float:
    """Seconds until the last of the limits that are used up begins anew; 0.0 where none is."""
    return max((http.until(headers.get(f"{one}-reset")) or 0.0 for one in LIMITS if headers.get(f"{one}-remaining") == "0"), default=0.0)


def _refusal(whose: str, status: int, headers: Mapping[str, str], body: bytes) -> AdapterError:
    """What an error answer means for a post. Of a body that is not a JSON object the status alone must speak."""
    said = http.decoded(body)
    answer: dict[str, object] = said if isinstance(said, dict) else {}
    why = quoted(answer.get("detail") or answer.get("title") or "no reason given")
    known: dict[int, AdapterError] = {
        401: NeedsOperator(f"X does not accept the keys of {whose}: renew them (a wrong clock here looks the same)."),
        402: NeedsOperator(f"X wants to be paid before it takes posts of {whose}: top up the developer account."),
        429: NotSent(f"X takes nothing of {whose} for now: a rate limit is used up.", _wait(headers)),
    }
    if status == 400 and answer:
        return Rejected(f"X refused the post: {why}. Edit the text.")
    if status == 403 and answer:
        return _forbidden(answer) or NeedsOperator(f"X forbids it to {whose}: {why}. Look at the app's permissions and the account.")
    return known.get(status) or OutcomeUnknown(f"X answered {status}, which does not tell whether it posted.", status)


def _forbidden(answer: Mapping[str, object]) -> AdapterError | None:
    """The kinds of 403 that are not the operator's, known by their words: gptme-contrib#811, node-twitter-api-v2#366, iembot#163."""
    words = json.dumps(answer).casefold()
    if "duplicate content" in words:
        return Duplicate("X says that this text was posted before: if no earlier attempt did it, change a word.", 403)
    if "reply to this conversation is not allowed" in words:
        return ReplyRefused("X lets this account reply only to those who mentioned it: post it by itself.")
    if "deleted or not visible to you" in words:
        return NotSent("X does not see the post that this one replies to yet.", PARENT_UNSEEN)
    return None


def _wait(headers: Mapping[str, str]) -> float | None:
    """How long: until the last used-up limit's reset, else as long as the one header says that is there."""
    return rest(headers) or http.until(headers.get("x-rate-limit-reset")) or http.seconds(headers.get("retry-after"))
