"""From the second approval to the last of N pointers, at 100 ms an answer, with other senders of the same posts in the same run.

Each round sends once with every sender, one after another, to the same far end, each over connections of its own that were not open
before. Tocsin's clock begins as the second approval leaves the client and holds all that follows: its verification, the primary's
round trip, the pointers. `last_answered` is the far end's record, `durable` is when the last receipt was on disk.
"""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import peers, receipts
from tests.bench.houses import Wide, wide
from tests.bench.measures import Seen, exponent, fsync_ms, on_core, spread
from tests.bench.page import table

LATENCY = 0.1
POINTERS_OF_FIFTY = 49
APPRISE_UP_TO = 1000
ROUNDS_A_HOUSE = 40
"""X takes a hundred posts of an account in a quarter of an hour, and each round is a thread of two."""

OF_FIFTY = ("least_s", "target_s", "median_per_least", "p99_per_least", "aiohttps_p99_per_least")
JUDGED = (*OF_FIFTY, "per_bare_aiohttp", "apprise_per_tocsin")


@dataclass(frozen=True, slots=True)
class Sent:
    """Seconds since the second approval left the client, and CPU seconds of the server until `durable`."""

    approval_answered: float
    primary_asked: float
    first_asked: float
    last_asked: float
    last_answered: float
    durable: float
    cpu_seconds: float


def send(here: Wide, token: str, around: AbstractContextManager[object] | None = None) -> tuple[Sent, str]:
    """One broadcast, its posts counted by the far end, and one pointer's text as it was posted. `around` is entered while it goes out."""
    accepted = here.announce(token)
    signature = here.second_signature(accepted["id"])
    here.far.quiet()
    here.far.ask("forget")
    assert here.server is not None
    with receipts.reader(here.folder / "data", here.database_url) as done, around or nullcontext():
        before, at = Seen.of(here.server.pid), time.time()
        signature().join()
        answered = time.time()
        durable = receipts.all_there_at(done, accepted["digest"], 0.005 if here.pointers <= 1000 else 0.05)
        after = Seen.of(here.server.pid)
    here.await_end(accepted["id"])
    posts = here.far.ask("record")["asked"]["post"]
    assert sorted(post[0] for post in posts) == list(range(here.pointers)), "not each webhook has exactly one post"
    primary = min(entry["at"] for entry in here.stage.state()["log"]["x"] if entry["at"] > at and entry["method"] == "POST")
    sent = Sent(
        approval_answered=answered - at,
        primary_asked=primary - at,
        first_asked=min(came for _, came, _ in posts) - at,
        last_asked=max(came for _, came, _ in posts) - at,
        last_answered=max(gone for _, _, gone in posts) - at,
        durable=durable - at,
        cpu_seconds=after.cpu_seconds - before.cpu_seconds,
    )
    return sent, _text_of_a_pointer(accepted)


def _text_of_a_pointer(accepted: dict[str, Any]) -> str:
    part: str = next(r for r in accepted["renderings"] if r["role"] == "pointer")["parts"][0]["text"]
    return part.replace("{{permalink}}", "http://127.0.0.1:40000/tocsin/status/1234567890123456789")


@dataclass(slots=True)
class _Series:
    """What the rounds have given so far."""

    sent: list[Sent] = field(default_factory=list)
    others: dict[str, list[peers.Taken]] = field(default_factory=dict)
    as_it_started_mb: float = 0.0
    peak_mb: float = 0.0
    disk: dict[str, float] = field(default_factory=dict)

    def run(self, pointers: int, rounds: int) -> None:
        """So many more rounds, in a house of their own. Whoever sends has a core to itself: platforms are other machines in truth."""
        with (
            on_core(-1),
            tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder,
            wide(Path(folder), pointers, LATENCY, start=False) as here,
        ):
            with on_core(0):
                here.start()
            assert here.server is not None
            self.as_it_started_mb = Seen.of(here.server.pid).resident_mb
            send(here, f"warm-{os.getpid()}")
            self.disk = fsync_ms(Path(folder))
            for number in range(rounds):
                one, text = send(here, f"fan-{os.getpid()}-{number}")
                self.sent.append(one)
                for peer, taken in self.others.items():
                    here.far.quiet(0.5)
                    with on_core(0):
                        taken.append(peers.seconds(peer, here.far.base_url, pointers, text))
            self.peak_mb = max(self.peak_mb, Seen.of(here.server.pid).peak_mb)


@functools.cache
def compared(pointers: int, rounds: int, others: tuple[str, ...]) -> dict[str, Any]:
    """Spreads of each sender's seconds, the server's memory, and the fsync of the same disk in the same run."""
    series = _Series(others={peer: [] for peer in others})
    for begun in range(0, rounds, ROUNDS_A_HOUSE):
        series.run(pointers, min(ROUNDS_A_HOUSE, rounds - begun))
    steps = {name: spread([asdict(one)[name] for one in series.sent]) for name in Sent.__slots__}
    beside = {
        peer: spread([took for took, _ in taken]) | {"cpu_seconds": spread([cpu for _, cpu in taken])}
        for peer, taken in series.others.items()
    }
    memory = {"as_it_started_mb": series.as_it_started_mb, "peak_mb": series.peak_mb}
    return {"pointers": pointers, "tocsin": steps, "others": beside, "memory": memory, "fsync_ms": series.disk}


