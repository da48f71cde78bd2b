"""The clock: follow-ups come due, remind, are sent only approved and only in their windows, and survive restarts and long downtimes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.rehearsal import play
from app.rehearsal.play import Stage, stage
from tests.support.desk import Desk

HOUR = 3600.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A rehearsal of its own for each test, since its clock is moved."""
    with stage(tmp_path) as started:
        yield Desk(started)


def move(desk: Desk, seconds: float) -> None:
    answer = desk.post("/v1/drill/clock", {"ahead_seconds": seconds})
    assert answer.status_code == 200, answer.text


def told(desk: Desk) -> dict[str, Any]:
    """An incident that was told of on X and Telegram."""
    accepted = desk.announce(destinations=["x", "telegram", "team"], affected="You are affected if you used Example Web today.")
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def owed(desk: Desk, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    incident = desk.http.get(f"/v1/incidents/{shown['incident']['id']}").json()
    return {f["kind"]: f for f in incident["follow_ups"]}


def await_follow_up(desk: Desk, shown: dict[str, Any], kind: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = play._until(lambda: (f := owed(desk, shown)[kind]) and f["state"] == state and f, f"{kind} to be {state}")
    return found


def hours(follow_up: dict[str, Any], since: str) -> tuple[float, float]:
    zero = datetime.fromisoformat(since)
    return tuple(round((datetime.fromisoformat(follow_up[end]) - zero) / timedelta(hours=1), 2) for end in ("opens", "closes"))  # type: ignore[return-value]


def mails(desk: Desk, subject: str) -> list[dict[str, Any]]:
    return [mail for mail in desk.stage.state()["smtp"] if subject in mail["title"]]


def test_the_cadence_of_an_incident(desk: Desk) -> None:
    shown = told(desk)
    assert desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve").status_code == 200
    incident = desk.http.get(f"/v1/incidents/{shown['incident']['id']}").json()
    found = owed(desk, shown)
    assert hours(found["resolution"], incident["resolved_at"]) == (1, 2)
    assert hours(found["summary"], incident["first_post_at"]) == (8, 12)
    assert hours(found["postmortem"], incident["first_post_at"]) == (7 * 24, 14 * 24)

    # A draft with gaps cannot be signed; its author fills them, and both approve before the window opens.
    draft = desk.read(found["resolution"]["announcement"])
    assert draft["state"] == "draft"
    assert "A summary follows here within 12 hours." in draft["text"], "it is the template, as far as it is known"
    assert "placeholder" in draft["missing"]["overrides"]
    assert desk.decide(draft["id"], "first-reviewer").status_code == 409
    text = "You can use Example Web again. Those who moved their funds need to do nothing. A summary follows today."
    assert desk.post(f"/v1/announcements/{draft['id']}/revisions", {"text": text}).status_code == 202
    assert desk.approve_by_both(draft["id"]).json()["state"] == "approved"
    assert len(desk.stage.state()["x"]) == 1, "approved, but its time has not come"

    move(desk, HOUR + 1)
    sent = desk.await_state(draft["id"], "sent", "incomplete")
    assert sent["state"] == "sent", sent
    posts = desk.stage.state()["x"]
    assert posts[1]["reply_to"] == posts[0]["id"]
    assert await_follow_up(desk, shown, "resolution", "sent")

    # Nobody has approved the summary: its window opens, and everybody is reminded, with a link.
    move(desk, 8 * HOUR + 1)
    summary = await_follow_up(desk, shown, "summary", "due")
    play._until(lambda: len(mails(desk, "Due now and not approved")) >= 3, "the reminders")
    text = "If you used Example Web between 07:10 and 09:00 UTC on 4 March 2026: it was changed. We are sorry. You need to do nothing more."
    desk.post(f"/v1/announcements/{summary['announcement']}/revisions", {"text": text})
    desk.approve_by_both(summary["announcement"])
    sent = desk.await_state(summary["announcement"], "sent", "incomplete")
    assert sent["state"] == "sent", sent
    posts = desk.stage.state()["x"]
    assert len(posts) == 4, "a new post, and a reply in the old thread that links it"
    assert not posts[2]["reply_to"]
    assert posts[3]["reply_to"] in {posts[0]["id"], posts[1]["id"]}
    assert posts[2]["permalink"] in posts[3]["text"]


def test_now_sends_the_resolution_as_soon_as_it_is_approved(desk: Desk) -> None:
    shown = told(desk)
    words = {"text": "Example Web is safe to use again. You need to do nothing."}
    desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve", {"now": True, "resolution": words})
    resolution = owed(desk, shown)["resolution"]["announcement"]
    links = play.await_links(desk.stage, desk.read(resolution)["digest"], lambda _text: None)
    assert set(links) == {"first-reviewer", "second-reviewer"}
    desk.approve_by_both(resolution)
    assert desk.await_state(resolution, "sent", "incomplete")["state"] == "sent"


def test_a_long_downtime_strands_nothing_and_sends_nothing_stale(desk: Desk) -> None:
    shown = told(desk)
    words = {"text": "Example Web is safe to use again. You need to do nothing."}
    desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve", {"resolution": words})
    found = owed(desk, shown)
    desk.approve_by_both(found["resolution"]["announcement"])
    desk.stage.processes[1].kill()
    desk.stage.processes[1].wait()
    _move_while_down(desk.stage, 30 * 24 * HOUR)
    with play.serving(desk.stage.house):
        for kind in ("resolution", "summary", "postmortem"):
            await_follow_up(desk, shown, kind, "overdue")
        assert desk.await_state(found["resolution"]["announcement"], "expired")
        assert len(desk.stage.state()["x"]) == 1, "approved for another hour: a person decides"
        play._until(lambda: mails(desk, "Overdue"), "the mails about overdue follow-ups")
        # A person revises it, and it goes out late.
        late = found["resolution"]["announcement"]
        assert desk.post(f"/v1/announcements/{late}/revisions", words | {"text": words["text"] + " (late)"}).status_code == 202
        desk.approve_by_both(late)
        assert desk.await_state(late, "sent", "incomplete")["state"] == "sent"


def _move_while_down(stage: Stage, seconds: float) -> None:
    import sqlite3

    with sqlite3.connect(stage.house.folder / "data" / "tocsin.sqlite") as database:
        database.execute("UPDATE house SET clock_ahead = ?", (seconds,))
