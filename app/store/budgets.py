"""How many posts a platform lets through, kept in one place for all workers: a bucket is a virtual schedule (GCRA, ITU-T I.371).

Whoever wants to post books the next free moment and waits for it; so nobody asks twice, and nobody pushes in. A burst of `posts` goes
at once, then one each `seconds / posts`: at most `2 * posts - 1` in any `seconds`. A moment that is booked and not used is lost. Where
the platform itself says to wait, the bucket is closed for so long. Times are the database's.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Pace
from app.store.records import adding
from app.store.tables import budgets

_NOW = 0.001
"""Seconds that are none: floats of the size of Unix time are exact to a microsecond at best."""


_OF = budgets.c.bucket.in_(bindparam("of", expanding=True))
_BOOKED = select(budgets.c.bucket, budgets.c.booked_to).where(_OF).order_by(budgets.c.bucket).with_for_update()
_CLOSED = select(budgets.c.bucket, budgets.c.closed_to).where(_OF, budgets.c.closed_to > 0)
_BOOK = update(budgets).where(budgets.c.bucket == bindparam("of")).values(booked_to=bindparam("to"))


async def clock(tx: AsyncConnection) -> float:
    """Unix seconds: of the server where several workers share one, whose own clocks may differ."""
    if tx.dialect.name == "postgresql":
        return float(await tx.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8")) or 0)
    return time.time()


async def book(tx: AsyncConnection, wanted: Sequence[Sequence[Pace]]) -> list[float]:
    """For each post, with the paces that it has to keep: the seconds until its moment (0: now)."""
    kept = [[(_name(pace), pace) for pace in paces] for paces in wanted]
    names = sorted({name for paces in kept for name, _ in paces})
    if not names:
        return [0.0 for _ in wanted]
    booked = await _booked(tx, names)
    if len(booked) < len(names):
        await _known(tx, [name for name in names if name not in booked])
        booked = await _booked(tx, names)
    now, waits = await clock(tx), []
    for paces in kept:
        moment = max([now, *(_moment(pace, booked[name]) for name, pace in paces)])
        for name, pace in paces:
            booked[name] = max(booked[name], moment) + pace.seconds / pace.posts
        waits.append(moment - now if moment - now > _NOW else 0.0)
    values = [{"of": bucket, "to": to} for bucket, to in booked.items()]
    await tx.execute(_BOOK, values)
    return waits


async def _booked(tx: AsyncConnection, names: Sequence[str]) -> dict[str, float]:
    return {row.bucket: row.booked_to for row in (await tx.execute(_BOOKED, {"of": names})).all()}


async def reopen(tx: AsyncConnection, bucket: str) -> None:
    """A person says that there is no need to wait any more."""
    await tx.execute(update(budgets).where(budgets.c.bucket == bucket).values(closed_to=0.0))


def _name(pace: Pace) -> str:
    """One account can be bound to several paces at once, each with a schedule of its own."""
    return f"{pace.bucket} {pace.posts}/{pace.seconds:g}s"


async def close(tx: AsyncConnection, bucket: str, seconds: float) -> None:
    """Nothing goes through this bucket for so many seconds. What a platform asks of one place is kept under the destination's id."""
    await _known(tx, [bucket])
    until = await clock(tx) + seconds
    await tx.execute(update(budgets).where(budgets.c.bucket == bucket, budgets.c.closed_to < until).values(closed_to=until))


async def closed(tx: AsyncConnection, buckets: Collection[str]) -> dict[str, float]:
    """The buckets that are closed, with the seconds that are left."""
    found = (await tx.execute(_CLOSED, {"of": list(buckets)})).all()
    now = await clock(tx) if found else 0.0
    return {bucket: to - now for bucket, to in found if to > now}


def _moment(pace: Pace, booked_to: float) -> float:
    """When the next post may go: a burst of `posts` at once, then one each `seconds / posts`."""
    return booked_to - pace.seconds * (pace.posts - 1) / pace.posts


async def _known(tx: AsyncConnection, buckets: Sequence[str]) -> None:
    rows = [{"bucket": bucket, "booked_to": 0.0, "closed_to": 0.0} for bucket in buckets]
    await tx.execute(adding(tx, budgets), rows)
