"""What Reddit's answers mean for a post: statuses, the error triplets of a 200, and answers to a login. Nothing here asks Reddit.

Rules kept here: a login posts nothing, so whatever goes wrong there is `NotSent` or the operator's; whatever is not recognised in an
answer to a post is `OutcomeUnknown`. The assignment is ours; sources: `docs/adapters/reddit.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests

from adapters import http
from adapters.contract import AdapterError, NeedsOperator, NotSent, OutcomeUnknown, Rejected
from adapters.http import dig
from adapters.reddit.text import pause
from adapters.text import quoted

REJECTED = frozenset({"TOO_LONG", "NO_TEXT", "BAD_URL", "NO_SELFS", "NO_LINKS", "DOMAIN_BANNED"})
OPERATOR = frozenset({"SUBREDDIT_NOTALLOWED", "SUBREDDIT_NOEXIST", "BANNED_FROM_SUBREDDIT", "IN_TIMEOUT", "USER_REQUIRED"})


class Conflict(OutcomeUnknown):
    """Reddit says that it is so already."""


def check_token(answer: requests.Response, body: bytes, whose: str) -> None:
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


def refusal(answer: requests.Response, body: bytes, whose: str) -> AdapterError:
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
