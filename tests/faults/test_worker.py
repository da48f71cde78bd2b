"""Workers: who holds what, takeover from one that stands still, who is on duty, signals. Two on one database, on Postgres.

Each worker has a context and a database pool of its own, as its own process would; the platforms are shared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.contract import NeedsOperator, NotSent, Reconcile, Role
from app.services import act
from app.services.context import new_id
from app.store import announcements as store
from app.store.database import MISSED, Database
from app.store.tables import announcements, workers
from app.workflows import broadcast
from app.workflows import worker as module
from app.workflows.worker import BEAT, DEAD_AFTER, PERIOD, Watch, Worker
from tests.faults.scripted import Desk, Frozen, Scripted, another, furnished, trust, until
from tests.support.cluster import demanded, fresh_database


@pytest.fixture
def server() -> Iterator[str]:
    """A fresh database on the server, dropped afterwards; its URL as SQLAlchemy's."""
    with fresh_database(demanded()) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://")


@dataclass(slots=True, eq=False)
class Crewman:
    """A worker at work, as in a process of its own."""

    desk: Desk
    worker: Worker
    working: asyncio.Task[None]

    @property
    def id(self) -> str:
        return self.desk.ctx.runner

    def freeze(self) -> None:
        """It beats no more, begins nothing and hears nothing; what it has under way stays so."""
        self.worker._beat = nothing  # type: ignore[method-assign]
        self.worker.go_on = self.desk.ctx.database.on_signal = deaf  # type: ignore[method-assign, assignment]

    def thaw(self) -> None:
        """It goes on where it stood, under the name that it had."""
        del self.worker._beat, self.worker.go_on
        self.desk.ctx.database.on_signal = self.worker.go_on

    async def leave(self) -> None:
        await self.worker.stop(5)
        self.working.cancel()
        await asyncio.gather(self.working, return_exceptions=True)
        await self.desk.ctx.database.close()


async def nothing() -> None:
    """Does nothing."""


def deaf(_announcement: str) -> None:
    """Hears nothing."""


@pytest.fixture
async def house(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """One announcement on Postgres that nobody holds yet."""
    built = House(server, tmp_path, monkeypatch)
    yield built
    if built.desk:
        for destination in built.desk.ctx.destinations.values():
            assert isinstance(destination.adapter, Scripted)
            destination.adapter.gate.set()
            destination.adapter.thaw.set()
    for man in built.hired:
        await man.leave()
    if built.desk:
        await built.desk.close()


class House:
    """What the workers share: a server, platforms, announcements."""

    def __init__(self, server: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.folder, self.monkeypatch = server, folder, monkeypatch
        self.desk: Desk | None = None
        self.hired: list[Crewman] = []

    async def announce(self, here: Scripted, **more: Any) -> Desk:
        self.desk = await furnished(self.folder, here, url=self.server, **more)
        trust(self.desk, self.monkeypatch)
        async with self.desk.ctx.database.write() as tx:
            await tx.execute(workers.delete())
        return self.desk

    async def hire(self) -> Crewman:
        assert self.desk is not None
        ctx = replace(self.desk.ctx, database=Database(self.server), runner=new_id("wk", datetime.now(UTC)))
        hired = Worker(ctx)
        self.hired.append(Crewman(replace(self.desk, ctx=ctx, stories=hired._stories), hired, asyncio.ensure_future(hired.run())))
        await self.on_roll(ctx.runner)
        return self.hired[-1]

    async def on_roll(self, id_: str, *, gone: bool = False) -> None:
        async with asyncio.timeout(10):
            while (id_ in await self.roll()) is gone:  # noqa: ASYNC110 - nobody is signalled
                await asyncio.sleep(0.02)

    async def roll(self) -> list[str]:
        assert self.desk is not None
        async with self.desk.ctx.database.read() as tx:
            return list((await tx.scalars(select(workers.c.id).order_by(workers.c.id))).all())


# Watching, as a pure unit


def looks(*seen: tuple[float, dict[str, int]]) -> list[list[str]]:
    watch = Watch()
    return [watch.look(beats, at) for at, beats in seen]


def test_one_whose_beats_stand_still_is_dead() -> None:
    still = [(number * BEAT, {"a": number, "b": 7}) for number in range(8)]
    told = looks(*still)
    assert told[:6] == [[]] * 6, "until it has stood still for longer than DEAD_AFTER"
    assert told[6:] == [["b"]] * 2


def test_after_a_gap_in_our_own_looking_nobody_is_dead() -> None:
    before = [(number * BEAT, {"b": 7}) for number in range(5)]
    asleep = before[-1][0] + 3600
    told = looks(*before, (asleep, {"b": 7}), *((asleep + number * BEAT, {"b": 7}) for number in range(1, 5)))
    assert not any(told)
    assert looks(*before, (asleep, {"b": 7}), *((asleep + number * BEAT, {"b": 7}) for number in range(1, 8)))[-1] == ["b"]


@given(st.lists(st.tuples(st.floats(0.1, 3600), st.integers(0, 1)), min_size=1, max_size=80))
def test_who_is_called_dead_was_seen_to_stand_still_without_a_gap(steps: list[tuple[float, int]]) -> None:
    """Only our own monotonic clock is read, so no jump of any clock can kill; `held` is what an onlooker would say."""
    watch, now, beats, held, before = Watch(), 1000.0, 0, 0.0, 0.0
    for passed, beat in steps:
        now, beats = now + passed, beats + beat
        held = held + passed if not beat and passed <= 3 * BEAT and before else 0.0
        before = now
        dead = watch.look({"it": beats}, now)
        assert (dead == ["it"]) == (held > DEAD_AFTER)


# Taking over


async def test_one_that_stands_still_is_taken_over_within_five_seconds(house: House) -> None:
    """The frozen one has a call under way and another delivery rests: nothing is opened twice, and its late receipt is kept."""
    here, busy = Scripted(), Scripted([NotSent("Busy.", 3)])
    slow = Scripted([Frozen("ok")], Reconcile.NOBODY)
    desk = await house.announce(here, others=[("busy", busy, Role.POINTER), ("slow", slow, Role.POINTER)])
    first = await house.hire()
    await until(lambda: busy.requests and slow.requests)
    await desk.await_state("planned", "busy")
    second = await house.hire()
    assert (await desk.announcement()).worker == first.id
    first.freeze()
    begin = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        while (await desk.announcement()).worker != second.id:  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)
    assert asyncio.get_running_loop().time() - begin < 5
    assert (await desk.announcement()).term == 2
    await desk.await_state("unknown", "slow")
    await desk.await_state("posted", "busy")
    slow.thaw.set()
    await desk.await_state("posted", "slow")
    await until(lambda: not second.worker._stories)
    assert len(here.posts) == len(busy.posts) == len(slow.posts) == 1
    assert [len(platform.requests) for platform in (here, busy, slow)] == [1, 2, 1]
    assert "delivery-came_late" in await desk.told()


async def test_one_that_finds_itself_buried_begins_anew_under_another_name(house: House) -> None:
    busy = Scripted([NotSent("Busy.", 600)])
    desk = await house.announce(Scripted(), others=[("busy", busy, Role.POINTER)])
    first = await house.hire()
    await desk.await_state("planned", "busy")
    await until(lambda: busy.requests)
    old, second = first.id, await house.hire()
    first.freeze()
    await house.on_roll(old, gone=True)
    first.thaw()
    async with asyncio.timeout(5):
        while first.id == old or first.id not in await house.roll():  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        while (await desk.announcement()).worker != second.id:  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)
    await act.retry(second.desk.ctx, "de_1", "ops", looked=False)  # which both hear
    await desk.await_state("posted", "busy")
    await until(lambda: not first.worker._running)
    assert len(busy.posts) == 1
    assert len(busy.requests) == 2


