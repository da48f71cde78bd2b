"""Group commit: work shares a transaction and its fate on the disk, never another's mistakes. On SQLite, and on Postgres where given."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import announcements
from app.store.database import Database, Work
from tests.faults.scripted import Scripted, furnished

POSTGRES = os.environ.get("TOCSIN_TEST_POSTGRES", "")
rows = Table(f"rows_{secrets.token_hex(4)}", MetaData(), Column("id", Integer, primary_key=True), Column("text", String))


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.skipif(not POSTGRES, reason="TOCSIN_TEST_POSTGRES is not set"))]
)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    postgres = POSTGRES.replace("postgresql://", "postgresql+psycopg://")
    opened = Database(postgres if request.param == "postgres" else f"sqlite+aiosqlite:///{tmp_path / 'rows.sqlite'}")
    async with opened.write() as tx:
        await tx.run_sync(rows.metadata.create_all)
    yield opened
    async with opened.write() as tx:
        await tx.run_sync(rows.metadata.drop_all)
    await opened.close()


def adding(id_: int, text: str = "") -> Work[int]:
    async def work(tx: AsyncConnection) -> int:
        await tx.execute(rows.insert().values(id=id_, text=text))
        return id_

    return work


async def held(database: Database) -> list[int]:
    async with database.read() as tx:
        return list((await tx.scalars(select(rows.c.id).order_by(rows.c.id))).all())


async def test_what_comes_together_is_committed_together(database: Database) -> None:
    commits = 0
    write = database.write

    def counted() -> object:
        nonlocal commits
        commits += 1
        return write()

    database.write = counted  # type: ignore[method-assign, assignment]
    assert await asyncio.gather(*(database.commit(adding(n)) for n in range(100))) == list(range(100))
    database.write = write  # type: ignore[method-assign]
    assert await held(database) == list(range(100))
    assert commits <= 2


async def test_a_mistake_comes_back_to_its_own_caller_alone(database: Database) -> None:
    async def wrong(_tx: AsyncConnection) -> int:
        raise LookupError("mine alone")

    works = [adding(1), wrong, adding(2), adding(1), adding(3)]
    outcomes = await asyncio.gather(*(database.commit(work) for work in works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, LookupError, int, IntegrityError, int]
    assert await held(database) == [1, 2, 3]


async def test_a_column_that_there_is_not_is_a_mistake_and_not_left_out(tmp_path: Path) -> None:
    desk = await furnished(tmp_path, Scripted())
    with pytest.raises(KeyError, match="announcements has no finnished_at"):
        await desk.ctx.database.commit(lambda tx: announcements.change_announcement(tx, desk.id, state="sent", finnished_at=None))
    assert (await desk.announcement()).state == "sending"
    await desk.close()


async def test_half_a_piece_of_work_is_undone(database: Database) -> None:
    async def half(tx: AsyncConnection) -> int:
        await adding(1)(tx)
        raise LookupError("after the first half")

    outcomes = await asyncio.gather(database.commit(half), database.commit(adding(2)), return_exceptions=True)
    assert isinstance(outcomes[0], LookupError)
    assert await held(database) == [2]


async def test_who_was_cancelled_before_it_began_is_left_out(database: Database) -> None:
    gone = asyncio.ensure_future(database.commit(adding(1)))
    stays = asyncio.ensure_future(database.commit(adding(2)))
    asyncio.get_running_loop().call_soon(gone.cancel)
    await asyncio.gather(gone, stays, return_exceptions=True)
    assert await held(database) == [2]
    assert gone.cancelled()
    assert stays.result() == 2


async def test_closing_writes_what_still_waits(database: Database) -> None:
    waiting = asyncio.ensure_future(database.commit(adding(1)))
    await asyncio.sleep(0)
    await database.close()
    assert await waiting == 1
    assert await held(database) == [1]


async def test_a_full_disk_fails_all_and_commits_nothing(tmp_path: Path) -> None:
    """SQLite rolls the whole transaction back by itself then: what went before in it must not be called committed."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'rows.sqlite'}")
    async with database.write() as tx:
        await tx.run_sync(rows.metadata.create_all)
        pages = int((await tx.exec_driver_sql("PRAGMA page_count")).scalar_one())
    await database.commit(lambda tx: tx.execute(text(f"PRAGMA max_page_count={pages + 4}")))  # of the connection that commits together
    outcomes = await asyncio.gather(
        *(database.commit(work) for work in (adding(1), adding(2, "x" * 100_000), adding(3))), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {OperationalError}
    assert await held(database) == []
    assert await database.commit(adding(4)) == 4
    async with database.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(rows)) == 1
    await database.close()


async def test_two_that_lock_the_same_announcements_crosswise_do_not_stop_each_other(database: Database) -> None:
    other = Database(database.url)
    async with database.write() as tx:
        await tx.execute(rows.insert(), [{"id": 1}, {"id": 2}])

    def locking(id_: int) -> Work[int]:
        async def work(tx: AsyncConnection) -> int:
            await tx.execute(select(rows).where(rows.c.id == id_).with_for_update())
            if not database.sqlite:
                await tx.execute(text("SELECT pg_sleep(0.1)"))  # the other has its first by now
            return id_

        return work

    order = [(database, 1), (other, 2), (database, 2), (other, 1)]
    assert await asyncio.gather(*(one.commit(locking(id_), about=f"an_{id_}") for one, id_ in order)) == [1, 2, 2, 1]
    await other.close()
