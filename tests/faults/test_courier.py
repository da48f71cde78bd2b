"""One delivery against a platform that does its worst, on a real database; every test counts the posts that are there at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from adapters.contract import NeedsOperator, NotSent, Pace, Reconcile, Rejected, Role
from app.services import act
from app.services.verification import NotApproved
from app.store import database
from app.store.deliveries import DeliveryRow
from app.workflows import deliver, unknown
from app.workflows.attempt import Ask, Lease, NotOurs
from app.workflows.deliver import Courier
from tests.faults.scripted import SITE, Answer, Desk, Frozen, Late, Scripted, furnished, until

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path) -> AsyncIterator[Furnish]:
    opened: list[Desk] = []

    async def make(*script: Answer, reconcile: Reconcile = Reconcile.LOOKUP, shared: Scripted | None = None, **more: Any) -> Desk:
        opened.append(await furnished(tmp_path, shared or Scripted(list(script), reconcile), **more))
        return opened[0]

    yield make
    for desk in opened:
        await desk.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is over after a second, tries follow each other at once."""
    monkeypatch.setattr(unknown, "LATEST_ANSWER", timedelta(seconds=1))
    monkeypatch.setattr(deliver, "SHORTEST_BACK_OFF", 0.02)


# What the platform answers


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("answer", ["posted, then lost", "lost", NotSent("Busy.", 0.1), Late(0.5)])
async def test_whatever_comes_back_it_is_there_once(furnish: Furnish, answer: Answer) -> None:
    desk = await furnish(answer)
    row = await desk.deliver()
    assert row.state == "posted"
    assert [post.text for post in desk.platform.posts] == ["Move your funds."]
    assert row.permalink == SITE + desk.platform.posts[0].id
    assert len(desk.platform.requests) == (1 if answer in ("posted, then lost", Late(0.5)) else 2)


