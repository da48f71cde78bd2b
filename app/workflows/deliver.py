"""One delivery, from planned to posted: an attempt is on disk before its network call, and its outcome is named by the adapter.

What may happen next is decided by `app.domain.delivery`; an unknown outcome is settled before anything is sent again
(`app.workflows.unknown`). Nothing here raises an adapter's error. A task that is cancelled, or a process that ends, in the middle of a
call leaves the attempt open: perhaps posted. Who carries the delivery next begins with that.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from weakref import WeakValueDictionary

import structlog

from adapters.contract import PERMALINK_SLOT, AdapterError, NeedsPerson, NotSent, OutcomeUnknown, Part, Receipt, Role
from app.domain.delivery import DeliveryState, Event, key
from app.domain.manifest import Planned
from app.services.context import Context, Destination
from app.services.verification import Approved, NotApproved, approved
from app.store import deliveries
from app.store.deliveries import DeliveryRow
from app.workflows.ledger import WINDOW_CLOSED, Ledger, at
from app.workflows.unknown import Inquiry, Outcome

log = structlog.get_logger(__name__)

VERIFIED_FOR = 5.0
"""Seconds for which the signatures count as just verified; before what is sent later they are verified again."""

SHORTEST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0


@dataclass(slots=True, weakref_slot=True)
class Turn:
    """Whose turn it is with one delivery: one run carries it, and another that comes along wakes the first from its pause."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Crew:
    """What all couriers of a process share. Once it is `stopping`, no further attempt is opened."""

    turns: WeakValueDictionary[str, Turn] = field(default_factory=WeakValueDictionary)
    stopping: bool = False

    def stop(self) -> None:
        """Lets what is under way come to its end and wakes whoever waits."""
        self.stopping = True
        for turn in self.turns.values():
            turn.nudged.set()


@dataclass(slots=True)
class Courier:
    """Carries the deliveries of one approved manifest."""

    ctx: Context
    approved: Approved
    crew: Crew = field(default_factory=Crew)
    ledger: Ledger = field(init=False)
    verified_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.ctx, self.approved.manifest)

    @property
    def is_fresh(self) -> bool:
        """Whether the signatures were verified just now."""
        return time.monotonic() - self.verified_at <= VERIFIED_FOR

    async def deliver(self, row: DeliveryRow, permalink: str = "", first_part_only: bool = False) -> DeliveryRow:
        """Sends what is left of a delivery; comes back when it is posted, when only a person can help, or when the process stops.

        Raises `NotApproved` where the signatures do not stand any more.
        """
        turn = self.crew.turns.setdefault(row.id, Turn())
        others = turn.lock.locked()
        turn.nudged.set()
        async with turn.lock:
            row = await self.ledger.fresh(row.id) if others else row
            return await _Errand(self, turn, self._planned(row), permalink, first_part_only).run(row)

    def _planned(self, row: DeliveryRow) -> Planned:
        for planned in self.approved.manifest.destinations[row.position : row.position + 1]:
            if (planned.id, planned.role.value, len(planned.rendering.parts)) == (row.destination, row.role, row.parts):
                return planned
        raise NotApproved(f"The delivery to {row.destination} is not as it was approved: the database was changed.")

    async def verify_again(self) -> None:
        """Verifies the signatures where that was not done just now. Raises `NotApproved`."""
        if not self.is_fresh:
            async with self.ctx.database.read() as tx:
                self.approved = await approved(self.ctx, tx, self.approved.digest)
            self.verified_at = time.monotonic()


