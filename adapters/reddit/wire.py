"""The way to Reddit: praw in threads, over a requestor that names every failure before prawcore could repeat it.

Rules kept here: nothing is ever sent a second time, a POST least of all; no call starts a POST once its time is over or its caller
gone; prawcore never sleeps (rate-limit headers are kept from it and heeded here, by refusing). praw is not made for threads, so each
call has a login to itself, and one that hangs holds up only itself. What an answer means for a post lies in `_refusal` and
`refused`; sources: `docs/adapters/reddit.md`.
"""

from __future__ import annotations

import asyncio
import io
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import praw
import prawcore
import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from adapters import http
from adapters.contract import AdapterError, NeedsOperator, NotSent, OutcomeUnknown, Rejected, Secret
from adapters.http import dig
from adapters.reddit.text import pause
from adapters.text import quoted

TOKEN_AT = "/api/v1/access_token"  # noqa: S105
YOUNG = 60.0  # seconds: a token of that age which is refused has not just run out
AT_ONCE = 4  # calls of one account
REJECTED = frozenset({"TOO_LONG", "NO_TEXT", "BAD_URL", "NO_SELFS", "NO_LINKS", "DOMAIN_BANNED"})
OPERATOR = frozenset({"SUBREDDIT_NOTALLOWED", "SUBREDDIT_NOEXIST", "BANNED_FROM_SUBREDDIT", "IN_TIMEOUT", "USER_REQUIRED"})
MADE_NO_SENSE = "Reddit gave an answer that makes no sense."


class Conflict(OutcomeUnknown):
    """Reddit says that it is so already."""


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


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc that replaces the token
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


@dataclass
class _Login:
    """One praw with its token and connection, for one call at a time."""

    account: _Account
    call: _Call
    session: requests.Session = field(default_factory=_session)
    token_at: float = 0.0
    reddit: praw.Reddit | None = None


class Wire:
    """One account. `hosts` are www (tokens) and oauth; `whose` names the destination in errors."""

    def __init__(self, hosts: tuple[str, str], whose: str, login: Mapping[str, str], secrets: Mapping[str, Secret]) -> None:
        self._hosts, self._login, self._secrets = hosts, login, secrets
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
            login = _Login(self._account, call)
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
            _check_token(answer, body, whose)
            self._login.token_at = time.monotonic()
        elif answer.status_code == 401:
            young = time.monotonic() - self._login.token_at < YOUNG
            raise _TokenRefused(_refusal(answer, body, whose) if young else NotSent("Reddit's login ran out early: log in anew.", 1.0))
        elif not 200 <= answer.status_code < 300:
            raise _refusal(answer, body, whose)
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


def _check_token(answer: requests.Response, body: bytes, whose: str) -> None:
    """Raises for an answer without a token; a login posts nothing, so it is `NotSent` whatever went wrong."""
    token, status = http.decoded(body), answer.status_code
    if status == 429:
        raise NotSent(f"Reddit lets {whose} not log in for now: a rate limit is used up.", _wait(answer.headers))
    if status in (400, 401, 403) or (status == 200 and dig(token, "error") is not None):
        raise NeedsOperator(f"Reddit does not let {whose} log in: correct its client id, client secret, username or password.")
    value, life, scope = (dig(token, name) for name in ("access_token", "expires_in", "scope"))
    right = isinstance(value, str) and re.fullmatch(r"[!-~]+", value) and isinstance(life, int) and isinstance(scope, str)
    if status != 200 or not right:
        raise NotSent(f"Could not log in: Reddit answered {status} without a token.")


def _refusal(answer: requests.Response, body: bytes, whose: str) -> AdapterError:
    """What a status other than 2xx means for a post."""
    status, said = answer.status_code, http.decoded(body)
    if status == 429:
        return NotSent(f"Reddit takes nothing of {whose} for now: a rate limit is used up.", _wait(answer.headers))
    if status == 401:
        return NeedsOperator(f"Reddit does not accept the login of {whose}: look at the account and the app.")
    if status == 403 and (dig(said, "error") == 403 or "insufficient_scope" in answer.headers.get("www-authenticate", "")):
        return NeedsOperator(f"Reddit forbids it to {whose}: look at the app's scopes and the account's standing in the subreddit.")
    if status == 400 and str(dig(said, "reason")).startswith("SUBMIT_VALIDATION_"):
        return Rejected(f"Reddit refused the post: {quoted(dig(said, 'explanation') or dig(said, 'reason'))}. Edit it.")
    if status == 409:
        return Conflict("Reddit says that it is so already.")
    return OutcomeUnknown(f"Reddit answered {status}, which does not tell whether it posted.", status)


def refused(answer: object, whose: str) -> AdapterError | None:
    """What the error triplets of a 200 mean; None where there are none. One that is not known makes it `OutcomeUnknown`."""
    errors = dig(answer, "json", "errors")
    if errors in ([], None):
        return None
    codes = [code if isinstance(code := dig(error, 0), str) else "" for error in errors] if isinstance(errors, list) else [""]
    told = quoted(dig(errors, 0, 1) or codes[0] or "no reason given")
    if all(code in REJECTED or code.startswith("SUBMIT_VALIDATION_") for code in codes):
        return Rejected(f"Reddit refused the post: {told}. Edit it.")
    if set(codes) <= OPERATOR:
        return NeedsOperator(f"Reddit does not let {whose} post there: {told}. Look at the subreddit and the account.")
    if set(codes) == {"RATELIMIT"}:
        seconds = dig(answer, "json", "ratelimit") or dig(answer, "ratelimit")
        wait = float(seconds) if isinstance(seconds, int | float) else pause(str(dig(errors, 0, 1)))
        return NotSent(f"Reddit wants {whose} to wait: {told}.", None if wait is None else min(max(wait, 1.0), http.LONGEST_WAIT))
    return OutcomeUnknown(f"Reddit reports an error that is not known here: {told}.")


def _wait(headers: Mapping[str, str]) -> float | None:
    """As long as the first of the headers says that is there; at least a second."""
    wait = http.seconds(headers.get("retry-after"), headers.get("x-ratelimit-reset"))
    return None if wait is None else max(wait, 1.0)
