"""From the second approval to the platforms: the first byte at the primary, and twenty pointers on the usual stand-ins.

Times are taken from the stand-ins' own record and from the client's clock, never from what the server says of itself; the one
exception, `after_commit_ms`, is counted from the server's own time of the second approval. All processes share one clock.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.measures import spread
from tests.bench.page import table
from tests.faults.harness import Town, copies, town

QUIET = 0.4
"""Seconds before and after an approval in which nothing else is asked of the server, so that each measurement stands alone."""


def measure(approvals: int = 30, broadcasts: int = 5, pointers: int = 16, latency: float = 0.1) -> dict[str, Any]:
    """`pointers` are Telegram channels besides the usual destinations; `latency` is what each platform takes for a post."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, town(Path(folder), pointers=pointers) as here:
        cold = _first_byte(here, 1, "cold")
        wide = _fan_out(here, latency, broadcasts)  # before the many approvals, which use up the paces of each channel
        return {"first_byte_of_a_fresh_process": cold, "first_byte": _first_byte(here, approvals, "byte"), "fan_out": wide}


def _first_byte(here: Town, times: int, name: str) -> dict[str, Any]:
    """Milliseconds from the second approval to the request at the primary: from its leaving the client, and from its commit."""
    sent, committed, answered = [], [], []
    for number in range(times):
        at, shown, took = _approved(here, f"{name}-{os.getpid()}-{number}")
        asked = min(entry["at"] for entry in here.stage.state()["log"]["x"] if entry["at"] > at and entry["method"] == "POST")
        sent.append(1000 * (asked - at))
        committed.append(1000 * (asked - datetime.fromisoformat(shown["approved_at"]).timestamp()))
        answered.append(1000 * took)
    return {
        "approval_to_first_byte_ms": spread(sent, 1),
        "after_commit_ms": spread(committed, 1),
        "approval_answered_ms": spread(answered, 1),
    }


def _fan_out(here: Town, latency: float, times: int) -> dict[str, Any]:
    """Seconds from the second approval until the last pointer is there, where every platform takes `latency` seconds for a post."""
    for stand_in in ("x", "reddit", "telegram", "discord"):
        here.order(stand_in, "latency", value=latency)
    seconds, pointers = [], 0
    for number in range(times):
        at, shown, _ = _approved(here, f"fan-{os.getpid()}-{number}")
        state = here.stage.state()
        posts = [copies(shown, d, state)[0]["at"] for d in shown["deliveries"] if d["role"] == "pointer" and d["platform"] != "manual"]
        seconds.append(max(posts) - at)
        pointers = len(posts)
        time.sleep(1)  # Telegram takes 30 posts a second
    here.clear()
    told = spread(seconds)
    return {"pointers": pointers, "latency_s": latency, "seconds": told, "per_two_round_trips": round(told["median"] / (2 * latency), 2)}


def _approved(here: Town, token: str) -> tuple[float, dict[str, Any], float]:
    """One announcement, sent: when the second approval left (Unix seconds), its end, and how many seconds the answer took."""
    announcement = here.announce(token, text=f"If you used Example Web, wait for our next update here. ({token})")["id"]
    signature = here.second_signature(announcement)
    time.sleep(QUIET)
    at = time.time()
    signature().join()
    took = time.time() - at
    time.sleep(QUIET)
    return at, here.await_(announcement), took


def lines(told: dict[str, Any]) -> list[str]:
    """As a table in Markdown."""
    first, fan, cold = told["first_byte"], told["fan_out"], told["first_byte_of_a_fresh_process"]["approval_to_first_byte_ms"]
    named = {
        "second approval leaves the client → first byte at the primary": first["approval_to_first_byte_ms"],
        "of which after the commit has begun (the server's own time)": first["after_commit_ms"],
        "the approval is answered": first["approval_answered_ms"],
        "the first byte of the first announcement of a fresh process": cold,
        f"second approval → the last of {fan['pointers']} pointers came": {name: 1000 * value for name, value in fan["seconds"].items()},
    }
    return table(
        ["ms", "median", "p95", "max"], [[name, *(f"{of[key]:.1f}" for key in ("median", "p95", "max"))] for name, of in named.items()]
    )
