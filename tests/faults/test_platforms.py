"""Every fault of every stand-in through the whole server: what became of the post is told as the contract says, and it is there once.

The slow ones are played side by side, each with an announcement of its own; then each is judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.harness import Town, at_rest, copies, judge, town, wait_for

POINTERS = {"reddit": ["reddit"], "telegram": ["telegram"], "discord": ["discord", "discord-webhook"], "smtp": ["team"]}
"""Which destinations a stand-in serves."""

DESTINATIONS = {"primary": ["x"], "bot": ["x", "discord"], "pointers": ["x", "reddit", "telegram", "discord-webhook", "team"]}
"""What each announcement of the lost answers goes to."""

LOSES_THE_ANSWER = {"cut-after": 1, "junk": 1, "truncated": 1, "drip": 1, "cut-before": 0, "500": 0, "502-html": 0, "hang": 1}
"""Faults that leave the outcome unknown, and whether the post is there."""

MAIL_LOSES_THE_ANSWER = {"cut-after": 1, "hang": 1}
NO_FALLBACK = ["x", "reddit", "discord", "discord-webhook", "team"]
LOOKS, HAS_A_KEY = {"x", "reddit"}, {"discord"}
SECONDS_A_BYTE = {"x": 1.0, "reddit": 0.01, "telegram": 1.0, "discord": 1.0}
"""Of a drip. The whole answer comes too late but from Reddit, where one request waits for the one before."""


@dataclass(frozen=True, slots=True)
class Played:
    """An announcement at rest, and what the stand-ins held then."""

    token: str
    shown: dict[str, Any]
    state: dict[str, Any]

    def delivery(self, destination: str) -> dict[str, Any]:
        return next(d for d in self.shown["deliveries"] if d["destination"] == destination)

    def copies(self, destination: str) -> int:
        return len(copies(self.shown, self.delivery(destination), self.state))

    def attempts(self, destination: str) -> list[str]:
        return [attempt["state"] for attempt in self.delivery(destination)["attempts"]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.fixture(scope="module")
def lost(here: Town) -> dict[tuple[str, str], Played]:
    """All faults that lose the answer, on the primary, the pointers, and Discord's bot, which sends again at once; by fault and where."""
    played = [(fault, where) for fault in LOSES_THE_ANSWER for where in ("pointers", "primary", "bot")]
    started = {(fault, where): announced(here, f"{where}-{fault}", destinations=DESTINATIONS[where]) for fault, where in played}
    await_mails(here, started.values())
    for fault, where in played:
        hit = {"primary": {"x": 1}, "bot": {"discord": 1}}.get(where) or {
            stand_in: 1 for stand_in in POINTERS if stand_in != "smtp" or fault in MAIL_LOSES_THE_ANSWER
        }
        for stand_in, count in hit.items():
            here.order(stand_in, fault, count=count, **({"value": SECONDS_A_BYTE[stand_in]} if fault == "drip" else {}))
        here.desk.approve_by_both(started[fault, where]["id"])
        await_hits(here, hit, fault)
    at_rest_ = {name: here.await_(accepted["id"]) for name, accepted in started.items()}
    state = here.stage.state()
    return {name: Played(f"{name[1]}-{name[0]}", shown, state) for name, shown in at_rest_.items()}


def prepared(here: Town, token: str, **changes: Any) -> str:
    """An announcement of one part whose approval mails are out, so that no fault hits those."""
    accepted = announced(here, token, **changes)
    await_mails(here, [accepted])
    return str(accepted["id"])


def announced(here: Town, token: str, **changes: Any) -> dict[str, Any]:
    everywhere = ["x", *(name for names in POINTERS.values() for name in names)]
    return here.announce(
        token, **({"text": f"If you used Example Web, wait for our next update here. ({token})", "destinations": everywhere} | changes)
    )


