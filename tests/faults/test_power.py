"""Loss of power at a few moments of one broadcast; many: `python -m tests.faults.power`. And that the model of a disk finds a loss."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import disk
from tests.faults.disk import Unsynced
from tests.faults.power import Recording, lose_power, moments, recording
from tests.faults.test_sweep import _can_trace as _can_trace
from tests.faults.tracing import tracing_process

pytestmark = pytest.mark.timeout(300)  # real processes, and a machine that may be busy

MOMENTS, SEED = 3, 3
TELLS = """
import os, sqlite3, sys

told = sqlite3.connect(sys.argv[1], isolation_level=None)
told.execute("PRAGMA synchronous=" + sys.argv[2])
input()
told.execute("INSERT INTO told VALUES (1)")
os._exit(0)  # an orderly end would sync
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, _can_trace: None) -> Iterator[Recording]:
    with recording(tmp_path_factory.mktemp("power")) as recorded:
        yield recorded


@pytest.mark.parametrize("number", range(MOMENTS))
def test_nothing_is_lost_doubled_or_forgotten(made: Recording, number: int) -> None:
    moment, unsynced = moments(made.calls, MOMENTS, SEED)[number]
    verdict = lose_power(made, moment, unsynced, SEED)
    assert verdict.good, (moment, unsynced, verdict.wrong)


def test_once_everything_is_acknowledged_everything_must_be_there(made: Recording) -> None:
    verdict = lose_power(made, len(made.calls), Unsynced.NONE, SEED)
    assert verdict.good, verdict.wrong
    assert verdict.posted == 9


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", 1), ("NORMAL", 0)])
def test_the_model_of_a_disk_loses_what_was_not_synced(tmp_path: Path, synchronous: str, kept: int) -> None:
    """SQLite's own promise (its documentation of `synchronous`): with a WAL, FULL keeps each commit, NORMAL may lose the last."""
    path = tmp_path / "told.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE told (id INTEGER)")
        db.commit()
    with subprocess.Popen([sys.executable, "-c", TELLS, str(path), synchronous], stdin=subprocess.PIPE) as telling:
        assert telling.stdin is not None
        before = disk.read(tmp_path)
        with tracing_process(telling.pid) as trace:
            telling.stdin.write(b"\n")
            telling.stdin.flush()
            telling.wait(20)
            trace.ended.wait(20)
    for old in tmp_path.iterdir():
        old.unlink()
    for name, content in disk.after_power_loss(before, tmp_path, trace.calls, Unsynced.NONE, 1).items():
        Path(name).write_bytes(content)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM told").fetchone() == (kept,)
