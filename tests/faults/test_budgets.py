"""What stands against a post: budgets that all share, buckets that a platform has closed, holds. On SQLite, and on Postgres where given.

A bucket lets at most `2 * posts - 1` through in any `seconds` (a burst of `posts`, then one each `seconds / posts`): of N posts the last
comes at least `(N - posts) * seconds / posts` after the first. What a platform counts otherwise it says by asking to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import NeedsOperator, NotSent, Pace, Role
from app.services import act, check, exclude
from app.store import budgets, holds
from app.store.database import Database
from app.store.tables import metadata
from tests.faults.scripted import Desk, Scripted, another, furnished, trust, until
from tests.support.cluster import demanded, fresh_database

BUCKETS = itertools.count()


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    with contextlib.ExitStack() as stack:
        url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.sqlite'}"
        if request.param == "postgres":
            url = stack.enter_context(fresh_database(demanded())).replace("postgresql://", "postgresql+psycopg://")
        opened = Database(url)
        async with opened.write() as tx:
            await tx.run_sync(metadata.create_all)
        yield opened
        await opened.close()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The database's clock, in the test's hand."""
    now = [1_800_000_000.0]

    async def clock(_tx: object) -> float:
        return now[0]

    monkeypatch.setattr(budgets, "clock", clock)
    return now


async def book(database: Database, *paces: Pace, times: int = 1) -> list[float]:
    async with database.write() as tx:
        return await budgets.book(tx, [paces] * times)


# Budgets

asked = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 12)), min_size=1, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(posts=st.integers(1, 9), seconds=st.floats(0.5, 60), asked=asked)
async def test_no_window_holds_more_than_the_bound(
    database: Database, time: list[float], posts: int, seconds: float, asked: list[tuple[float, int]]
) -> None:
    pace, moments, tick = Pace(f"b{next(BUCKETS)}", posts, seconds), list[float](), seconds / posts
    for passed, times in asked:
        time[0] += passed
        moments += [time[0] + wait for wait in await book(database, pace, times=times)]
    for first, last in zip(moments, moments[2 * posts - 1 :], strict=False):
        assert last - first >= seconds - 1e-3, "2 * posts in one window"
    for count, moment in enumerate(moments[1:], 1):
        assert moment >= moments[count - 1] - 1e-3, "whoever asked first goes first"
        assert moment <= max(moments[count - 1] + tick, time[0]) + 1e-3, "and nobody waits longer than he must"
    assert all(moment - moments[0] < 1e-3 for moment in moments[: min(posts, asked[0][1])]), "a burst goes at once"


async def test_the_bound_is_reached(database: Database, time: list[float]) -> None:
    """So it is the true one: five at once, then four within the same two seconds."""
    pace = Pace("webhook", 5, 2.0)
    waits = await book(database, pace, times=10)
    assert waits[:5] == [0.0] * 5
    assert len([wait for wait in waits if wait < 2.0 - 1e-6]) == 9 == 2 * pace.posts - 1


async def test_each_of_several_paces_is_kept(database: Database, time: list[float]) -> None:
    bot, chat = Pace("bot", 2, 1.0), Pace("chat", 1, 5.0)
    waits = await book(database, bot, chat, times=3)
    assert waits == pytest.approx([0.0, 5.0, 10.0], abs=1e-3)
    assert await book(database, bot) == pytest.approx([10.0], abs=1e-3), "who waits for one holds his place in the other"
    assert await book(database) == [0.0], "no pace, no wait"


async def test_many_that_book_at_once_share_one_bucket(database: Database) -> None:
    """From several connections, as several workers do."""
    pace = Pace("bot", 5, 50.0)
    pools = [Database(database.url) for _ in range(3)]
    try:
        waits = await asyncio.gather(*(book(pool, pace, times=2) for pool in pools for _ in range(3)))
    finally:
        for pool in pools:
            await pool.close()
    told = sorted(wait for each in waits for wait in each)
    assert told[:5] == [0.0] * 5
    assert [round(wait / 10) for wait in told[5:]] == list(range(1, 14))


async def test_a_closed_bucket_opens_by_itself_or_by_a_person(database: Database, time: list[float]) -> None:
    async def left(*buckets: str) -> dict[str, float]:
        async with database.read() as tx:
            return await budgets.closed(tx, buckets)

    async with database.write() as tx:
        await budgets.close(tx, "bot", 60)
        await budgets.close(tx, "bot", 5)
    assert await left("bot", "other") == pytest.approx({"bot": 60.0}), "a shorter wait does not end a longer one"
    time[0] += 59
    assert await left("bot") == pytest.approx({"bot": 1.0})
    time[0] += 1
    assert await left("bot") == {}
    async with database.write() as tx:
        await budgets.close(tx, "bot", 60)
        await budgets.reopen(tx, "bot")
    assert await left("bot") == {}


# In a broadcast


