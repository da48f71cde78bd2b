"""One database: SQLite in a file by default, Postgres for several workers, the same queries on both.

A write is a transaction that has reached the disk when `write()` ends (SQLite: WAL with `synchronous=FULL`). On SQLite writers
queue on one lock and begin IMMEDIATE, since a read that turns into a write fails at once there whatever the timeout.
A transaction can signal the workers of every process that something waits for them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from app.store import timeline
from app.store.lane import Lane
from app.store.pulse import Pulse

log = structlog.get_logger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[AsyncConnection], Awaitable[T]]
Bulk = Callable[[AsyncConnection, Sequence[Item]], Awaitable[Sequence[T | Exception]]]

BUSY_TIMEOUT_MS = 15_000
_CHANNEL = "tocsin"
SILENCE = 20.0
"""Seconds after which a server is given up that neither answers nor is seen to be away, with the transaction that waits for it."""

MISSED = "*"
"""What `on_signal` hears, in place of an announcement, once signals of other processes may have been missed."""

TOGETHER = 200
"""How many share a transaction at most."""

UNUSABLE = (OperationalError, InterfaceError, TimeoutError)
"""What says that the database cannot be written now (locked, full, gone), not that the work was wrong."""


async def recorded(commit: Callable[[], Awaitable[T]], what: Callable[[], str]) -> T:
    """What was done outside must not be forgotten: commits until the database takes it. `what` it is stands in the log, should it never."""
    try:
        return await commit()
    except UNUSABLE as error:
        log.error("not-recorded-yet", what=what(), problem=str(getattr(error, "orig", error)))
    return await AsyncRetrying(retry=retry_if_exception_type(UNUSABLE), wait=wait_random_exponential(0.2, max=5))(commit)


@dataclass(slots=True, eq=False)
class _Waiting:
    """An item that waits for the next transaction, and who waits for what becomes of it."""

    bulk: Bulk[Any, Any]
    item: Any
    about: str = ""
    alone: bool = False
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


def _nobody(_announcement: str) -> None:
    """Where no worker is at work."""


async def in_turn(tx: AsyncConnection, works: Sequence[Work[Any]]) -> list[Any]:
    """The bulk of works that have nothing in common."""
    return [await work(tx) for work in works]


class Database:
    """An open database; `url` is SQLAlchemy's, `sqlite+aiosqlite:///…` or `postgresql+psycopg://…`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine: AsyncEngine = _on_sqlite(url) if self.sqlite else _on_postgres(url)
        self._patience = None if self.sqlite else SILENCE
        self._writing = asyncio.Lock()
        self.changes, self.news = Pulse(), Pulse()  # beat at every write of this process, and where something waits for a worker
        self.writes = 0  # of this process; what was read may be kept until it changes
        self.on_signal: Callable[[str], None] = _nobody
        self._signals: WeakKeyDictionary[AsyncConnection, list[str]] = WeakKeyDictionary()  # of transactions that are under way
        self._waiting: list[_Waiting] = []
        self._committing: asyncio.Task[None] | None = None
        self._lane = Lane(url) if self.sqlite else None
        self._looks = Lane(url, looks=True) if self.sqlite else None
        for engine in self.engines if self.sqlite else ():
            event.listen(engine, "connect", _prepare_sqlite)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries. Raises `TimeoutError` where a server falls silent meanwhile."""
        async with asyncio.timeout(self._patience), self.engine.connect() as connection:
            yield connection

    async def look(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        """The same for `work` that does nothing but queries; on SQLite all of it runs in another thread, which saves each the way."""
        if self._looks:
            return await self._looks.transaction(work)
        async with self.read() as tx:
            return await work(tx)

    @asynccontextmanager
    async def write(self, *, quiet: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction; committed and on disk when the block ends, rolled back when it raises. A `quiet` one wakes nobody."""
        if self.sqlite:
            async with self._writing, self.engine.connect() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection  # where it raises, the connection rolls back as it returns to the pool
                await timeline.write(connection)
                await connection.exec_driver_sql("COMMIT")
        else:
            async with asyncio.timeout(self._patience), self.engine.begin() as connection:
                yield connection
                await timeline.write(connection)
        if quiet:
            return
        self._told(self._signals.pop(connection, ()))

    def _told(self, signals: Sequence[str]) -> None:
        self.writes += 1
        self.changes.beat()
        if signals:
            self.news.beat()
        for announcement in signals:
            self.on_signal(announcement)

    async def signal(self, tx: AsyncConnection, announcement: str) -> None:
        """Once this transaction is on disk, every worker hears that there is something to do about an announcement (`on_signal`)."""
        self._signals.setdefault(tx, []).append(announcement)
        if not self.sqlite:
            await tx.execute(text("SELECT pg_notify(:channel, :told)"), {"channel": _CHANNEL, "told": announcement})

    async def listen(self) -> None:
        """Hears the signals of other processes, on Postgres, until it is cancelled or the connection is lost (`OperationalError`)."""
        import psycopg  # 9 MB that a house on SQLite does without

        server = self.url.replace("+psycopg", "")  # a connection that is dead is noticed after some ten seconds
        connection = await psycopg.AsyncConnection.connect(
            server, autocommit=True, keepalives_idle=5, keepalives_interval=2, keepalives_count=3
        )
        async with connection:
            await connection.execute(f"LISTEN {_CHANNEL}")
            self.on_signal(MISSED)
            async for told in connection.notifies():
                self.changes.beat()
                self.news.beat()
                self.on_signal(told.payload)

    async def commit(self, work: Work[T], *, about: str = "") -> T:
        """Runs `work` in a transaction that it shares with whatever else waits (group commit); on disk when this returns.

        Work that raises undoes itself alone, and the error comes back to its own caller. The others are then run again: work
        does nothing but queries. Work whose caller was cancelled before it began is left out. `about` names the announcement that
        it locks: on Postgres a transaction never locks two, since two workers that lock them crosswise would stop each other.
        """
        return await self.commit_each(in_turn, work, about=about)

    async def commit_each(self, bulk: Bulk[Item, T], item: Item, *, about: str = "") -> T:
        """The same for one of many alike: `bulk` gets every such item that waits, in as few queries as it can.

        It returns a result for each item, or the exception that its caller gets, having done nothing for that one. Where it raises,
        it is run again with each item alone.
        """
        waiting = _Waiting(bulk, item, "" if self.sqlite else about)
        self._waiting.append(waiting)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        result: T = await waiting.done
        return result

    async def _commit_waiting(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # let those that are ready at this moment come along
            about = self._waiting[0].about
            batch = [waiting for waiting in self._waiting if waiting.about == about][:TOGETHER]
            taken = set(batch)
            self._waiting = [waiting for waiting in self._waiting if waiting not in taken]
            batch = [waiting for waiting in batch if not waiting.done.cancelled()]
            while batch:
                batch = await self._commit_together(batch)

    async def _commit_together(self, batch: list[_Waiting]) -> list[_Waiting]:
        """One transaction; tells those who wait. Returns what has to be run again, as another's failure undid it."""
        groups: dict[object, list[_Waiting]] = {}
        for waiting in batch:
            groups.setdefault(waiting if waiting.alone else waiting.bulk, []).append(waiting)
        running: list[_Waiting] = []
        results: dict[_Waiting, Any] = {}

        async def work(tx: AsyncConnection) -> None:
            nonlocal running
            for running in groups.values():
                told = await running[0].bulk(tx, [waiting.item for waiting in running])
                results.update(zip(running, told, strict=True))
            running = []

        try:
            await self._shared(work)
        except Exception as error:
            if len(running) > 1 and not isinstance(error, UNUSABLE):
                for waiting in running:
                    waiting.alone = True
                return batch
            results = dict.fromkeys(batch if isinstance(error, UNUSABLE) else running or batch, error)
        for waiting, result in results.items():
            if not waiting.done.done():
                waiting.done.set_exception(result) if isinstance(result, Exception) else waiting.done.set_result(result)
        return [waiting for waiting in batch if waiting not in results]

    async def _shared(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, None]]) -> None:
        """A transaction whose work awaits nothing but its queries."""
        if self._lane is None:
            async with self.write() as tx:
                await work(tx)
            return
        signals: list[str] = []

        async def recorded(tx: AsyncConnection) -> None:
            await work(tx)
            await timeline.write(tx)
            signals.extend(self._signals.pop(tx, ()))

        async with self._writing:
            await self._lane.transaction(recorded)
        self._told(signals)

    async def close(self) -> None:
        """Writes what still waits, then lets go of every connection."""
        if self._committing is not None:
            await asyncio.wait({self._committing})
        for lane in self._lanes:
            await asyncio.to_thread(lane.close)
        await self.engine.dispose()

    @property
    def engines(self) -> tuple[Engine, ...]:
        """SQLAlchemy's, through which connections are opened."""
        return (self.engine.sync_engine, *(lane.engine for lane in self._lanes))

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return tuple(lane for lane in (self._lane, self._looks) if lane)


def _on_sqlite(url: str) -> AsyncEngine:
    """No statement is kept: each holds a copy of what was last bound to it, and a manifest of ten thousand is megabytes."""
    return create_async_engine(url, connect_args={"cached_statements": 0})


def _on_postgres(url: str) -> AsyncEngine:
    """A server that fell silent is given up after some ten seconds, by the kernel or by `SILENCE`, and not after a quarter of an hour."""
    silence = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 8000}
    return create_async_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, connect_args=silence)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    raw: sqlite3.Connection = connection
    # Transactions are begun by us, as IMMEDIATE ones.
    raw.isolation_level = None
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-256", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
