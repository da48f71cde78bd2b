"""Real processes, really killed: every announcement goes out once all the same. A longer campaign: `python -m tests.faults.campaign`."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.faults.campaign import moments, strike
from tests.faults.harness import Town, at_rest, copies, judge, town, wait_for

KILLS, SEED = 5, 7


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("killed")) as started:
        yield started


@pytest.mark.parametrize(("number", "after"), list(enumerate(moments(KILLS, SEED))))
def test_killed_at_any_moment_nothing_is_lost_or_doubled(here: Town, number: int, after: float) -> None:
    verdict, _ = strike(here, f"kill-{number}", after)
    assert verdict.good, verdict.wrong
    assert verdict.posted + verdict.undecided == 9


def test_sigterm_lets_what_is_under_way_come_to_its_end(here: Town) -> None:
    """A deployment in the middle of a broadcast asks nobody anything."""
    verdict, _ = strike(here, "term", 0.2, signal.SIGTERM)
    assert verdict.good, verdict.wrong
    assert not verdict.undecided
    assert "Traceback" not in here.log()


def test_a_platform_that_is_still_at_work_when_the_next_process_looks_gets_no_second_post(here: Town) -> None:
    """The request was under way when the process was killed; it takes effect only after the next one has begun to look."""
    here.order("x", "latency", value=8)
    announcement = here.announce("slow")["id"]
    sending = here.second_signature(announcement)()
    wait_for(lambda: here.stage.state()["log"]["x"][-1]["path"] == "/2/tweets" or None, 10, "the request at X")
    here.kill()
    sending.join()
    here.start()
    here.order("x", "latency", value=0)
    shown = here.await_(announcement)
    assert judge(shown, here.stage.state(), "slow").good
    assert len(copies(shown, shown["deliveries"][0], here.stage.state())) == 1


def test_a_restart_finds_an_unknown_outcome_as_it_was(here: Town) -> None:
    """What waits for a person waits for that person, also in the next process."""
    here.order("telegram", "cut-after")
    announcement = here.announce("ask")["id"]
    here.desk.approve_by_both(announcement)
    before = here.await_(announcement)
    here.kill()
    here.start()
    time.sleep(2)
    after = here.desk.read(announcement)
    assert [d["state"] for d in before["deliveries"]] == [d["state"] for d in after["deliveries"]]
    assert {d["destination"] for d in after["deliveries"] if d["state"] == "unknown"} == {"telegram"}
    assert at_rest(after)
