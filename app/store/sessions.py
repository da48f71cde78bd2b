"""Sessions of people who logged in. The token is known to its browser alone; here is its SHA-256, hexadecimal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.records import first
from app.store.tables import sessions


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of `sessions`."""

    token_hash: str
    person: str
    credential_id: str
    opened_at: datetime
    seen_at: datetime


async def find(tx: AsyncConnection, token_hash: str) -> SessionRow | None:
    """By the hash of its token, whether it is over or not."""
    return await first(tx, SessionRow, select(sessions).where(sessions.c.token_hash == token_hash))


async def add(tx: AsyncConnection, row: SessionRow) -> None:
    """Keeps a new one."""
    await tx.execute(sessions.insert().values(asdict(row)))


async def see(tx: AsyncConnection, token_hash: str, now: datetime) -> None:
    """Its person was just there."""
    await tx.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(seen_at=now))


async def end(tx: AsyncConnection, token_hash: str) -> None:
    """Ends this one."""
    await tx.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


async def end_all(tx: AsyncConnection, person: str) -> None:
    """Ends every one of a person."""
    await tx.execute(delete(sessions).where(sessions.c.person == person))


async def end_older(tx: AsyncConnection, opened: datetime, seen: datetime) -> None:
    """Forgets those that were opened, or last seen, before these moments."""
    await tx.execute(delete(sessions).where((sessions.c.opened_at <= opened) | (sessions.c.seen_at <= seen)))
