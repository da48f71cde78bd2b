"""The way to Reddit: praw in a thread of its own, over a requestor that names every failure before prawcore could repeat it.

Rules kept here: nothing is ever sent a second time, a POST least of all; no call starts a POST once its time is over or its caller
gone; prawcore never sleeps (rate-limit headers are kept from it and heeded here, by refusing). What an answer means for a post
lies in `_refusal` and `refused`; sources: `docs/adapters/reddit.md`.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import praw
import prawcore
import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from adapters import http
from adapters.contract import AdapterError, NeedsOperator, NotSent, OutcomeUnknown, Rejected, Secret
from adapters.reddit.text import dig, pause
from adapters.text import quoted

TOKEN_AT = "/api/v1/access_token"  # noqa: S105
YOUNG = 60.0  # seconds: a token of that age which is refused has not just run out
LONGEST_WAIT = 3600.0
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
class _Gate:
    """What one account's requests share. Times are of the monotonic clock."""

    whose: str
    deadline: float = 0.0  # when the call under way has to be over; 0 once nobody waits for it any more
    token_at: float = 0.0
    resume_at: float = 0.0  # when the rate limit allows the next request


class Wire:
    """One account. `hosts` are www (tokens) and oauth; `whose` names the destination in errors."""

    def __init__(self, hosts: tuple[str, str], whose: str, login: Mapping[str, str], secrets: Mapping[str, Secret]) -> None:
        self._hosts, self._login, self._secrets = hosts, login, secrets
        self._gate = _Gate(whose)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reddit")
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc that replaces the token
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._reddit: praw.Reddit | None = None

    async def get(self, path: str, **params: str | int) -> object:
        """The decoded answer. Raises `NeedsOperator`, `NotSent`, `OutcomeUnknown`."""
        return await self._asked(method="GET", path=path, params=params)

    async def post(self, path: str, **form: object) -> object:
        """The decoded answer of a POST that Reddit took. Raises any `AdapterError` by what a failure means for a post."""
        answer = await self._asked(method="POST", path=path, data=form)
        if error := refused(answer, self._gate.whose):
            raise error
        return answer

    async def aclose(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _asked(self, **request: Any) -> object:
        job = self._thread.submit(self._in_thread, time.monotonic() + http.TOTAL_TIMEOUT, request)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            self._gate.deadline = 0.0  # what the thread has not begun to send, it will not send
            raise

    def _in_thread(self, deadline: float, request: dict[str, Any]) -> object:
        self._gate.deadline = deadline
        try:
            self._reddit = self._reddit or self._opened()
            return self._reddit.request(**request)
        except _TokenRefused as error:
            self._reddit = None
            raise error.meaning from error
        except AdapterError:
            raise
        except Exception as error:
            raise OutcomeUnknown(MADE_NO_SENSE) from error

    def _opened(self) -> praw.Reddit:
        """Every setting is given, so that no praw.ini and no variable of the environment has a say."""
        return praw.Reddit(
            "DEFAULT",
            requestor_class=_Requestor,
            requestor_kwargs={"gate": self._gate, "session": self._session},
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

    def __init__(self, *, gate: _Gate, **settings: Any) -> None:
        super().__init__(**settings)
        self._gate = gate

    def request(self, *args: Any, timeout: float | None = None, **what: Any) -> requests.Response:
        """One request (method, URL), one answer. `timeout` is prawcore's and does not count: the call's deadline does."""
        method, url = args
        gate, for_token = self._gate, url.endswith(TOKEN_AT)
        if time.monotonic() >= gate.deadline:
            raise NotSent("The time for Reddit was over before anything was posted.")
        if (wait := gate.resume_at - time.monotonic()) > 0:
            raise NotSent(f"Reddit's rate limit of {gate.whose} is used up.", min(wait, LONGEST_WAIT))
        try:
            answer, body = self._exchanged(method, url, **what)
        except OutcomeUnknown as error:
            raise (NotSent(f"Could not log in. {error}") if for_token else error) from error
        self._heed(answer.headers)
        if for_token:
            _check_token(answer, body, gate.whose)
            gate.token_at = time.monotonic()
        elif answer.status_code == 401:
            young = time.monotonic() - gate.token_at < YOUNG
            raise _TokenRefused(_refusal(answer, body, gate.whose) if young else NotSent("Reddit's login ran out early: log in anew.", 1.0))
        elif not 200 <= answer.status_code < 300:
            raise _refusal(answer, body, gate.whose)
        return _whole(answer, body)

    def _exchanged(self, method: str, url: str, **what: Any) -> tuple[requests.Response, bytes]:
        left = max(self._gate.deadline - time.monotonic(), 0.001)
        try:
            with self._http.request(method, url, **what | {"allow_redirects": False, "stream": True, "timeout": left}) as answer:
                body = bytearray()
                while chunk := answer.raw.read1(65536, decode_content=True):
                    body += chunk
                    if len(body) > http.MAX_ANSWER or time.monotonic() >= self._gate.deadline:
                        raise OutcomeUnknown("Reddit's answer did not end in time.")
                return answer, bytes(body)
        except (requests.RequestException, HTTPError, OSError) as error:
            if _never_left(error):
                raise NotSent("Reddit refused the connection.") from error
            raise OutcomeUnknown("The connection to Reddit broke before an answer came.") from error

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Reads the limits (remaining: a float; reset: seconds left). prawcore never sees them, so that it does not sleep on them."""
        try:
            if float(headers["x-ratelimit-remaining"]) < 1:
                self._gate.resume_at = time.monotonic() + min(float(headers["x-ratelimit-reset"]), LONGEST_WAIT)
        except (KeyError, ValueError):
            return


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
    token, status = _decoded(body), answer.status_code
    if status == 429:
        raise NotSent(f"Reddit lets {whose} not log in for now: a rate limit is used up.", _retry_after(answer.headers))
    if status in (400, 401, 403) or (status == 200 and dig(token, "error") is not None):
        raise NeedsOperator(f"Reddit does not let {whose} log in: correct its client id, client secret, username or password.")
    value, life, scope = (dig(token, name) for name in ("access_token", "expires_in", "scope"))
    right = isinstance(value, str) and re.fullmatch(r"[!-~]+", value) and isinstance(life, int) and isinstance(scope, str)
    if status != 200 or not right:
        raise NotSent(f"Could not log in: Reddit answered {status} without a token.")


def _refusal(answer: requests.Response, body: bytes, whose: str) -> AdapterError:
    """What a status other than 2xx means for a post."""
    status, said = answer.status_code, _decoded(body)
    if status == 429:
        return NotSent(f"Reddit takes nothing of {whose} for now: a rate limit is used up.", _retry_after(answer.headers))
    if status == 401:
        return NeedsOperator(f"Reddit does not accept the login of {whose}: look at the account and the app.")
    if status == 403 and (dig(said, "error") == 403 or "insufficient_scope" in answer.headers.get("www-authenticate", "")):
        return NeedsOperator(f"Reddit forbids it to {whose}: look at the app's scopes and the account's standing in the subreddit.")
    if status == 400 and str(dig(said, "reason")).startswith("SUBMIT_VALIDATION_"):
        return Rejected(f"Reddit refused the post: {quoted(dig(said, 'explanation') or dig(said, 'reason'))}. Edit it.")
    if status == 409:
        return Conflict("Reddit says that it is so already.")
    return OutcomeUnknown(f"Reddit answered {status}, which does not tell whether it posted.")


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
        return NotSent(f"Reddit wants {whose} to wait: {told}.", None if wait is None else min(max(wait, 1.0), LONGEST_WAIT))
    return OutcomeUnknown(f"Reddit reports an error that is not known here: {told}.")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    seconds = headers.get("retry-after", "")
    return min(max(float(seconds), 1.0), LONGEST_WAIT) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", seconds) else None


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
