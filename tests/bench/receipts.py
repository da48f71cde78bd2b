"""What is on disk, as another reader of the database sees it: committed rows only. Not the server's word, and no work for it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

PATIENCE = 600.0
LEFT = "SELECT 1 FROM deliveries WHERE digest = {} AND state <> 'posted' LIMIT 1"


@contextlib.contextmanager
def reader(data: Path, database_url: str = "") -> Iterator[Callable[[str], bool]]:
    """Tells of a digest whether all its deliveries are posted. `data` is the folder of the SQLite file."""
    if database_url:
        with psycopg.connect(database_url, autocommit=True) as postgres:
            yield lambda digest: postgres.execute(LEFT.format("%s"), (digest,)).fetchone() is None
    else:
        file = f"file:{data / 'tocsin.sqlite'}?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True, isolation_level=None)) as sqlite:
            yield lambda digest: sqlite.execute(LEFT.format("?"), (digest,)).fetchone() is None


def all_there_at(done: Callable[[str], bool], digest: str, pause: float) -> float:
    """When the last receipt was there (Unix seconds), `pause` seconds late at most. Ask only once the deliveries are planned."""
    deadline = time.monotonic() + PATIENCE
    while not done(digest):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:g} s for the receipts of {digest}")
        time.sleep(pause)
    return time.time()
