"""Following an announcement: server-sent events as they happen, from where one left off; the timeline; checks of destinations."""

from __future__ import annotations

import threading
from typing import Any

import httpx

from app.cli.client import Client
from tests.support.desk import Desk


def test_events_come_as_they_happen_and_end_with_it(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    client = Client(desk.stage.house.url, desk.stage.house.token)
    seen: list[dict[str, Any]] = []
    following = threading.Thread(target=lambda: seen.extend(client.events(f"/v1/announcements/{accepted['id']}/events")))
    following.start()
    desk.approve_by_both(accepted["id"])
    desk.await_state(accepted["id"], "sent")
    following.join(20)
    assert not following.is_alive(), "the stream has to end once it is sent"
    events = [entry["event"] for entry in seen]
    assert events[0] == "revision-submitted"
    assert events.index("decision-approve") < events.index("approved") < events.index("broadcast-begun") < events.index("delivery-posted")
    assert events[-1] == "broadcast-sent"
    assert [entry["seq"] for entry in seen] == sorted({entry["seq"] for entry in seen})

    later = list(client.events(f"/v1/announcements/{accepted['id']}/events", after=seen[3]["seq"]))
    assert later == seen[4:]
    client._http.close()


def test_events_of_what_is_not_there_are_a_problem(desk: Desk) -> None:
    answer = desk.http.get("/v1/announcements/an_nothing/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_incidents_timeline_pages(desk: Desk) -> None:
    accepted = desk.announce()
    path = f"/v1/incidents/{accepted['incident']['slug']}/timeline"
    first = desk.http.get(path, params={"limit": 1}).json()
    assert first["items"][0]["event"] == "incident-opened"
    rest = desk.http.get(path, params={"after": first["next"]}).json()
    assert rest["items"][0]["event"] == "revision-submitted"
    assert rest["next"] is None


def test_a_check_proves_every_account_and_posts_nothing(desk: Desk) -> None:
    before = {name: len(posts) for name, posts in desk.stage.state().items() if name not in {"log", "smtp"}}
    items = desk.post("/v1/destinations/check").json()["items"]
    assert {item["destination"]: item["ok"] for item in items if item["platform"] != "manual"} == {
        item["destination"]: True for item in items if item["platform"] != "manual"
    }, items
    assert {name: len(posts) for name, posts in desk.stage.state().items() if name not in {"log", "smtp"}} == before
    assert {item["destination"] for item in desk.http.get("/v1/destinations").json()["items"] if item["check"]} == {
        item["destination"] for item in items
    }


def test_the_banner_answers_304_to_who_has_it(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "homepage"])
    desk.approve_by_both(accepted["id"])
    desk.await_state(accepted["id"], "sent")
    url = desk.stage.house.url + "/banner.json"
    shown = httpx.get(url, trust_env=False)
    assert shown.json()["id"] == accepted["id"]
    assert shown.headers["access-control-allow-origin"] == "*"
    assert "stale-if-error" in shown.headers["cache-control"]
    again = httpx.get(url, headers={"If-None-Match": shown.headers["etag"]}, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")


def test_an_announcement_can_clear_the_banner(desk: Desk) -> None:
    for clear in (False, True):
        accepted = desk.announce(destinations=["x", "homepage"], clear_banner=clear)
        desk.approve_by_both(accepted["id"])
        desk.await_state(accepted["id"], "sent")
        assert desk.http.get("/banner.json").json()["active"] is not clear
