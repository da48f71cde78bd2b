"""Rows as frozen dataclasses: a record's fields are columns of the same name.

Statements on the way from an approval to its posts are built once, with parameters that are given to them: to build one takes several
times as long as SQLite takes to run it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, Select, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

R = TypeVar("R")

STEP = 1000
"""How many rows are read at a time where there may be ten thousand."""


async def many(tx: AsyncConnection, record: type[R], query: Executable, **given: Any) -> list[R]:
    """All rows of the query. Words that repeat from row to row are held once."""
    same: dict[str, str] = {}
    return [record(**_known(record, row, same)) for row in (await tx.execute(query, given)).mappings()]


def in_steps(query: Select[Any], key: ColumnElement[int]) -> Select[Any]:
    """A query for `many_by_many`, by a key of whole numbers from 0 on."""
    return query.where(key > bindparam("after")).order_by(key).limit(STEP)


async def many_by_many(tx: AsyncConnection, record: type[R], steps: Select[Any], key: str, **given: Any) -> list[R]:
    """The same of rows that may be ten thousand, some at a time: a driver holds all that it is asked for at once."""
    found = some = await many(tx, record, steps, after=-1, **given)
    while len(some) == STEP:
        some = await many(tx, record, steps, after=getattr(some[-1], key), **given)
        found += some
    return found


async def first(tx: AsyncConnection, record: type[R], query: Executable, **given: Any) -> R | None:
    """The first row, or None."""
    row = (await tx.execute(query, given)).mappings().first()
    return record(**_known(record, row, {})) if row else None


async def add_all(tx: AsyncConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Inserts them, a thousand at a time: of ten thousand that are bound together every value is held three times."""
    left = iter(rows)
    while some := list(islice(left, 1000)):
        await tx.execute(table.insert(), some)


def columns(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as parameters. SQLAlchemy would say nothing about one that is no column's, and leave it out. Raises `KeyError`."""
    if unknown := values.keys() - table.c.keys():
        raise KeyError(f"{table.name} has no {', '.join(sorted(unknown))}")
    return dict(values)


def adding(tx: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that leaves a row alone which is there already; two workers may add the same at the same moment."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _known(record: type[Any], row: Any, same: dict[str, str]) -> dict[str, Any]:
    values = ((name, row[name]) for name in record.__slots__)
    return {name: same.setdefault(value, value) if isinstance(value, str) else value for name, value in values}
