"""What is sent can be wrong: the correction that was written in advance needs only approvals, and replies to the wrong posts."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.manifest import Manifest
from app.rehearsal import play
from tests.support.desk import Desk, delivery

PLACES = ["x", "reddit", "telegram", "discord"]
WRONG = "The warning of today was wrong: you need not move your funds."


@pytest.fixture(autouse=True)
def _well_again(desk: Desk) -> Any:
    yield
    desk.well()


def signed(desk: Desk, id_: str) -> Manifest:
    return Manifest.parse(desk.http.get(f"/v1/announcements/{id_}/approvals").json()["manifest"].encode())


def out(desk: Desk, **changes: Any) -> dict[str, Any]:
    accepted = desk.announce(**{"destinations": PLACES} | changes)
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def test_the_one_written_in_advance_goes_by_approvals_alone(desk: Desk) -> None:
    wrong = out(desk, correction=WRONG)
    assert signed(desk, wrong["id"]).correction == wrong["correction"] == WRONG
    assert not [post for post in desk.stage.state()["x"] if WRONG in post["text"]], "it waits"
    answer = desk.post(f"/v1/announcements/{wrong['id']}/correction", {})
    assert answer.status_code == 202
    proposed = answer.json()
    assert (proposed["kind"], proposed["state"], proposed["missing"]["approvals"]) == ("correction", "awaiting_approval", 2)
    links = play.await_links(desk.stage, proposed["digest"], lambda _text: None)
    for person, link in links.items():
        play.sign(desk.stage, person, link, lambda _text: None)
    shown = desk.await_state(proposed["id"], "sent")
    for platform in PLACES:
        mine = [post for post in desk.stage.state()[platform] if post["permalink"] == delivery(shown, platform)["permalink"]]
        assert len(mine) == 1
        assert mine[0]["reply_to"] == delivery(wrong, platform)["remote_id"]
        assert (WRONG in mine[0]["text"]) is (platform == "x")


def test_it_is_shown_to_who_signs_and_its_words_are_checked(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"], correction="It was [what it was] and TODO.")
    found = {(one["rule"], one["destination"]) for one in accepted["findings"] if one["severity"] == "block"}
    assert found == {("placeholder", "correction")}
    assert desk.decide(accepted["id"], "first-reviewer").status_code == 409, "a gap in it blocks as any other"
    told = desk.tocsin("revise", accepted["id"], "--text", "Wait for news.", "--correction", WRONG)
    assert "a correction, not sent now" in told
    assert WRONG in told
    assert not [one for one in desk.read(accepted["id"])["findings"] if one["severity"] == "block"]
    desk.tocsin("revise", accepted["id"], "--text", "Wait for more news.")
    assert desk.read(accepted["id"])["correction"] == WRONG, "a revision keeps it"
    assert WRONG in desk.tocsin("status", accepted["id"])
    desk.tocsin("revise", accepted["id"], "--correction", "")
    assert desk.read(accepted["id"])["correction"] is None


def test_one_that_a_destination_cannot_carry_is_refused_in_advance(desk: Desk) -> None:
    long = {"incident": {"name": "Long"}, "text": "Wait.", "destinations": ["x"], "correction": "Everything was wrong. " * 600}
    answer = desk.post("/v1/announcements", long)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["destinations.x"]


def test_the_command_line_corrects_by_new_words_or_those_of_before(desk: Desk) -> None:
    wrong = out(desk)
    refused = desk.tocsin("correct", wrong["id"], code=1)
    assert "No correction was written in advance. Give its `text`." in refused
    told = desk.tocsin("correct", wrong["id"], "--text", "It was the app, not the website.")
    assert "awaiting approval" in told
    assert "2 signatures missing" in told
    assert "Give the text once" in desk.tocsin("correct", wrong["id"], "-", "--text", "x", code=2)


def test_what_is_not_out_cannot_be_corrected(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"], correction=WRONG)
    answer = desk.post(f"/v1/announcements/{accepted['id']}/correction", {})
    assert (answer.status_code, answer.json()["detail"]) == (409, "Nothing of it went out: revise or cancel it instead.")
    assert desk.post("/v1/announcements/an_nothing/correction", {}).status_code == 404


def test_the_same_call_again_proposes_no_second_one(desk: Desk) -> None:
    wrong = out(desk, destinations=["x"], correction=WRONG)
    again = [desk.post(f"/v1/announcements/{wrong['id']}/correction", {}, **{"Idempotency-Key": f"k-{wrong['id']}"}).json() for _ in "ab"]
    assert again[0]["id"] == again[1]["id"]


def test_a_mail_is_marked_without_a_url_and_a_post_is_not(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram", "team"])

    def mailed() -> bool:
        mails = [mail for mail in desk.stage.state()["smtp"] if accepted["digest"] in mail["text"]]
        return len(mails) >= 3  # both reviewers and the team

    play._until(mailed, "the approval mails")
    desk.order("smtp", "cut-after")
    desk.order("telegram", "cut-after")
    desk.approve_by_both(accepted["id"])
    shown = desk.await_state(accepted["id"], "incomplete")
    assert [delivery(shown, place)["state"] for place in ("telegram", "team")] == ["unknown", "unknown"]
    told = desk.tocsin("status", accepted["id"])
    assert f"tocsin mark {delivery(shown, 'team')['id']}\n" in told
    assert f"tocsin mark {delivery(shown, 'telegram')['id']} URL\n" in told
    assert "That URL is no post on telegram" in desk.tocsin("mark", f"{accepted['id']}:telegram", code=1)
    assert "team is posted." in desk.tocsin("mark", f"{accepted['id']}:team")
    there = next(post["permalink"] for post in desk.stage.state()["telegram"] if delivery(shown, "x")["permalink"] in post["text"])
    desk.tocsin("mark", f"{accepted['id']}:telegram", there)
    assert delivery(desk.await_state(accepted["id"], "sent"), "team")["permalink"] is None
