"""What is worked out of the database for everybody who asks: anew after each write of this process and at least once a second, however
many ask. So no flood of readers costs more than one look a second, and what is shown is never older than that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from app.services.context import Context

T = TypeVar("T")


class Kept(Generic[T]):
    """One such thing; `work` makes it."""

    def __init__(self, work: Callable[[Context], Awaitable[T]]) -> None:
        self._work, self._lock = work, asyncio.Lock()
        self._made: tuple[tuple[int, int], T] | None = None

    async def current(self, ctx: Context) -> T:
        """It, as it is due now."""
        async with self._lock:
            moment = (ctx.database.writes, int(time.monotonic()))
            if self._made is None or self._made[0] != moment:
                self._made = (moment, await self._work(ctx))
            return self._made[1]
