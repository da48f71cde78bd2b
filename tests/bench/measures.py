"""What every part of the bench measures with: spreads, the machine, the disk, and a process as the kernel sees it."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spread = dict[str, float]

_CORES = sorted(os.sched_getaffinity(0))


def spread(values: Sequence[float], digits: int = 3) -> Spread:
    """Median, 95th and 99th percentile (of the values themselves), extremes, and of how many."""
    ordered = sorted(values)
    named = {"median": statistics.median(ordered), "p95": _percentile(ordered, 0.95), "p99": _percentile(ordered, 0.99)}
    named |= {"min": ordered[0], "max": ordered[-1]}
    return {name: round(value, digits) for name, value in named.items()} | {"of": len(ordered)}


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def exponent(points: Mapping[int, float]) -> float:
    """The slope of a straight line through log(N), log(seconds): 1 where the cost of each does not grow with N."""
    xs, ys = [math.log(n) for n in points], [math.log(seconds) for seconds in points.values()]
    return round(statistics.linear_regression(xs, ys).slope, 3)


def machine() -> dict[str, Any]:
    """What the figures are taken on, and how busy it is as they begin."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": sys.version.split()[0],
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


@contextlib.contextmanager
def told_by(told: dict[str, Any]) -> Iterator[None]:
    """Adds to `told` what the figures taken within were taken on, and how many cores others kept busy meanwhile.

    The processes begun within must have ended with it, or they count as others.
    """
    begun, busy, own = time.monotonic(), _busy_seconds(), sum(os.times()[:4])
    told["machine"] = machine()
    yield
    others = _busy_seconds() - busy - (sum(os.times()[:4]) - own)
    told["machine"]["cores_kept_busy_by_others"] = round(max(others, 0) / (time.monotonic() - begun), 2)


def _busy_seconds() -> float:
    """CPU seconds of the whole machine that were neither idle nor waiting for a disk."""
    user, nice, system, _idle, _disk, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def on_core(which: int) -> Iterator[None]:
    """This thread, and what it starts meanwhile, runs on that core alone: 0 is the first, -1 the last that there is."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CORES[which]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def fsync_ms(folder: Path, times: int = 50) -> Spread:
    """Milliseconds that 8 KiB more of a file take to reach the disk of that folder."""
    taken = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(os.urandom(8192))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.01)
    return spread(taken)


@dataclass(frozen=True, slots=True)
class Seen:
    """A process at one moment: megabytes (of 10⁶ bytes) resident now and at most, threads, open files, sockets, CPU seconds so far."""

    resident_mb: float
    peak_mb: float
    threads: int
    files: int
    sockets: int
    cpu_seconds: float

    @classmethod
    def of(cls, pid: int) -> Seen:
        folder = Path(f"/proc/{pid}")
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        cpu = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        links = [os.readlink(link) for link in (folder / "fd").iterdir() if link.is_symlink()]
        return cls(
            resident_mb=_mb(status["VmRSS"]),
            peak_mb=_mb(status["VmHWM"]),
            threads=int(status["Threads"]),
            files=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            cpu_seconds=(int(cpu[11]) + int(cpu[12])) / os.sysconf("SC_CLK_TCK"),
        )


def _mb(kib: str) -> float:
    return round(int(kib.split()[0]) * 1024 / 1e6, 1)
