"""What is done while the primary is being asked, so that the pointers lose no time once it has answered: their connections are opened.

A name to look up, a connection and its encryption take three round trips, as long as the post itself or longer. Nothing is sent, and
what fails here is for the post itself to tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from adapters.contract import Adapter, Role
from app.domain.delivery import DeliveryState
from app.store.deliveries import DeliveryRow
from app.workflows.crew import REQUESTS
from app.workflows.deliver import Courier

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""How many are being opened at a time: the answer that all wait for must not stand behind them."""


async def connect(courier: Courier, rows: Sequence[DeliveryRow]) -> None:
    """Opens the connections of those that wait for who leads, as many as may post at once, until that is decided.

    What is being opened then is left to the posts, which wait for it. Raises `NotApproved`.
    """
    if courier.reference.done():
        return
    waiting = [row for row in rows if row.state == DeliveryState.PLANNED.value and row.role != Role.PARTNER.value]
    adapters = [one.adapter for row in waiting if row.destination != courier.leads and (one := courier.destination(courier.planned(row)))]
    places = asyncio.Semaphore(AT_ONCE)

    async def opened(adapter: Adapter) -> None:
        async with places:
            try:
                await adapter.connect()
            except Exception:
                log.exception("not-connected")  # an adapter breaks its contract; the post goes on without

    opening = asyncio.gather(*(opened(adapter) for adapter in adapters[:REQUESTS]))
    try:
        await courier.referenced()
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
