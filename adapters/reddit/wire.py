"""The way to Reddit: praw in threads, over a requestor that names every failure before prawcore could repeat it.

Rules kept here: nothing is ever sent a second time, a POST least of all; no call starts a POST once its time is over or its caller
gone; prawcore never sleeps (rate-limit headers are kept from it and heeded here, by refusing). praw is not made for threads, so each
call has a login to itself, and one that hangs holds up only itself. What an answer means for a post lies in `answers.py`; sources:
`docs/adapters/reddit.md`.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import praw
import prawcore
import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from adapters import http
from adapters.contract import AdapterError, NotSent, OutcomeUnknown, Secret
from adapters.reddit.answers import check_token, refusal, refused
from adapters.reddit.session import session

TOKEN_AT = "/api/v1/access_token"  # noqa: S105
YOUNG = 60.0  # seconds: a token of that age which is refused has not just run out
AT_ONCE = 4  # calls of one account
MADE_NO_SENSE = "Reddit gave an answer that makes no sense."


class _TokenRefused(AdapterError):
    """Carries `meaning`; the token must not be used again."""

    def __init__(self, meaning: AdapterError) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning


@dataclass
class _Account:
    """What all calls of one account share. Times here and below are of the monotonic clock."""

    whose: str
    resume_at: float = 0.0  # when the rate limit allows the next request


@dataclass
class _Call:
    deadline: float  # when it has to be over; 0 once nobody waits for it any more


@dataclass
class _Login:
    """One praw with its token and connection, for one call at a time."""

    account: _Account
    call: _Call
    session: requests.Session
    token_at: float = 0.0
    reddit: praw.Reddit | None = None


class Wire:
    """One account. `hosts` are www (tokens) and oauth, `named` where the operator wrote them; `whose` names the destination in errors."""

    def __init__(
        self, hosts: tuple[str, str], whose: str, login: Mapping[str, str], secrets: Mapping[str, Secret], *, named: bool = False
    ) -> None:
        self._hosts, self._login, self._secrets, self._named = hosts, login, secrets, named
        self._account = _Account(whose)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reddit")
        self._idle: list[_Login] = []
        self._closed = False

    @property
    def rest(self) -> float:
        """Seconds until the account's rate limit allows the next request."""
        return max(self._account.resume_at - time.monotonic(), 0.0)

    async def get(self, path: str, **params: str | int) -> object:
        """The decoded answer. Raises `NeedsOperator`, `NotSent`, `OutcomeUnknown`."""
        return await self._asked(method="GET", path=path, params=params)

    async def post(self, path: str, **form: object) -> object:
        """The decoded answer of a POST that Reddit took. Raises any `AdapterError` by what a failure means for a post."""
        answer = await self._asked(method="POST", path=path, data=form)
        if error := refused(answer, self._account.whose):
            raise error
        return answer

    async def aclose(self) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().session.close()

    async def _asked(self, **request: Any) -> object:
        call = _Call(time.monotonic() + http.TOTAL_TIMEOUT)
        job = self._threads.submit(self._in_thread, call, request)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            call.deadline = 0.0  # what the thread has not begun to send, it will not send
            raise

    def _in_thread(self, call: _Call, request: dict[str, Any]) -> object:
        try:
            login = self._idle.pop()  # the one that was used last
        except IndexError:
            login = _Login(self._account, call, session(named=self._named))
        login.call = call
        try:
            login.reddit = login.reddit or self._opened(login)
            return login.reddit.request(**request)
        except _TokenRefused as error:
            login.reddit = None
            raise error.meaning from error
        except AdapterError:
            raise
        except Exception as error:
            raise OutcomeUnknown(MADE_NO_SENSE) from error
        finally:
            if self._closed:
                login.session.close()
            else:
                self._idle.append(login)

    def _opened(self, login: _Login) -> praw.Reddit:
        """Every setting is given, so that no praw.ini and no variable of the environment has a say."""
        return praw.Reddit(
            "DEFAULT",
            requestor_class=_Requestor,
            requestor_kwargs={"login": login, "session": login.session},
            check_for_async=False,
            check_for_updates=False,
            reddit_url=self._hosts[0],
            oauth_url=self._hosts[1],
            redirect_uri=None,
            refresh_token=None,
            user_agent=f"python:tocsin:0.1 (by /u/{self._login['username']})",
            **self._login,
            **{name: secret.get_secret_value() for name, secret in self._secrets.items()},
        )


