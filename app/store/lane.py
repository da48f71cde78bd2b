"""SQLite's lane: a transaction's queries run one after another in a thread of their own, and never come back to the event loop between.

Through aiosqlite each statement travels to a thread and back, which takes longer than SQLite does; a group commit has a dozen. The same
coroutine that awaits its queries on Postgres is run to its end here: it may await its transaction alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Dialect, Executable, ScalarResult, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import StaticPool

T = TypeVar("T")


class _Plain:
    """As much of SQLAlchemy's `AsyncConnection` as our queries use; nothing of it ever waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        return self._connection.scalars(statement, parameters)

    @asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        with self._connection.begin_nested():
            yield


class Lane:
    """One thread with one connection; where it only `looks`, it waits for no writer."""

    def __init__(self, url: str, *, looks: bool = False) -> None:
        self._begin = "BEGIN" if looks else "BEGIN IMMEDIATE"
        self.engine = create_engine(url.replace("+aiosqlite", ""), poolclass=StaticPool, connect_args={"check_same_thread": False})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tocsin-lane")

    async def transaction(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        """Runs it in a transaction that is on disk when this returns; undone where `work` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def close(self) -> None:
        """Lets go of the connection, once what runs has come to its end."""
        self._thread.shutdown()
        self.engine.dispose()

    def _run(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        with self.engine.connect() as connection:
            connection.exec_driver_sql(self._begin)
            told = _to_its_end(work(cast("AsyncConnection", _Plain(connection))))
            connection.exec_driver_sql("COMMIT")
            return told


def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as ended:
        return cast("T", ended.value)
    work.close()
    raise RuntimeError("Work in a shared transaction may await its queries alone.")
