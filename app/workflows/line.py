"""A line: what waits in it is begun in turn, as places get free. Ten thousand that wait cost a row each, not a task.

Whoever only rests (a platform asked it to wait) gives its place to the next at once, so that a slow platform holds up no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from app.store.deliveries import DeliveryRow


class Place:
    """One of so many; given back once, however often it is left."""

    __slots__ = ("_places",)

    def __init__(self, places: asyncio.Semaphore | None = None) -> None:
        self._places = places

    def leave(self) -> None:
        """Lets the next one begin."""
        places, self._places = self._places, None
        if places:
            places.release()


class Line:
    """Deliveries that wait for a place, each once.

    `also` begins a task that the run's end waits for; `serve` is what is done for each. `before` is waited for before each,
    and nobody is served before `after` seconds in the line. Once `goes_on` says no, whoever still waits is left out.
    """

    def __init__(
        self,
        places: asyncio.Semaphore,
        also: Callable[[Coroutine[Any, Any, None]], object],
        serve: Callable[[DeliveryRow, Place], Coroutine[Any, Any, None]],
        *,
        goes_on: Callable[[], bool],
        before: Callable[[], Awaitable[object]],
        after: float = 0.0,
    ) -> None:
        self._places, self._also, self._serve = places, also, serve
        self._before, self._goes_on, self._after = before, goes_on, after
        self._waiting: dict[str, tuple[DeliveryRow, float]] = {}  # by id, with its moment
        self._moves = False
        self.empty = asyncio.Event()
        self.empty.set()

    def join(self, row: DeliveryRow) -> None:
        """Stands at the end, or, where it waits already, as it is now."""
        self._waiting[row.id] = (row, time.monotonic() + self._after)
        self.empty.clear()
        if not self._moves:
            self._moves = True
            self._also(self._move())

    async def _move(self) -> None:
        try:
            while self._waiting:
                await self._before()
                if not self._goes_on():
                    break
                first = next(iter(self._waiting))
                if (left := self._waiting[first][1] - time.monotonic()) > 0:
                    await asyncio.sleep(left)
                await self._places.acquire()
                row, _ = self._waiting.pop(first)
                self._also(self._served(row, Place(self._places)))
                if not self._waiting:
                    self.empty.set()
        finally:
            self._waiting.clear()
            self.empty.set()
            self._moves = False

    async def _served(self, row: DeliveryRow, place: Place) -> None:
        try:
            await self._serve(row, place)
        finally:
            place.leave()
