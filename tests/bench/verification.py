"""What it costs to verify, right before sending, that two people stand behind a manifest: the digest, its parsing, two signatures.

In this process, without a database: the rows are read beforehand. A passkey and an SSH key sign a manifest as an incident has it. Each
time the manifest is parsed anew, as in a process that sees it for the first time.
"""

from __future__ import annotations

import time
from typing import Any

from app.domain import manifest as domain
from app.domain.manifest import Manifest
from app.services.verification import judge
from tests.bench.measures import spread
from tests.bench.page import table
from tests.unit.test_approval import ROSTER
from tests.unit.test_fuzzed import APPROVALS, MANIFEST, SETTINGS, row

ROUNDS = 500


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Milliseconds for one verification."""
    rows, took = [row(approval) for approval in APPROVALS], []
    shown = Manifest.parse(MANIFEST)
    for _ in range(rounds):
        domain._LAST.clear()
        begun = time.perf_counter()
        assert judge(MANIFEST, rows, ROSTER, SETTINGS).quorum.complete
        took.append(1000 * (time.perf_counter() - begun))
    return {"verification_ms": spread(took), "bytes": len(MANIFEST), "destinations": len(shown.destinations)}


def lines(told: dict[str, Any]) -> list[str]:
    """As a table in Markdown."""
    took, what = told["verification_ms"], f"{told['destinations']} destinations, {told['bytes']:,} bytes"
    return table(["ms", "median", "p95", "max"], [[f"{what}, two signatures", *(f"{took[key]:.2f}" for key in ("median", "p95", "max"))]])
