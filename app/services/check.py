"""Whether every destination's credentials work and open the very account that it is bound to; nothing is posted."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import AdapterError, WrongAccount
from app.services import own_name
from app.services.context import Context, Destination, Refused
from app.store import holds
from app.store.records import add_all
from app.store.tables import announcements, checks, iso

log = structlog.get_logger(__name__)

PREFLIGHT = timedelta(hours=4)
FRESH = timedelta(minutes=2)
AT_ONCE = 100
BY_A_WORKER = 60
"""Seconds for which a worker is waited for that is to check: a destination may take 30."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def when_due(ctx: Context) -> bool:
    """Checks all destinations while people read what they sign, and every few hours, so that a dead token is found on a quiet day.

    Never between the last signature and the post: a check begins only where no broadcast is about to.
    """
    async with ctx.database.read() as tx:
        oldest = await tx.scalar(select(func.min(checks.c.at)))
        newest = await tx.scalar(select(func.max(announcements.c.created_at)).where(announcements.c.state == "awaiting_approval"))
    asked = bool(newest) and (oldest is None or oldest < newest) and (oldest is None or ctx.now - oldest > FRESH)
    if oldest is not None and not asked and timedelta() <= ctx.now - oldest < PREFLIGHT:
        return False
    for found in await all_of_them(ctx):
        if not found["ok"]:
            log.error("destination-broken", destination=found["destination"], problem=found["detail"])
    return True


async def now(ctx: Context) -> list[dict[str, Any]]:
    """Checks all destinations now, here or, where this process holds no credentials, by a worker. Raises `Refused` where none does it."""
    if ctx.works:
        return await all_of_them(ctx)
    async with ctx.database.write() as tx:  # to a worker they are long overdue
        await tx.execute(update(checks).values(at=LONG_AGO))
        await ctx.database.signal(tx, "")
    for _ in range(BY_A_WORKER):
        await asyncio.sleep(1.0)
        if found := await _found_since(ctx, LONG_AGO):
            return found
    raise Refused(503, "No worker has checked the destinations.", f"Is one running? Start `tocsin worker`; {BY_A_WORKER} s were waited.")


def warnings(ctx: Context) -> list[str]:
    """What is no fault now, and will be one in the worst hour."""
    return list(filter(None, [own_name.warning(ctx.settings)]))


async def _found_since(ctx: Context, moment: datetime) -> list[dict[str, Any]]:
    """What a worker found of every destination after that moment; nothing while one is missing."""
    async with ctx.database.read() as tx:
        rows = {row.destination: row for row in (await tx.execute(select(checks).where(checks.c.at > moment))).all()}
    if rows.keys() < ctx.destinations.keys():
        return []
    return [
        {"destination": d.id, "platform": d.platform, "role": d.role.value, "ok": row.ok, "account": row.account, "name": ""}
        | {"detail": row.detail, "seconds": row.seconds, "at": iso(row.at)}
        for d in ctx.destinations.values()
        for row in [rows[d.id]]
    ]


async def all_of_them(ctx: Context) -> list[dict[str, Any]]:
    """Checks all destinations, many at once, keeps and returns what was found of each."""
    left, told = iter(ctx.destinations.values()), dict[str, dict[str, Any]]()

    async def in_turn() -> None:
        for destination in left:
            told[destination.id] = await one(destination)

    await asyncio.gather(*(in_turn() for _ in range(AT_ONCE)))
    found = [told[id_] for id_ in ctx.destinations]
    ctx.wrong_accounts = {item["destination"]: item["detail"] for item in found if item.pop("wrong_account")}

    async def work(tx: AsyncConnection) -> None:
        await tx.execute(delete(checks))
        held = await holds.standing(tx)
        for item in found:
            if item["ok"] and item["destination"] in held:
                await holds.lift(tx, item["destination"], "paused")
        await add_all(tx, checks, ({k: v for k, v in f.items() if k in checks.c} | {"at": ctx.now} for f in found))

    await ctx.database.commit(work)
    return [item | {"at": iso(ctx.now)} for item in found]


async def one(destination: Destination) -> dict[str, Any]:
    """One destination: `ok`, the account that answered, and what to do where it is not the right one."""
    begun = time.monotonic()
    told: dict[str, Any] = {"destination": destination.id, "platform": destination.platform, "role": destination.role.value}
    try:
        async with asyncio.timeout(30):
            identity = await destination.adapter.check()
        ok = identity.account == destination.account
        detail = "; ".join(identity.notes) if ok else f"The credentials open {identity.account}, not {destination.account}."
        told |= {"ok": ok, "account": identity.account, "name": identity.name, "detail": detail}
        wrong = identity.account != destination.account
    except (AdapterError, TimeoutError, OSError) as error:
        wrong = isinstance(error, WrongAccount)
        told |= {"ok": False, "account": "", "name": "", "detail": str(error) or "It did not answer within 30 s."}
    return told | {"wrong_account": wrong, "seconds": round(time.monotonic() - begun, 3)}


async def broken(ctx: Context) -> list[dict[str, str]]:
    """The destinations whose last check failed, with what to do: shown to authors and to those who sign."""
    async with ctx.database.read() as tx:
        failed = (await tx.execute(select(checks.c.destination, checks.c.detail).where(checks.c.ok.is_(False)))).all()
    details = {row.destination: row.detail for row in failed}
    return [{"destination": id_, "detail": details[id_]} for id_ in ctx.destinations if id_ in details]


async def last(ctx: Context) -> list[dict[str, Any]]:
    """Every configured destination with its last check, if there was one."""
    async with ctx.database.read() as tx:
        rows = {row.destination: row for row in (await tx.execute(select(checks))).all()}
        held = await holds.standing(tx)
    items: list[dict[str, Any]] = []
    for destination in ctx.destinations.values():
        limits, row = destination.adapter.limits, rows.get(destination.id)
        checked = {"ok": row.ok, "account": row.account, "detail": row.detail, "at": iso(row.at)} if row else None
        items.append(
            {
                "destination": destination.id,
                "platform": destination.platform,
                "role": destination.role.value,
                "account": destination.account,
                "public": limits.public,
                "reconcile": limits.reconcile.value,
                "fallback": destination.fallback,
                "held": _held(held.get(destination.id)),
                "check": checked,
            }
        )
    return items


async def held(ctx: Context) -> list[dict[str, Any]]:
    """The configured destinations to which nothing is sent now, and why: shown to authors and to those who sign."""
    async with ctx.database.read() as tx:
        standing = await holds.standing(tx)
    return [{"destination": id_, **(_held(standing[id_]) or {})} for id_ in ctx.destinations if id_ in standing]


def _held(hold: holds.Hold | None) -> dict[str, Any] | None:
    return {"kind": hold.kind, "why": hold.why, "by": hold.by, "at": iso(hold.at)} if hold else None
