"""`python -m tests.bench.inside serve`: the real server with an observer inside, for what cannot be seen from outside.

SIGUSR1 begins to sample the main thread, a thousand times a second of real time, and the next one ends it and writes the stacks to the
file that `BENCH_SAMPLES` names. SIGUSR2 writes there how many tasks and threads there are. A sample costs some 2 to 5 per cent.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

import greenlet

PERIOD = 0.001
DEEPEST = 120

Stack = tuple[str, ...]


class Sampler:
    """Stacks of the main thread, innermost frame first, with how often each was seen."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen, self.running, self.wakeup = path, Counter[Stack](), False, -1

    def toggle(self, _number: int, _frame: FrameType | None) -> None:
        self.running = not self.running
        self.wakeup = signal.set_wakeup_fd(-1 if self.running else self.wakeup)  # else each sample would wake the loop
        signal.setitimer(signal.ITIMER_REAL, PERIOD if self.running else 0, PERIOD if self.running else 0)
        if not self.running:
            write(self.path, [[list(stack), times] for stack, times in self.seen.most_common()])
            self.seen.clear()

    def sample(self, _number: int, frame: FrameType | None) -> None:
        stack: list[str] = []
        current = greenlet.getcurrent()
        while frame is not None and len(stack) < DEEPEST:
            stack.append(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}:{frame.f_lineno}")
            frame = frame.f_back
            if frame is None and current.parent is not None:  # SQLAlchemy's queries run in a greenlet; its caller lies beyond
                current = current.parent
                frame = current.gr_frame
        self.seen[tuple(stack)] += 1


def facts(path: Path) -> None:
    """Writes how many tasks and threads this process has; called as a signal arrives, within the running loop."""
    write(path, {"tasks": len(asyncio.all_tasks()), "python_threads": threading.active_count()})


def write(path: Path, told: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(told))
    part.replace(path)


def main() -> None:
    from app.cli import main as tocsin

    path = Path(os.environ["BENCH_SAMPLES"])
    sampler = Sampler(path)
    signal.signal(signal.SIGALRM, sampler.sample)
    signal.signal(signal.SIGUSR1, sampler.toggle)
    signal.signal(signal.SIGUSR2, lambda *_: facts(path))
    sys.argv[0] = "tocsin"
    tocsin()


if __name__ == "__main__":
    main()
