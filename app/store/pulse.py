"""A pulse wakes all who rest, whenever it beats."""

from __future__ import annotations

import asyncio


class Pulse:
    """Whoever takes the `next` beat before looking at something misses no change of it."""

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def beat(self) -> None:
        """Wakes everyone who waits at this moment."""
        self.next.set()
        self.next = asyncio.Event()

    async def wait(self, seconds: float | None, beat: asyncio.Event | None = None) -> None:
        """Until that beat, or else the next one, or so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await (beat or self.next).wait()
        except TimeoutError:
            pass
