"""The gate of a running server: floods are refused, and meanwhile banner, health and a broadcast go their way."""

from __future__ import annotations

import threading
import time
from collections import Counter

import httpx
import pytest

from tests.support.desk import Desk

FLOOD = "203.0.113.9"


def from_there(desk: Desk, path: str, address: str = FLOOD, **headers: str) -> httpx.Response:
    """A request as a proxy on this machine passes it on."""
    return httpx.get(desk.stage.house.url + path, headers={"X-Forwarded-For": address} | headers, trust_env=False)


def in_vain(desk: Desk, path: str, **headers: str) -> httpx.Response:
    """The same in a flood, which leaves a request through now and then, as many as the limit allows."""
    for _ in range(10):
        answer = from_there(desk, path, **headers)
        if answer.status_code == 429:
            break
    return answer


@pytest.mark.parametrize("path", ["/healthz", "/banner.json", "/approve/x", "/v1/announcements", "/v1/openapi.json"])
def test_another_host_gets_nothing(desk: Desk, path: str) -> None:
    answer = desk.http.get(path, headers={"Host": "rebound.example"})
    assert (answer.status_code, answer.json()["title"]) == (421, "This host is not Tocsin's.")


def test_it_answers_by_address_alone(desk: Desk) -> None:
    port = httpx.URL(desk.stage.house.url).port
    assert httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200


def test_a_flood_is_refused_and_delays_nothing_else(desk: Desk) -> None:
    over, answers = threading.Event(), Counter[int]()

    def flood() -> None:
        with httpx.Client(base_url=desk.stage.house.url, headers={"X-Forwarded-For": FLOOD}, trust_env=False) as client:
            while not over.is_set():
                answers[client.get("/approve/" + "A" * 43).status_code] += 1

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        while not answers[429]:
            time.sleep(0.02)
        refused = in_vain(desk, "/enrol/x")
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert int(refused.headers["retry-after"]) >= 1
        assert in_vain(desk, "/v1/announcements", Authorization="Bearer " + "x" * 43).status_code == 429
        for path in ("/healthz", "/banner.json", "/banner.html"):
            assert from_there(desk, path).status_code == 200
        assert from_there(desk, "/readyz", "203.0.113.10").status_code == 200
        accepted = desk.announce(destinations=["x", "telegram", "homepage"])
        desk.approve_by_both(accepted["id"])
        shown = desk.await_state(accepted["id"], "sent")
    finally:
        over.set()
        flooding.join()
    assert [len(delivery["attempts"]) for delivery in shown["deliveries"]] == [1, 1, 1]
    assert from_there(desk, "/banner.json").json()["active"] is True
    assert set(answers) == {404, 429}
