"""Rows as frozen dataclasses: a record's fields are columns of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

R = TypeVar("R")


async def many(tx: AsyncConnection, record: type[R], query: Executable) -> list[R]:
    """All rows of the query. Words that repeat from row to row are held once."""
    same: dict[str, str] = {}
    return [record(**_known(record, row, same)) for row in (await tx.execute(query)).mappings()]


async def many_by_many(tx: AsyncConnection, record: type[R], query: Select[Any], key: ColumnElement[int], step: int = 1000) -> list[R]:
    """The same of rows that may be ten thousand, in steps of a key of whole numbers: a driver holds all that it is asked for at once."""
    steps = query.order_by(key).limit(step)
    found = some = await many(tx, record, steps)
    while len(some) == step:
        some = await many(tx, record, steps.where(key > getattr(some[-1], str(key.key))))
        found += some
    return found


async def first(tx: AsyncConnection, record: type[R], query: Executable) -> R | None:
    """The first row, or None."""
    row = (await tx.execute(query)).mappings().first()
    return record(**_known(record, row, {})) if row else None


async def add_all(tx: AsyncConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Inserts them, a thousand at a time: of ten thousand that are bound together every value is held three times."""
    left = iter(rows)
    while some := list(islice(left, 1000)):
        await tx.execute(table.insert(), some)


def adding(tx: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that leaves a row alone which is there already; two workers may add the same at the same moment."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _known(record: type[Any], row: Any, same: dict[str, str]) -> dict[str, Any]:
    values = ((name, row[name]) for name in record.__slots__)
    return {name: same.setdefault(value, value) if isinstance(value, str) else value for name, value in values}
