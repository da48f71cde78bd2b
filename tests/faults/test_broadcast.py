"""The story of a broadcast where it goes wrong: runs beside each other, ends that are none, signatures that fall, people who act.

The signatures are taken as verified where nothing else is said (`trusted`), since they have tests of their own; here is what follows
from them. Who leads is told in `test_lead.py`, and what a worker does with runs in `test_worker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import NeedsOperator, NotSent, Part, ReadBack, Receipt, Reconcile, Role
from app.services import act, exclude, notices, notify
from app.services.verification import Approved, NotApproved
from app.workflows import broadcast, deliver
from app.workflows.ledger import Ledger
from tests.faults.scripted import SITE, Desk, Frozen, Scripted, furnished, trust, until

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Furnish]:
    opened: list[Desk] = []

    async def make(platform: Scripted, *, trusted: bool = True, **more: Any) -> Desk:
        opened.append(await furnished(tmp_path, platform, **more))
        if trusted:
            trust(opened[0], monkeypatch)
        return opened[0]

    yield make
    for desk in opened:
        await desk.close()


async def fallen(*_: object) -> Approved:
    raise NotApproved("second-reviewer is not in the roster any more.")


async def test_the_primarys_failure_keeps_every_pointer_planned_and_a_retry_completes_it(furnish: Furnish) -> None:
    pointer = Scripted()
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=[("there", pointer, Role.POINTER)])
    assert await desk.run() == "incomplete"
    assert await desk.states() == {"here": "failed", "there": "planned"}
    assert not pointer.requests
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    assert await desk.run() == "sent"
    assert pointer.posts[0].text == f"there: {SITE}{desk.platform.posts[0].id}"


async def test_a_primary_that_is_left_out_strands_nobody(furnish: Furnish) -> None:
    """Pointers have nothing to point to, so a person has to decide; what does not point goes out."""
    team = Scripted()
    others = [("there", Scripted(), Role.POINTER), ("team", team, Role.INTERNAL)]
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=others)
    await desk.run()
    await act.skip(desk.ctx, "de_0", "ops")
    assert await desk.run() == "incomplete"
    assert await desk.states() == {"here": "skipped", "there": "failed", "team": "posted"}
    await act.skip(desk.ctx, "de_1", "ops")
    assert await desk.run() == "sent"


async def test_a_primary_posted_by_hand_leads_all_the_same(furnish: Furnish) -> None:
    pointer = Scripted()
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=[("there", pointer, Role.POINTER)])
    await desk.run()
    await act.mark(desk.ctx, "de_0", f"{SITE}7", "ops")
    assert await desk.run() == "sent"
    assert pointer.posts[0].text == f"there: {SITE}7"


async def test_a_permalink_that_somebody_wrote_into_the_database_goes_nowhere(furnish: Furnish) -> None:
    pointer = Scripted()
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=[("there", pointer, Role.POINTER)])
    await desk.run()
    await act.mark(desk.ctx, "de_0", f"{SITE}7", "ops")
    await desk.change(permalink="https://evil.example/login")
    assert await desk.run() == "incomplete"
    assert await desk.states() == {"here": "posted", "there": "failed"}
    assert not pointer.requests


async def test_a_partner_that_hangs_holds_the_primary_for_its_time_alone(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "PARTNERS_FIRST", 0.3)
    partner = Scripted(["at the gate"])
    desk = await furnish(Scripted(), others=[("partner", partner, Role.PARTNER)])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: partner.requests)
    assert not desk.platform.requests
    await desk.await_state("posted")
    assert not partner.posts
    partner.gate.set()
    assert await running == "sent"
    assert len(partner.requests) == 1


async def test_a_pointer_that_hangs_delays_no_other(furnish: Furnish) -> None:
    slow, quick = Scripted(["at the gate"]), Scripted()
    desk = await furnish(Scripted(), others=[("slow", slow, Role.POINTER), ("quick", quick, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("posted", "quick")
    assert slow.requests
    async with asyncio.timeout(5):
        while (await desk.row("quick")).read_back != "seen" or (await desk.row()).read_back != "seen":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    slow.gate.set()
    assert await running == "sent"


async def test_the_receipt_and_the_pointers_attempts_share_a_transaction(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the fan-out fast: nothing is committed between the primary's answer and the calls to all others."""
    pointers = [(f"there-{n}", Scripted(), Role.POINTER) for n in range(50)]
    desk = await furnish(Scripted(["at the gate"]), others=pointers)
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("sending")
    writes = desk.ctx.database.writes
    desk.platform.gate.set()
    await until(lambda: all(adapter.requests for _, adapter, _ in pointers))
    assert desk.ctx.database.writes - writes <= 2
    assert await running == "sent"


