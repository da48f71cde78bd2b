"""A person at a browser, without the browser: logs in with a passkey in software, keeps cookies, and sends what our pages send."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from app.domain.approval import Decision, Statement
from app.domain.passkey import decode
from app.domain.roster import key_entry
from tests.support.desk import JSON, Desk
from tests.support.soft_passkey import SoftPasskey


def enrolled(desk: Desk, person: str) -> SoftPasskey:
    """A new passkey of that person, put into the roster's file."""
    made = SoftPasskey.create("localhost")
    roster = Path(desk.stage.house.folder / "roster.toml")
    roster.write_text(f"{roster.read_text()}\n{key_entry(person, made.passkey())}")
    return made


@dataclass
class Visitor:
    """One browser of one person at a running house."""

    desk: Desk
    person: str
    passkey: SoftPasskey
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.origin, trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    @property
    def origin(self) -> str:
        return self.desk.stage.house.url

    def asked(self, path: str = "/login") -> dict[str, Any]:
        """The data that a page carries."""
        page = self.http.get(path)
        assert page.status_code == 200, page.text
        found = re.search(r'<script type="application/json" id="request">(.*?)</script>', page.text, re.S)
        assert found
        told: dict[str, Any] = json.loads(found[1])
        return told

    def answer(self, challenge: str, **how: Any) -> dict[str, str]:
        """What the login page sends for that challenge; `how` is `SoftPasskey.assertion`'s."""
        signed = self.passkey.assertion(decode(challenge, "client_data_json"), how.pop("origin", self.origin), **how)
        return {name: value for name, value in signed.items() if name != "kind"} | {"challenge": challenge}

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """As a script of our own page sends it; a header of "" is left out."""
        sent = JSON | {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} | headers
        content = body if isinstance(body, str) else json.dumps(body)
        return self.http.post(path, content=content.encode(), headers={name: value for name, value in sent.items() if value})

    def log_in(self) -> httpx.Response:
        """Opens the login page and logs in."""
        return self.post("/login", self.answer(self.asked()["challenge"]))

    def logged_in(self) -> bool:
        """Whether the list is shown."""
        return self.http.get("/").status_code == 200

    def signed(self, request: dict[str, Any], decision: Decision = Decision.APPROVE) -> str:
        """The approval that the page of that request sends."""
        statement = Statement(
            announcement=request["announcement"],
            revision=request["revision"],
            environment=request["environment"],
            digest=request["digest"],
            person=self.person,
            decision=decision,
            nonce=request["nonce"],
            comment="",
        ).to_bytes()
        return json.dumps({"statement": statement.decode(), "signature": self.passkey.sign(statement, self.origin)})
