"""A worker: runs the broadcasts that it holds, takes over those that nobody living holds, and minds the clock where it is on duty.

Several workers share one Postgres database. Each beats there; whoever sees another's beats stand still for `DEAD_AFTER` seconds of its
own time buries it and goes on with what it held. That proves no death, so a takeover is safe beside a worker that only slept: it can
open nothing in a term that is over, and what its open attempts led to is asked of the platforms first. A worker that finds itself
buried begins anew under another name. On SQLite there is one process, by the lock on its folder, and all before it is dead.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.announcement import AnnouncementState
from app.services import check, follow_up, notify, trust
from app.services.context import Context, new_id
from app.store import announcements as store
from app.store import workers
from app.store.database import MISSED, UNUSABLE
from app.workflows import broadcast
from app.workflows.broadcast import Story
from app.workflows.crew import Crew

log = structlog.get_logger(__name__)

BEAT, DEAD_AFTER = 0.5, 2.5  # seconds
PERIOD, BREATH = 1.0, 0.05  # of the loop: it wakes where there is news, and at least that often
LONGEST_REST = 60.0
LEAST_BUSY_FIRST = 0.1
"""Seconds at most by which a busy worker is behind another in taking a broadcast that nobody holds."""

NEVER, OLD = 2**31 - 1, 10
"""How often Python has looked through what is new before it looks through what is old, too: by itself never, by `_tidied` after ten."""

Doing = Callable[[Context], Awaitable[object]]

_ENDS = {AnnouncementState.SENT.value, AnnouncementState.INCOMPLETE.value, "refused", "elsewhere"}


@dataclass(slots=True)
class Watch:
    """Which other workers live, as seen by our own clock: a worker is dead whose beats stood still while we were looking."""

    seen: dict[str, tuple[int, float]] = field(default_factory=dict)  # beats, and since when we see just these
    looked_at: float = 0.0

    def look(self, beats: dict[str, int], now: float) -> list[str]:
        """The dead among them. After a gap in our own looking nobody is: we were away ourselves, or the database was."""
        if now - self.looked_at > 3 * BEAT:
            self.seen.clear()
        self.looked_at = now
        self.seen = {id_: old if (old := self.seen.get(id_)) and old[0] == count else (count, now) for id_, count in beats.items()}
        return [id_ for id_, (_, since) in self.seen.items() if now - since > DEAD_AFTER]


class Worker:
    """One a process. `run` begins its work and `stop` ends it."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.crew = ctx, Crew()
        self._stories: dict[str, Story] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._rests: dict[str, tuple[int, float]] = {}  # how often a broadcast ended unfinished, and until when it is left alone
        self._watch, self._on_duty = Watch(), ctx.database.sqlite

    async def run(self) -> None:
        """Runs until it is cancelled; an error is logged and holds up neither the loop nor the other kinds of work."""
        gc.collect()
        gc.freeze()  # all that is loaded by now stays; to look through it again would halt the process for 0.1 s, in mid-broadcast
        self.ctx.database.on_signal = self.go_on
        await self._registered()
        gc.set_threshold(*gc.get_threshold()[:2], NEVER)  # what comes from here on takes 10 ms and more: `_tidied` chooses when
        clock = (follow_up.tick, notify.send_due, check.when_due, trust.record)
        loops = [self._forever(self.sweep), *(self._forever(self._in_calm(self._on_duty_alone(work))) for work in clock)]
        loops.append(self._forever(self._in_calm(_tidied)))
        if not self.ctx.database.sqlite:
            loops += [self._beating(), self._listening()]
        await asyncio.gather(*loops)

    def go_on(self, announcement: str) -> None:
        """There is something to do about it: begins, or wakes its broadcast. Beginning one that another worker holds is harmless."""
        if announcement == MISSED:
            for running in list(self._stories):
                self.go_on(running)
        elif not announcement or self.crew.stopping or ((story := self._stories.get(announcement)) and story.nudge()):
            return
        elif announcement in self._running:  # it is just beginning, or at its end
            asyncio.get_running_loop().call_later(BREATH, self.go_on, announcement)
        else:
            self._running[announcement] = asyncio.ensure_future(self._broadcast(announcement))

    async def sweep(self, _ctx: Context) -> None:
        """Begins every broadcast whose window is open and that no living worker holds, or that we hold and that does not run."""

        async def work(tx: AsyncConnection) -> tuple[list[str], list[str]]:
            return await store.held_by(tx, self.ctx.runner, self.ctx.now), await store.free(tx, self.ctx.now)

        held, free = await self.ctx.database.look(work)
        for id_ in (*held, *free):
            _, until = self._rests.get(id_, (0, 0.0))
            if id_ not in self._running and time.monotonic() >= until:
                if id_ in free and not self.ctx.database.sqlite:
                    await asyncio.sleep(min(0.02 * len(self._running), LEAST_BUSY_FIRST))
                self.go_on(id_)

    async def stop(self, seconds: float = 25) -> None:
        """Opens no further attempt, waits for the answers that are due, and leaves what is unfinished to the next."""
        self.crew.stopping = True
        for story in self._stories.values():
            story.nudge()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        try:
            async with self.ctx.database.write() as tx:
                await workers.bury(tx, self.ctx.runner)
        except UNUSABLE as error:
            log.warning("not-signed-off", problem=str(getattr(error, "orig", error)))  # it will be seen to be dead

    async def _broadcast(self, announcement: str) -> None:
        ended = "failed"
        try:
            ended = await broadcast.run(self.ctx, self.crew, announcement, self._stories)
        except Exception:
            log.exception("broadcast-failed", announcement=announcement)
        finally:
            self._running.pop(announcement, None)
            times, _ = self._rests.pop(announcement, (0, 0.0))
            if ended not in _ENDS:
                self._rests[announcement] = (times + 1, time.monotonic() + min(2.0**times, LONGEST_REST))

    async def _registered(self) -> None:
        while True:
            try:
                return await self._register()
            except Exception as error:
                log.error("not-registered", problem=str(getattr(error, "orig", error)))
                await asyncio.sleep(PERIOD)

    async def _register(self) -> None:
        async with self.ctx.database.write() as tx:
            if self.ctx.database.sqlite:
                await workers.bury_all(tx)
            await workers.register(tx, self.ctx.runner, f"{socket.gethostname()}:{os.getpid()}"[:120])

    async def _beating(self) -> None:
        while True:
            try:
                await self._beat()
            except Exception as error:
                log.warning("not-beating", problem=str(getattr(error, "orig", error)))
            await asyncio.sleep(BEAT)

    async def _beat(self) -> None:
        async with self.ctx.database.write(quiet=True) as tx:
            beats = await workers.beat(tx, self.ctx.runner)
        if beats is None and self.crew.stopping:
            return  # it has signed off
        if beats is None:
            log.error("buried-alive", worker=self.ctx.runner)
            self.ctx.runner = new_id("wk", datetime.now(UTC))
            await self._register()
            return
        dead = [id_ for id_ in self._watch.look(beats, time.monotonic()) if id_ != self.ctx.runner]
        self._on_duty = self.ctx.runner == min(beats.keys() - set(dead))
        if dead and not self.crew.stopping:
            log.warning("worker-dead", workers=dead)
            async with self.ctx.database.write() as tx:
                await workers.bury(tx, *dead)

    async def _listening(self) -> None:
        while True:
            try:
                await self.ctx.database.listen()
            except Exception as error:
                log.warning("not-listening", problem=str(error))
            await asyncio.sleep(BEAT)

    def _in_calm(self, work: Doing) -> Doing:
        """Not while posts are about to go out."""

        async def later(ctx: Context) -> None:
            await self.crew.calm.wait()
            await work(ctx)

        return later

    def _on_duty_alone(self, work: Doing) -> Doing:
        async def alone(ctx: Context) -> None:
            if self._on_duty:
                await work(ctx)

        return alone

    async def _forever(self, work: Doing) -> None:
        while True:
            news = self.ctx.database.news.next
            try:
                await work(self.ctx)
            except Exception:
                log.exception("loop-failed")
                await asyncio.sleep(PERIOD)
            await self.ctx.database.news.wait(PERIOD, news)
            await asyncio.sleep(BREATH)


async def _tidied(_ctx: Context) -> None:
    """Takes a twentieth of the time at most: what 10,000 deliveries leave takes long to look through."""
    if gc.get_count()[2] > OLD:
        began = time.monotonic()
        gc.collect()
        await asyncio.sleep(20 * (time.monotonic() - began))