async def test_only_so_many_are_begun_and_whoever_rests_gives_its_place_away(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "PLACES", 2)
    slow, busy, last = Scripted(["at the gate"]), Scripted([NotSent("Busy.", 600)]), Scripted(["at the gate"])
    pointers = [("slow", slow), ("busy", busy), ("a", Scripted()), ("b", Scripted()), ("last", last), ("waits", Scripted())]
    desk = await furnish(Scripted(), others=[(id_, platform, Role.POINTER) for id_, platform in pointers])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: last.requests)
    assert (await desk.states())["b"] == "posted"
    await asyncio.sleep(0.2)
    assert (await desk.states())["waits"] == "planned"
    async with asyncio.timeout(5):
        desk.crew.stopping = True
        desk.stories[desk.id].nudge()
        slow.gate.set()
        last.gate.set()
        assert await running == "unfinished"
    assert (await desk.states())["waits"] == "planned", "whoever still waits as the process stops is left to the next"
    following = await desk.new_process()
    running = asyncio.ensure_future(following.run())
    await following.await_state("posted", "waits")
    following.crew.stopping = True
    following.stories[desk.id].nudge()
    assert await running == "unfinished"
    assert [len(platform.posts) for _, platform in pointers] == [1, 0, 1, 1, 1, 1], "only the busy one is left"


