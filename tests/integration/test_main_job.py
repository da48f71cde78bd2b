"""The main job, end to end, through the REST API, real mails and real signatures, judged by the stand-ins' own record."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from app.rehearsal import play
from app.rehearsal.play import Stage
from app.rehearsal.report import judge, result


def quiet(_text: str) -> None:
    """Says nothing."""


def test_an_update_goes_out_once_everywhere(running: Stage) -> None:
    accepted = play.submit(running, quiet)
    assert accepted["state"] == "awaiting_approval"
    assert accepted["missing"]["approvals"] == 2
    assert not running.state()["x"], "nothing may leave before two people signed"

    links = play.await_links(running, accepted["digest"], quiet)
    assert play.sign(running, "first-reviewer", links["first-reviewer"], quiet)["missing"] == 1
    assert not running.state()["x"], "one signature is not two"
    play.sign(running, "second-reviewer", links["second-reviewer"], quiet)
    shown = play.await_end(running, accepted["id"], quiet)

    banner = running.http.get("/banner.json").json()
    incident = running.http.get(f"/v1/incidents/{shown['incident']['id']}").json()
    outcome = result(shown, banner, incident)
    assert judge(outcome, shown, running.state()), outcome
    assert banner["digest"] == accepted["digest"]
    assert {f["kind"]: f["state"] for f in outcome["follow_ups"]} == {"summary": "waiting", "postmortem": "waiting"}


def test_no_pointer_is_older_than_the_primary(running: Stage) -> None:
    state = running.state()
    primary = min(post["at"] for post in state["x"])
    pointers = [post for platform in ("reddit", "telegram", "discord") for post in state[platform]]
    assert pointers
    assert all(post["at"] > primary for post in pointers)
    assert all(state["x"][0]["permalink"] in post["text"] for post in pointers)


def test_rehearse_prints_one_json_object() -> None:
    done = subprocess.run([sys.executable, "-m", "app.cli", "rehearse", "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert set(told) == {"announcement", "approvals", "deliveries", "banner", "follow_ups"}
    assert told["announcement"]["state"] == "sent"
    assert {d["destination"] for d in told["deliveries"] if d["read_back"] == "seen"} >= {"x", "reddit", "telegram", "homepage"}
