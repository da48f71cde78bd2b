"""Who carries the full text: the primary, or an approved fallback; judged by what the stand-ins hold.

X leads, and the Telegram channel may take over. Pointers never point anywhere but to the one that leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.cli.posts import said
from app.rehearsal import play
from app.rehearsal.play import stage
from tests.support.desk import Desk, delivery

LIMIT = 5
PLACES = ["x", "reddit", "telegram", "discord"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house whose primary has five seconds."""
    with stage(tmp_path_factory.mktemp("fallback"), environ={"TOCSIN_FALLBACK_SECONDS": str(LIMIT)}) as started:
        yield Desk(started)


@pytest.fixture(autouse=True)
def _well_again(desk: Desk) -> Iterator[None]:
    yield
    desk.well()


def held(desk: Desk, shown: dict[str, Any], destination: str) -> list[str]:
    """The texts of this announcement on that destination's stand-in, as words."""
    mark = shown["text"].rsplit("(", 1)[1]
    posts = desk.stage.state()[delivery(shown, destination)["platform"]]
    words = (" ".join(said(shown, delivery(shown, destination))[0]["text"].split()),)
    return [post["text"] for post in posts if mark in post["text"] or " ".join(post["text"].split()) in words]


def alarms(desk: Desk, digest_of: dict[str, Any]) -> list[str]:
    """The mails that tell the team to look."""
    name = digest_of["incident"]["name"]
    return [
        mail["text"] for mail in desk.stage.state()["smtp"] if name in mail["text"] and mail["title"].startswith("[DRILL] Look at once")
    ]


def test_both_forms_the_order_and_the_limit_are_signed_and_shown(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    assert accepted["primaries"] == {"order": ["x", "telegram"], "fallback_after": LIMIT, "leads": "x"}
    forms = {r["destination"]: (r["role"], (r["otherwise"] or {}).get("role")) for r in accepted["renderings"]}
    assert forms == {
        "x": ("primary", "pointer"),
        "telegram": ("pointer", "primary"),
        "reddit": ("pointer", None),
        "discord": ("pointer", None),
    }
    link = play.await_links(desk.stage, accepted["digest"], lambda _text: None)["first-reviewer"]
    told = desk.tocsin("approve", link, "--key", str(desk.stage.house.key("first-reviewer")), "--yes")
    assert f"Full text: on x; if it refuses, is left out, or has not posted within {LIMIT} s: telegram. Everyone else" in told
    assert "only if telegram carries the full text in its place, it points there" in told
    assert f"only if x cannot be posted within {LIMIT} s, it carries the full text" in told
    assert told.count(accepted["text"].split(". ")[0]) >= 2, "the full text of both who may lead"
    assert f"Leads     x; if it is not posted within {LIMIT} s: telegram" in desk.tocsin("status", accepted["id"])


def test_a_primary_that_refuses_is_followed_at_once(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.order("x", "401")
    desk.approve_by_both(accepted["id"])
    shown = desk.await_state(accepted["id"], "incomplete")
    telegram = delivery(shown, "telegram")
    assert shown["primaries"]["leads"] == "telegram"
    assert (telegram["role"], telegram["state"]) == ("primary", "posted")
    assert telegram["seconds_from_approval"] < LIMIT, "nobody waits for one that refused for certain"
    assert accepted["text"] in held(desk, shown, "telegram")[0]
    for pointer in ("reddit", "discord"):
        assert delivery(shown, pointer)["read_back"] == "seen"
        assert telegram["permalink"] in held(desk, shown, pointer)[0]
    assert (delivery(shown, "x")["state"], held(desk, shown, "x")) == ("failed", [])

    told = desk.tocsin("status", accepted["id"])
    assert "Leads     telegram, in place of x; everyone else points there" in told
    assert "Held      x is paused" in told
    assert "tocsin resume x" in told
    alarm = play._until(lambda: alarms(desk, shown), "the alarm")[0]
    assert "telegram carries the full text in place of x" in alarm
    assert "tocsin exclude DESTINATION" in alarm

    desk.tocsin("resume", "x")
    desk.tocsin("retry", f"{accepted['id']}:x")
    shown = desk.await_state(accepted["id"], "sent")
    assert (delivery(shown, "x")["role"], delivery(shown, "x")["state"]) == ("pointer", "posted")
    assert [telegram["permalink"] in text for text in held(desk, shown, "x")] == [True], "mended, it points to the one that leads"
    assert "is not paused" in desk.tocsin("resume", "x", code=1)


def test_a_primary_that_is_late_is_followed_after_its_limit_and_told_if_it_posted_after_all(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.order("x", "hang")
    desk.approve_by_both(accepted["id"])
    shown = desk.reads(accepted["id"], lambda now: delivery(now, "discord")["state"] == "posted", "pointers")
    telegram = delivery(shown, "telegram")
    assert (shown["primaries"]["leads"], telegram["role"]) == ("telegram", "primary")
    assert LIMIT - 1 <= telegram["seconds_from_approval"] < 4 * LIMIT
    assert delivery(shown, "x")["state"] == "sending"
    desk.well()
    shown = desk.await_state(accepted["id"], "sent")
    x = delivery(shown, "x")
    assert (x["role"], x["state"]) == ("primary", "posted")
    assert "posted after all, when telegram led already" in x["problem"]
    assert len(held(desk, shown, "x")) == len(held(desk, shown, "telegram")) == 1, "both are there, and both are shown"
    assert all(telegram["permalink"] in held(desk, shown, pointer)[0] for pointer in ("reddit", "discord"))
    told = desk.tocsin("status", accepted["id"])
    assert "It was posted after all" in told
    assert "x: LOOK. It was posted after all" in desk.tocsin("watch", accepted["id"])
    play._until(lambda: any("posted after all" in text for text in alarms(desk, shown)), "the alarm")
    link = desk.stage.links(accepted["digest"])["first-reviewer"]
    page = desk.http.get(f"{link}/request").json()
    assert page["leads"] == "telegram"
    assert {d["destination"]: d["role"] for d in page["deliveries"]}["telegram"] == "primary"


def test_a_primary_in_time_leaves_its_fallback_a_pointer(desk: Desk) -> None:
    accepted = desk.announce(destinations=PLACES)
    desk.approve_by_both(accepted["id"])
    shown = desk.await_state(accepted["id"], "sent")
    assert shown["primaries"]["leads"] == "x"
    assert delivery(shown, "telegram")["role"] == "pointer"
    assert delivery(shown, "x")["permalink"] in held(desk, shown, "telegram")[0]
