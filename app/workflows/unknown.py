"""What became of a post whose answer was lost: settled by the platform's key, or by looking, else a person is asked.

A post that is found is believed at once. That it is not there is believed only when the request cannot be under way any more
and the platform has had its time to show it. Platforms know the real time only, so a drill's moved clock plays no part here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from adapters.contract import AdapterError, Part, Receipt, Reconcile, Role, Unsupported
from app.domain.delivery import Event, key
from app.domain.manifest import Planned
from app.services.context import Context, Destination
from app.store import deliveries
from app.store.deliveries import AttemptRow, DeliveryRow
from app.workflows.attempt import Outcome

log = structlog.get_logger(__name__)

LONGEST_CALL = timedelta(seconds=20)
"""Within this time of an attempt's beginning the adapter has sent its request or given up."""

LATEST_ANSWER = timedelta(seconds=20)
"""How long a platform may be at work on a request: as long as we would have waited for its answer."""

CLOCKS_APART = timedelta(minutes=5)
"""How far our clock may be ahead of a platform's (X, for one, refuses a signature that is further off)."""

RESEND = "resend"
"""What two people may have approved for a pointer that nobody can look for, in place of asking a person."""

RESENT, LOOKED = 2, 3
"""How many tries of unknown outcome there are at most, without and with a look; then a person is asked, so that nothing goes round."""

LOOK_FOR, LONGEST_PAUSE = 90.0, 15.0  # seconds until a person is asked, and between two looks

Pause = Callable[[float], Awaitable[bool]]
"""Waits so many seconds; False as soon as there is no use in going on."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The question after one part of a delivery that is `unknown`."""

    ctx: Context
    planned: Planned
    destination: Destination
    row: DeliveryRow
    part: Part

    async def settle(self, pause: Pause) -> Outcome:
        """Finds out; `Event.LOST` where a person has to."""
        async with self.ctx.database.read() as tx:
            attempt = await deliveries.open_attempt(tx, self.row.id)
            times, first = await deliveries.tried(tx, self.row.id, self.row.done)
        if attempt is None or first is None:
            return self._ask("")  # a person has acted meanwhile
        limits = self.destination.adapter.limits
        if limits.key_lasts and timedelta() <= _now() - first < timedelta(seconds=limits.key_lasts):
            return Outcome(Event.NOT_SENT, "No usable answer came; it is sent again under the same key, which the platform posts once.")
        if limits.reconcile is not Reconcile.LOOKUP:
            return await self._without_looking(attempt, times, pause)
        return await self._look(attempt, times, pause)

    async def _without_looking(self, attempt: AttemptRow, times: int, pause: Pause) -> Outcome:
        if self.planned.on_unknown != RESEND or self.row.role != Role.POINTER.value:
            return self._ask("")
        if times >= RESENT:
            return self._ask("It was sent again once, as approved, and that is not known to be posted either.")
        due = attempt.started_at + timedelta(seconds=self.planned.resend_after)
        if not await pause((due - _now()).total_seconds()) or _now() < due:
            return self._ask("")
        return Outcome(
            Event.NOT_SENT, f"No usable answer came; it is sent again after {self.planned.resend_after} s, as approved for this pointer."
        )

    async def _look(self, attempt: AttemptRow, times: int, pause: Pause) -> Outcome:
        settle = timedelta(seconds=self.destination.adapter.limits.settle)
        sent_by = min(attempt.ended_at or _now(), attempt.started_at + LONGEST_CALL)
        since, sure_at = attempt.started_at - CLOCKS_APART, sent_by + LATEST_ANSWER + settle
        until, wait, trouble = asyncio.get_running_loop().time() + LOOK_FOR, 0.0, ""
        while await pause(wait) and asyncio.get_running_loop().time() < until:
            looked_at = _now()
            try:
                receipt = await self.destination.adapter.find(self.part, key(self.row.id, self.row.done), since)
            except Unsupported as error:
                return self._ask(str(error))
            except AdapterError as error:
                trouble = str(error)
                log.warning("look-failed", destination=self.destination.id, problem=trouble)
            except Exception as error:
                trouble = f"The look failed: {type(error).__name__}."
                log.exception("look-failed", destination=self.destination.id)
            else:
                if receipt is not None:
                    return await self._found(receipt)
                if looked_at >= sure_at and times >= LOOKED:
                    return self._ask(f"It was tried {times} times, with no usable answer, and is not there.")
                if looked_at >= sure_at:
                    return Outcome(Event.NOT_SENT, "It was looked for, and is not there.")
            wait = min(max(2 * wait, 1.0), LONGEST_PAUSE)
            if looked_at < sure_at:
                wait = min(wait, (sure_at - looked_at).total_seconds() + 0.01)
        return self._ask(trouble)

    async def _found(self, receipt: Receipt) -> Outcome:
        async with self.ctx.database.read() as tx:
            known = await deliveries.is_known(tx, self.destination.id, receipt.remote_id)
        if known:
            return self._ask("An earlier post with the same text was found.")
        if receipt.permalink and not self.destination.adapter.owns(receipt.permalink):
            return self._ask("The post that was found is not on the approved account.")
        return Outcome(Event.POSTED, receipt=receipt)

    def _ask(self, trouble: str) -> Outcome:
        advice = (
            f"Look at {self.destination.id} yourself: if the post is there, mark it as posted with its URL, if it has one; "
            "if it is not, retry it and say that you looked."
        )
        before = self.row.problem.removesuffix(advice).strip()
        told = [before, trouble] if trouble not in before else [before]
        return Outcome(Event.LOST, " ".join((*filter(None, told), advice)))


def _now() -> datetime:
    return datetime.now(UTC)
