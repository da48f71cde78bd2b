"""How commands reach the API: `TOCSIN_URL` and `TOCSIN_TOKEN`, one request each, refusals told in a person's words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import click
import httpx

DEFAULT_URL = "http://localhost:8400"


class Client:
    """A client of one Tocsin. Raises `click.ClickException` (exit code 1) where it refuses or cannot be reached."""

    def __init__(self, url: str = "", token: str = "") -> None:
        self.url = (url or os.environ.get("TOCSIN_URL", DEFAULT_URL)).rstrip("/")
        token = token or os.environ.get("TOCSIN_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET."""
        return self._json("GET", path, params=params)

    def post(self, path: str, body: Any, key: str = "") -> Any:
        """The JSON of a POST; `key` is its Idempotency-Key."""
        return self._json("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})

    def post_raw(self, path: str, body: str) -> Any:
        """The JSON of a POST of text that is JSON already, byte for byte."""
        return self._json("POST", path, content=body.encode(), headers={"Content-Type": "application/json"})

    def events(self, path: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """The server-sent events of a path, as their JSON data; ends when the server ends it."""
        with self._http.stream("GET", path, headers={"Last-Event-ID": str(after)}, timeout=httpx.Timeout(30, read=60)) as answer:
            if answer.status_code != 200:
                answer.read()
                self._refused(answer)
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def _json(self, method: str, path: str, **how: Any) -> Any:
        try:
            answer = self._http.request(method, path, **how)
        except httpx.HTTPError as error:
            raise click.ClickException(
                f"Tocsin at {self.url} cannot be reached ({type(error).__name__}). Is it running? Set TOCSIN_URL."
            ) from error
        if not answer.is_success:
            self._refused(answer)
        return answer.json()

    def _refused(self, answer: httpx.Response) -> NoReturn:
        try:
            told = answer.json()
            lines = [f"{told['title']} {told.get('detail', '')}".strip()]
            lines += [f"  {error['field']}: {error['message']}" for error in told.get("errors", [])]
        except (ValueError, KeyError, TypeError):
            lines = [f"Tocsin at {self.url} answered {answer.status_code}, and not in its own words. Is that address right?"]
        if answer.status_code == 401:
            lines.append("Set TOCSIN_TOKEN to a machine token.")
        raise click.ClickException("\n".join(lines))


def put_json(value: Any) -> None:
    """One JSON value on stdout and nothing else."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
