"""The highest version of the roster that was trusted here, in the data folder and outside the database, so that no row can roll it back.

Rules kept here: it only ever rises; it is on disk (fsync) before the version counts; and what cannot be read is never taken for a first
start. Who may write to the data folder can make Tocsin forget: that is the operating system's to prevent.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from app.domain.roster_document import DIGEST
from app.domain.roster_history import Known, RosterRefused

NAME = "roster.trusted"


def known(folder: Path) -> Known | None:
    """What was trusted here; None where nothing ever was. Raises `RosterRefused` where it is damaged, `OSError`."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        found = Known(**json.loads(text))
        if type(found.version) is int and DIGEST.fullmatch(found.digest):
            return found
    raise RosterRefused(f"{folder / NAME} is damaged, so it is not known which version was trusted here. The runbook tells what to do.")


def remember(folder: Path, trusted: Known) -> None:
    """Keeps it, durably. Raises `RosterRefused` where another process went on meanwhile, `OSError`."""
    with _alone(folder) as directory:
        before = known(folder)
        if before == trusted:
            return
        if before and before.version >= trusted.version:
            raise RosterRefused(f"Version {before.version} was trusted here meanwhile; version {trusted.version} counts no more.")
        fresh = folder / f"{NAME}.new"
        with open(fresh, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(asdict(trusted), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, folder / NAME)
        os.fsync(directory)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The folder, which other processes of this machine may share; the kernel lets the lock go when one dies."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield directory
    finally:
        os.close(directory)
