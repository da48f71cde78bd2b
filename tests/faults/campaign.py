"""Kills the server at chosen moments of a broadcast, starts it again, and judges: `python -m tests.faults.campaign --kills 50 --seed 1`.

Prints one JSON object. Every kill has an announcement of its own, so that one folder lives through all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.harness import Town, Verdict, judge, town

LATENCY = 0.1
"""Seconds that each platform takes for a post, so that kills fall into the middle of requests."""

SPAN = 0.45
"""Seconds after the second signature is sent within which the server is killed."""


@dataclass(slots=True)
class Campaign:
    """All kills so far."""

    kills: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    resumed: list[float] = field(default_factory=list)

    def add(self, verdict: Verdict, resumed: float | None) -> None:
        self.kills += 1
        for name in ("posted", "undecided", "lost", "doubled", "wrong"):
            setattr(self.verdict, name, getattr(self.verdict, name) + getattr(verdict, name))
        self.verdict.platforms.update(verdict.platforms)
        self.resumed += [] if resumed is None else [resumed]

    def told(self) -> dict[str, Any]:
        """As printed: parts by what became of them, and seconds from the start of the next process to its first request."""
        counts = {name: getattr(self.verdict, name) for name in ("posted", "undecided", "lost", "doubled", "wrong")}
        seconds = sorted(self.resumed)
        told = {"median": round(statistics.median(seconds), 3), "max": round(seconds[-1], 3)} if seconds else {}
        return {"kills": self.kills, **counts, "undecided_share": self._shares(), "seconds_to_resume": told | {"of": len(seconds)}}

    def _shares(self) -> dict[str, str]:
        """By platform, how many of its parts ended undecided and were shown as such."""
        platforms, seen = sorted({platform for platform, _ in self.verdict.platforms}), self.verdict.platforms
        asked = {platform: seen[platform, "undecided"] for platform in platforms}
        return {platform: f"{asked[platform]} of {asked[platform] + seen[platform, 'posted']}" for platform in platforms}


def strike(here: Town, token: str, after: float, how: signal.Signals = signal.SIGKILL) -> tuple[Verdict, float | None]:
    """One broadcast that is cut off `after` seconds; the verdict once the next process has done what it can, and when it went on."""

    def cut(send: Callable[[], threading.Thread]) -> None:
        sending = send()
        time.sleep(after)
        here.kill(how)
        sending.join()

    return cut_off(here, token, cut)


def cut_off(here: Town, token: str, cut: Callable[[Callable[[], threading.Thread]], None]) -> tuple[Verdict, float | None]:
    """The same, where `cut` gets what sends the second signature, and returns once the server is gone."""
    slowly(here)
    accepted = here.announce(token)
    announcement = accepted["id"]
    here.await_mails(accepted["digest"])
    cut(here.second_signature(announcement))
    started = here.start()
    if here.desk.read(announcement)["state"] == "awaiting_approval":  # it was killed before it had the second signature
        here.desk.decide(announcement, "second-reviewer")
    shown = here.await_(announcement)
    state = here.stage.state()
    verdict = judge(shown, state, token)
    if verdict.good:
        ended = here.play_people(shown)
        again = judge(ended, here.stage.state(), token)
        verdict.doubled += again.doubled
        verdict.wrong += again.wrong + ([] if ended["state"] == "sent" else [f"{token} did not end: {ended['state']}"])
    return verdict, _resumed(state, started, shown)


def slowly(here: Town) -> None:
    """Has every platform take its time."""
    for platform in ("x", "reddit", "telegram", "discord", "smtp"):
        here.order(platform, "latency", value=LATENCY)


def _resumed(state: dict[str, Any], started: float, shown: dict[str, Any]) -> float | None:
    """Seconds from the start of the process to its first request at a platform; None where nothing was left to do."""
    asked = [entry["at"] for platform, log in state["log"].items() if platform != "smtp" for entry in log if entry["at"] > started]
    return min(asked) - started if asked else None


def moments(kills: int, seed: int) -> list[float]:
    """When to kill: spread evenly over the span, jittered, in an order of their own."""
    chance = random.Random(seed)
    chosen = [(number + chance.random()) / kills * SPAN for number in range(kills)]
    chance.shuffle(chosen)
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    asked = parser.parse_args()
    campaign = Campaign()
    with tempfile.TemporaryDirectory(prefix="tocsin-faults-") as folder, town(Path(folder)) as here:
        for number, after in enumerate(moments(asked.kills, asked.seed)):
            verdict, resumed = strike(here, f"kill-{asked.seed}-{number}", after, signal.Signals[f"SIG{asked.signal}"])
            campaign.add(verdict, resumed)
            told = "; ".join(verdict.wrong) or f"good, {verdict.posted} posted, {verdict.undecided} undecided"
            print(f"{number + 1}/{asked.kills} after {after:.3f} s: {told}", file=sys.stderr, flush=True)
    print(json.dumps(campaign.told(), indent=2))
    return 0 if campaign.verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