@dataclass(slots=True)
class _Errand:
    """One run with one delivery, while it is our turn."""

    courier: Courier
    turn: Turn
    planned: Planned
    permalink: str
    first_part_only: bool

    async def run(self, row: DeliveryRow) -> DeliveryRow:
        destination = self._destination()
        if row.state == DeliveryState.SENDING.value:  # whoever opened this attempt is gone
            row = await self._settle(row, Outcome(Event.LOST, "The program stopped before the answer came."))
        if destination is None:
            problem = f"Destination {self.planned.id} is not configured as approved, or its credentials open another account."
            return await self._settle(row, Outcome(Event.REFUSED, problem)) if row.state == DeliveryState.PLANNED.value else row
        tries = 0
        while not self.courier.crew.stopping and self._is_mine(row):
            before = row
            if row.state == DeliveryState.UNKNOWN.value:
                row, outcome = await self._find_out(row, destination)
            else:
                row, outcome = await self._try(row, destination, tries)
            if row.state == DeliveryState.UNKNOWN.value == before.state:
                break  # a person has to look
            if outcome.event is Event.NOT_SENT:
                row = await self._rest(row, outcome.wait or _back_off(tries))
            tries = tries + 1 if row.done == before.done else 0
        return row

    def _destination(self) -> Destination | None:
        """The configured account, only where it is the approved one and, as far as was checked, the one that its credentials open."""
        found, ctx = self.courier.ctx.destinations.get(self.planned.id), self.courier.ctx
        as_approved = found and (found.config.platform, found.config.account) == (self.planned.platform, self.planned.account)
        return found if as_approved and self.planned.id not in ctx.wrong_accounts else None

    def _is_mine(self, row: DeliveryRow) -> bool:
        return row.state in {DeliveryState.PLANNED.value, DeliveryState.UNKNOWN.value} and not (self.first_part_only and row.done)

    async def _try(self, row: DeliveryRow, destination: Destination, tries: int) -> tuple[DeliveryRow, Outcome]:
        """One attempt at the next part, if nothing stands against it."""
        ledger = self.courier.ledger
        await self.courier.verify_again()
        part, reply_to = await self._next(row, destination)
        if PERMALINK_SLOT in part.text + part.standalone:
            return await self._told(row, Outcome(Event.REFUSED, "There is no permalink that it could point to."))
        if ledger.closes_within(0):
            return await self._told(row, Outcome(Event.REFUSED, WINDOW_CLOSED))
        row, ours = await ledger.open(row)
        if not ours:
            return row, Outcome(Event.STARTED)
        outcome = await _publish(destination, part, key(row.id, row.done), reply_to)
        return await self._told(row, self._timed(outcome, tries))

    async def _find_out(self, row: DeliveryRow, destination: Destination) -> tuple[DeliveryRow, Outcome]:
        async def pause(seconds: float) -> bool:
            same = seconds <= 0 or (await self._rest(row, seconds)).updated_at == row.updated_at
            return same and not self.courier.crew.stopping

        part, _ = await self._next(row, destination)
        if PERMALINK_SLOT in part.text:
            return row, Outcome(Event.LOST)  # what was sent then cannot be told now, so nobody can look for it
        outcome = await Inquiry(self.courier.ctx, self.planned, destination, row, part).settle(pause)
        if outcome.event is Event.LOST and (self.courier.crew.stopping or outcome.problem == row.problem):
            return row, outcome
        return await self._told(row, outcome)

    async def _next(self, row: DeliveryRow, destination: Destination) -> tuple[Part, Receipt | None]:
        """The next part with its slot filled, and the post that it replies to."""
        reply_to, first = self.planned.reply_to, ""
        if row.done:
            first = row.permalink if destination.adapter.owns(row.permalink) else ""
            async with self.courier.ctx.database.read() as tx:
                reply_to = await deliveries.last_receipt(tx, row.id)
        link = self.permalink if self.planned.role is Role.POINTER else first
        part = self.planned.rendering.parts[row.done]
        return part.filled(link) if link else part, reply_to if destination.adapter.limits.replies else None

    def _timed(self, outcome: Outcome, tries: int) -> Outcome:
        """What may be tried again gets its time, unless the send window is over by then."""
        if outcome.event is not Event.NOT_SENT:
            return outcome
        wait = _back_off(tries) if outcome.wait is None else max(outcome.wait, SHORTEST_BACK_OFF)
        if self.courier.ledger.closes_within(wait):
            return Outcome(Event.REFUSED, f"{outcome.problem} Before it may be tried again, the approved send window closes.")
        due = self.courier.ctx.now + timedelta(seconds=wait)
        return replace(outcome, wait=wait, problem=f"{outcome.problem} Next try at {at(due)}.")

    async def _told(self, row: DeliveryRow, outcome: Outcome) -> tuple[DeliveryRow, Outcome]:
        return await self._settle(row, outcome), outcome

    async def _settle(self, row: DeliveryRow, outcome: Outcome) -> DeliveryRow:
        return await self.courier.ledger.settle(row, outcome.event, receipt=outcome.receipt, problem=outcome.problem)

    async def _rest(self, row: DeliveryRow, seconds: float) -> DeliveryRow:
        """Waits, unless the process stops or somebody changes the delivery; gives it as it is then."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while True:
            self.turn.nudged.clear()
            if self.courier.crew.stopping or clock() >= until:
                return row
            fresh = await self.courier.ledger.fresh(row.id)
            if fresh.updated_at != row.updated_at:
                return fresh
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self.turn.nudged.wait()


async def _publish(destination: Destination, part: Part, name: str, reply_to: Receipt | None) -> Outcome:
    """One network call, and what it means."""
    try:
        receipt = await destination.adapter.publish(part, name, reply_to)
    except NotSent as error:
        return Outcome(Event.NOT_SENT, str(error), wait=error.retry_after)
    except NeedsPerson as error:
        return Outcome(Event.HANDED_OVER, str(error))
    except OutcomeUnknown as error:
        return Outcome(Event.LOST, str(error))
    except AdapterError as error:
        return Outcome(Event.REFUSED, str(error))
    except Exception as error:  # an adapter's bug says nothing about what the platform did
        log.exception("adapter-failed", destination=destination.id)
        return Outcome(Event.LOST, f"The adapter failed: {type(error).__name__}.")
    if receipt.permalink and not destination.adapter.owns(receipt.permalink):
        return Outcome(Event.LOST, f"{destination.id} gave back a permalink that is not on the approved account.")
    return Outcome(Event.POSTED, receipt=receipt)


def _back_off(tries: int) -> float:
    """Seconds that grow with each try, with jitter."""
    return min(SHORTEST_BACK_OFF * 2.0**tries, LONGEST_BACK_OFF) * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, hides nothing
