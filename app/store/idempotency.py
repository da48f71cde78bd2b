"""What was answered to a POST with an `Idempotency-Key`, so that the same request again gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.records import first
from app.store.tables import idempotency


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A row of `idempotency`; `status` and `body` are None until the request was answered."""

    fingerprint: str
    status: int | None
    body: str | None
    created_at: datetime


async def claim(tx: AsyncConnection, principal: str, key: str, fingerprint: str, now: datetime) -> AnswerRow:
    """Claims the key for this request, or gives back the row by which it was claimed before."""
    mine = (idempotency.c.principal == principal) & (idempotency.c.key == key)
    row = await first(tx, AnswerRow, select(idempotency).where(mine))
    if row is None:
        await tx.execute(idempotency.insert().values(principal=principal, key=key, fingerprint=fingerprint, created_at=now))
        row = AnswerRow(fingerprint, None, None, now)
    return row


async def answer(tx: AsyncConnection, principal: str, key: str, status: int, body: str) -> None:
    """Keeps the answer."""
    mine = (idempotency.c.principal == principal) & (idempotency.c.key == key)
    kept = update(idempotency).where(mine).values(status=bindparam("told_status"), body=bindparam("told_body"))
    await tx.execute(kept, {"told_status": status, "told_body": body})  # as parameters: SQLAlchemy keeps the first statement for good
