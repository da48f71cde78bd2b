"""The faults a stand-in can be told to show, and the queue that hands them to requests.

A fault is ordered for a number of requests, or stands until it is cleared (`STANDING` and a platform's own switches). What a
fault does to the bytes on the wire lies in `stand_in.py`; here is only which one is due.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

Match = Literal["publish", "any"]

ONCE = frozenset({"429", "401", "500", "502-html", "cut-before", "cut-after", "drip", "truncated", "junk", "hang"})
"""Met by as many requests as were ordered, then gone."""
STANDING = frozenset({"latency", "refused"})
"""There until cleared, whatever the count."""
UNPROCESSED = frozenset({"429", "401", "500", "502-html", "cut-before"})
"""The request is not looked at: nothing is posted."""


class UnknownFault(ValueError):
    """No such fault on this platform; the message lists the known ones."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One order. `value` is seconds: of latency, of `retry-after`, between two bytes of a drip, of a hang, of a closed port."""

    name: str
    value: float | None = None
    match: Match = "publish"

    def hits(self, publishes: bool) -> bool:
        return publishes or self.match == "any"


@dataclass(slots=True)
class Faults:
    """What is ordered of one stand-in. `switches` are the platform's own standing faults (X: `refuse-replies`)."""

    switches: frozenset[str] = frozenset()
    queue: list[Fault] = field(default_factory=list)
    standing: dict[str, Fault] = field(default_factory=dict)
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, fault: Fault, count: int = 1) -> None:
        """Queues the fault for `count` requests, or lets it stand. Raises `UnknownFault`."""
        if fault.name in ONCE:
            self.queue += [fault] * count
        elif fault.name in STANDING | self.switches:
            self.standing[fault.name] = fault
        else:
            known = ", ".join(sorted(ONCE | STANDING | self.switches))
            raise UnknownFault(f"no fault {fault.name!r} here; known are: {known}")

    def take(self, publishes: bool) -> Fault | None:
        """The next fault that is due for such a request, taken off the queue; None when it is to go well."""
        for index, fault in enumerate(self.queue):
            if fault.hits(publishes):
                return self.queue.pop(index)
        return None

    def on(self, switch: str) -> bool:
        return switch in self.standing

    def latency(self, publishes: bool) -> float:
        """Seconds that such a request takes."""
        fault = self.standing.get("latency")
        return (fault.value or 0.0) if fault and fault.hits(publishes) else 0.0

    async def hang(self, seconds: float | None) -> None:
        """Waits until the faults are cleared, or `seconds` if given."""
        try:
            async with asyncio.timeout(seconds):
                await self.cleared.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """Takes back every order and lets whatever hangs go on."""
        self.queue.clear()
        self.standing.clear()
        self.cleared.set()
        self.cleared = asyncio.Event()