def await_mails(here: Town, accepted: Iterable[dict[str, Any]]) -> None:
    """Returns once both reviewers and the team have had their mail of each."""
    digests = [one["digest"] for one in accepted]

    def there() -> bool:
        mails = [mail["text"] for mail in here.stage.state()["smtp"]]
        return all(sum(digest in mail for mail in mails) >= 3 for digest in digests)

    wait_for(lambda: there() or None, 30, "the mails")


def await_hits(here: Town, hit: dict[str, int], fault: str) -> None:
    """Returns once every fault has met its request, so that the next order meets the next announcement."""

    def met() -> bool:
        log = here.stage.state()["log"]
        return all(sum(entry["fault"] == fault for entry in log[stand_in]) >= count for stand_in, count in hit.items())

    wait_for(lambda: met() or None, 20, f"{fault} on {hit}")


CASES = [
    pytest.param(fault, where, name, id=f"{name}-{fault}")
    for fault in LOSES_THE_ANSWER
    for where, name in (("primary", "x"), ("bot", "discord"), *(("pointers", name) for name in DESTINATIONS["pointers"][1:]))
    if name != "team" or fault in MAIL_LOSES_THE_ANSWER
]


@pytest.mark.parametrize(("fault", "where", "name"), CASES)
def test_a_lost_answer_is_found_by_looking_else_a_person_is_asked(
    lost: dict[tuple[str, str], Played], fault: str, where: str, name: str
) -> None:
    played, there = lost[fault, where], LOSES_THE_ANSWER[fault]
    delivery = played.delivery(name)
    if name in LOOKS:
        assert delivery["state"] == "posted", delivery["problem"]
        assert played.attempts(name) == (["posted"] if there else ["not_sent", "posted"])
        assert played.copies(name) == 1
        assert delivery["permalink"]
    elif name in HAS_A_KEY:
        assert delivery["state"] == "posted", delivery["problem"]
        assert played.attempts(name) == ["not_sent", "posted"]  # sent again under its key
        assert played.copies(name) == 1
    else:
        assert delivery["state"] == "unknown"
        assert played.attempts(name) == ["open"]
        assert played.copies(name) == there
        assert "mark it as posted" in delivery["problem"]
        assert "retry it and say that you looked" in delivery["problem"]


def test_then_people_look_and_everything_ends_once(here: Town, lost: dict[tuple[str, str], Played]) -> None:
    """`mark` where it is there, `retry` with `looked` where it is not."""
    for (fault, where), played in lost.items():
        if where != "pointers":
            continue
        unknown = [d for d in played.shown["deliveries"] if d["state"] == "unknown"]
        refused = here.act(unknown[0], "retry")
        assert refused.status_code == 409, "an unknown one is not sent again unless somebody looked"
        ended = here.play_people(played.shown)
        verdict = judge(ended, here.stage.state(), played.token)
        assert verdict.good, (fault, verdict.wrong)
        assert ended["state"] == "sent"


@pytest.mark.parametrize(
    ("stand_in", "fault"), [*((s, "429") for s in ("x", "reddit", "telegram", "discord")), ("smtp", "450"), ("smtp", "cut-before")]
)
def test_certainly_not_sent_is_tried_again(here: Town, stand_in: str, fault: str) -> None:
    names = POINTERS.get(stand_in, ["x"])
    announcement = prepared(here, f"busy-{stand_in}-{fault}", destinations=[*{"x", *names}])
    here.order(stand_in, fault, count=len(names), **({"value": 1} if fault == "429" else {}))
    here.desk.approve_by_both(announcement)
    played = Played(f"busy-{stand_in}-{fault}", here.await_(announcement), here.stage.state())
    assert judge(played.shown, played.state, played.token).good
    assert played.shown["state"] == "sent"
    assert [played.attempts(name) for name in names] == [["not_sent", "posted"]] * len(names)


