"""Measures what Tocsin is judged by, on this machine: `python -m tests.bench [PART ...] [--full] [--json] [--write]`.

Each part starts its own processes, takes its figures together with those they are compared with, and says on what they were taken.
Without names all of `DAILY` run, some five minutes; `--full` takes all parts with more rounds, some forty minutes. Leave the machine
alone meanwhile: how many cores others kept busy is part of what is told.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import fan_out, first_byte, kills, plot, profile, sleeping, verification, words
from tests.bench.measures import told_by
from tests.bench.page import filled, taken_on

DOCS, PAGE = Path("docs/performance"), Path("docs/performance.md")

Measure = Callable[[bool], dict[str, Any]]
Lines = Callable[[dict[str, Any]], list[str]]

SIZES, ALL_SIZES = (10, 100, 1000), (10, 100, 1000, 10_000)
PARTS: dict[str, tuple[Measure, Lines]] = {
    "first-byte": (lambda _full: first_byte.measure(), first_byte.lines),
    "fifty": (lambda _full: fan_out.fifty(100), fan_out.lines),
    "fan-out": (lambda full: fan_out.thousand(5, full=full), fan_out.lines),
    "scale": (lambda full: fan_out.scale(5, ALL_SIZES if full else SIZES, full=full), fan_out.lines),
    "kill": (lambda full: kills.restarts(20 if full else 10), kills.lines),
    "takeover": (lambda full: kills.takeovers(10 if full else 5), kills.lines),
    "sleeping": (lambda full: sleeping.measure(5 if full else 3), sleeping.lines),
    "verification": (lambda _full: verification.measure(), verification.lines),
    "profile": (lambda _full: profile.measure(), profile.lines),
    "wording": (lambda _full: words.measure(), words.lines),
}
DAILY = ("first-byte", "fifty", "fan-out")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: {', '.join(DAILY)}; with --full all)")
    parser.add_argument("--full", action="store_true", help="10,000 pointers, more rounds, and httpx's own pool as one more peer")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--write", action="store_true", help=f"keep the figures in {DOCS}, the plot beside them, and fill the tables of {PAGE}"
    )
    asked = parser.parse_args()
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    told: dict[str, Any] = {}
    for name in asked.parts or (PARTS if asked.full else DAILY):
        measure, lines = PARTS[name]
        on: dict[str, Any] = {}
        with told_by(on):
            figures = measure(asked.full)
        told[name] = on | figures
        if not asked.json:
            print("", taken_on(name, on["machine"]), "", *lines(figures), sep="\n", flush=True)
    if asked.json:
        print(json.dumps(told, indent=2))
    if asked.write:
        write(told)


def write(told: dict[str, Any]) -> None:
    """Puts these parts' figures in the place of those that were there, here and on the page, and draws what they show."""
    DOCS.mkdir(parents=True, exist_ok=True)
    file = DOCS / "figures.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(kept | told, indent=2, sort_keys=True) + "\n")
    if "scale" in told:
        (DOCS / "fan-out.svg").write_text(plot.svg(told["scale"]))
    page = PAGE.read_text()
    for name, figures in told.items():
        page = filled(page, name, [taken_on(name, figures["machine"]), "", *PARTS[name][1](figures)])
    PAGE.write_text(page)
    print(f"Written to {DOCS} and {PAGE}.", file=sys.stderr)


if __name__ == "__main__":
    main()
