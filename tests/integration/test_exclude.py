"""An account that is not ours any more: one person excludes it, at once, and what follows is true for what goes out, what is out,
what waits for signatures, and all that comes later. Judged by what the stand-ins hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.domain.manifest import Manifest
from app.rehearsal import play
from app.rehearsal.play import stage
from tests.support.desk import Desk, delivery

WHY = "It posts of a giveaway."
PLACES = ["x", "reddit", "telegram", "discord"]
AT_ONCE = 30.0
"""Seconds; the primary's limit is ten minutes here."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with stage(tmp_path_factory.mktemp("exclude"), environ={"TOCSIN_FALLBACK_SECONDS": "600"}) as started:
        yield Desk(started)


@pytest.fixture(autouse=True)
def _ours_again(desk: Desk) -> Iterator[None]:
    yield
    desk.well()
    desk.post("/v1/destinations/x/include")
    for incident in desk.http.get("/v1/incidents").json()["items"]:
        if incident["state"] == "open":  # so that no test's exclusion proposes something for another's
            desk.post(f"/v1/incidents/{incident['id']}/resolve")


def exclude(desk: Desk, destination: str = "x") -> list[str]:
    answer = desk.post(f"/v1/destinations/{destination}/exclude", {"why": WHY})
    assert answer.status_code == 200, answer.text
    proposed: list[str] = answer.json()["proposed"]
    return proposed


def link_of(desk: Desk, accepted: dict[str, Any], person: str = "first-reviewer") -> str:
    return play.await_links(desk.stage, accepted["digest"], lambda _text: None)[person]


def posts(desk: Desk, platform: str, words: str) -> list[dict[str, Any]]:
    return [post for post in desk.stage.state()[platform] if words in post["text"]]


def out(desk: Desk, **changes: Any) -> dict[str, Any]:
    """An announcement that has gone out everywhere."""
    accepted = desk.announce(**{"destinations": PLACES} | changes)
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def _led_by_telegram(desk: Desk, shown: dict[str, Any]) -> None:
    telegram = delivery(shown, "telegram")
    assert shown["primaries"]["leads"] == "telegram"
    assert (telegram["role"], telegram["state"]) == ("primary", "posted")
    assert telegram["seconds_from_approval"] < AT_ONCE
    for pointer in ("reddit", "discord"):
        assert delivery(shown, pointer)["state"] == "posted"
        assert len(posts(desk, pointer, telegram["permalink"])) == 1


