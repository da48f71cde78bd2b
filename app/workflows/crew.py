"""What all couriers of a process share: whether it stops, whether it is in a hurry, how many requests may be under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from adapters.contract import Limits
from app.workflows.line import Place

REQUESTS, LOOKS = 500, 20
"""How many posts, and how many read-backs, are under way at most: more connections at once are no faster, and cost memory."""

HURRY, LONGEST_HURRY = 2.0, 4.0
"""Seconds from an approval, and from the primary's answer, in which what can wait does; and the most that it waits, whatever comes."""


def _happened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Crew:
    """One a process. Once it is `stopping`, no further attempt is opened."""

    stopping: bool = False
    requests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REQUESTS))
    looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS))
    calm: asyncio.Event = field(default_factory=_happened)
    _since: float = 0.0  # when the hurry began
    _end: asyncio.TimerHandle | None = None
    _credentials: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    def hurry(self) -> None:
        """Posts are about to go out: for a moment, counted anew from here, there is no `calm`."""
        loop = asyncio.get_running_loop()
        if self.calm.is_set():
            self.calm.clear()
            self._since = loop.time()
        elif self._end:
            self._end.cancel()
        self._end = loop.call_at(min(loop.time() + HURRY, self._since + LONGEST_HURRY), self.calm.set)

    @asynccontextmanager
    async def one_request(self, credential: str, limits: Limits, place: Place) -> AsyncIterator[None]:
        """Waits until one more may be under way, everywhere and with this credential; whoever waits for the latter leaves its place."""
        turn = self._credentials.setdefault(credential, asyncio.Semaphore(limits.at_once)) if limits.at_once else None
        if turn and turn.locked():
            place.leave()
        async with turn or nullcontext(), self.requests:
            yield
