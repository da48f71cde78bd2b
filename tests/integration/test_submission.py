"""What is accepted, what is refused, and how: nothing is lost, nothing is ignored, and every wrong field is named."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.desk import LEAST, Desk

NAME: dict[str, Any] = {"incident": {"name": "A name is enough"}}


def test_the_least_is_a_text_and_a_name(desk: Desk) -> None:
    accepted = desk.announce()
    assert accepted["kind"] == "initial"
    assert {r["destination"] for r in accepted["renderings"]} == {r["id"] for r in _destinations(desk)}
    assert accepted["missing"] == {
        "approvals": 2,
        "cli_signature": False,
        "reviewers": ["first-reviewer", "second-reviewer"],
        "overrides": [],
    }
    assert accepted["digest"].startswith("sha256:")


def _destinations(desk: Desk) -> list[dict[str, Any]]:
    items = desk.http.get("/v1/destinations").json()["items"]
    return [{"id": item["destination"]} for item in items]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"text", "incident"}),
        (NAME | {"text": ""}, {"text"}),
        (NAME | {"text": " \n\u3000"}, {"text"}),
        (NAME | {"text": "a" * 100_000}, {"text"}),
        (NAME | {"text": "half \ud800 a character"}, {"text"}),
        (NAME | {"text": "bell \x07"}, {"text"}),
        (NAME | LEAST | {"txet": "misspelt"}, {"txet"}),
        (LEAST | {"incident": {"name": "x", "afected_domains": []}}, {"incident.afected_domains"}),
        (LEAST | {"incident": {"name": "two\nlines"}}, {"incident.name"}),
        (LEAST | {"incident": {"name": "x", "affected_domains": ["https://evil.example/x"]}}, {"incident.affected_domains.0"}),
        (LEAST | {"incident": {"name": "x", "time_zone": "Mars/Olympus"}}, {"incident.time_zone"}),
        (NAME | LEAST | {"kind": "shout"}, {"kind"}),
        (NAME | LEAST | {"destinations": ["x", "nowhere"]}, {"destinations"}),
        (NAME | LEAST | {"affected": "", "if_affected": 7}, {"affected", "if_affected"}),
    ],
)
def test_every_wrong_field_is_named(desk: Desk, body: dict[str, Any], fields: set[str]) -> None:

    answer = desk.http.post("/v1/announcements", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert all(error["message"] for error in answer.json()["errors"])


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    answer = desk.http.post("/v1/announcements", content=b"{not json", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "JSON" in answer.text


def test_a_huge_body_is_refused(desk: Desk) -> None:
    answer = desk.http.post("/v1/announcements", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_hidden_characters_and_links_to_the_affected_site_are_findings_not_refusals(desk: Desk) -> None:
    accepted = desk.announce(
        text="If you opened https://app.example.com\u200b or \u202eexample\u202c today, change your password.",
        incident={"name": "Findings", "affected_domains": ["app.example.com"]},
    )
    assert {f["rule"] for f in accepted["findings"] if f["severity"] == "block"} == {"live-link-affected", "hidden-characters"}
    assert set(accepted["missing"]["overrides"]) == {"live-link-affected", "hidden-characters"}
    refused = desk.decide(accepted["id"], "first-reviewer")
    assert refused.status_code == 409
    assert "override" in refused.json()["detail"]


def test_an_override_with_a_reason_lets_a_block_be_signed(desk: Desk) -> None:
    accepted = desk.announce(
        text="The page app.example.com is safe again.",
        kind="update",
        incident={"name": "Overridden", "affected_domains": ["app.example.com"]},
        overrides=[{"rule": "live-link-affected", "reason": "We own it again, and say so."}],
    )
    assert accepted["missing"]["overrides"] == []
    assert desk.decide(accepted["id"], "first-reviewer").status_code == 200


def test_the_same_key_and_body_give_the_same_announcement(desk: Desk) -> None:
    body = LEAST | {"incident": {"name": "Once"}}
    first = desk.post("/v1/announcements", body, **{"Idempotency-Key": "once-1"})
    again = desk.post("/v1/announcements", body, **{"Idempotency-Key": "once-1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = desk.post("/v1/announcements", body | {"text": "Another text."}, **{"Idempotency-Key": "once-1"})
    assert other.status_code == 409
    assert "key" in other.json()["detail"]


def test_many_requests_at_once_with_one_key_make_one_announcement(desk: Desk) -> None:
    body = LEAST | {"incident": {"name": "All at once"}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _n: desk.post("/v1/announcements", body, **{"Idempotency-Key": "storm"}), range(16)))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["id"] for a in answers}) == 1


def test_two_announcements_of_one_name_are_of_one_incident(desk: Desk) -> None:
    first = desk.announce(incident={"name": "Shared name"})
    second = desk.announce(incident={"name": "Shared name"}, kind="update")
    third = desk.announce(incident=first["incident"]["slug"], kind="update")
    assert first["incident"]["id"] == second["incident"]["id"] == third["incident"]["id"]
    shown = desk.http.get(f"/v1/incidents/{first['incident']['id']}").json()
    assert [a["kind"] for a in shown["announcements"]] == ["initial", "update", "update"]


def test_lists_have_cursors(desk: Desk) -> None:
    ids = [desk.announce()["id"] for _ in range(3)]
    page = desk.http.get("/v1/announcements", params={"limit": 2}).json()
    assert [item["id"] for item in page["items"]] == [ids[2], ids[1]]
    following = desk.http.get("/v1/announcements", params={"limit": 2, "before": page["next"]}).json()
    assert following["items"][0]["id"] == ids[0]


def test_facts_of_an_incident_can_follow_and_are_never_ignored(desk: Desk) -> None:
    desk.announce(incident={"name": "Facts follow"})
    later = desk.announce(
        incident={"name": "Facts follow", "affected_domains": ["app.example.com"]}, kind="update", text="Stay away from app.example.com."
    )
    assert [f["rule"] for f in later["findings"] if f["severity"] == "block"] == ["live-link-affected"]
    shown = desk.http.get(f"/v1/incidents/{later['incident']['id']}").json()
    assert shown["facts"]["affected_domains"] == ["app.example.com"]


def test_the_evidence_of_an_announcement_verifies_elsewhere(desk: Desk) -> None:
    from app.domain.approval import Approval, verify
    from app.domain.manifest import digest
    from app.domain.roster import Roster

    accepted = desk.announce()
    desk.decide(accepted["id"], "first-reviewer")
    evidence = desk.http.get(f"/v1/announcements/{accepted['id']}/approvals").json()
    assert digest(evidence["manifest"].encode()) == evidence["digest"] == accepted["digest"]
    roster = Roster.parse((desk.stage.house.folder / "roster.toml").read_text())
    approval = Approval.from_json(json.dumps(evidence["approvals"][0]))
    assert verify(approval, roster, origin=desk.stage.house.url, rp_id="localhost").person.id == "first-reviewer"