def test_in_mid_broadcast_the_next_fallback_leads_at_once(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.order("x", "refused")
    desk.approve_by_both(accepted["id"])
    desk.reads(accepted["id"], lambda now: bool(delivery(now, "x")["problem"]), "X cannot be reached")
    assert exclude(desk) == [], "nothing points there yet"
    shown = desk.await_state(accepted["id"], "sent")
    _led_by_telegram(desk, shown)
    x = delivery(shown, "x")
    assert x["state"] == "skipped"
    assert WHY in x["problem"]
    assert posts(desk, "x", accepted["text"]) == []


def test_one_whose_answer_is_due_is_not_waited_for(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.order("x", "hang")
    desk.approve_by_both(accepted["id"])
    desk.reads(accepted["id"], lambda now: delivery(now, "x")["state"] == "sending", "X is asked")
    exclude(desk)
    shown = desk.reads(accepted["id"], lambda now: {delivery(now, p)["state"] for p in ("reddit", "discord")} == {"posted"}, "pointers")
    _led_by_telegram(desk, shown)
    desk.well()
    shown = desk.await_state(accepted["id"], "sent")
    assert "posted after all" in delivery(shown, "x")["problem"]


def test_a_failed_one_that_is_left_out_lets_the_announcement_end(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.order("reddit", "401", count=3)
    desk.approve_by_both(accepted["id"])
    desk.await_state(accepted["id"], "incomplete")
    exclude(desk, "reddit")
    shown = desk.await_state(accepted["id"], "sent")
    assert delivery(shown, "reddit")["state"] == "skipped"
    desk.post("/v1/destinations/reddit/include")
    desk.post("/v1/destinations/reddit/resume")


def test_after_the_post_a_correction_is_proposed_by_the_click_of_one_reviewer(desk: Desk) -> None:
    earlier = out(desk)
    before = {platform: len(desk.stage.state()[platform]) for platform in PLACES}
    link = link_of(desk, earlier)
    answer = httpx.post(f"{link}/exclude", json={"destination": "x", "why": WHY}, headers={"Origin": desk.stage.house.url}, trust_env=False)
    assert answer.status_code == 200, answer.text
    (id_,) = answer.json()["proposed"]
    assert {platform: len(desk.stage.state()[platform]) for platform in PLACES} == before, (
        "what is out stands; nothing new without signatures"
    )

    shown = desk.read(id_)
    assert (shown["kind"], shown["state"], shown["incident"]) == ("correction", "awaiting_approval", earlier["incident"])
    assert {r["destination"]: r["role"] for r in shown["renderings"]} == {"reddit": "pointer", "telegram": "primary", "discord": "pointer"}
    links = play.await_links(desk.stage, shown["digest"], lambda _text: None)
    for person, its in links.items():
        play.sign(desk.stage, person, its, lambda _text: None)
    shown = desk.await_state(id_, "sent")
    full = posts(desk, "telegram", "Our account on X is not in our hands any more.")
    assert "Our updates are here from now on." in full[0]["text"]
    for platform in ("telegram", "reddit", "discord"):
        said = posts(desk, platform, "not in our hands any more")
        assert len(said) == 1
        assert said[0]["reply_to"] == delivery(earlier, platform)["remote_id"], "it replies to the earlier post"
        assert platform == "telegram" or delivery(shown, "telegram")["permalink"] in said[0]["text"]
    assert len(desk.stage.state()["x"]) == before["x"]
    actors = {e["event"]: e["actor"] for e in desk.http.get("/v1/timeline", params={"limit": 200}).json()["items"]}
    assert actors["destination-excluded"] in {"first-reviewer", "token:rehearsal"}
    told = desk.http.get("/v1/destinations").json()["items"]
    assert next(item["held"]["by"] for item in told if item["destination"] == "x") == "first-reviewer"


def test_what_waits_for_signatures_can_be_signed_and_goes_out_without_it(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    exclude(desk)
    page = desk.http.get(f"{link_of(desk, accepted)}/request").json()
    assert [(hold["destination"], hold["kind"], hold["why"]) for hold in page["held"]] == [("x", "excluded", WHY)]
    desk.approve_by_both(accepted["id"])
    shown = desk.await_state(accepted["id"], "sent")
    _led_by_telegram(desk, shown)
    assert delivery(shown, "x")["state"] == "skipped"
    assert posts(desk, "x", accepted["text"]) == []


def test_what_comes_later_passes_it_by_until_it_is_included(desk: Desk) -> None:
    first = out(desk)
    proposed = exclude(desk)
    for id_ in proposed:
        desk.post(f"/v1/announcements/{id_}/cancel")
    later = desk.announce(incident=first["incident"]["id"], kind="update")
    assert "x" not in {r["destination"] for r in later["renderings"]}
    assert later["primaries"]["order"] == ["telegram"]
    named = desk.post("/v1/announcements", {"incident": {"name": "Named"}, "text": "Wait.", "destinations": ["x", "telegram"]})
    assert named.status_code == 422
    assert named.json()["errors"] == [{"field": "destinations", "message": f"“x” is excluded: {WHY}"}]
    assert "tocsin include" in named.json()["detail"]
    assert desk.post("/v1/destinations/x/include").status_code == 200
    assert "x" not in {r["destination"] for r in desk.read(later["id"])["renderings"]}, "what was made meanwhile stays as it is"
    assert "x" in {r["destination"] for r in desk.announce(incident=first["incident"]["id"], kind="update")["renderings"]}
    again = desk.post("/v1/destinations/x/include")
    assert (again.status_code, again.json()["title"]) == (409, "x is not excluded.")


def test_the_command_line_says_what_follows_and_what_is_held(desk: Desk) -> None:
    earlier = out(desk)
    told = desk.tocsin("exclude", "x", "--why", WHY)
    assert "Nothing more is sent to x." in told
    (id_,) = re.findall(r"tocsin status (an_\w+)", told)
    assert "tocsin include x" in told
    assert "Nothing more is sent to x." in desk.tocsin("exclude", "x", "--why", WHY), "again changes nothing"
    excluded = f"x is excluded by token:rehearsal: {WHY}"
    assert excluded in desk.tocsin("status")
    assert excluded in desk.tocsin("status", earlier["id"])
    assert excluded in desk.tocsin("check", "--server")
    desk.post(f"/v1/announcements/{id_}/cancel")
    assert "no destination “nowhere”" in desk.tocsin("exclude", "nowhere", "--why", "x", code=1)
    assert "--why" in desk.tocsin("exclude", "x", code=2)
    assert "Later announcements go to x again." in desk.tocsin("include", "x")


def test_a_revision_by_the_command_line_leaves_it_out(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    exclude(desk)
    told = desk.tocsin("revise", accepted["id"], "--text", "If you used Example Web, wait for our next update here.")
    assert "Left out, as excluded: x." in told
    assert {r["destination"] for r in desk.read(accepted["id"])["renderings"]} == {"reddit", "telegram", "discord"}


def test_a_link_excludes_only_from_its_own_page_and_its_own_accounts(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    url = link_of(desk, accepted) + "/exclude"
    own = {"Origin": desk.stage.house.url}
    good = {"destination": "x", "why": WHY}

    def post(headers: dict[str, str], body: Any, to: str = url) -> httpx.Response:
        return httpx.post(to, json=body, headers=headers, trust_env=False)

    assert httpx.get(url, trust_env=False).status_code == 405
    assert post({"Origin": "https://evil.example"}, good).status_code == 403
    assert post(own | {"Sec-Fetch-Site": "cross-site"}, good).status_code == 403
    assert (
        httpx.post(url, content=b'{"destination":"x","why":"y"}', headers={"Content-Type": "text/plain"}, trust_env=False).status_code
        == 403
    )
    assert post(own, {"destination": "reddit", "why": WHY}).status_code == 404
    for why in ("", " \n", "x" * 401, "a\x1b[2J", None, 3):
        assert post(own, {"destination": "x", "why": why}).status_code == 422, why
    misshapen: tuple[Any, ...] = ([], "x", {"why": WHY}, {"destination": "x"})
    for body in misshapen:
        assert post(own, body).status_code == 422, body
    assert post(own, good, url.replace("/approve/", "/approve/x")).status_code == 404
    assert not [item for item in desk.http.get("/v1/destinations").json()["items"] if item["held"]], "none of that did anything"
    assert post(own, good).json() == {"destination": "x", "excluded": True, "proposed": []}
    assert post(own, good).json()["proposed"] == [], "a second click changes nothing"
    desk.approve_by_both(accepted["id"])
    assert post(own, {"destination": "telegram", "why": WHY}).status_code == 200, "who has signed can still do it"
    desk.post("/v1/destinations/telegram/include")


def test_a_correction_for_which_nobody_is_left_is_said_not_to_be_proposed(desk: Desk) -> None:
    shown = out(desk, destinations=["x", "discord"])
    assert exclude(desk) == []
    path = f"/v1/incidents/{shown['incident']['id']}/timeline"
    told = [entry["data"]["why"] for entry in desk.http.get(path).json()["items"] if entry["event"] == "correction-not-proposed"]
    assert len(told) == 1
    assert "Pointers need a primary" in told[0]


def test_the_manifest_of_a_proposal_holds_what_it_replies_to(desk: Desk) -> None:
    earlier = out(desk)
    (id_,) = exclude(desk)
    signed = Manifest.parse(desk.http.get(f"/v1/announcements/{id_}/approvals").json()["manifest"].encode())
    replies = {planned.id: planned.reply_to.remote_id for planned in signed.destinations if planned.reply_to}
    assert replies == {id_: delivery(earlier, id_)["remote_id"] for id_ in ("reddit", "telegram", "discord")}
    desk.post(f"/v1/announcements/{id_}/cancel")
