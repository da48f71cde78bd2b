"""Where the time of one broadcast to 1,000 pointers goes: what the server's main thread was doing, by folders, a thousand times a second.

A sample belongs to the first line of `WHERE` that one of its frames matches, so that the database's work for the record counts as the
record's. Beside it stands what bare aiohttp takes for the same posts in the same run.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.bench import fan_out, peers
from tests.bench.fan_out import LATENCY
from tests.bench.houses import Wide, wide
from tests.bench.page import table

POINTERS = 1000
WHERE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("waits: for answers, the disk, the database's thread", ("selectors.py:EpollSelector.select",)),
    ("the record: one line each, hash-chained", ("/app/store/timeline",)),
    ("deliveries and attempts: rows and group commits", ("/app/store/deliveries", "/app/store/database", "/app/workflows/ledger")),
    ("wording checks", ("/app/domain/wording", "/app/domain/findings")),
    ("manifest and signatures, verified", ("/app/services/", "/app/domain/manifest", "/app/domain/approval")),
    ("connecting", ("/aiohttp/connector", "/aiohappyeyeballs/")),
    ("aiohttp: requests and answers", ("/aiohttp/",)),
    ("httpx round aiohttp", ("/httpx/", "/httpx_aiohttp/")),
    ("adapters", ("/adapters/",)),
    ("couriers and broadcast", ("/app/workflows/",)),
    ("other queries", ("/sqlalchemy/", "/aiosqlite/", "/app/store/")),
    ("the API", ("/app/api/", "/fastapi/", "/starlette/", "/granian/")),
    ("the event loop itself", ("/asyncio/",)),
)
_LEAF_ONLY = "selectors.py:EpollSelector.select"


def measure() -> dict[str, Any]:
    """Seconds of each, of one broadcast that came after another in the same process."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, wide(Path(folder), POINTERS, observed=True) as here:
        fan_out.send(here, f"warm-{os.getpid()}")
        watched = _Watched(here)
        sent, text = fan_out.send(watched.here, f"profile-{os.getpid()}", around=watched)
        here.far.quiet()
        bare, _ = peers.seconds("aiohttp", here.far.base_url, POINTERS, text)
    total = sum(times for _, times in watched.stacks)
    parts = summed(watched.stacks)
    return {
        "pointers": POINTERS,
        "latency_s": LATENCY,
        "durable_s": round(sent.durable, 3),
        "bare_aiohttp_s": round(bare, 3),
        "samples": total,
        "seconds": {name: round(sent.durable * times / total, 3) for name, times in parts},
    }


def summed(stacks: list[tuple[list[str], int]]) -> list[tuple[str, int]]:
    """How many samples each line of `WHERE` has, most first."""
    counted = Counter[str]()
    for stack, times in stacks:
        counted[_where(stack)] += times
    return counted.most_common()


def _where(stack: list[str]) -> str:
    for name, patterns in WHERE:
        frames = stack[:1] if _LEAF_ONLY in patterns else stack
        if any(pattern in frame for frame in frames for pattern in patterns):
            return name
    return "everything else"


class _Watched:
    """Has the observer inside the server sample from its entry to its exit."""

    def __init__(self, here: Wide) -> None:
        self.here = here
        self.stacks: list[tuple[list[str], int]] = []

    def __enter__(self) -> None:
        assert self.here.server is not None
        self.here.server.send_signal(signal.SIGUSR1)

    def __exit__(self, *_: object) -> None:
        assert self.here.server is not None
        self.here.server.send_signal(signal.SIGUSR1)
        path, deadline = self.here.folder / "samples.json", time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline, "the observer inside said nothing"
            time.sleep(0.05)
        self.stacks = [(stack, times) for stack, times in json.loads(path.read_text())]


def lines(told: dict[str, Any]) -> list[str]:
    """As a table in Markdown."""
    rows = [[name, f"{seconds:.3f}", f"{1000 * seconds / told['pointers']:.2f}"] for name, seconds in told["seconds"].items()]
    whole = [
        ["**all, until the last receipt is on disk**", f"{told['durable_s']:.3f}", f"{1000 * told['durable_s'] / told['pointers']:.2f}"]
    ]
    bare = [["bare aiohttp for the same posts", f"{told['bare_aiohttp_s']:.3f}", f"{1000 * told['bare_aiohttp_s'] / told['pointers']:.2f}"]]
    return table([f"{told['pointers']:,} pointers", "s", "ms each"], rows + whole + bare)
