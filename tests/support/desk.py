"""Acting as the people of a rehearsal: announcing, and signing with anybody's key, rightly or wrongly."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx

from app.cli import signing
from app.domain.approval import Approval, Decision, SshSignature, Statement
from app.rehearsal.play import Stage

JSON = {"Content-Type": "application/json"}
LEAST: dict[str, Any] = {"text": "If you used Example Web today, move your funds to a new wallet now."}


@dataclass(frozen=True)
class Desk:
    """A running rehearsal as its people use it."""

    stage: Stage

    @property
    def http(self) -> httpx.Client:
        return self.stage.http

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A POST of JSON with the machine token."""
        return self.http.post(path, json={} if body is None else body, headers=headers)

    def announce(self, **changes: Any) -> dict[str, Any]:
        """A new announcement of an incident of its own."""
        unique = secrets.token_hex(4)  # X refuses a text that it has seen before
        body = {"text": f"{LEAST['text']} ({unique})", "incident": {"name": f"Incident {unique}"}} | changes
        answer = self.post("/v1/announcements", body)
        assert answer.status_code == 202, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted

    def read(self, announcement: str) -> dict[str, Any]:
        """Its state now."""
        shown: dict[str, Any] = self.http.get(f"/v1/announcements/{announcement}").json()
        return shown

    def statement(self, announcement: str, person: str, decision: Decision = Decision.APPROVE, **changes: Any) -> Statement:
        """What that person would sign of the current revision."""
        request = self.http.get(f"/v1/announcements/{announcement}/approval-request").json()
        manifest = signing.read(request)
        true = Statement(
            announcement=announcement,
            at=f"{request['now'][:19]}Z" if decision is Decision.UNSEAL else "",
            comment="" if decision in {Decision.APPROVE, Decision.UNSEAL} else "Please look again.",
            decision=decision,
            digest=request["digest"],
            environment="drill" if manifest.environment == "drill" else "live",
            nonce=request["nonce"],
            person=person,
            revision=manifest.revision,
        )
        return replace(true, **changes)

    def signed(self, statement: Statement, key_of: str) -> str:
        """The approval JSON of that statement, signed with somebody's key."""
        raw = statement.to_bytes()
        signer = signing.signer(str(self.stage.house.key(key_of)))
        return Approval(raw, SshSignature(signer.sign(raw))).to_json()

    def decide(self, announcement: str, person: str, decision: Decision = Decision.APPROVE, **changes: Any) -> httpx.Response:
        """One signed decision, sent to the API."""
        approval = self.signed(self.statement(announcement, person, decision, **changes), person)
        return self.http.post(f"/v1/announcements/{announcement}/approvals", content=approval.encode(), headers=JSON)

    def approve_by_both(self, announcement: str) -> httpx.Response:
        """Both reviewers approve; the second answer comes back."""
        first = self.decide(announcement, "first-reviewer")
        assert first.status_code == 200, first.text
        return self.decide(announcement, "second-reviewer")

    def order(self, platform: str, fault: str, **more: Any) -> None:
        """Orders a fault of a stand-in."""
        body = {"platform": platform, "fault": fault} | more
        httpx.post(f"{self.stage.stand_ins['main']}/faults", json=body, trust_env=False).raise_for_status()

    def well(self) -> None:
        """Takes back all faults."""
        httpx.delete(f"{self.stage.stand_ins['main']}/faults", trust_env=False).raise_for_status()

    def reads(self, announcement: str, until: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Its form once that is so."""
        from app.rehearsal.play import _until

        def there() -> dict[str, Any] | None:
            shown = self.read(announcement)
            return shown if until(shown) else None

        shown: dict[str, Any] = _until(there, f"{announcement}: {what}")
        return shown

    def tocsin(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """What `tocsin` says, on both streams; it must have this exit code, and never shows a traceback."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        environ = clean | {"TOCSIN_URL": self.stage.house.url, "TOCSIN_TOKEN": self.stage.house.token}
        command = [sys.executable, "-m", "app.cli", *arguments]
        done = subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def await_state(self, announcement: str, *states: str) -> dict[str, Any]:
        """Its final form once it is in one of the states."""
        from app.rehearsal.play import _until

        def there() -> dict[str, Any] | None:
            shown = self.read(announcement)
            return shown if shown["state"] in states else None

        shown: dict[str, Any] = _until(there, f"{announcement} to be {' or '.join(states)}")
        return shown


def printed(told: str) -> dict[str, Any]:
    """What a command printed with --json, before what it said beside."""
    value: dict[str, Any] = json.JSONDecoder().raw_decode(told)[0]
    return value


def delivery(shown: dict[str, Any], destination: str) -> dict[str, Any]:
    """The one to that destination."""
    return next(d for d in shown["deliveries"] if d["destination"] == destination)
