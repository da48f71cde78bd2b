"""Every way to write into one column of one table, made from the tables' own description: a column that comes later is attacked as well.

An attack changes what belongs to one announcement, its victim. Which rows those are is found by looking: a row belongs to an announcement
if a value in it is one of its ids. Rows that belong to none are everybody's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, String, Table

from adapters.contract import Role
from app.domain.announcement import AnnouncementState, Kind
from app.domain.approval import Decision
from app.domain.delivery import DeliveryState
from app.domain.followup import FollowUpState
from app.store.tables import Moment, metadata

Row = dict[str, Any]
State = dict[str, list[Row]]
"""All rows of all tables, as the driver gives them."""
Query = Callable[[str, Sequence[Any]], None]
"""Runs one statement with `?` for its values. Raises where the database refuses it."""

LONG_AGO, LONG_AFTER = "2020-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"
SAID, EVIL = "move your funds", "send your funds"
_WORDS = [
    *(AnnouncementState.APPROVED, AnnouncementState.SENDING, AnnouncementState.SENT, AnnouncementState.AWAITING_APPROVAL),
    *(DeliveryState.PLANNED, DeliveryState.POSTED, DeliveryState.UNKNOWN, FollowUpState.DUE, FollowUpState.SCHEDULED),
    *(Role.PRIMARY, Role.POINTER, Role.BANNER, Kind.CORRECTION, Decision.APPROVE, "open", "not_sent", "live", "excluded"),
]
"""By which something might be made to go out, or to go out again, in a column that holds one of a few words."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done to a victim's rows of one table."""

    table: str
    column: str
    how: str  # alter, swap, copy, delete, replay
    value: Any = None

    def __str__(self) -> str:
        return f"{self.how} {self.table}.{self.column} {self.value!r:.40}"

    def run(self, query: Query, rows: list[Row], others: list[Row], before: list[Row], fresh: Iterator[int]) -> None:
        """Does it to the victim's `rows`; `others` are another announcement's, and `before` what these were at an earlier time."""
        if self.how == "alter":
            for row in rows:
                self._set(query, row, self.value if self.value is not _EVIL else _evil(row[self.column]))
        elif self.how == "swap":
            for row, other in zip(rows, others, strict=False):
                self._set(query, row, f"between{next(fresh)}"[:20]) if _unique(self.table, self.column) else None
                self._set(query, other, row[self.column])
                self._set(query, row, other[self.column])
        elif self.how == "copy":
            for row, other in zip(rows, others, strict=False):
                self._insert(query, _renamed(self.table, row, fresh) | {self.column: other[self.column]})
        else:
            for row in rows:
                where, values = _key(self.table, row)
                query(f'DELETE FROM "{self.table}" WHERE {where}', values)
            for row in before if self.how == "replay" else ():
                self._insert(query, row)

    def _set(self, query: Query, row: Row, value: Any) -> None:
        where, values = _key(self.table, row)
        query(f'UPDATE "{self.table}" SET "{self.column}" = ? WHERE {where}', [value, *values])

    def _insert(self, query: Query, row: Row) -> None:
        columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        query(f'INSERT INTO "{self.table}" ({columns}) VALUES ({marks})', list(row.values()))


_EVIL = object()
FRESH = itertools.count(1_000_000)
"""Numbers for keys that no row has."""


def attacks() -> list[Attack]:
    """All of them, over every table and column that there is."""
    found: list[Attack] = []
    for table in metadata.sorted_tables:
        for column in table.c:
            values = (value for value in _values(column) if value is not None or column.nullable)
            found += [Attack(table.name, column.name, "alter", value) for value in values]
            found += [Attack(table.name, column.name, how) for how in ("swap", "copy")]
        found += [Attack(table.name, "*", how) for how in ("delete", "replay")]
    return found


def marks_of(state: State, known: frozenset[str]) -> frozenset[str]:
    """An announcement's ids, and those of all rows that name one of them."""
    for _ in range(3):
        for name, rows in state.items():
            keys = [column.name for column in _table(name).primary_key if isinstance(column.type, String)]
            known |= {row[key] for row in owned(rows, known) for key in keys}
    return known


def owned(rows: list[Row], marks: frozenset[str]) -> list[Row]:
    """The rows that name one of these."""
    return [row for row in rows if not marks.isdisjoint(value for value in row.values() if isinstance(value, str))]


def _values(column: Column[Any]) -> list[Any]:
    kind = column.type
    if isinstance(kind, Boolean):
        return [None, True, False]
    if isinstance(kind, Integer):
        return [None, -1, 0, 1, 2, 2**31 - 1]
    if isinstance(kind, Float):
        return [None, -1.0, 0.0, 1e300]
    if isinstance(kind, Moment):
        return [None, "", "junk", LONG_AGO, LONG_AFTER]
    texts = [None, "", "junk", "{}", "[]", _EVIL]
    if isinstance(kind, String) and kind.length and kind.length <= 20:
        texts += map(str, _WORDS)
    elif isinstance(kind, String) and kind.length and kind.length <= 100:
        texts += ["x", "t", "homepage", "first-reviewer", "second-reviewer"]
    return texts


def _evil(value: Any) -> Any:
    """Other words in the place of the true ones; where there are none, a space more."""
    if not isinstance(value, str):
        return "junk"
    return value.replace(SAID, EVIL) if SAID in value else f"{value} "


def _table(name: str) -> Table:
    return metadata.tables[name]


def _key(table: str, row: Row) -> tuple[str, list[Any]]:
    names = [column.name for column in _table(table).primary_key]
    return " AND ".join(f'"{name}" = ?' for name in names), [row[name] for name in names]


def _unique(table: str, column: str) -> bool:
    return bool(_table(table).c[column].unique) or column in _table(table).primary_key.columns


def _renamed(table: str, row: Row, fresh: Iterator[int]) -> Row:
    """The same row under another key."""
    first = next(iter(_table(table).primary_key))
    return row | {first.name: next(fresh) if isinstance(first.type, Integer) else f"{row[first.name]}{next(fresh)}"[-40:]}
