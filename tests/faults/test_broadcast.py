"""The story of a broadcast where it goes wrong: runs beside each other, ends that are none, signatures that fall, a sweep that must rest.

The engine is not launched: its functions run as the plain functions that they are. The signatures are taken as verified where
nothing else is said (`trusted`), since they have tests of their own; here is what follows from them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from sqlalchemy import select

from adapters.contract import NeedsOperator, NotSent, Part, ReadBack, Receipt, Reconcile, Role
from app.domain.delivery import Event
from app.services.verification import Approved, NotApproved
from app.store import deliveries
from app.store.tables import timeline
from app.workflows import broadcast, deliver, house
from tests.faults.scripted import SITE, Desk, Scripted, furnished

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path) -> AsyncIterator[Furnish]:
    opened: list[Desk] = []

    async def make(platform: Scripted, **more: Any) -> Desk:
        opened.append(await furnished(tmp_path, platform, **more))
        house.install(opened[0].ctx)
        return opened[0]

    yield make
    await asyncio.gather(*house.House.loose, return_exceptions=True)
    for desk in opened:
        await desk.platform.aclose()
        await desk.ctx.database.close()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Desk], None]:
    def trust(desk: Desk) -> None:
        async def verified(_ctx: object, _tx: object, _digest: str) -> Approved:
            return desk.approved

        monkeypatch.setattr(broadcast, "approved", verified)
        monkeypatch.setattr(deliver, "approved", verified)

    return trust


async def run(desk: Desk) -> str:
    """What the workflow runs."""
    return await broadcast._run("an_1", desk.approved.digest)


async def states(desk: Desk) -> dict[str, str]:
    return {row.destination: row.state for row in await desk.rows()}


async def act(desk: Desk, destination: str, event: Event, receipt: Receipt | None = None) -> None:
    """What a person does, as `app.services.act` does it."""
    row = next(row for row in await desk.rows() if row.destination == destination)
    async with desk.ctx.database.write() as tx:
        await deliveries.settle(tx, row, event, desk.ctx.now, receipt=receipt)
    await desk.change_announcement(state="sending")


async def test_the_primarys_failure_keeps_every_pointer_planned_and_a_retry_completes_it(
    furnish: Furnish, trusted: Callable[[Desk], None]
) -> None:
    pointer = Scripted()
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=[("there", pointer, Role.POINTER)])
    trusted(desk)
    assert await run(desk) == "incomplete"
    assert await states(desk) == {"here": "failed", "there": "planned"}
    assert not pointer.requests
    await act(desk, "here", Event.RETRIED)
    assert await run(desk) == "sent"
    assert pointer.posts[0].text == f"there: {SITE}{desk.platform.posts[0].id}"


async def test_a_primary_that_is_left_out_strands_nobody(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    """Pointers have nothing to point to, so a person has to decide; what does not point goes out."""
    team = Scripted()
    others = [("there", Scripted(), Role.POINTER), ("team", team, Role.INTERNAL)]
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=others)
    trusted(desk)
    await run(desk)
    await act(desk, "here", Event.SKIPPED)
    assert await run(desk) == "incomplete"
    assert await states(desk) == {"here": "skipped", "there": "failed", "team": "posted"}
    await act(desk, "there", Event.SKIPPED)
    assert await run(desk) == "sent"


async def test_a_primary_posted_by_hand_leads_all_the_same(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    pointer = Scripted()
    desk = await furnish(Scripted([NeedsOperator("Keys revoked.")]), others=[("there", pointer, Role.POINTER)])
    trusted(desk)
    await run(desk)
    await act(desk, "here", Event.MARKED, Receipt("7", f"{SITE}7"))
    assert await run(desk) == "sent"
    assert pointer.posts[0].text == f"there: {SITE}7"


async def test_a_permalink_that_somebody_wrote_into_the_database_goes_nowhere(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    pointer = Scripted([NotSent("Busy.", 0.1)])
    desk = await furnish(Scripted(), others=[("there", pointer, Role.POINTER)])
    trusted(desk)
    digest = desk.approved.digest
    assert await broadcast.post_first(digest)
    await desk.change(permalink="https://evil.example/login")
    await broadcast.post_everything_else(digest)
    assert await states(desk) == {"here": "posted", "there": "failed"}
    assert not pointer.requests


async def test_a_partner_that_hangs_holds_the_primary_for_its_time_alone(
    furnish: Furnish, trusted: Callable[[Desk], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "PARTNERS_FIRST", 0.3)
    partner = Scripted(["at the gate"])
    desk = await furnish(Scripted(), others=[("partner", partner, Role.PARTNER)])
    trusted(desk)
    running = asyncio.ensure_future(run(desk))
    await desk.await_state("posted")
    assert partner.requests
    assert not partner.posts
    partner.gate.set()
    assert await running == "sent"
    assert len(partner.requests) == 1


async def test_an_end_beside_a_retry_does_not_lose_it(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    """One run is at its end when a person retries; the announcement must stay one that is being sent."""
    other = Scripted([NeedsOperator("Keys revoked.")])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    trusted(desk)
    digest = desk.approved.digest
    await broadcast.post_first(digest)
    await broadcast.post_everything_else(digest)
    await act(desk, "there", Event.RETRIED)
    assert await broadcast.end("an_1", digest) == "unfinished"
    assert await desk.state() == "sending"
    assert await run(desk) == "sent"


async def test_a_process_that_stops_leaves_the_announcement_to_the_next(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    other = Scripted([NotSent("Busy.", 600)])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    trusted(desk)
    running = asyncio.ensure_future(run(desk))
    async with asyncio.timeout(10):
        while not other.requests:  # noqa: ASYNC110 - the platform is plain data
            await asyncio.sleep(0.01)
    house.House.crew.stop()
    assert await asyncio.wait_for(running, 5) == "unfinished"
    assert await desk.state() == "sending"
    assert not house.may_start(desk.approved.digest), "this process starts nothing any more"
    house.install(desk.ctx)
    assert house.may_start(desk.approved.digest)
    assert await run(desk) == "sent"
    assert len(other.posts) == 1


async def test_what_a_person_leaves_out_is_waited_for_no_longer(furnish: Furnish, trusted: Callable[[Desk], None]) -> None:
    other = Scripted([NotSent("Busy.", 600)])
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    trusted(desk)
    running = asyncio.ensure_future(run(desk))
    async with asyncio.timeout(10):
        while (await states(desk))["there"] != "planned" or not other.requests:  # noqa: ASYNC110 - the database signals nobody outside
            await asyncio.sleep(0.01)
    await act(desk, "there", Event.SKIPPED)
    assert await run(desk) == "sent"
    assert await asyncio.wait_for(running, 5) == "sent"
    assert len(other.requests) == 1


async def test_signatures_that_fall_in_the_middle_end_it_and_a_retry_goes_on(
    furnish: Furnish, trusted: Callable[[Desk], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Scripted()
    desk = await furnish(Scripted(), others=[("there", other, Role.POINTER)])
    trusted(desk)
    await broadcast.post_first(desk.approved.digest)

    async def fallen(*_: object) -> Approved:
        raise NotApproved("second-reviewer is not in the roster any more.")

    with monkeypatch.context() as patch:
        patch.setattr(broadcast, "approved", fallen)
        await broadcast.post_everything_else(desk.approved.digest)
        assert await broadcast.end("an_1", desk.approved.digest) == "unfinished"
        assert await desk.state() == "incomplete"
        assert await run(desk) == "refused"
    assert not other.requests
    async with desk.ctx.database.read() as tx:
        assert "broadcast-refused" in (await tx.scalars(select(timeline.c.event))).all()
    await act(desk, "there", Event.RETRIED)  # what is planned can be retried too, else nothing would lead on from here
    assert await run(desk) == "sent"


async def test_an_adapter_that_fails_at_reading_back_does_not_hold_up_the_end(
    furnish: Furnish, trusted: Callable[[Desk], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_self: object, _part: Part, _receipt: Receipt) -> ReadBack:
        raise KeyError("html")

    monkeypatch.setattr(Scripted, "read", broken)
    desk = await furnish(Scripted())
    trusted(desk)
    assert await run(desk) == "sent"
    row = await desk.row()
    assert row.read_back == "not_possible"
    assert "KeyError" in row.read_back_detail


async def test_an_outcome_that_nobody_knows_ends_as_incomplete_and_another_run_sends_nothing(
    furnish: Furnish, trusted: Callable[[Desk], None]
) -> None:
    desk = await furnish(Scripted(["posted, then lost"], Reconcile.NOBODY))
    trusted(desk)
    assert await run(desk) == "incomplete"
    await desk.change_announcement(state="sending")
    assert await run(desk) == "incomplete"
    assert len(desk.platform.requests) == 1


async def test_the_sweep_rests_longer_each_time(furnish: Furnish, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await furnish(Scripted())
    digest, rests = desk.approved.digest, []

    async def fails(_announcement: str, _digest: str) -> str:
        raise OSError("no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(broadcast, "_told", fails)
        for _ in range(9):
            with pytest.raises(OSError, match="no such luck"):
                await run(desk)
            assert not house.may_start(digest)
            rests.append(round(house.House.rests[digest][1] - time.monotonic()))
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_an_engine_that_fails_holds_no_warning_up(
    furnish: Furnish, trusted: Callable[[Desk], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await furnish(Scripted())
    trusted(desk)

    async def broken(*_: object) -> None:
        raise OSError("the engine's disk is full")

    monkeypatch.setattr(DBOS, "start_workflow_async", broken)
    await broadcast.start("an_1", desk.approved.digest, 1)
    await asyncio.gather(*house.House.loose)
    assert await desk.state() == "sent"
    assert len(desk.platform.posts) == 1
