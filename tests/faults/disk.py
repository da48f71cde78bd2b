"""What a disk may hold after power was lost, rebuilt from a trace of the process that wrote to it.

The model: what a file's fsync or fdatasync has returned for is there. Of what was written later, nothing may be there, or all, or any of
it in sectors of 512 bytes. A file that was made is there with its own first sync; one that was removed or renamed is so at once (SQLite
syncs the folder, and a journalling file system keeps that order). What is mapped into memory, SQLite's `-shm`, is not on the disk.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.faults.tracer import Call
from tests.faults.tracing import data

SECTOR = 512
SYNCS = {"fsync", "fdatasync"}


class Unsynced(StrEnum):
    """What becomes of writes after the last sync."""

    NONE = "none"
    ALL = "all"
    SOME = "some"


@dataclass(slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, bytes | None]] = field(default_factory=list)  # where, and what; None cuts it off there
    durable: bool = False

    def settle(self, keeps: Iterable[tuple[int, bytes | None]] | None = None) -> None:
        for offset, written in self.later if keeps is None else keeps:
            if written is None:
                del self.content[offset:]
            else:
                self.content.extend(bytes(max(offset - len(self.content), 0)))
                self.content[offset : offset + len(written)] = written
            self.durable = True
        self.later.clear()


def read(folder: Path) -> dict[str, bytes]:
    """All files of the folder, as they are now, by their paths, but for those that are mapped into memory."""
    return {str(path): path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.name.endswith("-shm")}


def after_power_loss(before: dict[str, bytes], folder: Path, calls: Iterable[Call], unsynced: Unsynced, seed: int) -> dict[str, bytes]:
    """The folder's files after these calls, begun with those `before`, which count as durable.

    Raises `ValueError` for a call that it cannot follow.
    """
    files = {path: _File(bytearray(content), durable=True) for path, content in before.items()}
    for call in calls:
        _follow(files, str(folder), call)
    chance = random.Random(seed)
    for file in files.values():
        if unsynced is Unsynced.ALL:
            file.settle()
        elif unsynced is Unsynced.SOME:
            file.settle([piece for offset, written in file.later for piece in _sectors(offset, written) if chance.random() < 0.5])
    return {path: bytes(file.content) for path, file in files.items() if file.durable}


def _follow(files: dict[str, _File], folder: str, call: Call) -> None:
    if not call.to.startswith(folder + "/") or call.to.split("\n")[0].endswith("-shm") or call.result < 0:
        return
    if call.name in SYNCS:
        files.setdefault(call.to, _File()).settle()
        files[call.to].durable = True
    elif call.name in {"unlink", "unlinkat"}:
        files.pop(call.to, None)
    elif call.name in {"rename", "renameat2"}:
        old, new = call.to.split("\n")
        files[new] = files.pop(old)
    elif call.name in {"pwrite64", "pwritev"}:
        files.setdefault(call.to, _File()).later.append((call.offset, data(call)))
    elif call.name == "ftruncate":
        files.setdefault(call.to, _File()).later.append((call.offset, None))
    else:
        raise ValueError(f"{call.name} to {call.to}: where it wrote is not known")


def _sectors(offset: int, written: bytes | None) -> Iterable[tuple[int, bytes | None]]:
    """The pieces of a write that reach the disk, or do not, each by itself."""
    if written is None:
        yield offset, None
        return
    start = 0
    while start < len(written):
        end = min(len(written), start + SECTOR - (offset + start) % SECTOR)
        yield offset + start, written[start:end]
        start = end
