"""How commands reach the API: `TOCSIN_URL` and `TOCSIN_TOKEN` (or `TOCSIN_TOKEN_FILE`), refusals told in a person's words.

A lost connection is tried again, a POST under the same Idempotency-Key, so that nothing is done twice. An approval link is opened
without the token: it may come from anybody.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click
import httpx

from app.cli.output import one_line, safe
from app.cli.output import put_json as put_json

DEFAULT_URL = "http://localhost:8400"
PAUSES = (0.3, 0.8, 1.6)
"""Seconds before each further try."""
_LATER = frozenset({429, 502, 503, 504})  # beyond one's share; or a proxy answers, the server behind it does not


class Unreachable(click.ClickException):
    """No answer came, at any try; `perhaps`: the request was sent, and may have been done all the same."""

    def __init__(self, message: str, perhaps: bool) -> None:
        super().__init__(message + ("\nPerhaps it was done all the same: look with `tocsin status`." if perhaps else ""))
        self.perhaps = perhaps


def route(*segments: str) -> str:
    """A path under `/v1` of segments that may hold anything."""
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


class Client:
    """A client of one Tocsin. Raises `click.ClickException` (exit code 1) where it refuses or cannot be reached."""

    def __init__(self, url: str = "", token: str | None = None) -> None:
        self.url = (url or os.environ.get("TOCSIN_URL", "") or DEFAULT_URL).strip().rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise click.ClickException(f"TOCSIN_URL must begin with https:// or http://, not {one_line(self.url)!r}.")
        token = _own_token() if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(headers=headers, timeout=30, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON object of a GET."""
        return self._json("GET", path, params=params)

    def pages(self, path: str, cursor: str, after: Any = None, **params: Any) -> Iterator[dict[str, Any]]:
        """All items of a listing, page by page; `cursor` is the name of its parameter, `after` where to begin."""
        while True:
            page = self.get(path, limit=200, **params, **({cursor: after} if after is not None else {}))
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def post(self, path: str, body: Any, key: str = "") -> Any:
        """The JSON object of a POST; `key` is its Idempotency-Key, a fresh one unless given."""
        try:
            raw = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise click.ClickException("What you gave is not text in UTF-8. Check the terminal's locale.") from None
        return self._json("POST", path, content=raw, headers=_JSON | {"Idempotency-Key": key or str(uuid.uuid4())})

    def post_raw(self, path: str, body: str) -> Any:
        """The JSON object of a POST of an approval, byte for byte; the same decision again changes nothing."""
        return self._json("POST", path, content=body.encode(), headers=_JSON)

    def events(self, path: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """The server-sent events of a path, as their JSON data; ends when the server ends it or the connection is lost."""
        headers, patience = {"Last-Event-ID": str(after)}, httpx.Timeout(30, read=60)
        try:
            with self._http.stream("GET", self.url + path, headers=headers, timeout=patience) as answer:
                if answer.status_code != 200:
                    answer.read()
                    self._refused(answer)
                for line in answer.iter_lines():
                    if line.startswith("data:"):
                        yield json.loads(line[5:])
        except (httpx.RequestError, ValueError):
            return

    def _json(self, method: str, path: str, **how: Any) -> Any:
        answer = self._send(method, path, how)
        if not answer.is_success:
            self._refused(answer)
        try:
            told = answer.json()
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise click.ClickException(f"What {self.url} answered is not Tocsin's. Is that address right? Set TOCSIN_URL.")
        return told

    def _send(self, method: str, path: str, how: Mapping[str, Any]) -> httpx.Response:
        """The answer, at the latest to the last try."""
        for pause in (*PAUSES, None):
            try:
                answer = self._http.request(method, self.url + path, **how)
                if answer.status_code not in _LATER or pause is None:
                    return answer
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise click.ClickException(f"TOCSIN_URL is no address: {one_line(error)}.") from error
            except httpx.RequestError as error:
                if pause is None:
                    raise self._unreachable(error, method) from error
            time.sleep(pause)
        raise AssertionError  # pragma: no cover

    def _unreachable(self, error: httpx.RequestError, method: str) -> Unreachable:
        why = one_line(error) or type(error).__name__
        perhaps = method == "POST" and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        return Unreachable(f"Tocsin at {self.url} cannot be reached ({why}). Is it running? Set TOCSIN_URL.", perhaps)

    def _refused(self, answer: httpx.Response) -> NoReturn:
        try:
            told = answer.json()
            lines = [f"{told['title']} {told.get('detail', '')}".strip()]
            lines += [f"  {error['field']}: {error['message']}" for error in told.get("errors", [])]
        except (ValueError, KeyError, TypeError, AttributeError):
            lines = [f"Tocsin at {self.url} answered {answer.status_code}, and not in its own words. Is that address right?"]
        if answer.status_code == 401:
            lines.append("Set TOCSIN_TOKEN to a machine token whose entry the server has in TOCSIN_API_TOKENS (`tocsin token`).")
        raise click.ClickException(safe("\n".join(lines)))


_JSON = {"Content-Type": "application/json"}


def _own_token() -> str:
    token, file = os.environ.get("TOCSIN_TOKEN", ""), os.environ.get("TOCSIN_TOKEN_FILE", "")
    if not token and file:
        try:
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise click.ClickException(f"TOCSIN_TOKEN_FILE: {file} cannot be read ({error}).") from error
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise click.ClickException("TOCSIN_TOKEN holds a character that no token has. Copy it again.")
    return token
