"""Kills the server at every send, write and fsync of one broadcast, each once: `python -m tests.faults.sweep`.

A recording says how many there are (`tracer.py`: onto TCP sockets, into files, fsync and fdatasync, over all threads). Then, for each
number, a broadcast of its own is cut off as the server enters that call: all before it had its effect, and this one has none. The next
process does what it can, and the stand-ins' record is judged. Several houses share the numbers, and each lives through all its kills.
A number that a broadcast did not come to is told as such. Prints one JSON object; what happens meanwhile goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.campaign import Campaign, cut_off, slowly
from tests.faults.harness import Town, Verdict, at_rest, town, wait_for
from tests.faults.tracer import Call
from tests.faults.tracing import kind, tracing
from tests.support.cluster import cluster, fresh_database

LONGEST = 20.0
"""Seconds in which a traced broadcast that nothing befalls has ended."""


@dataclass(slots=True)
class Sweep:
    """What was hit so far, by kind of call."""

    points: int
    campaign: Campaign = field(default_factory=Campaign)
    hit: Counter[str] = field(default_factory=Counter)
    not_reached: list[int] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As printed."""
        return {"calls": self.points, "killed_at": dict(self.hit), "not_reached": sorted(self.not_reached)} | self.campaign.told()


def record(here: Town, token: str) -> list[Call]:
    """All calls of one broadcast that nothing befalls, from the second signature until it is at rest."""
    slowly(here)
    announcement = here.announce(token)
    here.await_mails(announcement["digest"])
    send = here.second_signature(announcement["id"])
    with tracing(here) as trace:
        send().join()
        wait_for(lambda: at_rest(here.desk.read(announcement["id"])) or None, 30, token, every=0.2)
    return trace.calls


def strike_at(here: Town, token: str, number: int) -> tuple[Verdict, float | None, Call | None]:
    """One broadcast that is cut off at that call; with the verdict, the call that was hit, None where there was no such call."""
    hit: list[Call] = []

    def cut(send: Callable[[], threading.Thread]) -> None:
        with tracing(here, kill=number) as trace:
            sending = send()
            trace.ended.wait(LONGEST)
        here.kill()
        sending.join()
        hit.extend(call for call in trace.calls if call.number == number)

    verdict, resumed = cut_off(here, token, cut)
    return verdict, resumed, hit[0] if hit else None


def sweep(folder: Path, *, every: int = 1, points: int = 0, seed: int = 1, houses: int = 1, server: str = "") -> Sweep:
    """Sweeps each `every`th call, in an order of the seed's, or so many `points`, of every kind as many.

    `server` names a Postgres server, where it is not SQLite that is tried.
    """
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    with ExitStack() as stack:
        towns = [stack.enter_context(_house(folder / str(number), server, stack)) for number in range(houses)]
        calls = record(towns[0], f"recorded-{seed}")
        found = Sweep(len(calls))
        chosen = _of_every_kind(calls, points, seed) if points else list(range(1 + seed % every, len(calls) + 1, every))
        random.Random(seed).shuffle(chosen)
        for number in chosen:
            numbers.put(number)
        print(f"{len(calls)} calls, {dict(Counter(map(kind, calls)))}; kills at {len(chosen)} of them", file=sys.stderr, flush=True)
        with ThreadPoolExecutor(houses) as pool:
            list(pool.map(lambda here: _live_through(here, numbers, found, seed), towns))
    return found


def _of_every_kind(calls: list[Call], points: int, seed: int) -> list[int]:
    """From the first four fifths, as a broadcast may make fewer calls than the recorded one."""
    chance, kinds = random.Random(seed), ("send", "write", "fsync")
    early = calls[: len(calls) * 4 // 5]
    numbers = [among for one in kinds if (among := [call.number for call in early if kind(call) == one])]
    return [number for among in numbers for number in chance.sample(among, min(len(among), points // len(numbers)))]


def _house(folder: Path, server: str, stack: ExitStack) -> Any:
    return town(folder, environ={"TOCSIN_DATABASE_URL": stack.enter_context(fresh_database(server))} if server else {})


def _live_through(here: Town, numbers: queue.SimpleQueue[int], found: Sweep, seed: int) -> None:
    while True:
        try:
            number = numbers.get_nowait()
        except queue.Empty:
            return
        verdict, resumed, call = strike_at(here, f"call-{seed}-{number}", number)
        found.campaign.add(verdict, resumed)
        if call:
            found.hit[kind(call)] += 1
        else:
            found.not_reached.append(number)
        where = f"{call.name} to {call.to.rpartition('/')[2]}" if call else "not reached"
        told = "; ".join(verdict.wrong) or f"good, {verdict.posted} posted, {verdict.undecided} undecided"
        print(f"{found.campaign.kills}: call {number}, {where}: {told}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sweep", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only each Kth call; which ones is the seed's choice")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--houses", type=int, default=4, help="how many houses share the calls (default: %(default)s)")
    parser.add_argument("--points", type=int, default=0, help="so many calls, of every kind as many, in place of all")
    parser.add_argument("--database", default="", help="a Postgres server to try in place of SQLite, or `cluster` for one of its own")
    asked = parser.parse_args()
    how = {"every": asked.every, "points": asked.points, "seed": asked.seed, "houses": asked.houses}
    with tempfile.TemporaryDirectory(prefix="tocsin-sweep-") as folder, ExitStack() as stack:
        server = stack.enter_context(cluster()).url if asked.database == "cluster" else asked.database
        found = sweep(Path(folder), **how, server=server)
    print(json.dumps(found.told(), indent=2))
    return 0 if found.campaign.verdict.good and found.hit else 1


if __name__ == "__main__":
    sys.exit(main())