def fifty(rounds: int) -> dict[str, Any]:
    """The everyday case: 50 destinations, the primary among them, beside the least that it can take."""
    told = compared(POINTERS_OF_FIFTY, rounds, (peers.LED,))
    least = 2 * LATENCY + 2 * told["fsync_ms"]["median"] / 1000
    last, bare = told["tocsin"]["last_answered"], told["others"][peers.LED]
    per = {"median_per_least": last["median"], "p99_per_least": last["p99"], "aiohttps_p99_per_least": bare["p99"]}
    limits = {"least_s": round(least, 4), "target_s": round(1.15 * least, 4)}
    return told | limits | {name: round(seconds / least, 3) for name, seconds in per.items()}


def thousand(rounds: int, *, full: bool = False) -> dict[str, Any]:
    """A thousand pointers beside bare aiohttp and Apprise; `full`: beside httpx's own pool too."""
    told = compared(1000, rounds, ("aiohttp", "apprise", *(["httpx"] if full else [])))
    durable, others = told["tocsin"]["durable"]["median"], told["others"]
    ratios = {"per_bare_aiohttp": durable / others["aiohttp"]["median"], "apprise_per_tocsin": others["apprise"]["median"] / durable}
    return told | {name: round(value, 2) for name, value in ratios.items()}


def scale(rounds: int, sizes: Sequence[int], *, full: bool = False) -> dict[str, Any]:
    """The same for each size. Apprise is asked up to a thousand, beyond which it takes minutes."""
    told = {}
    for size in sizes:
        others = ("aiohttp", "apprise", *(["httpx"] if full and size == 1000 else [])) if size <= APPRISE_UP_TO else ("aiohttp",)
        told[size] = compared(size, rounds, others)
    durable = {size: one["tocsin"]["durable"]["median"] for size, one in told.items()}
    bare = {size: one["others"]["aiohttp"]["median"] for size, one in told.items()}
    each = {str(size): round(1000 * seconds / size, 3) for size, seconds in durable.items()}
    return {
        "sizes": {str(size): one for size, one in told.items()},
        "ms_per_destination": each,
        "exponent": exponent(durable),
        "exponent_of_the_last_decade": exponent(dict(list(durable.items())[-2:])),
        "exponent_of_bare_aiohttp": exponent(bare),
    }


def lines(told: dict[str, Any]) -> list[str]:
    """As tables in Markdown: of `fifty`, `thousand` or `scale`."""
    if "sizes" in told:
        return _curve(told)
    named = {name.replace("_", " "): of for name, of in told["tocsin"].items()}
    named |= {f"{peer}, all answered": of for peer, of in told["others"].items()}
    named |= {f"{peer}, its CPU seconds": of["cpu_seconds"] for peer, of in told["others"].items()}
    keys = ("median", "min", "max", *(["p99"] if told["tocsin"]["durable"]["of"] >= 20 else []))
    shown = table([f"{told['pointers']:,} pointers, s", *keys], [[name, *(f"{of[key]:.3f}" for key in keys)] for name, of in named.items()])
    facts: dict[str, float] = {name: told[name] for name in JUDGED if name in told}
    facts |= {"fsync_ms": told["fsync_ms"]["median"], "peak_mb": told["memory"]["peak_mb"], "rounds": told["tocsin"]["durable"]["of"]}
    return [*shown, "", ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in facts.items())]


def _curve(told: dict[str, Any]) -> list[str]:
    head = ["N", "Tocsin: answered", "durable, s", "ms each", "CPU, s", "peak MB", "bare aiohttp, s", "its CPU, s", "Apprise, s"]
    rows = []
    for size, one in told["sizes"].items():
        mine, bare, apprise = one["tocsin"], one["others"]["aiohttp"], one["others"].get("apprise")
        spans = [f"{of['median']:.3f} ({of['min']:.3f} to {of['max']:.3f})" for of in (mine["last_answered"], mine["durable"], bare)]
        each, peak = f"{told['ms_per_destination'][size]:g}", f"{one['memory']['peak_mb']:g}"
        row = [f"{int(size):,}", *spans[:2], each, f"{mine['cpu_seconds']['median']:.2f}", peak, spans[2]]
        rows.append([*row, f"{bare['cpu_seconds']['median']:.2f}", f"{apprise['median']:.2f}" if apprise else ""])
    bends = ("exponent", "exponent_of_the_last_decade", "exponent_of_bare_aiohttp")
    return [*table(head, rows), "", ", ".join(f"{name.replace('_', ' ')} {told[name]:g}" for name in bends)]
