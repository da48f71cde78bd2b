"""The hash chain of an exported timeline: reading its rows, and saying where and why it breaks.

Which row follows from which is decided by `app.store.timeline`; a field that no hash covers is refused here. What a signed checkpoint
says of the same rows is `app.domain.checkpoint`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import click
import rfc8785

from app.cli.output import one_line, say
from app.cli.words import called
from app.domain.checkpoint import Checkpoint, Tree
from app.store.tables import iso
from app.store.timeline import Entry, first_broken

FIELDS = frozenset({"seq", "at", "actor", "event", "incident", "announcement", "data", "previous", "hash"})


def rows_of(raw: bytes, name: str) -> list[Any]:
    """The rows of a timeline, as JSON Lines or as one page of the API."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{called(name)} is not text in UTF-8 (byte {error.start + 1}).") from error
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return [_line(line, at, name) for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    if isinstance(whole, dict) and isinstance(whole.get("items"), list):
        if whole.get("next") is not None:
            say("This is one page; the timeline goes on after it. `tocsin verify --export` fetches all of it.")
        return list(whole["items"])
    return whole if isinstance(whole, list) else [whole]


def _line(line: str, at: int, name: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"{called(name)}, line {at}: this is no JSON, so no timeline ({one_line(error)}).") from error


class _Unreadable(Exception):
    """This row is none of Tocsin's; the message says why."""


class Chain:
    """The entries of some rows, one after another, and how far they were taken; they have to agree with the checkpoints."""

    def __init__(self, rows: Iterable[Any], checkpoints: Sequence[Checkpoint] = ()) -> None:
        self._rows = iter(rows)
        self.checkpoints = sorted(checkpoints, key=lambda one: one.size)
        self.held: Entry | None = None  # the last that follows from those before
        self.last: Entry | None = None
        self.problem = ""
        self.conflict = ""  # the problem, where it is what a checkpoint says
        self._tree = Tree()
        self._sizes = {one.size for one in checkpoints}
        self._roots: dict[int, bytes] = {}

    def check(self) -> Chain:
        """Takes rows until one does not hold; then `problem` says which and why."""
        try:
            broken = first_broken(self._entries())
        except _Unreadable as error:
            self._hold()
            self.problem = f"The row after {self.last.seq if self.last else 0} does not hold: {error}."
            return self
        if broken is None:
            self._hold()
            self.conflict = self._conflict()
            self.problem = self.conflict if self.last else "There is no row to verify."
        else:
            self.problem = f"Row {broken} does not hold: {self._why()}."
        return self

    def drain(self) -> None:
        """Takes the rows that are left, whatever they are."""
        for _ in self._rows:
            pass

    def _entries(self) -> Iterator[Entry]:
        for row in self._rows:
            entry = _entry(row)
            self._hold()
            self.last = entry
            yield entry

    def _hold(self) -> None:
        """The last one follows from those before."""
        self.held = self.last
        if self.held and self.checkpoints:
            self._tree.add(bytes.fromhex(self.held.hash))
            if self._tree.size in self._sizes:
                self._roots[self._tree.size] = self._tree.root

    def _conflict(self) -> str:
        """Where a checkpoint says otherwise, or ""."""
        agreed, rows = 0, self._tree.size
        for one in self.checkpoints:
            if one.size > rows:
                return f"Rows are cut off at the end: a checkpoint was signed over {one.size}, and these are {rows}."
            if one.size and self._roots[one.size] != one.root:
                told = f"Rows 1 to {agreed} are those of the checkpoint before it" if agreed else "No checkpoint agrees"
                return f"Rows 1 to {one.size} are not those over which a checkpoint was signed: they were written anew. {told}."
            agreed = one.size
        return ""

    def _why(self) -> str:
        assert self.last is not None
        due = self.held.seq + 1 if self.held else 1
        if self.last.seq > due:
            gone = f"row {due} is" if self.last.seq == due + 1 else f"rows {due} to {self.last.seq - 1} are"
            return f"{gone} missing before it, and only a whole timeline can be verified"
        if self.last.seq < due:
            return f"row {due} was due here; it stands out of order, or twice"
        if self.last.computed_hash() != self.last.hash:
            return "it was changed, for its hash is not that of what it says"
        return "it does not name the hash of the row before it"


def _entry(row: Any) -> Entry:
    if not isinstance(row, dict) or row.keys() != FIELDS:
        raise _Unreadable(f"it has not exactly the fields {', '.join(sorted(FIELDS))}")
    texts = {name: row[name] for name in FIELDS - {"seq", "at", "data"}}
    if type(row["seq"]) is not int or not all(isinstance(text, str) for text in texts.values()):
        raise _Unreadable("a field is of another kind than Tocsin writes")
    try:
        at = datetime.fromisoformat(row["at"])
        if iso(at) != row["at"]:
            raise _Unreadable("its time is not written as Tocsin writes it")
        entry = Entry(seq=row["seq"], at=at, data=rfc8785.dumps(row["data"]).decode(), **texts)
        entry.computed_hash()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _Unreadable(f"it cannot be read ({one_line(error)})") from error
    return entry
