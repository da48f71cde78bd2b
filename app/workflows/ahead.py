"""What is done while the primary is being asked, so that the pointers lose no time once it has answered: their connections are opened.

A name to look up, a connection and its encryption take three round trips, as long as the post itself or longer. Nothing is sent, and
what fails here is for the post itself to tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.domain.delivery import DeliveryState
from app.store.deliveries import DeliveryRow
from app.workflows.crew import REQUESTS
from app.workflows.deliver import Courier

AT_ONCE = 16
"""How many are being opened at a time: the answer that all wait for must not stand behind them."""


async def connect(courier: Courier, rows: Sequence[DeliveryRow]) -> None:
    """Opens the connections of those that wait for who leads, as many as may post at once, until that is decided."""
    planned = [row.destination for row in rows if row.state == DeliveryState.PLANNED.value and row.destination != courier.leads]
    places = asyncio.Semaphore(AT_ONCE)

    async def opened(id_: str) -> None:
        async with places:
            if destination := courier.ctx.destinations.get(id_):
                await destination.adapter.connect()

    if courier.reference.done():
        return
    opening = asyncio.gather(*(opened(id_) for id_ in planned[:REQUESTS]), return_exceptions=True)
    try:
        await courier.referenced()
    finally:
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
