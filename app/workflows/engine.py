"""The durable engine, DBOS: launched once a process, with the two settings that keep an upgrade from stranding work.

The truth is in our own tables; the engine only runs the broadcast and resumes it after a crash. A row in its database must not be
able to run code: it would unpickle, so its pickling serializer is replaced by a refusal and everything is JSON. Its SQLite file may
lose its last moments with the power, and where it is no database any more it is set aside: the sweep starts what was under way.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from pathlib import Path
from typing import Any, NoReturn

import dbos._serialization
import structlog
from dbos import DBOS, DBOSConfig
from dbos._serialization import DBOSPortableJSONSerializer
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from app.workflows import house

APPLICATION_VERSION = "1"
"""Constant: by default it is a hash of the code, and each deployment would strand what is under way."""

EXECUTOR = "tocsin"

log = structlog.get_logger(__name__)
_opened: list[Engine] = []  # DBOS closes no engine that was given to it


class PickleRefused(Exception):
    """A row of the engine's database asks to be unpickled, which would run code; it is not."""


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise PickleRefused("The engine's database holds a pickled value. Tocsin writes none: somebody else did.")


def launch(database_url: str) -> None:
    """Starts the engine and resumes what an earlier process left. `database_url` is SQLAlchemy's, synchronous."""
    dbos._serialization.DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign]
    logging.getLogger("dbos").setLevel(logging.WARNING)
    if not database_url.startswith("sqlite"):
        return _launch(database_url, None)
    try:
        return _launch(database_url, _sqlite(database_url))
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # locked or full, which passes; the class itself means: no database, or malformed
            raise
        log.error("engine-database-broken", problem=str(error.orig), kept="as engine.sqlite.broken-…")
        DBOS.destroy()
        _dispose()
        _set_aside(Path(str(make_url(database_url).database)))
        return _launch(database_url, _sqlite(database_url))


async def close(seconds: int = 25) -> None:
    """Lets posts that are under way come to their end for so long, then stops the engine; what is left is resumed at the next start."""
    left = await house.stop(seconds)
    await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=math.ceil(left))
    _dispose()


def _launch(database_url: str, engine: Engine | None) -> None:
    config: DBOSConfig = {
        "name": "tocsin",
        "system_database_url": database_url,
        "system_database_engine": engine,
        "application_version": APPLICATION_VERSION,
        "executor_id": EXECUTOR,
        "serializer": DBOSPortableJSONSerializer(),
        "max_executor_threads": 8,
        "log_level": "WARNING",
        "enable_otlp": False,
    }
    DBOS(config=config)
    DBOS.launch()


def _sqlite(database_url: str) -> Engine:
    """As DBOS opens it, but with a write-ahead log and without waiting for the disk: its book is a convenience, ours is the truth."""
    engine = create_engine(database_url)

    @event.listens_for(engine, "connect")
    def prepare(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
            raw.execute(f"PRAGMA {pragma}")

    _opened.append(engine)
    return engine


def _dispose() -> None:
    while _opened:
        _opened.pop().dispose()


def _set_aside(path: Path) -> None:
    """Renames the file and drops what belongs to it; it is kept for whoever wants to know what happened."""
    path.replace(path.with_name(f"{path.name}.broken-{time.time_ns()}"))
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
