"""The company's domain is the incident, and Tocsin's own name lies in it: no page, link or passkey; two SSH keys and an address do it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from app.rehearsal import domain, play
from app.rehearsal.play import stage
from tests.support.desk import Desk
from tests.support.visitor import Visitor, enrolled

TAKEN = {"incident": {"name": "DNS hijacked", "affected_domains": ["localhost"]}}
"""In these tests Tocsin's own name is localhost."""


@pytest.fixture
def mails(desk: Desk) -> None:
    """Stand-ins that hold no mail of the tests before."""
    httpx.post(f"{desk.stage.stand_ins['main']}/reset", trust_env=False).raise_for_status()


def test_the_drill_sends_by_two_keys_and_an_address_alone() -> None:
    command = [sys.executable, "-m", "app.cli", "rehearse", "--drill", "domain", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["announcement"]["state"] == "sent"
    assert {approval["key"] for approval in told["approvals"]} == {"ssh"}
    assert {d["state"] for d in told["deliveries"]} == {"posted"}
    assert "no name, no page, no mail" in done.stderr
    assert re.search(r"its address, http://127\.0\.0\.1:\d+", done.stderr)


def test_no_mail_holds_a_link_to_a_name_that_is_taken(desk: Desk, mails: None) -> None:
    accepted = desk.announce(**TAKEN, destinations=["team"])
    assert "lies inside localhost, which is affected" in accepted["pages_closed"]

    def mailed() -> list[dict[str, Any]]:
        return [mail for mail in desk.stage.state()["smtp"] if accepted["digest"] in mail["text"]]

    found: list[dict[str, Any]] = play._until(lambda: len(mailed()) == 3 and mailed(), "the mails to both reviewers and the team")
    for mail in found:
        assert "/approve/" not in mail["text"]
        assert f"tocsin approve {accepted['id']} --person YOU" in mail["text"]


def test_a_passkey_signs_nothing_for_it_and_two_ssh_keys_do(desk: Desk) -> None:
    accepted = desk.announce(**TAKEN, destinations=["team"])
    with Visitor(desk, "first-reviewer", enrolled(desk, "first-reviewer")) as visitor:
        visitor.log_in()
        request = visitor.asked(f"/announcements/{accepted['id']}")
        assert (request["usable"], request["why_not"]) == (False, accepted["pages_closed"])
        signed = visitor.signed(request)
        refused = visitor.post(f"/announcements/{accepted['id']}", signed, **{"X-CSRF-Token": request["csrf"]})
        assert (refused.status_code, refused.json()["title"]) == (409, "No passkey signs for this incident.")
        assert desk.http.post(f"/v1/announcements/{accepted['id']}/approvals", content=signed).status_code == 409
    assert desk.read(accepted["id"])["approvals"] == []
    assert desk.approve_by_both(accepted["id"]).json()["missing"] == 0
    desk.await_state(accepted["id"], "sent")


def test_a_link_that_was_mailed_before_leaves_nothing_out_any_more(desk: Desk) -> None:
    """The domain is named as affected by a later announcement of the same incident: lists of facts grow."""
    name = "Website down"
    accepted = desk.announce(incident={"name": name}, destinations=["telegram"])
    link = play.await_links(desk.stage, accepted["digest"], lambda _text: None)["first-reviewer"]
    assert desk.http.get(f"{link}/request").json()["usable"]
    desk.announce(incident={"name": name, "affected_domains": ["localhost"]}, destinations=["team"])
    why = {"destination": "telegram", "why": "I hold the domain."}
    later = desk.http.get(f"{link}/request").json()
    assert (later["usable"], "lies inside localhost" in later["why_not"]) == (False, True)
    refused = desk.post(f"{link}/exclude", why, Origin=desk.stage.house.url)
    assert (refused.status_code, refused.json()["title"]) == (409, "By this link nothing is left out.")


def test_the_quiet_day_tells_of_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """At a start, and by `tocsin check`; and over HTTPS the login's cookies are of the kind that no other host can set."""
    with stage(tmp_path_factory.mktemp("own"), environ=domain.ENVIRON) as started:
        log = (started.house.folder / "server.log").read_text()
        assert "own-domain" in log
        assert "hangs on example.com, which is one of your own domains" in Desk(started).tocsin("check", "--server")
        kept = httpx.get(f"{started.house.url}/login", trust_env=False).headers["set-cookie"]
    assert kept.startswith("__Host-tocsin-browser=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(kept.split("; "))
    assert "Domain=" not in kept


def test_a_name_of_its_own_is_not_warned_of(desk: Desk) -> None:
    assert desk.post("/v1/destinations/check").json()["warnings"] == []
