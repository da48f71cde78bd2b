"""Only one process posts from one database: an exclusive lock, let go by the kernel or the server when the process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_KEY = 0x746F6373696E


class DatabaseInUse(Exception):
    """Another Tocsin works on this database."""


@asynccontextmanager
async def only_one(folder: Path, url: str) -> AsyncIterator[None]:
    """Holds the lock of the data folder, or of the Postgres database. Raises `DatabaseInUse`, `OSError`."""
    if url.startswith("sqlite"):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DatabaseInUse(f"Another Tocsin is running on {folder}. Stop it, or use another TOCSIN_DATA.") from None
            yield
        finally:
            os.close(handle)
        return
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            if not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}):
                raise DatabaseInUse("Another Tocsin is running on this Postgres database. Stop it first.")
            await connection.commit()
            yield
    finally:
        await engine.dispose()
