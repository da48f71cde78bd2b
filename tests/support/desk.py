"""Acting as the people of a rehearsal: announcing, and signing with anybody's key, rightly or wrongly."""

from __future__ import annotations

import secrets
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
            comment="" if decision is Decision.APPROVE else "Please look again.",
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

    def await_state(self, announcement: str, *states: str) -> dict[str, Any]:
        """Its final form once it is in one of the states."""
        from app.rehearsal.play import _until

        def there() -> dict[str, Any] | None:
            shown = self.read(announcement)
            return shown if shown["state"] in states else None

        shown: dict[str, Any] = _until(there, f"{announcement} to be {' or '.join(states)}")
        return shown
