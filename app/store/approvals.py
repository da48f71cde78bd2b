"""Approvals as they were signed, the links that invite them, and the notices that carry those links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.records import columns, first, many
from app.store.tables import approval_links, approvals, notices


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A row of `approvals`; `approval` is the signed JSON, the other columns only index it."""

    announcement: str
    digest: str
    person: str
    decision: str
    key_kind: str
    approval: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A row of `approval_links`; the token itself is known to the reviewer alone."""

    token_hash: str
    announcement: str
    digest: str
    person: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A row of `notices`; `recipient` is a person's id or `destination:<id>`."""

    id: int
    kind: str
    announcement: str
    digest: str
    recipient: str
    due_at: datetime
    sent_at: datetime | None
    tries: int
    error: str


_OF_DIGEST = select(approvals).where(approvals.c.digest == bindparam("of")).order_by(approvals.c.id)
_SAME = delete(approvals).where(
    approvals.c.digest == bindparam("digest"), approvals.c.person == bindparam("person"), approvals.c.decision == bindparam("decision")
)
_USE_LINKS = update(approval_links).where(
    approval_links.c.digest == bindparam("about"), approval_links.c.person == bindparam("by"), approval_links.c.used_at.is_(None)
)


async def of_digest(tx: AsyncConnection, digest: str) -> list[ApprovalRow]:
    """All approvals of one manifest, oldest first."""
    return await many(tx, ApprovalRow, _OF_DIGEST, of=digest)


async def link(tx: AsyncConnection, token_hash: str) -> LinkRow | None:
    """By the SHA-256 of its token, hexadecimal."""
    return await first(tx, LinkRow, select(approval_links).where(approval_links.c.token_hash == token_hash))


async def use_links(tx: AsyncConnection, digest: str, person: str, now: datetime) -> None:
    """Closes every link of this person to this manifest: they have decided."""
    await tx.execute(_USE_LINKS, {"about": digest, "by": person, "used_at": now})


async def add_notice(
    tx: AsyncConnection, kind: str, announcement: str, digest: str, recipients: Iterable[str], due_at: datetime, *, again: bool = False
) -> None:
    """Plans a notice to each; planning the same one again changes nothing, or sends it `again`."""
    for recipient in recipients:
        same = (notices.c.kind == kind) & (notices.c.digest == digest) & (notices.c.recipient == recipient)
        if (await tx.execute(select(notices.c.id).where(same))).first() is None:
            values = {"kind": kind, "announcement": announcement, "digest": digest, "recipient": recipient, "due_at": due_at}
            await tx.execute(notices.insert().values(values))
        elif again:
            await tx.execute(update(notices).where(same).values(sent_at=None, due_at=due_at, tries=0))


async def notices_of(tx: AsyncConnection, digest: str, kinds: Iterable[str]) -> list[NoticeRow]:
    """The notices of these kinds about one manifest, in the order in which they are or were due."""
    query = select(notices).where(notices.c.digest == digest, notices.c.kind.in_(list(kinds)))
    return await many(tx, NoticeRow, query.order_by(notices.c.due_at, notices.c.id))


async def replace(tx: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Keeps an approval; a row of the same person and decision that did not verify gives way."""
    await tx.execute(_SAME, {name: row[name] for name in ("digest", "person", "decision")})
    await tx.execute(insert(approvals), columns(approvals, row))


async def due_notices(tx: AsyncConnection, now: datetime, limit: int = 50) -> list[NoticeRow]:
    """Unsent notices whose time has come."""
    query = select(notices).where(notices.c.sent_at.is_(None), notices.c.due_at <= now).order_by(notices.c.id).limit(limit)
    return await many(tx, NoticeRow, query)


async def change_notice(tx: AsyncConnection, row: NoticeRow, **values: Any) -> None:
    """Sets columns of a notice as it was seen. One that was planned again while it was being sent stays due: there is more to tell."""
    await tx.execute(update(notices).where(notices.c.id == row.id, notices.c.due_at == row.due_at).values(**values))
