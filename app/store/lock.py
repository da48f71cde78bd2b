"""On SQLite only one process posts from one database: an exclusive lock on its folder, let go by the kernel when the process dies.

On Postgres any number may; there `app.store.workers` says who does what.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DatabaseInUse(Exception):
    """Another Tocsin works on this database."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds the lock of the data folder. Raises `DatabaseInUse`, `OSError`."""
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
