"""What couriers and the ledger say to each other: a term, the wish to open an attempt, what became of it, what became of a try."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.contract import Limits, Receipt
from app.domain.delivery import Event
from app.store.deliveries import DeliveryRow


@dataclass(slots=True)
class Lease:
    """A worker's term over an announcement; term 0 until it has begun."""

    announcement: str
    worker: str
    term: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """What became of the wish to open an attempt: only where it is `ours` the call may follow; else wait, or see the row."""

    row: DeliveryRow
    ours: bool = False
    wait: float = 0.0  # seconds; with `booked` the moment after them is reserved
    booked: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """The wish to open an attempt; `booked` where its moment in the budgets has come."""

    row: DeliveryRow
    limits: Limits
    booked: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try, and when the next may follow.

    `wait` is in seconds; `closes` says for how many of them the platform wants no post there at all, of any announcement. With
    `pauses` nothing is sent to the destination until a person has mended it.
    """

    event: Event
    problem: str = ""
    receipt: Receipt | None = None
    wait: float | None = None
    closes: float = 0.0
    pauses: bool = False


class Stopped(Exception):
    """Nothing may be sent there: `event` and the message are what becomes of the delivery."""

    def __init__(self, event: Event, why: str) -> None:
        super().__init__(why)
        self.event = event


class NotOurs(Exception):
    """Another worker's term, or another destination leads."""


class Wait(Exception):
    """Not yet."""

    def __init__(self, seconds: float, booked: bool) -> None:
        super().__init__(f"{seconds:g} s")
        self.seconds, self.booked = seconds, booked
