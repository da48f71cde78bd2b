"""Checkpoints of the record: how long it is and what it says, signed now and then and kept where the database does not reach.

Rules kept here: one checkpoint is signed after another of the same record only, never beside it. A record that became shorter, or that is
not the one of the last checkpoint, is told in the log and signed no more. Each checkpoint is on disk before anybody is told of it.
Whether what an entry says is what was hashed is `tocsin verify`'s to prove, over the whole export.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.domain.checkpoint import Checkpoint, Tree, notes_of
from app.domain.note import NoteRefused, Signer
from app.store import timeline
from app.store.database import Database
from app.store.timeline import GENESIS, Link

log = structlog.get_logger(__name__)

PAGE = 1000


class Conflict(Exception):
    """The record is not the one of which a checkpoint was signed; the message says where it departs."""


@dataclass(slots=True)
class Checkpoints:
    """Those of one record, by one key. `tell` takes a note outside, and raises where it was not taken."""

    signer: Signer
    file: Path
    seconds: float
    tell: Callable[[str], Awaitable[None]] | None = None
    note: str = ""  # the last one
    _signed: Checkpoint | None = None
    _tree: Tree = field(default_factory=Tree)
    _last: str = GENESIS  # the hash of the tree's last entry
    _told: bool = False
    _conflict: str = ""  # told until a person has looked, and started anew

    def __post_init__(self) -> None:
        """Reads the last one that was kept. Raises `OSError`."""
        for note in notes_of(self.file.read_text(encoding="utf-8", errors="replace")) if self.file.exists() else ():
            try:
                found = Checkpoint.opened(note, self.signer.verifier)
            except NoteRefused:
                continue  # of an older key
            self.note, self._signed = note, found

    async def run(self, database: Database) -> None:
        """Makes one whenever the record has grown, every so many seconds, until it is cancelled. A failure is logged and tried again."""
        while True:
            try:
                await self.make(database)
            except Conflict as error:
                log.error("record-conflict", problem=str(error), file=str(self.file))
            except Exception as error:
                log.warning("checkpoint-not-kept", problem=str(getattr(error, "orig", error)))
            await asyncio.sleep(self.seconds)

    async def make(self, database: Database) -> None:
        """Signs, keeps and tells a checkpoint, if the record has grown. Raises `Conflict`, and what file and receiver raise."""
        if self._conflict:
            raise Conflict(self._conflict)
        try:
            await self._grow(database)
        except Conflict as error:
            self._conflict = str(error)
            raise
        size = self._tree.size
        if size and (self._signed is None or size > self._signed.size):
            made = Checkpoint(self.signer.name, size, self._tree.root)
            note = made.note(self.signer)
            await asyncio.to_thread(_append, self.file, note)
            self.note, self._signed, self._told = note, made, False
        if self.tell and self.note and not self._told:
            await self.tell(self.note)
            self._told = True

    async def _grow(self, database: Database) -> None:
        """Takes up what was written since, beginning with the last entry that is known, which has to be there still."""
        more = True
        while more:
            async with database.read() as tx:
                links = await timeline.links(tx, first=max(self._tree.size, 1), limit=PAGE)
            more = len(links) == PAGE
            if self._tree.size:
                if not links or (links[0].seq, links[0].hash) != (self._tree.size, self._last):
                    raise Conflict(f"Entry {self._tree.size} of the record is gone, or is another than it was.")
                del links[0]
            for link in links:
                self._take(link)
        if self._signed and self._tree.size < self._signed.size:
            raise Conflict(f"The record ends at entry {self._tree.size}; a checkpoint was signed when it had {self._signed.size}.")

    def _take(self, link: Link) -> None:
        if (link.seq, link.previous) != (self._tree.size + 1, self._last):
            raise Conflict(f"Entry {link.seq} of the record does not follow from entry {self._tree.size}.")
        try:
            self._tree.add(bytes.fromhex(link.hash))
        except ValueError as error:
            raise Conflict(f"Entry {link.seq} of the record has no hash.") from error
        self._last = link.hash
        if self._signed and self._tree.size == self._signed.size and self._tree.root != self._signed.root:
            raise Conflict(f"Entries 1 to {self._signed.size} of the record are not those of which a checkpoint was signed.")


def _append(file: Path, note: str) -> None:
    """Adds it and an empty line, on disk when this returns; what a crash cut off before it is ended by one first."""
    with file.open("a+b") as kept:
        kept.seek(max(kept.tell() - 2, 0))
        whole = kept.read() in {b"", b"\n\n"}
        kept.write((b"" if whole else b"\n\n") + f"{note}\n".encode())
        kept.flush()
        os.fsync(kept.fileno())
