"""What the broadcasts of this process share, and which of them the sweep may start."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from app.domain.announcement import AnnouncementState
from app.services.context import Context
from app.workflows.deliver import Courier, Crew

log = structlog.get_logger(__name__)

GRACE, LONGEST_REST = 2.0, 60.0  # seconds after a start, and after an end that was none, in which the sweep leaves a broadcast alone
_ENDS = {AnnouncementState.SENT.value, AnnouncementState.INCOMPLETE.value}


class House:
    """What the engine's functions work with; one a process, set by `app.bootstrap` before the engine is launched."""

    ctx: Context
    crew: Crew
    running: Counter[str]  # by digest, the broadcasts that run in this process
    rests: dict[str, tuple[int, float]]  # by digest: how often it ended unfinished, and until when the sweep leaves it alone
    couriers: dict[str, Courier]  # by digest, for as long as its signatures count as just verified
    loose: set[asyncio.Task[Any]]  # what runs beside the engine


@dataclass(slots=True)
class Run:
    """One run of a broadcast, and how it ended."""

    ended: str = "failed"


def install(ctx: Context) -> None:
    """Makes `ctx` the house of this process's broadcasts."""
    House.ctx, House.crew, House.running = ctx, Crew(), Counter()
    House.rests, House.couriers, House.loose = {}, {}, set()


def begins(digest: str) -> None:
    """Keeps the sweep away from a broadcast that is about to run."""
    times, _ = House.rests.get(digest, (0, 0.0))
    House.rests[digest] = (times, time.monotonic() + GRACE)


@contextlib.contextmanager
def running(digest: str) -> Iterator[Run]:
    """Around a run. One that ends unfinished, or fails, rests: longer each time that it does so again."""
    run = Run()
    House.running[digest] += 1
    try:
        yield run
    finally:
        House.running[digest] -= 1
        House.couriers.pop(digest, None)
        times, _ = House.rests.pop(digest, (0, 0.0))
        if run.ended not in _ENDS:
            House.rests[digest] = (times + 1, time.monotonic() + min(2.0**times, LONGEST_REST))


def may_start(digest: str) -> bool:
    """Whether the sweep should start it: it does not run here, and has rested."""
    _, until = House.rests.get(digest, (0, 0.0))
    return not House.crew.stopping and not House.running[digest] and time.monotonic() >= until


def loosely(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Runs it beside everything else; the loop by itself would forget the task."""

    def ended(task: asyncio.Task[Any]) -> None:
        House.loose.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("failed-beside", exc_info=error)

    task = asyncio.ensure_future(work)
    House.loose.add(task)
    task.add_done_callback(ended)
    return task


async def stop(seconds: float) -> float:
    """Opens no further attempt, and waits for what runs beside the engine. Gives the seconds that are left for what runs in it."""
    until = time.monotonic() + seconds
    House.crew.stop()
    if House.loose:
        await asyncio.wait(House.loose, timeout=seconds)
    return max(until - time.monotonic(), 1.0) if House.running.total() else 0.0
