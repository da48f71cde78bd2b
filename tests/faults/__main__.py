"""`make chaos`: all of the fault harness, for longer: `python -m tests.faults --seed 1 --minutes 10`. Prints one JSON object.

The minutes are shared out: the sweep and the losses of power take as many points as fit, each storm its time. Postgres is a cluster of its
own; where it is not installed, its lanes are named as left out, and the exit code says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

from tests.support.cluster import program

SECONDS_A_KILL, SECONDS_A_LOSS = 8.0, 6.0
"""On two cores, houses side by side."""


def lanes(seed: int, minutes: float) -> dict[str, list[str]]:
    """What is run, by name: arguments of `python -m`."""
    sixth = minutes / 6
    kills, losses = max(3, int(sixth * 60 / SECONDS_A_KILL)), max(3, int(sixth * 60 / SECONDS_A_LOSS))
    common = ["--seed", str(seed)]
    return {
        "sweep": ["tests.faults.sweep", "--points", str(kills), *common],
        "power": ["tests.faults.power", "--moments", str(losses), *common],
        "storm on SQLite": ["tests.faults.storm", "--minutes", f"{sixth:g}", *common],
        "sweep on Postgres": ["tests.faults.sweep", "--points", str(kills), "--database", "cluster", *common],
        "storm on Postgres": ["tests.faults.storm", "--minutes", f"{sixth:g}", "--database", "cluster", *common],
        "storm on Postgres, two workers": [
            "tests.faults.storm",
            "--minutes",
            f"{sixth:g}",
            "--database",
            "cluster",
            "--workers",
            "2",
            *common,
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10)
    asked = parser.parse_args()
    told: dict[str, Any] = {}
    good = True
    for name, arguments in lanes(asked.seed, asked.minutes).items():
        print(f"== {name}: python -m {' '.join(arguments)}", file=sys.stderr, flush=True)
        if "Postgres" in name and not _postgres():
            told[name], good = "left out: Postgres is not installed", False
            continue
        ran = subprocess.run([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, check=False)
        told[name] = json.loads(ran.stdout) if ran.stdout else f"failed with exit code {ran.returncode}"
        good = good and ran.returncode == 0
    print(json.dumps(told, indent=2))
    return 0 if good else 1


def _postgres() -> bool:
    try:
        return bool(program("initdb"))
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
