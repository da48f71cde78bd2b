"""A running rehearsal: the real server in a process of its own, the stand-ins in another, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.rehearsal.play import Stage, stage
from tests.support.desk import Desk


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server and its stand-ins for a module; each test announces incidents of its own."""
    folder: Path = tmp_path_factory.mktemp("rehearsal")
    with stage(folder) as started:
        yield started


@pytest.fixture(scope="module")
def desk(running: Stage) -> Desk:
    """The same, as its people use it."""
    return Desk(running)