async def test_what_one_that_is_gone_held_under_a_dead_name_is_taken(house: House) -> None:
    """It began a term in the very moment in which it was buried."""
    desk = await house.announce(Scripted())
    async with desk.ctx.database.write() as tx:
        row = await store.announcement(tx, "an_1", lock=True)
        assert row is not None
        await store.take(tx, row, "wk_gone")
    await house.hire()
    await desk.await_state("posted")


async def test_one_that_stops_gives_back_what_it_holds_at_once(house: House) -> None:
    busy = Scripted([NotSent("Busy.", 600)])
    desk = await house.announce(Scripted(), others=[("busy", busy, Role.POINTER)])
    first = await house.hire()
    await until(lambda: busy.requests)
    await desk.await_state("planned", "busy")
    second = await house.hire()
    await first.worker.stop()
    assert first.id not in await house.roll()
    assert (await desk.announcement()).worker in {"", second.id}
    begin = asyncio.get_running_loop().time()
    async with asyncio.timeout(5):
        while (await desk.announcement()).worker != second.id:  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)
    assert asyncio.get_running_loop().time() - begin < 2 * PERIOD
    await asyncio.sleep(2 * BEAT)
    assert await house.roll() == [second.id], "who has signed off does not come back"


async def test_one_that_stops_waits_for_the_answer_that_is_due(house: House) -> None:
    desk = await house.announce(Scripted(["at the gate"]), others=[("there", Scripted(), Role.POINTER)])
    first = await house.hire()
    await desk.await_state("sending")
    stopping = asyncio.ensure_future(first.worker.stop())
    await asyncio.sleep(0.3)
    assert not stopping.done()
    desk.platform.gate.set()
    await asyncio.wait_for(stopping, 5)
    assert await desk.states() == {"here": "posted", "there": "planned"}


# Who is on duty, signals, and spreading


