"""The broadcast of one approved manifest, which reads as a story.

Both signatures are verified over the recomputed digest right before sending; what is sent comes from those verified bytes, never from
a row. Whoever runs it looks at the delivery table first, so a broadcast that runs again, here or in another worker, sends only what is
left. Who leads is found by `app.workflows.lead`; one delivery is carried by `app.workflows.deliver`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Role
from app.domain.announcement import AnnouncementState
from app.domain.delivery import FINAL, UNDER_WAY, DeliveryState
from app.domain.followup import FollowUpState
from app.services import follow_up, notices
from app.services.announce import existing
from app.services.context import Context
from app.services.verification import Approved, NotApproved, approved
from app.store import announcements as store
from app.store import deliveries, follow_ups, timeline, workers
from app.store.announcements import AnnouncementRow
from app.store.deliveries import DeliveryRow
from app.store.tables import iso
from app.workflows import ahead
from app.workflows.attempt import Lease, NotOurs
from app.workflows.crew import Crew
from app.workflows.deliver import Courier
from app.workflows.lead import Lead
from app.workflows.line import Line, Place
from app.workflows.read_back import Reader

log = structlog.get_logger(__name__)

T = TypeVar("T")

_MAY_SEND = {AnnouncementState.APPROVED.value, AnnouncementState.SENDING.value}
_LEFT = UNDER_WAY | {DeliveryState.UNKNOWN}
PARTNERS_FIRST = 10.0
"""Seconds for which the primary waits for partners."""


async def run(ctx: Context, crew: Crew, announcement: str, stories: dict[str, Story]) -> str:
    """One run of a broadcast in a term of its own; returns how it ended. While it runs, it is in `stories`, to be nudged."""
    try:
        found = await ctx.database.look(lambda tx: _found(ctx, tx, announcement))
    except NotApproved as error:
        return await _refused(ctx, announcement, str(error))
    if found is None:
        return "elsewhere"
    crew.hurry()
    row, verified, rows = found
    courier = Courier(ctx, verified, Lease(announcement, ctx.runner), crew, row.leads, row.led_since or datetime.now(UTC))
    try:
        story = stories[announcement] = Story(ctx, courier, row)
        try:
            return await story.told(rows)
        finally:
            await story.stopped()
    except NotApproved as error:
        return await _refused(ctx, announcement, str(error))
    except NotOurs:
        return "elsewhere"
    finally:
        stories.pop(announcement, None)


async def _found(ctx: Context, tx: AsyncConnection, announcement: str) -> tuple[AnnouncementRow, Approved, list[DeliveryRow]] | None:
    """It, what was approved, and where it stands; None where it is another worker's. Raises `NotApproved`."""
    row = await existing(tx, announcement)
    if not await workers.may_take(tx, row.worker, ctx.runner):
        return None
    verified, rows = await approved(ctx, tx, row.digest), await deliveries.of_digest(tx, row.digest)
    if verified.manifest.announcement != row.id:
        raise NotApproved("What was signed is another announcement's: the database was changed.")
    return row, verified, rows


async def _refused(ctx: Context, announcement: str, why: str) -> str:
    """Ends a broadcast behind which two people do not stand (any more): its author may revise it, or, once begun, a person acts."""
    log.error("broadcast-refused", announcement=announcement, why=why)
    async with ctx.database.write() as tx:
        row = await existing(tx, announcement, lock=True)
        if row.state in _MAY_SEND and await workers.may_take(tx, row.worker, ctx.runner):
            begun = await deliveries.attempts_of(tx, row.digest)
            state = AnnouncementState.INCOMPLETE if begun else AnnouncementState.RETURNED
            await store.change_announcement(tx, row.id, state=state.value, worker="")
            about = {"incident": row.incident, "announcement": row.id}
            await timeline.append(tx, ctx.now, "tocsin", "broadcast-refused", **about, data={"why": why})
            await notices.tell(ctx, tx, "alarm", row.id, row.digest, again=True)
    return "refused"


