"""Two people, and the exact bytes: who counts, what ends a revision, and that nothing else makes anything leave."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from app.domain.approval import Decision
from app.rehearsal import play
from tests.support.desk import JSON, LEAST, Desk


def test_one_person_twice_is_one_person(desk: Desk) -> None:
    accepted = desk.announce()
    for _ in range(2):
        answer = desk.decide(accepted["id"], "first-reviewer")
        assert answer.json() == {"decision": "approve", "state": "awaiting_approval", "missing": 1}
    assert desk.read(accepted["id"])["deliveries"] == []


def test_a_signature_with_somebody_elses_key_does_not_count(desk: Desk) -> None:
    accepted = desk.announce()
    forged = desk.signed(desk.statement(accepted["id"], "second-reviewer"), "first-reviewer")
    answer = desk.http.post(f"/v1/announcements/{accepted['id']}/approvals", content=forged.encode(), headers=JSON)
    assert answer.status_code == 403
    assert desk.read(accepted["id"])["approvals"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [({"digest": "sha256:" + "0" * 64}, 409), ({"revision": 2}, 409), ({"environment": "live"}, 409), ({"person": "nobody"}, 403)],
)
def test_a_signature_over_something_else_does_not_count(desk: Desk, change: dict[str, Any], status: int) -> None:
    accepted = desk.announce()
    statement = dataclasses.replace(desk.statement(accepted["id"], "first-reviewer"), **change)
    approval = desk.signed(statement, "first-reviewer")
    answer = desk.http.post(f"/v1/announcements/{accepted['id']}/approvals", content=approval.encode(), headers=JSON)
    assert answer.status_code == status, answer.text
    assert desk.read(accepted["id"])["missing"]["approvals"] == 2


def test_an_approval_of_another_announcement_does_not_count(desk: Desk) -> None:
    one, other = desk.announce(), desk.announce()
    approval = desk.signed(desk.statement(one["id"], "first-reviewer"), "first-reviewer")
    answer = desk.http.post(f"/v1/announcements/{other['id']}/approvals", content=approval.encode(), headers=JSON)
    assert answer.status_code == 409


def test_a_new_revision_voids_every_approval(desk: Desk) -> None:
    accepted = desk.announce()
    old = desk.signed(desk.statement(accepted["id"], "second-reviewer"), "second-reviewer")
    desk.decide(accepted["id"], "first-reviewer")
    revised = desk.post(f"/v1/announcements/{accepted['id']}/revisions", {"text": "If you used Example Web, wait."})
    assert revised.status_code == 202
    assert (revised.json()["revision"], revised.json()["missing"]["approvals"]) == (2, 2)
    late = desk.http.post(f"/v1/announcements/{accepted['id']}/approvals", content=old.encode(), headers=JSON)
    assert late.status_code == 409
    assert "newer revision" in late.json()["title"]


def test_a_rejection_ends_its_revision_only(desk: Desk) -> None:
    accepted = desk.announce()
    desk.decide(accepted["id"], "first-reviewer")
    rejected = desk.decide(accepted["id"], "second-reviewer", Decision.REJECT)
    assert rejected.json()["state"] == "returned"
    assert desk.decide(accepted["id"], "first-reviewer", comment="again").status_code in {200, 409}
    assert desk.read(accepted["id"])["state"] == "returned"
    assert desk.post(f"/v1/announcements/{accepted['id']}/revisions", LEAST).status_code == 202
    assert desk.approve_by_both(accepted["id"]).json()["state"] == "approved"
    told = desk.http.get(f"/v1/incidents/{accepted['incident']['id']}/timeline").json()["items"]
    assert "Please look again." in json.dumps(told)


def test_a_cancelled_announcement_cannot_be_signed(desk: Desk) -> None:
    accepted = desk.announce()
    assert desk.post(f"/v1/announcements/{accepted['id']}/cancel").json()["state"] == "cancelled"
    assert desk.decide(accepted["id"], "first-reviewer").status_code == 409


def test_what_has_gone_out_can_be_neither_cancelled_nor_revised(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    desk.approve_by_both(accepted["id"])
    desk.await_state(accepted["id"], "sent")
    assert desk.post(f"/v1/announcements/{accepted['id']}/cancel").status_code == 409
    assert desk.post(f"/v1/announcements/{accepted['id']}/revisions", LEAST).status_code == 409


def test_a_link_is_bound_to_its_person_closes_after_use_and_opening_changes_nothing(desk: Desk) -> None:
    accepted = desk.announce()
    links = play.await_links(desk.stage, accepted["digest"], lambda _text: None)
    link = links["first-reviewer"]
    before = desk.read(accepted["id"])
    for _ in range(3):
        assert desk.http.get(link).status_code == 200
        assert desk.http.head(link).status_code == 200
    assert desk.read(accepted["id"]) | {"asked": []} == before | {"asked": []}, "all but that their mails were sent meanwhile"

    request = desk.http.get(f"{link}/request").json()
    other = desk.signed(desk.statement(accepted["id"], "second-reviewer", nonce=request["nonce"]), "second-reviewer")
    assert desk.http.post(link, content=other.encode()).status_code == 403
    mine = desk.signed(desk.statement(accepted["id"], "first-reviewer", nonce=request["nonce"]), "first-reviewer")
    assert desk.http.post(link, content=mine.encode()).status_code == 200
    closed = desk.http.get(f"{link}/request").json()
    assert (closed["usable"], closed["why_not"]) == (False, "You have already decided on this revision.")
    reject = desk.statement(accepted["id"], "first-reviewer", Decision.REJECT, nonce=request["nonce"])
    assert desk.http.post(link, content=desk.signed(reject, "first-reviewer").encode()).status_code == 409


def test_a_link_expires_and_dies_with_its_revision(desk: Desk) -> None:
    accepted = desk.announce()
    link = play.await_links(desk.stage, accepted["digest"], lambda _text: None)["first-reviewer"]
    desk.post(f"/v1/announcements/{accepted['id']}/revisions", LEAST)
    assert "newer revision" in desk.http.get(f"{link}/request").json()["why_not"]
    assert desk.http.get(f"{desk.stage.house.url}/approve/{'A' * 43}").status_code == 404


def test_a_page_of_a_link_is_private(desk: Desk) -> None:
    accepted = desk.announce()
    link = play.await_links(desk.stage, accepted["digest"], lambda _text: None)["second-reviewer"]
    headers = desk.http.get(link).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    token = link.rsplit("/", 1)[1]
    log = (desk.stage.house.folder / "server.log").read_text()
    assert token not in log
    database = b"".join(path.read_bytes() for path in (desk.stage.house.folder / "data").iterdir())
    assert token.encode() not in database


def test_links_can_be_asked_for_again(desk: Desk) -> None:
    accepted = desk.announce()
    first = play.await_links(desk.stage, accepted["digest"], lambda _text: None)
    assert desk.post(f"/v1/announcements/{accepted['id']}/ask").status_code == 200
    fresh = play._until(
        lambda: (links := desk.stage.links(accepted["digest"])) != first and links["first-reviewer"] != first["first-reviewer"] and links,
        "fresh links",
    )
    assert desk.http.get(f"{fresh['first-reviewer']}/request").json()["usable"]
    desk.post(f"/v1/announcements/{accepted['id']}/cancel")
    assert desk.post(f"/v1/announcements/{accepted['id']}/ask").status_code == 409


def test_media_are_refused_with_a_clear_message(desk: Desk) -> None:
    answer = desk.post("/v1/announcements", LEAST | {"incident": {"name": "Picture"}, "media": ["https://example.com/x.png"]})
    assert answer.status_code == 422
    assert "text only" in answer.json()["errors"][0]["message"]


def test_a_reviewer_is_told_what_changed_since_the_revision_that_they_signed_about(desk: Desk) -> None:
    texts = [f"If you used Example Web today, move your {what} to a new wallet now." for what in ("funds", "coins", "tokens")]
    accepted = desk.announce(destinations=["x"], text=texts[0])
    path = f"/v1/announcements/{accepted['id']}"
    assert desk.http.get(f"{path}/approval-request", params={"person": "first-reviewer"}).json()["changes"] is None
    desk.decide(accepted["id"], "first-reviewer", Decision.REQUEST_CHANGES)
    for text in texts[1:]:
        assert desk.post(f"{path}/revisions", {"text": text, "destinations": ["x"]}).status_code == 202
    told = {who: desk.http.get(f"{path}/approval-request", params={"person": who}).json()["changes"] for who in ("first-reviewer", "", "x")}
    assert {who: (one["since"], one["signed"]) for who, one in told.items()} == {
        "first-reviewer": (1, True),
        "": (2, False),
        "x": (2, False),
    }
    for who, before in (("first-reviewer", "funds "), ("", "coins ")):
        first = told[who]["items"][0]
        assert [text for kind, text in first["pieces"] if kind != "same"] == [before, "tokens "]
        assert "x (primary)" in " ".join([item["where"] for item in told[who]["items"]] + first["also"])
    shown = desk.tocsin(
        "reject",
        accepted["id"],
        "--person",
        "first-reviewer",
        "--key",
        str(desk.stage.house.key("first-reviewer")),
        "--yes",
        "--comment",
        "No",
    )
    assert "Changed since revision 1, which you signed about:" in shown
    assert "move your [-funds -]{+tokens +}to a new wallet now." in shown