async def test_one_alone_is_on_duty_and_duty_moves(house: House) -> None:
    await house.announce(Scripted())
    men = [await house.hire() for _ in range(3)]
    await asyncio.sleep(3 * BEAT)
    assert [man.worker._on_duty for man in men] == [True, False, False]
    men[0].freeze()
    await house.on_roll(men[0].id, gone=True)
    await asyncio.sleep(3 * BEAT)
    assert [man.worker._on_duty for man in men[1:]] == [True, False]


async def test_a_signal_from_another_process_wakes_who_rests(house: House) -> None:
    busy = Scripted([NotSent("Busy.", 600)])
    desk = await house.announce(Scripted(), others=[("busy", busy, Role.POINTER)])
    await house.hire()
    await until(lambda: busy.requests)
    await desk.await_state("planned", "busy")
    begin = asyncio.get_running_loop().time()
    await act.retry(desk.ctx, "de_1", "ops", looked=False)  # as the API's process does
    await desk.await_state("posted", "busy")
    assert asyncio.get_running_loop().time() - begin < 1


async def test_a_signal_that_nobody_heard_is_made_up_for(house: House) -> None:
    """The connection that listens is cut, and a person acts in the gap."""
    busy = Scripted([NotSent("Busy.", 600)])
    desk = await house.announce(Scripted(), others=[("busy", busy, Role.POINTER)])
    await house.hire()
    await until(lambda: busy.requests)
    await desk.await_state("planned", "busy")
    async with desk.ctx.database.write() as tx:
        listening = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND datname = current_database()"
        assert (await tx.exec_driver_sql(listening)).all()
    await act.retry(desk.ctx, "de_1", "ops", looked=False)
    await desk.await_state("posted", "busy")


async def test_work_spreads(house: House) -> None:
    """Twelve broadcasts come free at once; both workers carry some, each is sent once."""
    slow = [Scripted(["at the gate"]) for _ in range(12)]
    desk = await house.announce(Scripted())
    for number, platform in enumerate(slow, 2):
        await another(desk, number, f"place-{number}", platform)
    men = [await house.hire(), await house.hire()]
    async with asyncio.timeout(10):
        while sum(len(platform.requests) for platform in slow) < 12:  # noqa: ASYNC110 - plain data
            await asyncio.sleep(0.02)
    async with desk.ctx.database.read() as tx:
        held = [*(await tx.scalars(select(announcements.c.worker).where(announcements.c.state == "sending"))).all()]
    assert {man.id for man in men} == set(held) - {""}
    assert min(held.count(man.id) for man in men) >= 2
    for platform in slow:
        platform.gate.set()
    await until(lambda: all(platform.posts for platform in slow))
    assert {len(platform.requests) for platform in slow} == {1}


# On SQLite, and without any database


async def test_on_sqlite_all_that_came_before_is_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await furnished(tmp_path, Scripted([NotSent("Busy.", 1)]))
    trust(desk, monkeypatch)
    before = await desk.courier()
    await desk.change(state="sending")
    assert before.lease.term == 1
    ctx = replace(desk.ctx, runner="wk_next")
    hired = Worker(ctx)
    working = asyncio.ensure_future(hired.run())
    async with asyncio.timeout(10):
        while (await desk.announcement()).term < 2:  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)
    async with desk.ctx.database.read() as tx:
        assert (await tx.scalars(select(workers.c.id))).all() == ["wk_next"]
    assert hired._on_duty
    await hired.stop(1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await desk.close()


@dataclass(slots=True)
class Still:
    """A clock that stands."""

    at: float

    def monotonic(self) -> float:
        return self.at


async def test_the_sweep_rests_longer_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await furnished(tmp_path, Scripted())
    hired, rests, now = Worker(desk.ctx), [], time.monotonic()

    async def fails(*_: object) -> str:
        raise OSError("no such luck")

    monkeypatch.setattr(broadcast, "run", fails)
    monkeypatch.setattr(module, "time", Still(now))
    for _ in range(9):
        await hired._broadcast("an_1")
        rests.append(round(hired._rests["an_1"][1] - now))
        await hired.sweep(desk.ctx)
        assert not hired._running
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    monkeypatch.undo()
    await desk.close()


async def test_a_signal_in_the_moment_of_a_runs_beginning_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await furnished(tmp_path, Scripted())
    hired, begun, ended = Worker(desk.ctx), [], asyncio.Event()

    async def run(*_: object) -> str:
        begun.append(1)
        await ended.wait()
        return "incomplete"

    monkeypatch.setattr(broadcast, "run", run)
    hired.go_on("an_1")
    await asyncio.sleep(0)
    hired.go_on("an_1")
    hired.go_on(MISSED)
    ended.set()
    await until(lambda: len(begun) == 2)
    await desk.close()


async def test_loops_go_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.01)
    desk = await furnished(tmp_path, Scripted([NeedsOperator("Keys revoked.")]))
    tries: list[int] = []

    async def work(_ctx: object) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no such luck")

    looping = asyncio.ensure_future(Worker(desk.ctx)._forever(work))
    await until(lambda: len(tries) > 3)
    looping.cancel()
    await asyncio.gather(looping, return_exceptions=True)
    await desk.close()
