"""One database: SQLite in a file by default, Postgres for several workers, the same queries on both.

A write is a transaction that has reached the disk when `write()` ends (SQLite: WAL with `synchronous=FULL`). On SQLite writers
queue on one lock and begin IMMEDIATE, since a read that turns into a write fails at once there whatever the timeout.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

BUSY_TIMEOUT_MS = 15_000


class Database:
    """An open database; `url` is SQLAlchemy's, `sqlite+aiosqlite:///…` or `postgresql+psycopg://…`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine: AsyncEngine = create_async_engine(url) if self.sqlite else create_async_engine(url, pool_size=10, pool_pre_ping=True)
        self._writing = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None
        if self.sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; committed and on disk when the block ends, rolled back when it raises."""
        if self.sqlite:
            async with self._writing, self.engine.connect() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection  # where it raises, the connection rolls back as it returns to the pool
                await connection.exec_driver_sql("COMMIT")
        else:
            async with self.engine.begin() as connection:
                yield connection
        async with self._changed:
            self._changed.notify_all()

    async def commit(self, work: Work[T]) -> T:
        """Runs `work` in a transaction that it shares with whatever else waits (group commit); on disk when this returns.

        Work that raises undoes itself alone, and the error comes back to its own caller.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        return await done

    async def _commit_waiting(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # let those that are ready at this moment come along
            batch, self._waiting = self._waiting[:200], self._waiting[200:]
            outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
            try:
                async with self.write() as tx:
                    for work, done in batch:
                        try:
                            async with tx.begin_nested():
                                outcomes.append((done, await work(tx), None))
                        except Exception as error:
                            outcomes.append((done, None, error))
            except Exception as error:
                outcomes = [(done, None, error) for _, done in batch]
            for done, result, failure in outcomes:
                if not done.done():
                    done.set_exception(failure) if failure else done.set_result(result)

    async def changed(self, seconds: float) -> None:
        """Returns after the next write of this process, or after `seconds` at the latest."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()
        except TimeoutError:
            pass

    async def close(self) -> None:
        await self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    raw: sqlite3.Connection = connection
    # Transactions are begun by us, as IMMEDIATE ones.
    raw.isolation_level = None
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