@pytest.fixture
async def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A primary `here`, and a pointer."""
    made = await furnished(tmp_path, Scripted(), others=[("there", Scripted(), Role.POINTER)], url=database.url)
    trust(made, monkeypatch)
    yield made
    await made.close()


def platform(desk: Desk, destination: str) -> Scripted:
    adapter = desk.ctx.destinations[destination].adapter
    assert isinstance(adapter, Scripted)
    return adapter


async def test_a_platform_that_asks_one_to_wait_is_asked_by_nobody_meanwhile(desk: Desk) -> None:
    platform(desk, "here").paces = (Pace("us", 100, 1.0),)
    platform(desk, "here").script = [NotSent("Busy.", 1.0)]
    second = await another(desk, 2, "here", platform(desk, "here"))
    first = asyncio.ensure_future(desk.run())
    await until(lambda: platform(desk, "here").requests)
    begin = asyncio.get_running_loop().time()
    await desk.await_state("planned")
    assert await (await second.new_process(first_lives=True)).run() == "sent"
    assert asyncio.get_running_loop().time() - begin > 0.9
    assert await first == "sent"
    assert len(platform(desk, "here").requests) == 3


async def test_a_wait_that_is_asked_of_one_place_holds_up_no_other_of_the_same_credential(desk: Desk) -> None:
    """One chat of a bot is flooded; the bot's other chats are told at once."""
    shared = (Pace("bot", 100, 1.0),)
    platform(desk, "here").paces = shared
    platform(desk, "here").script = [NotSent("Busy.", 3.0)]
    second = await another(desk, 2, "there", Scripted(paces=shared))
    first = asyncio.ensure_future(desk.run())
    await until(lambda: platform(desk, "here").requests)
    assert await (await second.new_process(first_lives=True)).run() == "sent"
    assert not first.done(), "it waits as it was asked to, alone"
    assert await first == "sent"


async def test_a_refusal_that_a_person_must_mend_pauses_the_destination(desk: Desk) -> None:
    platform(desk, "here").script = [NeedsOperator("The token was revoked; make a new one.")]
    second = await another(desk, 2, "here", platform(desk, "here"))
    assert await desk.run() == "incomplete"
    async with desk.ctx.database.read() as tx:
        hold = (await holds.standing(tx))["here"]
    assert (hold.kind, hold.why, hold.by) == ("paused", "The token was revoked; make a new one.", "tocsin")
    assert await second.run() == "incomplete"
    row = await second.row()
    assert row.state == "failed"
    assert "paused since" in row.problem
    assert "make a new one" in row.problem
    assert "retry" in row.problem
    assert len(platform(desk, "here").requests) == 1, "the second announcement asked nobody"
    # A retry says that it is mended.
    await act.retry(desk.ctx, row.id, "ops", looked=False)
    async with desk.ctx.database.read() as tx:
        assert await holds.standing(tx) == {}
    assert await second.run() == "sent"


async def test_a_good_check_ends_a_pause_and_a_bad_one_does_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    platform(desk, "here").script = [NeedsOperator("The token was revoked.")]
    await desk.run()

    async def refused(_self: object) -> None:
        raise NeedsOperator("The token was revoked.")

    with monkeypatch.context() as patch:
        patch.setattr(Scripted, "check", refused)
        await check.all_of_them(desk.ctx)
    async with desk.ctx.database.read() as tx:
        assert list(await holds.standing(tx)) == ["here"]
    await check.all_of_them(desk.ctx)
    async with desk.ctx.database.read() as tx:
        assert await holds.standing(tx) == {}


async def test_two_that_pause_at_once_are_no_mistake(database: Database) -> None:
    """Two workers are refused by the same account in the same moment."""
    pools = [Database(database.url) for _ in range(2)]

    async def put(pool: Database) -> bool:
        async with pool.write() as tx:
            new = await holds.put(tx, holds.Hold("here", "paused", "Revoked.", "tocsin", datetime.now(UTC)))
            await asyncio.sleep(0.05)
            return new

    try:
        assert sorted(await asyncio.gather(*(put(pool) for pool in pools))) == [False, True]
    finally:
        for pool in pools:
            await pool.close()


async def test_what_is_excluded_is_left_out_at_once_here_and_later(desk: Desk) -> None:
    second = await another(desk, 2, "there", platform(desk, "there"))
    await exclude.exclude(desk.ctx, "there", "It is hacked.", "ops")
    assert await desk.run() == "sent"
    assert await desk.states() == {"here": "posted", "there": "skipped"}
    assert "ops excluded there" in (await desk.row("there")).problem
    third = await another(desk, 3, "there", platform(desk, "there"))
    for later in (second, third):
        assert await later.run() == "sent"
        assert await later.states() == {"there": "skipped"}
    assert "It is hacked." in (await third.row("there")).problem
    assert not platform(desk, "there").requests
    await exclude.include(desk.ctx, "there", "ops")
    assert await (await another(desk, 4, "there", platform(desk, "there"))).run() == "sent"
    assert len(platform(desk, "there").posts) == 1
