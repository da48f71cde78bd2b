"""kill -9 in the middle of a broadcast to 1,000 pointers: how long until the work goes on, and whether anything is posted twice.

`restarts`: on SQLite, the server is started again at once; the clock runs from the kill to the first post after it, so it holds the
start of the process. `takeovers`: `tocsin serve` and `tocsin worker` on one Postgres database; whichever runs the broadcast is killed
for good, and the clock runs to the first post of the other. What the dead one had open stays undecided, and is shown as such.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import psycopg

from tests.bench.houses import WORK, Wide, serving, wide
from tests.bench.measures import Seen, spread
from tests.bench.page import table
from tests.faults.harness import wait_for

POINTERS, KILLED_AT = 1000, 250
Told = dict[str, float]
"""Of one kill: seconds until the next process was `ready` (of a restart) and until work `resumed`; how many posts are `doubled`."""

ON_ITS_WAY = 0.2
"""Seconds after a kill in which the far end may still read what the dead process had written to its sockets."""
POSTGRES = "postgresql://postgres@127.0.0.1:5432"


def restarts(rounds: int) -> dict[str, Any]:
    """On SQLite."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, wide(Path(folder), POINTERS) as here:
        told = [_restart(here, f"kill-{os.getpid()}-{number}") for number in range(rounds)]
    return _summed(told)


def _restart(here: Wide, token: str) -> Told:
    announcement = _under_way(here, token)
    killed = time.time()
    here.kill(signal.SIGKILL)
    here.start()
    ready = time.time() - killed
    return _resumed(here, announcement, killed) | {"ready": ready}


def takeovers(rounds: int, server: str = POSTGRES) -> dict[str, Any]:
    """On Postgres; each round on a database of its own."""
    told = []
    for number in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder,
            _database(server) as url,
            wide(Path(folder), POINTERS, database_url=url) as here,
            serving(here.stage.house, WORK) as worker,
        ):
            told.append(_takeover(here, worker, f"take-{os.getpid()}-{number}"))
    return _summed(told)


def _takeover(here: Wide, worker: Popen[str], token: str) -> Told:
    assert here.server is not None
    announcement = _under_way(here, token)
    victim = max((here.server, worker), key=lambda process: Seen.of(process.pid).sockets)
    killed = time.time()
    victim.kill()
    victim.wait()
    if victim is here.server:
        _first_after(here, killed)  # the worker alone has taken over; what became of it is the server's to answer
        here.serving.close()
        here.start()
    return _resumed(here, announcement, killed)


def _under_way(here: Wide, token: str) -> str:
    accepted = here.announce(token)
    signature = here.second_signature(accepted["id"])
    here.far.quiet()
    here.far.ask("forget")
    signature()
    while here.far.ask("counts")["post"] < KILLED_AT:
        time.sleep(0.005)
    return str(accepted["id"])


def _resumed(here: Wide, announcement: str, killed: float) -> Told:
    here.await_end(announcement, "sent", "incomplete")
    counted = Counter(post[0] for post in here.far.ask("record")["asked"]["post"])
    return {"resumed": _first_after(here, killed) - killed, "doubled": sum(times > 1 for times in counted.values())}


def _first_after(here: Wide, killed: float) -> float:
    """When the first post after the kill came (Unix seconds)."""

    def came() -> float | None:
        return min((at for _, at, _ in here.far.ask("record")["asked"]["post"] if at > killed + ON_ITS_WAY), default=None)

    return wait_for(came, 120, "the first post after the kill")


def _summed(told: list[Told]) -> dict[str, Any]:
    seconds = {name: spread([one[name] for one in told]) for name in ("ready", "resumed") if name in told[0]}
    return {"pointers": POINTERS, "doubled": int(sum(one["doubled"] for one in told))} | seconds


@contextlib.contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"tocsin_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{server}/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def lines(told: dict[str, Any]) -> list[str]:
    """As a table in Markdown."""
    named = {"the next process is ready": told.get("ready"), "its first post": told["resumed"]}
    rows = [[name, *(f"{of[key]:.2f}" for key in ("median", "min", "max"))] for name, of in named.items() if of]
    kills = told["resumed"]["of"]
    posts = f"{kills} kills, {kills * told['pointers']:,} posts, {told['doubled']} of them twice."
    return [*table(["from the kill, s", "median", "min", "max"], rows), "", posts]