def test_a_port_that_is_closed_for_a_second_costs_a_second(here: Town) -> None:
    announcement = prepared(here, "refused")
    stand_ins = ("x", "reddit", "telegram", "discord", "smtp")
    for stand_in in stand_ins:
        here.order(stand_in, "refused", value=1)
    here.desk.approve_by_both(announcement)
    played = Played("refused", here.await_(announcement), here.stage.state())
    assert judge(played.shown, played.state, "refused").good
    assert played.shown["state"] == "sent"
    assert played.attempts("x")[0] == "not_sent"
    assert set(played.attempts("x")) == {"not_sent", "posted"}


def test_a_refused_pointer_is_shown_within_a_second_and_delays_no_other(here: Town) -> None:
    announcement = prepared(here, "revoked")
    for stand_in, fault in (("telegram", "401"), ("smtp", "550")):
        here.order(stand_in, fault)
    here.order("discord", "hang", value=3)
    here.desk.approve_by_both(announcement)
    wait_for(lambda: any(d["state"] == "failed" for d in here.desk.read(announcement)["deliveries"]) or None, 10, "the failure")
    shown = here.await_(announcement)
    played = Played("revoked", shown, here.stage.state())
    assert {d["destination"]: d["state"] for d in shown["deliveries"] if d["state"] != "posted"} == {"telegram": "failed", "team": "failed"}
    assert "token" in played.delivery("telegram")["problem"]
    attempt = played.delivery("telegram")["attempts"][0]
    assert seconds(attempt["ended_at"]) - seconds(attempt["started_at"]) < 1
    first = copies(shown, played.delivery("x"), played.state)[0]["at"]
    others = [copies(shown, played.delivery(name), played.state)[0]["at"] - first for name in ("reddit", "discord", "discord-webhook")]
    assert max(others) < 3, "nobody waited for the one that hung"
    for name in ("telegram", "team"):
        assert here.act(played.delivery(name), "retry").status_code == 200
    ended = here.await_(announcement, until=lambda now: now["state"] == "sent")
    assert judge(ended, here.stage.state(), "revoked").good


def test_a_primary_that_fails_keeps_every_pointer_planned_and_a_retry_completes_it(here: Town) -> None:
    announcement = prepared(here, "primary-refused", destinations=NO_FALLBACK)
    here.order("x", "401")
    here.desk.approve_by_both(announcement)
    shown = here.await_(announcement)
    assert {d["destination"]: d["state"] for d in shown["deliveries"]} == {"x": "failed"} | dict.fromkeys(NO_FALLBACK[1:], "planned")
    assert not [
        post
        for stand_in in ("x", "reddit", "telegram", "discord")
        for post in here.stage.state()[stand_in]
        if "primary-refused" in post["text"]
    ]
    assert here.act(shown["deliveries"][0], "retry").status_code == 200
    ended = here.await_(announcement, until=lambda now: now["state"] == "sent")
    verdict = judge(ended, here.stage.state(), "primary-refused")
    assert verdict.good, verdict.wrong


def test_a_retry_of_a_planned_pointer_does_not_go_before_the_primary(here: Town) -> None:
    announcement = prepared(here, "patience", destinations=NO_FALLBACK)
    here.order("x", "401")
    here.desk.approve_by_both(announcement)
    shown = here.await_(announcement)
    pointer = next(d for d in shown["deliveries"] if d["destination"] == "reddit")
    assert here.act(pointer, "retry").status_code == 200
    shown = here.await_(announcement)
    assert {d["destination"]: d["state"] for d in shown["deliveries"]}["reddit"] == "planned"
    assert not [post for post in here.stage.state()["reddit"] if "patience" in post["text"]]
    assert at_rest(shown)


def test_no_token_is_in_the_log(here: Town) -> None:
    told = here.log()
    secrets = [value for name, value in here.stage.house.environ.items() if re.search(r"TOKEN|SECRET|PASSWORD|_KEY$|WEBHOOK", name)]
    assert secrets
    assert not [secret for secret in secrets if secret in told]


def seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment).timestamp()
