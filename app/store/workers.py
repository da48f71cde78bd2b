"""Who is at work on this database: one row a worker, whose `beats` grow for as long as it lives.

No clock is compared: whoever watches the rows sees by its own clock which of them stand still. An announcement is held by a worker
for a term; a term ends when the broadcast does, when the worker lets go, or when the worker is buried.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.tables import announcements, workers

_ON_THE_ROLL = select(workers.c.id).where(
    workers.c.id.in_([bindparam("holder", type_=workers.c.id.type), bindparam("me", type_=workers.c.id.type)])
)


async def register(tx: AsyncConnection, id_: str, name: str) -> None:
    """A new worker."""
    await tx.execute(insert(workers).values(id=id_, name=name, beats=1, started_at=datetime.now(UTC)))


async def beat(tx: AsyncConnection, id_: str) -> dict[str, int] | None:
    """One more beat, and `beats` then. None: this worker was buried by another."""
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SET LOCAL synchronous_commit TO OFF"))  # a beat that a crash forgets is no loss
    if not (await tx.execute(update(workers).where(workers.c.id == id_).values(beats=workers.c.beats + 1))).rowcount:
        return None
    return await beats(tx)


async def beats(tx: AsyncConnection) -> dict[str, int]:
    """The beats of all workers by id, in order of their start."""
    return {row.id: row.beats for row in (await tx.execute(select(workers.c.id, workers.c.beats).order_by(workers.c.id))).all()}


async def may_take(tx: AsyncConnection, holder: str, me: str) -> bool:
    """Whether I am on the roll, and the holder of an announcement is nobody on it but me."""
    roll = set((await tx.scalars(_ON_THE_ROLL, {"holder": holder, "me": me})).all())
    return roll == {me}


async def bury(tx: AsyncConnection, *ids: str) -> None:
    """Takes dead workers (or one that leaves) off the roll, and whatever they held from them."""
    await tx.execute(update(announcements).where(announcements.c.worker.in_(ids)).values(worker=""))
    await tx.execute(delete(workers).where(workers.c.id.in_(ids)))


async def bury_all(tx: AsyncConnection) -> None:
    """Where only one process can be at work (SQLite), all that came before it is dead."""
    await tx.execute(update(announcements).where(announcements.c.worker != "").values(worker=""))
    await tx.execute(delete(workers))
