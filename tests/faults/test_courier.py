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

from adapters.contract import NeedsOperator, NotSent, Reconcile, Rejected, Role
from app.domain.delivery import Event
from app.services.verification import NotApproved
from app.store import database, deliveries
from app.workflows import deliver, unknown
from tests.faults.scripted import SITE, Answer, Desk, Late, Scripted, furnished

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path) -> AsyncIterator[Furnish]:
    opened: list[Desk] = []

    async def make(*script: Answer, reconcile: Reconcile = Reconcile.LOOKUP, **more: Any) -> Desk:
        opened.append(await furnished(tmp_path, Scripted(list(script), reconcile), **more))
        return opened[0]

    yield make
    for desk in opened:
        await desk.platform.aclose()
        await desk.ctx.database.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request is over after a second, tries follow each other at once."""
    monkeypatch.setattr(unknown, "LATEST_ANSWER", timedelta(seconds=1))
    monkeypatch.setattr(deliver, "SHORTEST_BACK_OFF", 0.02)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the platform is plain data
            await asyncio.sleep(0.005)


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
    again = await desk.new_process().deliver()
    assert (row.state, again.state) == ("unknown", "unknown")
    assert row.problem == again.problem
    assert len(desk.platform.posts) == len(desk.platform.requests) == 1


@pytest.mark.parametrize(("role", "posts"), [(Role.POINTER, 2), (Role.PRIMARY, 1)])
async def test_only_a_pointer_is_sent_again_where_two_people_approved_that(
    furnish: Furnish, monkeypatch: pytest.MonkeyPatch, role: Role, posts: int
) -> None:
    monkeypatch.setattr(unknown, "AGAIN_AFTER", timedelta(seconds=0.3))
    desk = await furnish("posted, then lost", reconcile=Reconcile.NOBODY, role=role, on_unknown="send-again")
    row = await desk.deliver(SITE + "primary")
    assert row.state == ("posted" if posts == 2 else "unknown")
    assert len(desk.platform.posts) == posts


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
    desk = await furnish(NotSent("Busy.", 600))
    waiting = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    row = await desk.await_state("planned")
    assert "Next try at" in row.problem
    async with desk.ctx.database.write() as tx:
        await deliveries.settle(tx, row, Event.RETRIED, desk.ctx.now)
    await asyncio.wait_for(asyncio.gather(waiting, desk.deliver()), 5)
    assert (await desk.row()).state == "posted"
    assert len(desk.platform.posts) == 1


async def test_another_run_does_not_cut_a_wait_short(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Busy.", 0.5))
    begin = asyncio.get_running_loop().time()
    await asyncio.gather(desk.deliver(), desk.deliver(), desk.deliver())
    assert asyncio.get_running_loop().time() - begin >= 0.5
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
    desk = await furnish("posted, then lost", "posted, then lost", reconcile=Reconcile.KEY)
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await desk.hours_pass(1)
    row = await desk.new_process().deliver()
    assert row.state == "unknown"
    assert "Nobody can look here." in row.problem
    assert len(desk.platform.requests) == 1


async def test_the_look_goes_by_the_real_time_whatever_the_drills_clock_says(furnish: Furnish) -> None:
    desk = await furnish("posted, then hang")
    desk.ctx.clock.ahead = timedelta(hours=5)
    task = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.posts)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    desk.ctx.clock.ahead = timedelta()
    row = await desk.new_process().deliver()
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
    row = await desk.new_process().deliver()
    assert row.state == "posted"
    assert len(desk.platform.posts) == 1


async def test_a_process_that_stops_opens_no_attempt_and_wakes_who_waits(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Busy.", 600))
    waiting = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    await desk.await_state("planned")
    desk.crew.stop()
    row = await asyncio.wait_for(waiting, 5)
    assert row.state == "planned"
    assert (await desk.deliver()).state == "planned"
    assert len(desk.platform.requests) == 1
    assert (await desk.new_process().deliver()).state == "posted"


async def test_two_runs_at_once_send_once(furnish: Furnish) -> None:
    desk = await furnish()
    rows = await asyncio.gather(*(desk.deliver() for _ in range(5)))
    assert {row.state for row in rows} == {"posted"}
    assert len(desk.platform.requests) == 1


async def test_two_processes_at_once_send_once(furnish: Furnish) -> None:
    """What the lock on the database rules out, held all the same: an attempt is opened by one alone."""
    desk = await furnish()
    stale = await desk.row()
    couriers = [desk.courier(), desk.new_process().courier()]
    await asyncio.gather(*(courier.deliver(stale) for courier in couriers), return_exceptions=True)
    assert len(desk.platform.requests) == 1


# A person, a configuration or a row that changes meanwhile


async def test_a_person_who_skips_during_a_wait_is_obeyed(furnish: Furnish) -> None:
    desk = await furnish(NotSent("Busy.", 0.3))
    waiting = asyncio.ensure_future(desk.deliver())
    await until(lambda: desk.platform.requests)
    row = await desk.await_state("planned")
    async with desk.ctx.database.write() as tx:
        await deliveries.settle(tx, row, Event.SKIPPED, desk.ctx.now)
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
    assert (await desk.new_process().deliver()).state == becomes


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
    courier = desk.courier()
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
    assert (await desk.new_process().deliver()).state == "posted"
    assert len(desk.platform.requests) == 1


async def test_while_the_disk_is_full_nothing_is_sent(furnish: Furnish) -> None:
    desk = await furnish()
    async with unwritable(desk):
        task = asyncio.ensure_future(desk.deliver())
        await asyncio.sleep(0.5)
        assert not desk.platform.requests, "no attempt is on disk, so no call may follow"
    assert (await asyncio.wait_for(task, 20)).state == "posted"
    assert len(desk.platform.requests) == 1


async def test_a_lock_from_outside_delays_and_breaks_nothing(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    desk = await furnish()
    await desk.ctx.database.engine.dispose()  # what opens now has the short patience
    async with desk.ctx.database.engine.connect() as other:
        await other.exec_driver_sql("BEGIN IMMEDIATE")
        task = asyncio.ensure_future(desk.deliver())
        await asyncio.sleep(0.7)
        assert not desk.platform.requests
        await other.exec_driver_sql("ROLLBACK")
    assert (await asyncio.wait_for(task, 20)).state == "posted"
    assert len(desk.platform.requests) == 1


@contextlib.asynccontextmanager
async def unwritable(desk: Desk) -> AsyncIterator[None]:
    """SQLite itself refuses every write, on any connection, as it does on a full or read-only disk."""
    engine = desk.ctx.database.engine

    def refuse(raw: Any, _record: object) -> None:
        cursor = raw.cursor()
        cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    await engine.dispose()  # what opens from now on cannot write
    event.listen(engine.sync_engine, "connect", refuse)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "connect", refuse)
        await engine.dispose()