class _Requestor(prawcore.Requestor):
    """prawcore's way out, made strict: it gives back whole 2xx answers only and raises an `AdapterError` for all else."""

    def __init__(self, *, login: _Login, **settings: Any) -> None:
        super().__init__(**settings)
        self._login, self._account = login, login.account

    def request(self, *args: Any, timeout: float | None = None, **what: Any) -> requests.Response:
        """One request (method, URL), one answer. `timeout` is prawcore's and does not count: the call's deadline does."""
        method, url = args
        whose, for_token = self._account.whose, url.endswith(TOKEN_AT)
        if time.monotonic() >= self._login.call.deadline:
            raise NotSent("The time for Reddit was over before anything was posted.")
        if (wait := self._account.resume_at - time.monotonic()) > 0:
            raise NotSent(f"Reddit's rate limit of {whose} is used up.", wait)
        try:
            answer, body = self._exchanged(method, url, **what)
        except OutcomeUnknown as error:
            raise (NotSent(f"Could not log in. {error}") if for_token else error) from error
        self._heed(answer.headers)
        if for_token:
            check_token(answer, body, whose)
            self._login.token_at = time.monotonic()
        elif answer.status_code == 401:
            young = time.monotonic() - self._login.token_at < YOUNG
            raise _TokenRefused(refusal(answer, body, whose) if young else NotSent("Reddit's login ran out early: log in anew.", 1.0))
        elif not 200 <= answer.status_code < 300:
            raise refusal(answer, body, whose)
        return _whole(answer, body)

    def _exchanged(self, method: str, url: str, **what: Any) -> tuple[requests.Response, bytes]:
        call = self._login.call
        left = max(call.deadline - time.monotonic(), 0.001)
        try:
            with self._http.request(method, url, **what | {"allow_redirects": False, "stream": True, "timeout": left}) as answer:
                body = bytearray()
                while chunk := answer.raw.read1(65536, decode_content=True):
                    body += chunk
                    if len(body) > http.MAX_ANSWER or time.monotonic() >= call.deadline:
                        raise OutcomeUnknown("Reddit's answer did not end in time.")
                return answer, bytes(body)
        except (requests.RequestException, HTTPError, OSError) as error:
            if _never_left(error):
                raise NotSent("Reddit refused the connection.") from error
            raise OutcomeUnknown("The connection to Reddit broke before an answer came.") from error

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Reads the limits (remaining: a float; reset: seconds left). prawcore never sees them, so that it does not sleep on them."""
        left, reset = http.seconds(headers.get("x-ratelimit-remaining")), http.seconds(headers.get("x-ratelimit-reset"))
        if left is not None and left < 1 and reset is not None:
            self._account.resume_at = time.monotonic() + reset


def _whole(answer: requests.Response, body: bytes) -> requests.Response:
    whole = requests.Response()
    whole.status_code, whole.reason, whole.url = answer.status_code, answer.reason, answer.url
    whole.encoding, whole.raw = "utf-8", io.BytesIO(body)
    return whole


def _never_left(error: BaseException | None) -> bool:
    """Whether no connection came about. urllib3 hides the reason two deep: `ConnectionError(MaxRetryError(reason))`."""
    for _ in range(5):
        if isinstance(error, NewConnectionError | ConnectTimeoutError):
            return True
        inner = getattr(error, "reason", None) or (error.args[0] if error and error.args else None)
        error = inner if isinstance(inner, BaseException) else None
    return False
