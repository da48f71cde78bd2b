"""One delivery, from planned to posted: an attempt is on disk before its network call, and its outcome is named by the adapter.

What may happen next is decided by `app.domain.delivery`; an unknown outcome is settled before anything is sent again
(`app.workflows.unknown`), who leads by `app.workflows.lead`, and one network call lies in `app.workflows.call`, which raises no adapter's
error. A task that is cancelled, or a process that ends, in the middle of a call leaves the attempt open: perhaps posted. Who carries the
delivery next begins with that.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from adapters.contract import PERMALINK_SLOT, Part, Receipt, Role
from app.domain.delivery import DeliveryState, Event, key
from app.domain.manifest import ManifestError, Planned
from app.services.context import Context, Destination
from app.services.verification import Approved, NotApproved, approved
from app.store import deliveries
from app.store.deliveries import DeliveryRow
from app.store.pulse import Pulse
from app.workflows.attempt import Ask, Lease, Outcome
from app.workflows.call import publish
from app.workflows.crew import Crew
from app.workflows.follow import posted_after_all, step_down
from app.workflows.ledger import Ledger, at
from app.workflows.line import Place
from app.workflows.unknown import Inquiry

VERIFIED_FOR = 5.0
"""Seconds for which the signatures count as just verified; before what is sent later they are verified again."""

SENT_WITHIN = 5.0
"""A process that stood still for longer between opening an attempt and its call does not send: another may have taken over."""

PLACES = 1000
"""How many deliveries of one broadcast are begun at most, besides those that rest."""

SHORTEST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0


@dataclass(slots=True)
class Courier:
    """Carries the deliveries of one approved manifest, in one term.

    `leads` is the destination that carries the full text. `reference` is the permalink of its first part, for which all others wait:
    "" where there is nothing to point to, None where nobody leads yet and a person has to act.
    """

    ctx: Context
    approved: Approved
    lease: Lease
    crew: Crew = field(default_factory=Crew)
    leads: str = ""
    led_since: datetime = field(default_factory=lambda: datetime.now(UTC))
    promoting: bool = False  # another is being made to lead at this moment
    pulse: Pulse = field(default_factory=Pulse)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PLACES))
    reference: asyncio.Future[str | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    over: bool = False  # this run has ended: another carries it, or the signatures fell
    carried: dict[str, asyncio.Event] = field(default_factory=dict)  # by delivery that has an errand now: set at its end
    ledger: Ledger = field(init=False)
    verified_at: float = field(default_factory=time.monotonic)
    verifying: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.ctx, self.approved.manifest, self.approved.digest, self.lease)
        self.leads = self.leads or self.approved.manifest.primary

    async def deliver(self, row: DeliveryRow, place: Place | None = None, *, first_part_only: bool = False) -> DeliveryRow:
        """Sends what is left of a delivery; comes back when it is posted, when only a person can help, or when the process stops.

        Its `place` in line is left when it rests. One that is being carried already is waited for. Raises `NotApproved` where the
        signatures do not stand any more, `NotOurs` where another worker has taken over.
        """
        if row.id in self.carried:
            await self.carried[row.id].wait()
            return await self.ledger.fresh(row.id)
        self.carried[row.id] = asyncio.Event()
        try:
            return await _Errand(self, self.planned(row), place or Place(), first_part_only).run(row)
        finally:
            self.carried.pop(row.id).set()

    @property
    def goes_on(self) -> bool:
        """Whether anything further may be sent in this run."""
        return not self.crew.stopping and not self.over

    def may_lead(self, row: DeliveryRow) -> bool:
        """Whether it is the primary's or a fallback's."""
        return row.destination in self.approved.manifest.primaries and self.planned(row).full is not None

    def planned(self, row: DeliveryRow) -> Planned:
        """What was approved for a delivery. Raises `NotApproved`."""
        for planned in self.approved.manifest.destinations[row.position : row.position + 1]:
            try:
                parts = planned.said_as(Role(row.role)).parts
            except (ManifestError, ValueError):
                break
            if planned.id == row.destination and len(parts) == row.parts and 0 <= row.done <= row.parts:
                return planned
        raise NotApproved(f"The delivery to {row.destination} is not as it was approved: the database was changed.")

    def destination(self, planned: Planned) -> Destination | None:
        """The configured account, only where it is the approved one and, as far as was checked, the one that its credentials open."""
        found = self.ctx.destinations.get(planned.id)
        as_approved = found and (found.platform, found.account) == (planned.platform, planned.account)
        return found if as_approved and planned.id not in self.ctx.wrong_accounts else None

    def points_to(self, permalink: str | None) -> None:
        """Lets all others go: the first part is posted, or (None) it will not be without a person."""
        if not self.reference.done():
            if permalink is not None:
                self.crew.hurry()
            self.reference.set_result(permalink)
            self.pulse.beat()

    async def referenced(self) -> str | None:
        """The permalink to point to, once that is decided."""
        while not self.reference.done():  # it may be replaced by a new one meanwhile
            await self.pulse.next.wait()
        return self.reference.result()

    @property
    def nobody_leads(self) -> bool:
        """Whether there is nothing yet that others could point to."""
        return not self.reference.done() or self.reference.result() is None

    async def rows(self, only: Sequence[str] | None = None) -> list[DeliveryRow]:
        """All deliveries as they are now, or those to the given destinations alone."""
        return await self.ctx.database.look(lambda tx: deliveries.of_digest(tx, self.approved.digest, only))

    async def candidates(self) -> dict[str, DeliveryRow]:
        """The deliveries that may lead, as they are now, by destination."""
        return {row.destination: row for row in await self.rows(self.approved.manifest.primaries) if self.may_lead(row)}

    async def verify_again(self) -> None:
        """Verifies the signatures where that was not done just now, once for all who ask. Raises `NotApproved`."""
        if time.monotonic() - self.verified_at <= VERIFIED_FOR:
            return
        async with self.verifying:
            if time.monotonic() - self.verified_at > VERIFIED_FOR:
                async with self.ctx.database.read() as tx:
                    self.approved = await approved(self.ctx, tx, self.approved.digest)
                self.verified_at = time.monotonic()

    async def rest(self, row: DeliveryRow, seconds: float) -> DeliveryRow:
        """Waits, unless the process stops or somebody changes the delivery; gives it as it is then."""
        until = time.monotonic() + seconds
        while self.goes_on and (left := until - time.monotonic()) > 0:
            beat, fresh = self.pulse.next, await self.ledger.fresh(row.id)
            if fresh.updated_at != row.updated_at:
                return fresh
            await self.pulse.wait(left, beat)
        return row


@dataclass(slots=True)
class _Errand:
    """One run with one delivery."""

    courier: Courier
    planned: Planned
    place: Place
    first_part_only: bool
    booked_for: float = 0.0  # the moment (monotonic) that it has in the budgets; 0: none

    async def run(self, row: DeliveryRow) -> DeliveryRow:
        destination = self.courier.destination(self.planned)
        if row.state == DeliveryState.SENDING.value:  # whoever opened this attempt is gone
            never = destination is not None and not destination.adapter.limits.sends
            gone = Outcome(Event.NOT_SENT if never else Event.LOST, "The program stopped before the answer came.")
            row = await self.courier.ledger.settle(row, gone)
        if destination is None:
            problem = f"Destination {self.planned.id} is not configured as approved, or its credentials open another account."
            planned = row.state == DeliveryState.PLANNED.value
            return await self.courier.ledger.settle(row, Outcome(Event.REFUSED, problem)) if planned else row
        tries = 0
        while self._is_mine(row):
            if self._waits(row):
                row, go = await self._led(row)
                if not go:
                    break
                continue
            before = row
            if row.state == DeliveryState.UNKNOWN.value:
                row, outcome = await self._find_out(row, destination, tries)
            else:
                row, outcome = await self._try(row, destination, tries)
            if row.state == DeliveryState.UNKNOWN.value == before.state:
                break  # a person has to look
            if outcome.wait:
                row = await self._rest(row, outcome.wait)
            if outcome.event is Event.NOT_SENT:
                tries += 1
            elif row.done != before.done:
                tries = 0
        return row

    async def _rest(self, row: DeliveryRow, seconds: float) -> DeliveryRow:
        self.place.leave()
        return await self.courier.rest(row, seconds)

    def _is_mine(self, row: DeliveryRow) -> bool:
        goes_on = row.state in {DeliveryState.PLANNED.value, DeliveryState.UNKNOWN.value}
        return goes_on and self.courier.goes_on and not (self.first_part_only and row.done)

    def _waits(self, row: DeliveryRow) -> bool:
        """Whether another has to lead first."""
        first = row.role == Role.PARTNER.value or self._leads(row) or (row.role == Role.PRIMARY.value and row.done > 0)
        return not first and row.state == DeliveryState.PLANNED.value and (self.courier.nobody_leads or self._late_primary(row))

    def _leads(self, row: DeliveryRow) -> bool:
        return row.role == Role.PRIMARY.value and row.destination == self.courier.leads

    def _late_primary(self, row: DeliveryRow) -> bool:
        """Whether it may become a pointer yet: one whose first part is out ends its thread."""
        return row.role == Role.PRIMARY.value and row.destination != self.courier.leads and not row.done

    async def _led(self, row: DeliveryRow) -> tuple[DeliveryRow, bool]:
        """Waits for the permalink to point to, or until it leads itself; whether there is one, or none is needed."""
        while not self.courier.reference.done():
            await self.courier.pulse.next.wait()
            if self._leads(row):
                return row, True
        if self.courier.nobody_leads:
            return row, False
        if row.destination not in self.courier.approved.manifest.primaries:
            return row, True
        row = await self.courier.ledger.fresh(row.id)  # its role may have changed meanwhile
        return (await step_down(self.courier.ledger, row, self.planned) if self._late_primary(row) else row), True

    async def _try(self, row: DeliveryRow, destination: Destination, tries: int) -> tuple[DeliveryRow, Outcome]:
        """One attempt at the next part, if nothing stands against it."""
        ledger, limits = self.courier.ledger, destination.adapter.limits
        if (left := self.booked_for - time.monotonic()) > 0:
            return row, Outcome(Event.STARTED, wait=left)  # somebody woke it before its moment
        part, reply_to = await self._next(row, destination)
        if PERMALINK_SLOT in part.text + part.standalone:
            return await self._told(row, Outcome(Event.REFUSED, "There is no permalink that it could point to."))
        async with self.courier.crew.one_request(f"{self.planned.platform}:{self.planned.account}", limits, self.place):
            await self.courier.verify_again()
            since = time.monotonic()
            opening = await ledger.open(Ask(row, limits, self.booked_for > 0))
            row, self.booked_for = opening.row, (self.booked_for or since + opening.wait) if opening.booked else 0.0
            if not opening.ours:
                return row, Outcome(Event.STARTED, wait=opening.wait or None)
            if time.monotonic() - since > SENT_WITHIN:
                return await self._told(row, self._timed(Outcome(Event.NOT_SENT, "The program stood still before it could send."), tries))
            outcome = await publish(destination, part, key(row.id, row.done), reply_to)
        if outcome.receipt and not row.done and self._leads(row) and not self.courier.promoting:
            self.courier.points_to(outcome.receipt.permalink)  # first, so that the receipt and all attempts at pointers share a transaction
        return await self._told(row, self._timed(outcome, tries))

    async def _find_out(self, row: DeliveryRow, destination: Destination, tries: int) -> tuple[DeliveryRow, Outcome]:
        async def pause(seconds: float) -> bool:
            same = seconds <= 0 or (await self._rest(row, seconds)).updated_at == row.updated_at
            return same and self.courier.goes_on

        if row.role == Role.POINTER.value and await self.courier.referenced() is None:
            return row, Outcome(Event.LOST)
        part, _ = await self._next(row, destination)
        if PERMALINK_SLOT in part.text:
            return row, Outcome(Event.LOST)  # what was sent then cannot be told now, so nobody can look for it
        outcome = await Inquiry(self.courier.ctx, self.planned, destination, row, part).settle(pause)
        if outcome.event is Event.LOST and (not self.courier.goes_on or outcome.problem == row.problem):
            return row, outcome
        return await self._told(row, self._timed(outcome, tries))

    async def _next(self, row: DeliveryRow, destination: Destination) -> tuple[Part, Receipt | None]:
        """The next part with its slot filled, and the post that it replies to."""
        role = Role(row.role)
        reply_to, link = self.planned.reply_to if role is self.planned.role else None, ""
        if row.done:
            link = row.permalink if destination.adapter.owns(row.permalink) else ""
            reply_to = await self.courier.ctx.database.look(lambda tx: deliveries.last_receipt(tx, row.id))
        if role is Role.POINTER:
            link = "" if self.courier.nobody_leads else self.courier.reference.result() or ""
        part = self.planned.said_as(role).parts[row.done]
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
        changed = await self.courier.ledger.settle(row, outcome)
        if outcome.receipt and changed.done and changed.role == Role.PRIMARY.value:
            changed = await posted_after_all(self.courier.ledger, changed, told=row.done > 0)
        return changed, outcome


def _back_off(tries: int) -> float:
    """Seconds that grow with each try, with jitter."""
    return min(SHORTEST_BACK_OFF * 2.0**tries, LONGEST_BACK_OFF) * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, hides nothing
