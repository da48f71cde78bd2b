"""Who is on duty is asked first, is reminded, and then the next ones are asked; until it is signed, and over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.rehearsal import play
from app.rehearsal.play import stage
from tests.support.desk import LEAST, Desk

MINUTE = 60.0
ENVIRON = {"TOCSIN_ON_DUTY": "second-reviewer", "TOCSIN_REMIND_MINUTES": "10", "TOCSIN_ESCALATE_MINUTES": "15"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A rehearsal of its own for each test, since its clock is moved."""
    with stage(tmp_path, environ=ENVIRON) as started:
        yield Desk(started)


def move(desk: Desk, seconds: float) -> None:
    assert desk.post("/v1/drill/clock", {"ahead_seconds": seconds}).status_code == 200


def mails(desk: Desk, accepted: dict[str, Any]) -> list[tuple[str, str]]:
    """To whom, and whether it asks or reminds; in the order in which they came."""
    about = [mail for mail in desk.stage.state()["smtp"] if accepted["digest"] in mail["text"]]
    people = ("first-reviewer", "second-reviewer", "team")
    return [
        (who, "reminds" if "Still waiting" in mail["title"] else "asks")
        for mail in about
        for who in people
        if any(f"{who}@" in to for to in play._recipients(mail))
    ]


def await_mails(desk: Desk, accepted: dict[str, Any], count: int) -> list[tuple[str, str]]:
    return sorted(play._until(lambda: (found := mails(desk, accepted)) and len(found) >= count and found, f"{count} mails"))


def asked(desk: Desk, accepted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {told["who"]: told for told in desk.read(accepted["id"])["asked"]}


FIRST = [("second-reviewer", "asks"), ("team", "asks")]


def test_who_is_on_duty_first_then_a_reminder_then_the_next(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    assert await_mails(desk, accepted, 2) == FIRST, "several ways at once: mail, and the team's own place"
    play._until(lambda: asked(desk, accepted)["destination:team"]["asked_at"], "it to be noted")
    told = asked(desk, accepted)
    assert (told["first-reviewer"]["asked_at"], told["second-reviewer"]["next_at"] is not None) == (None, True)
    status = desk.tocsin("status", accepted["id"])
    assert "Asked     second-reviewer, " in status
    assert "Next      first-reviewer, " in status
    move(desk, 10.5 * MINUTE)
    assert await_mails(desk, accepted, 3) == sorted([*FIRST, ("second-reviewer", "reminds")])
    move(desk, 15.5 * MINUTE)
    assert await_mails(desk, accepted, 4) == sorted([*FIRST, ("second-reviewer", "reminds"), ("first-reviewer", "asks")])
    assert "reminded" in desk.tocsin("status", accepted["id"])
    link = desk.stage.links(accepted["digest"])["first-reviewer"]
    request = desk.http.get(f"{link}/request").json()
    assert {one["who"] for one in request["asked"]} == {"first-reviewer", "second-reviewer", "destination:team"}


def test_the_first_to_act_count_and_whoever_has_signed_is_left_in_peace(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    await_mails(desk, accepted, 2)
    assert desk.decide(accepted["id"], "first-reviewer").json()["missing"] == 1, "who was not asked yet may sign all the same"
    move(desk, 16 * MINUTE)
    assert await_mails(desk, accepted, 3) == sorted([*FIRST, ("second-reviewer", "reminds")])
    desk.decide(accepted["id"], "second-reviewer")
    desk.await_state(accepted["id"], "sent")
    move(desk, 90 * MINUTE)
    quiet = desk.announce(destinations=["x"])  # what is due is sent before this
    await_mails(desk, quiet, 2)
    assert len(mails(desk, accepted)) == 3
    assert desk.read(accepted["id"])["asked"] == []


@pytest.mark.parametrize("end", ["cancel", "revisions"])
def test_what_is_cancelled_or_superseded_reminds_nobody(desk: Desk, end: str) -> None:
    accepted = desk.announce(destinations=["x"])
    await_mails(desk, accepted, 2)
    desk.post(f"/v1/announcements/{accepted['id']}/{end}", LEAST if end == "revisions" else {})
    move(desk, 90 * MINUTE)
    await_mails(desk, desk.announce(destinations=["x"]), 2)
    assert sorted(mails(desk, accepted)) == FIRST


def test_over_a_long_downtime_nobody_gets_two_at_once(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    await_mails(desk, accepted, 2)
    play._until(lambda: asked(desk, accepted)["second-reviewer"]["next_at"], "the reminder to be planned")
    desk.stage.processes[1].kill()
    desk.stage.processes[1].wait()
    desk.stage.house.environ["TOCSIN_LOG_LEVEL"] = "INFO"
    with play.serving(desk.stage.house):
        move(desk, 600 * MINUTE)
        expected = sorted([*FIRST, ("second-reviewer", "reminds"), ("first-reviewer", "asks")])
        assert await_mails(desk, accepted, 4) == expected
        await_mails(desk, desk.announce(destinations=["x"]), 2)
        assert sorted(mails(desk, accepted)) == expected, "each once, whatever was missed"


def test_links_that_were_asked_for_again_put_the_reminder_off(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    await_mails(desk, accepted, 2)
    move(desk, 9 * MINUTE)
    desk.post(f"/v1/announcements/{accepted['id']}/ask")
    assert len(await_mails(desk, accepted, 5)) == 5, "all three are asked now, whoever is on duty"
    move(desk, 12 * MINUTE)
    await_mails(desk, desk.announce(destinations=["x"]), 2)
    assert len(mails(desk, accepted)) == 5
    move(desk, 20 * MINUTE)
    reminded = await_mails(desk, accepted, 7)
    assert reminded.count(("second-reviewer", "reminds")) == reminded.count(("first-reviewer", "reminds")) == 1


def test_a_duty_that_names_no_reviewer_is_told_and_silences_nobody(tmp_path: Path) -> None:
    with stage(tmp_path, environ={"TOCSIN_ON_DUTY": "nobody-here"}) as started:
        desk = Desk(started)
        assert "on-duty-unknown" in (started.house.folder / "server.log").read_text()
        accepted = desk.announce(destinations=["x"])
        assert await_mails(desk, accepted, 3) == sorted([*FIRST, ("first-reviewer", "asks")])