async def test_not_there_is_believed_only_once_the_request_must_be_over(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform may still be at work on it when the process has died and the next one looks."""
    monkeypatch.setattr(unknown, "LATEST_ANSWER", timedelta(seconds=2))
    desk = await furnish(Late(1.5))
    row = await desk.deliver()
    assert row.state == "posted"
    assert len(desk.platform.looks) >= 2, "the first look saw nothing, and that was no proof"
    assert len(desk.platform.posts) == len(desk.platform.requests) == 1


@pytest.mark.parametrize("error", [Rejected("Too rude."), NeedsOperator("Keys revoked.")])
async def test_a_refusal_waits_for_a_person(furnish: Furnish, error: Exception) -> None:
    desk = await furnish(error)
    row = await desk.deliver()
    assert (row.state, row.problem) == ("failed", str(error))
    assert (await desk.deliver()).state == "failed", "another run changes nothing"
    assert len(desk.platform.requests) == 1


async def test_an_adapters_bug_says_nothing_about_the_post(furnish: Furnish) -> None:
    desk = await furnish(KeyError("id"), reconcile=Reconcile.NOBODY)
    row = await desk.deliver()
    assert row.state == "unknown"
    assert "KeyError" in row.problem
    assert "mark it as posted with its URL" in row.problem


async def test_nobody_can_look_so_a_person_is_asked(furnish: Furnish) -> None:
    desk = await furnish("posted, then lost", reconcile=Reconcile.NOBODY)
    row = await desk.deliver()
    again = await (await desk.new_process()).deliver()
    assert (row.state, again.state) == ("unknown", "unknown")
    assert row.problem == again.problem
    assert len(desk.platform.posts) == len(desk.platform.requests) == 1


@pytest.mark.parametrize(("role", "posts"), [(Role.POINTER, 2), (Role.PRIMARY, 1)])
async def test_only_a_pointer_is_sent_again_where_two_people_approved_that(furnish: Furnish, role: Role, posts: int) -> None:
    desk = await furnish("posted, then lost", reconcile=Reconcile.NOBODY, role=role, on_unknown="resend", resend_after=1)
    row = await desk.deliver(SITE + "primary")
    assert row.state == ("posted" if posts == 2 else "unknown")
    assert len(desk.platform.posts) == posts


async def test_a_pointer_is_sent_again_once_and_never_in_a_loop(furnish: Furnish) -> None:
    answers: list[Answer] = ["posted, then lost"] * 5
    desk = await furnish(*answers, reconcile=Reconcile.NOBODY, role=Role.POINTER, on_unknown="resend", resend_after=1)
    row = await asyncio.wait_for(desk.deliver(SITE + "primary"), 20)
    assert (row.state, len(desk.platform.posts)) == ("unknown", 2)
    assert "sent again once" in row.problem
    assert "yourself" in row.problem


@pytest.mark.usefixtures("quick")
async def test_what_is_never_there_is_tried_three_times(furnish: Furnish) -> None:
    """X, for one, refuses a text that an older post holds, and no look finds this one."""
    answers: list[Answer] = ["lost"] * 9
    desk = await furnish(*answers)
    row = await asyncio.wait_for(desk.deliver(), 30)
    assert (row.state, len(desk.platform.requests)) == ("unknown", 3)
    assert "tried 3 times" in row.problem


async def test_a_wait_past_the_send_window_is_not_waited_for(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Come back tomorrow.", 25 * 3600))
    row = await asyncio.wait_for(desk.deliver(), 5)
    assert row.state == "failed"
    assert "Come back tomorrow." in row.problem
    assert "window closes" in row.problem


async def test_nothing_is_sent_after_the_send_window(furnish: Furnish) -> None:
    desk = await furnish()
    desk.ctx.clock.ahead = timedelta(hours=25)
    row = await desk.deliver()
    assert row.state == "failed"
    assert "window has closed" in row.problem
    assert not desk.platform.requests


async def test_a_person_who_retries_ends_a_long_wait(furnish: Furnish) -> None:
    """Of the platform's own, too: a person may know better, having paid or asked."""
    desk = await furnish(NotSent("Busy.", 600))
    courier = await desk.courier()
    waiting = asyncio.ensure_future(courier.deliver(await desk.row()))
    await until(lambda: desk.platform.requests)
    row = await desk.await_state("planned")
    assert "Next try at" in row.problem
    await act.retry(desk.ctx, row.id, "ops", looked=False)
    courier.pulse.beat()
    assert (await asyncio.wait_for(waiting, 5)).state == "posted"
    assert len(desk.platform.posts) == 1


async def test_another_run_does_not_cut_a_wait_short(furnish: Furnish) -> None:
    """Nor another process: that the platform wants no post is on disk."""
    desk = await furnish(NotSent("Busy.", 1))
    begin = asyncio.get_running_loop().time()
    courier = await desk.courier()
    row = await desk.row()
    waiting = [asyncio.ensure_future(courier.deliver(row)) for _ in range(3)]
    await until(lambda: desk.platform.requests)
    await desk.await_state("planned")
    second = asyncio.ensure_future((await desk.new_process()).deliver())
    outcomes = await asyncio.gather(second, *waiting, return_exceptions=True)
    assert isinstance(outcomes[0], DeliveryRow)
    assert outcomes[0].state == "posted"
    assert any(isinstance(outcome, NotOurs) for outcome in outcomes[1:]), "its term is over"
    assert asyncio.get_running_loop().time() - begin >= 1
    assert len(desk.platform.requests) == 2
    assert len(desk.platform.posts) == 1


async def test_a_platform_that_keeps_losing_answers_is_not_hammered(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key allows to send again at once; that must not become a busy loop."""
    desk = await furnish(*["lost"] * 1000, reconcile=Reconcile.KEY)
    waiting = asyncio.ensure_future(desk.deliver())
    await asyncio.sleep(2)
    assert 2 <= len(desk.platform.requests) <= 4
    waiting.cancel()


# The key, and the look


async def test_a_key_is_repeated_within_its_lifetime(furnish: Furnish) -> None:
    desk = await furnish("posted, then lost", reconcile=Reconcile.KEY)
    row = await desk.deliver()
    assert row.state == "posted"
    assert len({key for key, _ in desk.platform.requests}) == 1
    assert len(desk.platform.requests) == 2
    assert len(desk.platform.posts) == 1


async def test_a_key_that_the_platform_may_have_forgotten_is_not_repeated(furnish: Furnish) -> None:
    desk = await furnish("posted, then hang", "posted, then lost", reconcile=Reconcile.KEY)
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.posts)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await desk.time_passes(timedelta(hours=1))
    row = await (await desk.new_process()).deliver()
    assert row.state == "unknown"
    assert "mark it as posted with its URL" in row.problem
    assert len(desk.platform.requests) == 1


async def test_the_look_goes_by_the_real_time_whatever_the_drills_clock_says(furnish: Furnish) -> None:
    desk = await furnish("posted, then hang")
    desk.ctx.clock.ahead = timedelta(hours=5)
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.posts)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    desk.ctx.clock.ahead = timedelta()
    row = await (await desk.new_process()).deliver()
    assert row.state == "posted"
    assert len(desk.platform.posts) == 1
    assert desk.platform.looks[0] < desk.platform.posts[0].at


@pytest.mark.usefixtures("quick")
async def test_a_look_that_finds_another_attempts_post_decides_nothing(furnish: Furnish) -> None:
    desk = await furnish("ok", "lost", parts=["Move your funds.", "Move your funds."])
    row = await desk.deliver()
    assert (row.state, row.done) == ("unknown", 1)
    assert "An earlier post with the same text was found." in row.problem
    assert len(desk.platform.requests) == 2


@pytest.mark.usefixtures("quick")
async def test_a_look_that_fails_is_tried_again(furnish: Furnish) -> None:
    desk = await furnish("posted, then lost")
    desk.platform.look_fails = 1
    assert (await desk.deliver()).state == "posted"
    assert len(desk.platform.requests) == 1


@pytest.mark.usefixtures("quick")
async def test_where_no_look_succeeds_a_person_is_asked(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "LOOK_FOR", 1.5)
    desk = await furnish("lost")
    desk.platform.look_fails = 100
    row = await desk.deliver()
    assert row.state == "unknown"
    assert "The look failed." in row.problem
    assert "mark it as posted with its URL" in row.problem
    assert len(desk.platform.requests) == 1


# Crashes, cancellation, and a process that stops


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("answer", ["hang", "posted, then hang"])
async def test_a_task_that_is_cancelled_in_mid_call_leaves_the_attempt_open(furnish: Furnish, answer: Answer) -> None:
    desk = await furnish(answer)
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ((await desk.row()).state, [a.state for a in await desk.attempts()]) == ("sending", ["open"])
    row = await (await desk.new_process()).deliver()
    assert row.state == "posted"
    assert len(desk.platform.posts) == 1


async def test_a_process_that_stops_opens_no_attempt_and_wakes_who_waits(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Busy.", 600))
    courier = await desk.courier()
    waiting = asyncio.ensure_future(courier.deliver(await desk.row()))
    await until(lambda: desk.platform.requests)
    await desk.await_state("planned")
    desk.crew.stopping = True
    courier.pulse.beat()
    row = await asyncio.wait_for(waiting, 5)
    assert row.state == "planned"
    assert (await desk.deliver()).state == "planned"
    assert len(desk.platform.requests) == 1


async def test_two_runs_at_once_send_once(furnish: Furnish) -> None:
    desk = await furnish()
    courier, row = await desk.courier(), await desk.row()
    rows = await asyncio.gather(*(courier.deliver(row) for _ in range(5)))
    assert {row.state for row in rows} == {"posted"}
    assert len(desk.platform.requests) == 1


async def test_two_processes_at_once_send_once(furnish: Furnish) -> None:
    """An attempt is opened by one alone, in the present term."""
    desk = await furnish()
    stale = await desk.row()
    couriers = [await desk.courier(), await (await desk.new_process(first_lives=True)).courier()]
    first, second = await asyncio.gather(*(courier.deliver(stale) for courier in couriers), return_exceptions=True)
    assert isinstance(first, NotOurs)
    assert isinstance(second, DeliveryRow)
    assert second.state == "posted"
    assert len(desk.platform.requests) == 1


# Another worker's term


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("late", ["ok", NotSent("Busy."), Rejected("Too rude."), "posted, then lost"])
async def test_a_late_answer_does_not_touch_the_attempt_that_another_has_opened(furnish: Furnish, late: Answer) -> None:
    """The first worker sleeps in mid-call; another has looked, found nothing, and is just sending: same part, same state."""
    desk = await furnish(Frozen(late), "at the gate")
    first = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    second = asyncio.ensure_future((await desk.new_process(first_lives=True)).deliver())
    await until(lambda: len(desk.platform.requests) == 2)
    desk.platform.thaw.set()
    await asyncio.sleep(0.2)
    assert [(await desk.row()).state, [a.state for a in await desk.attempts()]] == ["sending", ["not_sent", "open"]]
    desk.platform.gate.set()
    row = await second
    assert row.state == "posted"
    assert row.permalink == SITE + desk.platform.posts[-1].id
    await first
    if late == "ok":
        assert len(desk.platform.posts) == 2, "what SENT_WITHIN and the look are there to prevent; here it was forced"
        row = await desk.row()
        assert "posted a second time" in row.problem
        assert desk.platform.posts[0].id in row.problem
        assert "posted-besides" in await desk.told()


@pytest.mark.parametrize("now", ["unknown", "planned", "failed"])
async def test_a_receipt_that_comes_late_is_kept(furnish: Furnish, now: str) -> None:
    desk = await furnish(Frozen("ok"), reconcile=Reconcile.NOBODY)
    first = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    second = await desk.new_process(first_lives=True)
    assert (await second.deliver()).state == "unknown"
    if now != "unknown":
        second.crew.stopping = True
        await act.retry(second.ctx, "de_0", "ops", looked=True)
    if now == "failed":
        second.ctx.destinations, second.crew.stopping = {}, False
        assert (await second.deliver()).state == "failed"
    desk.platform.thaw.set()
    assert (await first).state == "posted"
    assert (await desk.row()).permalink == SITE + desk.platform.posts[0].id
    assert "delivery-came_late" in await desk.told()
    assert len(desk.platform.posts) == 1


@pytest.mark.parametrize("by", ["mark", "skip"])
async def test_a_receipt_that_comes_after_a_person_ended_it_is_shown(furnish: Furnish, by: str) -> None:
    desk = await furnish(Frozen("ok"), reconcile=Reconcile.NOBODY)
    first = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    second = await desk.new_process(first_lives=True)
    await second.deliver()
    await (act.skip(desk.ctx, "de_0", "ops") if by == "skip" else act.mark(desk.ctx, "de_0", f"{SITE}77", "ops"))
    desk.platform.thaw.set()
    row = await first
    assert row.state == ("skipped" if by == "skip" else "posted")
    assert SITE + desk.platform.posts[0].id in row.problem
    assert "posted-besides" in await desk.told()


async def test_an_attempt_is_opened_in_the_present_term_alone(furnish: Furnish) -> None:
    desk = await furnish()
    old = await desk.courier()
    await desk.courier()  # the same worker again: a term is not a worker
    with pytest.raises(NotOurs):
        await old.deliver(await desk.row())
    await desk.change_announcement(worker="")
    with pytest.raises(NotOurs):
        await (Courier(desk.ctx, desk.approved, Lease("an_1", ""))).deliver(await desk.row())
    assert not desk.platform.requests


async def test_a_process_that_slept_between_the_attempt_and_the_call_does_not_send(
    furnish: Furnish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "SHORTEST_BACK_OFF", 0.02)
    desk = await furnish()
    commit, slept = desk.ctx.database.commit_each, [6.0]

    async def sleepy(bulk: Any, item: Any, *, about: str) -> Any:
        result = await commit(bulk, item, about=about)
        if isinstance(item, Ask) and slept:
            monkeypatch.setattr(deliver, "SENT_WITHIN", -1.0 if slept.pop() else 5.0)
        else:
            monkeypatch.setattr(deliver, "SENT_WITHIN", 5.0)
        return result

    monkeypatch.setattr(desk.ctx.database, "commit_each", sleepy)
    assert (await desk.deliver()).state == "posted"
    assert [a.state for a in await desk.attempts()] == ["not_sent", "posted"]
    assert "stood still" in (await desk.attempts())[0].error
    assert len(desk.platform.requests) == 1


# Limits that all share


async def test_no_more_requests_are_under_way_on_one_credential_than_it_allows(furnish: Furnish) -> None:
    platform = Scripted(["at the gate"] * 6, at_once=2)
    others = [(f"other-{n}", platform, Role.INTERNAL) for n in range(5)]
    desk = await furnish(shared=platform, others=others)
    courier = await desk.courier()
    running = [asyncio.ensure_future(courier.deliver(row)) for row in await desk.rows()]
    await until(lambda: platform.under_way == 2)
    await asyncio.sleep(0.1)
    platform.gate.set()
    assert {row.state for row in await asyncio.gather(*running)} == {"posted"}
    assert platform.most_under_way == 2


async def test_who_has_booked_a_moment_keeps_it_whoever_wakes_it(furnish: Furnish) -> None:
    desk = await furnish(shared=Scripted(paces=(Pace("scripted:us", 1, 1.0),)), parts=["First.", "Second."])
    courier = await desk.courier()
    task = asyncio.ensure_future(courier.deliver(await desk.row()))
    async with asyncio.timeout(5):
        while (await desk.row()).done == 0:  # noqa: ASYNC110 - the database signals nobody outside
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    for _ in range(5):
        await act.retry(desk.ctx, "de_0", "ops", looked=False)
        courier.pulse.beat()
        await asyncio.sleep(0.02)
    assert (await task).state == "posted"
    first, second = desk.platform.posts
    assert (second.at - first.at).total_seconds() >= 0.95


async def test_an_adapter_that_sends_nothing_leaves_nothing_undecided(furnish: Furnish) -> None:
    desk = await furnish(shared=Scripted(["hang"], Reconcile.NOBODY, sends=False))
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await (await desk.new_process()).deliver()).state == "posted"


# A person, a configuration or a row that changes meanwhile


async def test_a_person_who_skips_during_a_wait_is_obeyed(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Busy.", 0.5))
    waiting = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    await act.skip(desk.ctx, (await desk.await_state("planned")).id, "ops")
    assert (await waiting).state == "skipped"
    assert len(desk.platform.requests) == 1


@pytest.mark.parametrize(
    ("state", "becomes"), [("planned", "failed"), ("sending", "unknown"), ("posted", "posted"), ("unknown", "unknown")]
)
async def test_a_destination_that_is_gone_is_never_called_not_posted_without_proof(furnish: Furnish, state: str, becomes: str) -> None:
    desk = await furnish("posted, then hang", reconcile=Reconcile.NOBODY)
    if state == "sending":
        task = asyncio.ensure_future(desk.deliver())
        await until(lambda: desk.platform.posts)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    else:
        await desk.change(state=state)
    desk.ctx.destinations = {}
    assert (await (await desk.new_process()).deliver()).state == becomes


async def test_a_part_with_a_receipt_is_not_sent_again_whatever_its_row_says(furnish: Furnish) -> None:
    desk = await furnish()
    await desk.deliver()
    await desk.change(state="planned", done=0)
    row = await desk.deliver()
    assert row.state == "failed"
    assert "has a receipt" in row.problem
    assert len(desk.platform.requests) == 1


@pytest.mark.parametrize("change", [{"destination": "there"}, {"role": "internal"}, {"parts": 3}, {"position": 7}])
async def test_a_row_that_is_not_as_approved_sends_nothing(furnish: Furnish, change: dict[str, Any]) -> None:
    desk = await furnish()
    await desk.change(**change)
    with pytest.raises(NotApproved):
        await desk.deliver()
    assert not desk.platform.requests


async def test_a_pointer_without_a_permalink_is_refused(furnish: Furnish) -> None:
    desk = await furnish(role=Role.POINTER, parts=["Read it here: {{permalink}}"])
    row = await desk.deliver("")
    assert row.state == "failed"
    assert "no permalink" in row.problem
    assert not desk.platform.requests


async def test_a_later_part_links_to_the_first_only_where_that_is_on_the_account(furnish: Furnish) -> None:
    desk = await furnish(parts=["First.", "It began here: {{permalink}}"])
    courier = await desk.courier()
    await courier.deliver(await desk.row(), first_part_only=True)
    await desk.change(permalink="https://evil.example/1")
    row = await desk.deliver()
    assert row.state == "failed"
    assert [post.text for post in desk.platform.posts] == ["First."]


@pytest.mark.usefixtures("quick")
async def test_a_receipt_from_another_account_is_none(furnish: Furnish) -> None:
    desk = await furnish()
    desk.platform.owned = "https://elsewhere.example/"
    row = await desk.deliver()
    assert row.state == "unknown"
    assert "not on the approved account" in row.problem


async def test_the_signatures_are_verified_again_before_a_late_try(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "VERIFIED_FOR", 0.1)
    desk = await furnish(NotSent("Busy.", 0.5))
    await desk.change_manifest()
    with pytest.raises(NotApproved):
        await desk.deliver()
    assert len(desk.platform.requests) == 1


# The database


async def test_a_receipt_outlives_a_full_disk(furnish: Furnish) -> None:
    """The commit after the post fails; nothing is sent again, and the receipt is written once there is room."""
    desk = await furnish("at the gate")
    task = asyncio.ensure_future(desk.deliver())
    await desk.await_state("sending")
    async with unwritable(desk):
        desk.platform.gate.set()
        await until(lambda: desk.platform.posts)
        await asyncio.sleep(0.5)
        assert (await desk.row()).state == "sending"
    assert (await asyncio.wait_for(task, 20)).state == "posted"
    assert len(desk.platform.requests) == 1


@pytest.mark.usefixtures("quick")
async def test_killed_while_the_disk_is_full_it_is_found(furnish: Furnish) -> None:
    desk = await furnish("at the gate")
    task = asyncio.ensure_future(desk.deliver())
    await desk.await_state("sending")
    async with unwritable(desk):
        desk.platform.gate.set()
        await until(lambda: desk.platform.posts)
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await (await desk.new_process()).deliver()).state == "posted"
    assert len(desk.platform.requests) == 1


async def test_while_the_disk_is_full_nothing_is_sent(furnish: Furnish) -> None:
    desk = await furnish()
    courier, row = await desk.courier(), await desk.row()
    async with unwritable(desk):
        task = asyncio.ensure_future(courier.deliver(row))
        await asyncio.sleep(0.5)
        assert not desk.platform.requests, "no attempt is on disk, so no call may follow"
    assert (await asyncio.wait_for(task, 20)).state == "posted"
    assert len(desk.platform.requests) == 1


async def test_a_lock_from_outside_delays_and_breaks_nothing(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    desk = await furnish()
    courier, row = await desk.courier(), await desk.row()
    await let_go(desk)  # what opens now has the short patience
    async with desk.ctx.database.engine.connect() as other:
        await other.exec_driver_sql("BEGIN IMMEDIATE")
        task = asyncio.ensure_future(courier.deliver(row))
        await asyncio.sleep(0.7)
        assert not desk.platform.requests
        await other.exec_driver_sql("ROLLBACK")
    assert (await asyncio.wait_for(task, 20)).state == "posted"
    assert len(desk.platform.requests) == 1


async def let_go(desk: Desk) -> None:
    """Closes every connection that rests."""
    await desk.ctx.database.engine.dispose()
    for engine in desk.ctx.database.engines[1:]:
        engine.dispose()


@contextlib.asynccontextmanager
async def unwritable(desk: Desk) -> AsyncIterator[None]:
    """SQLite itself refuses every write, on any connection, as it does on a full or read-only disk."""

    def refuse(raw: Any, _record: object) -> None:
        cursor = raw.cursor()
        cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    await let_go(desk)  # what opens from now on cannot write
    for engine in desk.ctx.database.engines:
        event.listen(engine, "connect", refuse)
    try:
        yield
    finally:
        for engine in desk.ctx.database.engines:
            event.remove(engine, "connect", refuse)
        await let_go(desk)
