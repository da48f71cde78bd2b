"""Measures what Tocsin is judged by, on this machine, against the built-in stand-ins: `python -m tests.bench [--json]`.

All times are taken from the stand-ins' own record and from the client's clock, never from what the server says of itself; the one
exception, `after_commit_ms`, is counted from the server's own time of the second approval. Both processes share one clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.harness import Town, copies, town

QUIET = 0.4
"""Seconds before and after an approval in which nothing else is asked of the server, so that each measurement stands alone."""


def first_byte(here: Town, times: int, name: str) -> dict[str, Any]:
    """Milliseconds from the second approval to the request at the primary: from its leaving the client, and from its commit."""
    sent, committed, answered = [], [], []
    for number in range(times):
        at, shown, took = approved(here, f"{name}-{os.getpid()}-{number}")
        asked = min(entry["at"] for entry in here.stage.state()["log"]["x"] if entry["at"] > at and entry["method"] == "POST")
        sent.append(1000 * (asked - at))
        committed.append(1000 * (asked - moment(shown["approved_at"])))
        answered.append(1000 * took)
    return {
        "approval_to_first_byte_ms": spread(sent),
        "after_commit_ms": spread(committed),
        "approval_answered_ms": spread(answered),
    }


def fan_out(here: Town, latency: float, times: int) -> dict[str, Any]:
    """Seconds from the second approval until the last pointer is there, where every platform takes `latency` seconds for a post."""
    for stand_in in ("x", "reddit", "telegram", "discord"):
        here.order(stand_in, "latency", value=latency)
    seconds, pointers = [], 0
    for number in range(times):
        at, shown, _ = approved(here, f"fan-{os.getpid()}-{number}")
        state = here.stage.state()
        posts = [copies(shown, d, state)[0]["at"] for d in shown["deliveries"] if d["role"] == "pointer" and d["platform"] != "manual"]
        seconds.append(max(posts) - at)
        pointers = len(posts)
        time.sleep(1)  # Telegram takes 30 posts a second
    here.clear()
    told = spread(seconds, 3)
    return {"pointers": pointers, "latency_s": latency, "seconds": told, "per_two_round_trips": round(told["median"] / (2 * latency), 2)}


def approved(here: Town, token: str) -> tuple[float, dict[str, Any], float]:
    """One announcement, sent: when the second approval left (Unix seconds), its end, and how many seconds the answer took."""
    announcement = here.announce(token, text=f"Wait for our next update here. ({token})")["id"]
    signature = here.second_signature(announcement)
    time.sleep(QUIET)
    at = time.time()
    signature().join()
    took = time.time() - at
    time.sleep(QUIET)
    return at, here.await_(announcement), took


def spread(values: list[float], digits: int = 1) -> dict[str, float]:
    """Median, 95th percentile and extremes."""
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    named = {"median": statistics.median(ordered), "p95": p95, "min": ordered[0], "max": ordered[-1]}
    return {name: round(value, digits) for name, value in named.items()}


def moment(text: str) -> float:
    """Unix seconds."""
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    load = os.getloadavg()[0]
    return {
        "cores": os.cpu_count(),
        "load": round(load, 2),
        "python": sys.version.split()[0],
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def table(told: dict[str, Any], say: Callable[[str], None]) -> None:
    """The figures for a person."""
    first, fan = told["first_byte"], told["fan_out"]
    say(f"{told['machine']['cores']} cores, load {told['machine']['load']}, Python {told['machine']['python']}")
    for name in ("approval_to_first_byte_ms", "after_commit_ms", "approval_answered_ms"):
        say(f"{name:28} median {first[name]['median']:7.1f}   p95 {first[name]['p95']:7.1f}")
    cold = told["first_byte_of_a_fresh_process"]["approval_to_first_byte_ms"]
    say(f"{'the first of a process':28}        {cold['median']:7.1f}")
    seconds = fan["seconds"]
    say(f"{fan['pointers']} pointers at {fan['latency_s']:g} s    median {seconds['median']:7.3f} s p95 {seconds['p95']:7.3f} s")
    say(f"that is {fan['per_two_round_trips']} times two round trips")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures Tocsin against its built-in stand-ins.")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--approvals", type=int, default=30, help="how often the first byte is measured (default: %(default)s)")
    parser.add_argument("--pointers", type=int, default=16, help="Telegram channels besides the usual pointers (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that a platform takes for a post (default: %(default)s)")
    parser.add_argument("--broadcasts", type=int, default=5, help="how often the fan-out is measured (default: %(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, town(Path(folder), pointers=asked.pointers) as here:
        load = machine()
        told = {"machine": load} | {
            "first_byte_of_a_fresh_process": first_byte(here, 1, "cold"),
            "first_byte": first_byte(here, asked.approvals, "byte"),
            "fan_out": fan_out(here, asked.latency, asked.broadcasts),
        }
    if asked.json:
        print(json.dumps(told, indent=2))
    else:
        table(told, print)


if __name__ == "__main__":
    main()
