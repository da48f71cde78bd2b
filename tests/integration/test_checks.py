"""`POST /v1/checks`: the wording checks by themselves. That it needs a token stands in test_access.py, with every other route."""

from __future__ import annotations

import httpx

from tests.support.desk import Desk

INCIDENT = {"affected_domains": ["app.example.com", "203.0.113.7"], "own_domains": ["example.com"], "allowed_domains": ["help.example.com"]}


def test_a_text_is_checked_and_nothing_is_kept(desk: Desk) -> None:
    before = desk.http.get("/v1/announcements").json()
    told = desk.post("/v1/checks", {"text": "Not at https://app.example.com, nor 203.0.113.7.", "kind": "update", "incident": INCIDENT})
    assert told.status_code == 200, told.text
    assert told.json()["blocked"] is True
    blocks = [found for found in told.json()["findings"] if found["severity"] == "block"]
    assert [(found["rule"], found["excerpt"]) for found in blocks] == [
        ("live-link-affected", "https://app.example.com"),
        ("live-link-affected", "203.0.113.7"),
    ]
    assert blocks[0]["mend"] == "app[.]example[.]com"
    assert desk.http.get("/v1/announcements").json() == before


def test_a_filled_answer_counts(desk: Desk) -> None:
    body = {"text": "Our website is down.", "incident": INCIDENT}
    assert desk.post("/v1/checks", body).json()["blocked"] is True
    assert desk.post("/v1/checks", body | {"affected": "All who used it.", "if_affected": "Wait."}).json()["blocked"] is False


def test_it_is_refused_without_a_token_and_with_what_it_does_not_know(desk: Desk) -> None:
    url = f"{desk.stage.house.url}/v1/checks"
    assert httpx.post(url, json={"text": "Hello."}, trust_env=False).status_code == 401
    assert desk.post("/v1/checks", {"text": "Hello.", "colour": "red"}).status_code == 422
    assert desk.post("/v1/checks", {"text": " "}).status_code == 422