async def test_signatures_that_are_to_be_verified_again_are_so_once_for_all(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    pointers = [(f"there-{n}", Scripted(), Role.POINTER) for n in range(50)]
    desk = await furnish(Scripted(["at the gate"]), others=pointers)
    asked: list[str] = []

    async def verified(_ctx: object, _tx: object, fingerprint: str) -> Approved:
        asked.append(fingerprint)
        await asyncio.sleep(0.05)
        return desk.approved

    monkeypatch.setattr(deliver, "approved", verified)
    monkeypatch.setattr(deliver, "VERIFIED_FOR", 0.5)
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("sending")
    await asyncio.sleep(0.6)
    desk.platform.gate.set()
    assert await running == "sent"
    assert 1 <= len(asked) <= 2


async def test_an_alarm_that_is_raised_while_one_is_being_sent_is_sent_too(furnish: Furnish) -> None:
    team = Scripted(["at the gate"])
    desk = await furnish(Scripted(), others=[("team", team, Role.INTERNAL)])
    ctx = desk.ctx

    async def tell(tx: AsyncConnection) -> None:
        await notices.tell(ctx, tx, "alarm", desk.id, desk.approved.digest, again=True)

    await ctx.database.commit(tell)
    sending = asyncio.ensure_future(notify.send_due(ctx))
    await until(lambda: team.requests)
    await ctx.database.commit(tell)
    team.gate.set()
    assert await sending == 1
    assert await notify.send_due(ctx) == 1
    assert await notify.send_due(ctx) == 0
    assert len(team.posts) == 2


async def test_a_notice_that_was_sent_while_the_database_is_locked_is_not_sent_twice(furnish: Furnish) -> None:
    team = Scripted(["at the gate"])
    desk = await furnish(Scripted(), others=[("team", team, Role.INTERNAL)])
    database = desk.ctx.database

    async def tell(tx: AsyncConnection) -> None:
        await tx.execute(text("PRAGMA busy_timeout=50"))
        await notices.tell(desk.ctx, tx, "alarm", desk.id, desk.approved.digest)

    await database.commit(tell)
    sending = asyncio.ensure_future(notify.send_due(desk.ctx))
    await until(lambda: team.requests)
    with contextlib.closing(sqlite3.connect(database.url.partition("///")[2], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        team.gate.set()
        await asyncio.sleep(0.3)
        assert not sending.done()
        other.execute("ROLLBACK")
    assert await sending == 1
    assert await notify.send_due(desk.ctx) == 0
    assert len(team.posts) == 1


# People, at any time


async def test_a_retry_while_others_rest_is_heard(furnish: Furnish) -> None:
    broken, busy = Scripted([NeedsOperator("Keys revoked.")]), Scripted([NotSent("Busy.", 600)])
    desk = await furnish(Scripted(), others=[("broken", broken, Role.POINTER), ("busy", busy, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("failed", "broken")
    await until(lambda: busy.requests)
    await act.retry(desk.ctx, "de_1", "ops", looked=False)
    await desk.await_state("posted", "broken")
    assert not running.done()
    await act.retry(desk.ctx, "de_2", "ops", looked=False)
    assert await asyncio.wait_for(running, 5) == "sent"
    assert len(busy.posts) == len(broken.posts) == 1


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.003, 0.01, 0.02])
async def test_a_retry_in_the_moment_of_the_end_is_not_lost(furnish: Furnish, seconds: float) -> None:
    """Whatever the order, the announcement stays one that is being sent, and the next run completes it."""
    broken = Scripted([NeedsOperator("Keys revoked.")])
    desk = await furnish(Scripted(), others=[("there", broken, Role.INTERNAL)])
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("seen")
    await asyncio.sleep(seconds)
    await act.retry(desk.ctx, "de_1", "ops", looked=False)
    ended = await asyncio.wait_for(running, 5)
    assert ended in {"unfinished", "incomplete", "sent"}
    if ended != "sent":
        assert (await desk.announcement()).state == "sending"
        assert await desk.run() == "sent"
    assert len(broken.posts) == 1


async def test_what_a_person_leaves_out_is_waited_for_no_longer(furnish: Furnish) -> None:
    other = Scripted([NotSent("Busy.", 600)])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: other.requests)
    await desk.await_state("planned", "there")
    await act.skip(desk.ctx, "de_1", "ops")
    assert await asyncio.wait_for(running, 5) == "sent"
    assert len(other.requests) == 1


async def test_a_destination_that_is_excluded_in_mid_broadcast_gets_nothing_more(furnish: Furnish) -> None:
    busy, flying = Scripted([NotSent("Busy.", 600)]), Scripted([Frozen(NotSent("Busy.", 0.1))])
    desk = await furnish(Scripted(), others=[("busy", busy, Role.POINTER), ("flying", flying, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: busy.requests and flying.requests)
    await desk.await_state("planned", "busy")
    for destination in ("busy", "flying"):
        await exclude.exclude(desk.ctx, destination, "It is hacked.", "ops")
    await desk.await_state("skipped", "busy")
    assert (await desk.row("flying")).state == "sending", "what is under way is not called left out"
    flying.thaw.set()
    assert await asyncio.wait_for(running, 5) == "sent"
    assert await desk.states() == {"here": "posted", "busy": "skipped", "flying": "skipped"}
    assert "ops excluded flying" in (await desk.row("flying")).problem
    assert len(busy.requests) == len(flying.requests) == 1


# Ends that are none


async def test_a_process_that_stops_leaves_the_announcement_to_the_next(furnish: Furnish) -> None:
    other = Scripted([NotSent("Busy.", 1)])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: other.requests)
    await desk.await_state("planned", "there")
    desk.crew.stopping = True
    desk.stories["an_1"].nudge()
    assert await asyncio.wait_for(running, 5) == "unfinished"
    assert (await desk.announcement()).state == "sending"
    assert await (await desk.new_process()).run() == "sent"
    assert len(other.posts) == 1


async def test_an_error_of_our_own_does_not_end_it_as_incomplete(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Scripted()
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])

    async def broken(*_: object) -> None:
        raise OSError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "open", broken)
        assert await desk.run() == "unfinished"
        assert (await desk.announcement()).state == "sending"
    assert await desk.run() == "sent"
    assert len(other.posts) == len(desk.platform.posts) == 1


async def test_a_run_that_is_not_ours_touches_nothing(furnish: Furnish) -> None:
    """Every worker hears every signal: one that begins what another holds must not call the other's attempts lost."""
    desk = await furnish(Scripted(["at the gate"]), others=[("there", Scripted(), Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("sending")
    second = await desk.new_process(first_lives=True)
    assert await second.run() == "elsewhere"
    assert (await desk.row()).state == "sending"
    assert (await desk.announcement()).term == 1
    desk.platform.gate.set()
    assert await running == "sent"


async def test_two_that_begin_at_once_are_one(furnish: Furnish) -> None:
    desk = await furnish(Scripted(), others=[("there", Scripted(), Role.POINTER)])
    second = await desk.new_process(first_lives=True)
    ended = await asyncio.gather(desk.run(), second.run())
    assert sorted(ended) == ["elsewhere", "sent"]
    assert len(desk.platform.requests) == 1


async def test_a_run_whose_term_is_over_ends_at_once(furnish: Furnish) -> None:
    """Though one of its deliveries would rest for long: this worker may have to take the broadcast again."""
    busy, hanging = Scripted([NotSent("Busy.", 600)]), Scripted([Frozen(NotSent("Busy.", 0.1))])
    desk = await furnish(Scripted(), others=[("busy", busy, Role.POINTER), ("hanging", hanging, Role.POINTER)])
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: unheard.append(told))
    running = asyncio.ensure_future(desk.run())
    await until(lambda: busy.requests and hanging.requests)
    await desk.await_state("planned", "busy")
    await desk.new_process()
    hanging.thaw.set()
    await asyncio.sleep(0.1)
    assert not running.done(), "nothing told it yet"
    await act.retry(desk.ctx, "de_1", "ops", looked=False)
    assert await asyncio.wait_for(running, 3) == "elsewhere"
    gc.collect()
    assert not unheard, "each task's error was looked at"


async def test_one_that_was_buried_in_mid_run_takes_nothing_and_ends_nothing(furnish: Furnish) -> None:
    desk = await furnish(Scripted(["at the gate"]))
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("sending")
    second = await desk.new_process()
    assert await desk.run() == "elsewhere", "it is not on the roll any more"
    taking = asyncio.ensure_future(second.run())
    await desk.await_state("unknown")
    desk.platform.gate.set()
    assert await running == "elsewhere"
    assert await taking == "sent"
    assert len(desk.platform.requests) == 1
    assert (await desk.announcement()).state == "sent"


# Signatures that fall


async def test_signatures_that_fall_in_the_middle_end_it_and_a_retry_goes_on(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    other, busy = Scripted([NotSent("Busy.", 0.5)]), Scripted([NotSent("Busy.", 600)])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER), ("busy", busy, Role.POINTER)])
    running = asyncio.ensure_future(desk.run())
    await until(lambda: other.requests and busy.requests)
    with monkeypatch.context() as patch:
        patch.setattr("app.workflows.deliver.VERIFIED_FOR", 0.0)
        patch.setattr("app.workflows.deliver.approved", fallen)
        assert await asyncio.wait_for(running, 5) == "refused"
        assert (await desk.announcement()).state == "incomplete"
        patch.setattr(broadcast, "approved", fallen)
        await act.retry(desk.ctx, "de_1", "ops", looked=False)
        assert await desk.run() == "refused"
    assert len(other.requests) == 1
    assert "broadcast-refused" in await desk.told()
    await act.retry(desk.ctx, "de_1", "ops", looked=False)  # what is planned can be retried too, else nothing would lead on from here
    await act.skip(desk.ctx, "de_2", "ops")
    assert await desk.run() == "sent"


async def test_one_that_nobody_signed_goes_back_to_its_author(furnish: Furnish) -> None:
    desk = await furnish(Scripted(), trusted=False)
    await desk.change_announcement(state="approved")
    assert await desk.run() == "refused"
    assert (await desk.announcement()).state == "returned"
    assert not desk.platform.requests


async def test_a_worker_with_an_older_roster_does_not_end_what_another_holds(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await furnish(Scripted(["at the gate"]))
    running = asyncio.ensure_future(desk.run())
    await desk.await_state("sending")
    second = await desk.new_process(first_lives=True)
    with monkeypatch.context() as patch:
        patch.setattr(broadcast, "approved", fallen)
        assert await second.run() == "elsewhere"
    desk.platform.gate.set()
    assert await running == "sent"


# Looking


async def test_an_adapter_that_fails_at_reading_back_does_not_hold_up_the_end(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: object, _part: Part, _receipt: Receipt) -> ReadBack:
        raise KeyError("html")

    monkeypatch.setattr(Scripted, "read", broken)
    desk = await furnish(Scripted())
    assert await desk.run() == "sent"
    row = await desk.row()
    assert row.read_back == "not_possible"
    assert "KeyError" in row.read_back_detail


async def test_an_outcome_that_nobody_knows_ends_as_incomplete_and_another_run_sends_nothing(furnish: Furnish) -> None:
    desk = await furnish(Scripted(["posted, then lost"], Reconcile.NOBODY))
    assert await desk.run() == "incomplete"
    await desk.change_announcement(state="sending")
    assert await desk.run() == "incomplete"
    assert len(desk.platform.requests) == 1