class Story:
    """A run from its beginning to its end."""

    def __init__(self, ctx: Context, courier: Courier, row: AnnouncementRow) -> None:
        self.ctx, self.courier, self.row = ctx, courier, row
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()  # set where no task is left
        self._leading: asyncio.Task[None] | None = None
        self._ending = self._failed = False
        self._refused: NotApproved | NotOurs | None = None
        self._line = Line(courier.places, self._also, self._delivered, before=courier.referenced, goes_on=lambda: courier.goes_on)
        self._reader = Reader(ctx, courier, self._also, self._line)

    async def told(self, rows: Sequence[DeliveryRow]) -> str:
        """The story. Where no partner comes first, its beginning and the primary's first attempt reach the disk together."""
        begun = asyncio.ensure_future(self.ctx.database.commit(self._begin, about=self.row.id))
        if partners := [row for row in rows if row.role == Role.PARTNER.value]:
            if not await begun:
                return "elsewhere"
            await asyncio.wait({self._also(self._delivered(row)) for row in partners}, timeout=PARTNERS_FIRST)
        self._start(rows)
        if not await begun:
            return "elsewhere"
        self._also(ahead.connect(self.courier, rows))
        self._also(self._start_the_clock())
        await self._all()
        if not self.courier.crew.stopping:
            self._look_at(await self.courier.rows())
            await self._all()
        self._ending = True
        if self.courier.crew.stopping or self._failed:
            return "unfinished"
        return await self.ctx.database.commit(self._end, about=self.row.id)

    def nudge(self) -> bool:
        """Somebody has acted: wakes who rests, and starts what can go on now; False where this run is at its end."""
        self.courier.pulse.beat()
        if not self.courier.crew.stopping and not self._ending:
            self._also(self._start_anew())
        return not self._ending

    async def _start_anew(self) -> None:
        async def work(tx: AsyncConnection) -> tuple[AnnouncementRow, list[DeliveryRow]]:
            return await existing(tx, self.row.id), await deliveries.of_digest(tx, self.row.digest)

        row, rows = await self.ctx.database.commit(work, about=self.row.id)  # in turn with a fallback that is being made to lead
        courier = self.courier
        courier.leads, courier.led_since = row.leads or courier.approved.manifest.primary, row.led_since or courier.led_since
        courier.pulse.beat()  # a person may have said who is to lead
        self._start(rows)

    def _start(self, rows: Sequence[DeliveryRow]) -> None:
        """Lets everyone begin, the search for who leads among them; whoever points to that stands in line."""
        courier, left = self.courier, [row for row in rows if DeliveryState(row.state) in _LEFT and row.id not in self.courier.carried]
        for row in left:
            if row.role != Role.PARTNER.value and not courier.may_lead(row):
                self._line.join(row)
            elif not courier.may_lead(row) or (self._leading and not self._leading.done() and courier.reference.done()):
                self._also(self._delivered(row))
        if self._leading is None or (left and (self._leading.done() or (courier.nobody_leads and courier.reference.done()))):
            if courier.reference.done() and not courier.reference.result():
                courier.reference = asyncio.get_running_loop().create_future()
            self._leading = self._also(Lead(courier, self._also, self._delivered).find(rows))

    def _also(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        """What failed stays as it is on disk, and the broadcast is run again; where it is not ours any more, nothing of it may go on."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, NotApproved | NotOurs):
            self._refused = self._refused or error
            self._end_it()
        elif error:
            self._failed = True
            log.error("delivery-failed", exc_info=error)
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    async def _delivered(self, row: DeliveryRow, place: Place | None = None) -> None:
        self._look_at([await self.courier.deliver(row, place)])

    def _look_at(self, rows: Sequence[DeliveryRow]) -> None:
        """Sent means seen. It is begun once a post is whole, and at the end for what is not."""
        for row in rows:
            whole = row.state == DeliveryState.POSTED.value or row.id not in self.courier.carried
            if row.posted_at and whole and not row.read_back:
                self._reader.see(row)

    async def _all(self) -> None:
        """Lets everything come to its end."""
        while self._tasks:
            await self._idle.wait()
        if self._refused:
            raise self._refused

    def _end_it(self) -> None:
        self.courier.over = self._ending = True
        self.courier.points_to(None)
        self.courier.pulse.beat()

    async def stopped(self) -> None:
        """Nothing more is opened: who rests ends, and an answer that is due is waited for."""
        self._end_it()
        while self._tasks:
            await self._idle.wait()

    async def _begin(self, tx: AsyncConnection) -> bool:
        """Begins a term, and marks the announcement as being sent; from here on it cannot be cancelled."""
        row, lease = await existing(tx, self.row.id, lock=True), self.courier.lease
        manifest, now = self.courier.approved.manifest, iso(self.ctx.now)
        if row.digest != self.row.digest or row.state not in _MAY_SEND or not await workers.may_take(tx, row.worker, lease.worker):
            return False
        first = row.state == AnnouncementState.APPROVED.value
        if manifest.not_before > now or (first and manifest.not_after <= now):
            return False
        values = {"state": AnnouncementState.SENDING.value, "led_since": row.led_since or datetime.now(UTC)}
        lease.term = await store.take(tx, row, lease.worker, **values)
        if first:
            data = {"people": list(self.courier.approved.people), "digest": row.digest}
            about = {"incident": row.incident, "announcement": row.id}
            await timeline.append(tx, self.ctx.now, "tocsin", "broadcast-begun", **about, data=data)
        return True

    async def _start_the_clock(self) -> None:
        """Puts the follow-ups on the clock, in a moment: the pointers go first. Should it fail, the end does it."""
        if await self.courier.referenced():
            await asyncio.sleep(0.05)
            async with self.ctx.database.write() as tx:
                await self._first_post(tx)

    async def _first_post(self, tx: AsyncConnection) -> None:
        row = await store.incident(tx, self.courier.approved.manifest.incident.id)
        assert row is not None
        await follow_up.first_post(self.ctx, tx, row)

    async def _end(self, tx: AsyncConnection) -> str:
        """Sent, where every delivery is posted or left out; incomplete, where a person has to act; else it goes on and `sending` stays."""
        row, lease = await existing(tx, self.row.id, lock=True), self.courier.lease
        rows = await deliveries.of_digest(tx, row.digest)
        if row.state != AnnouncementState.SENDING.value or (row.worker, row.term) != (lease.worker, lease.term):
            return "elsewhere"
        leading = next((d for d in rows if self.courier.may_lead(d) and d.destination == self.courier.leads), None)
        if leading and leading.done:
            await self._first_post(tx)
        owed = await follow_ups.of_announcement(tx, row.id)
        if owed and any(delivery.done for delivery in rows):
            await follow_ups.change(tx, owed.id, state=FollowUpState.SENT.value)
        led = leading is None or bool(leading.done) or leading.state == DeliveryState.SKIPPED.value
        if any(DeliveryState(d.state) in UNDER_WAY and (led or self._is_first(d)) for d in rows):
            return "unfinished"
        state = AnnouncementState.SENT if all(DeliveryState(d.state) in FINAL for d in rows) else AnnouncementState.INCOMPLETE
        await store.change_announcement(tx, row.id, state=state.value, finished_at=self.ctx.now, worker="")
        if state is AnnouncementState.INCOMPLETE:
            await notices.tell(self.ctx, tx, "alarm", row.id, row.digest, again=True)
        await timeline.append(tx, self.ctx.now, "tocsin", f"broadcast-{state.value}", incident=row.incident, announcement=row.id)
        return state.value

    def _is_first(self, row: DeliveryRow) -> bool:
        """Whether it waits for no other."""
        return row.role == Role.PARTNER.value or (self.courier.may_lead(row) and row.destination == self.courier.leads)
