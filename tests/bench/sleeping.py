"""What 100,000 sleeping follow-ups add to a server at rest; half of them wait for a resolution, half are drafted, their window to come.

Two houses, one with them and one without, are started in turns. Threads, sockets, files, memory and CPU are the kernel's numbers; the
number of tasks is counted inside the process. The CPU is that of a quiet stretch after the first preflight has ended.
"""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from app.domain.followup import FollowUpState
from app.store.tables import announcements, follow_ups, incidents
from tests.bench.houses import Wide, wide
from tests.bench.measures import Seen, spread
from tests.bench.page import table

MANY = 100_000
SETTLED = 4.0  # seconds after its start, in which it prepares and checks its destinations


def measure(starts: int = 3, stretch: float = 15.0) -> dict[str, Any]:
    """`stretch` is for how many seconds the idle CPU is counted."""
    seen: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-bench-"))) for _ in seen]
        houses = {name: stack.enter_context(wide(folder, 0, observed=True)) for name, folder in zip(seen, folders, strict=True)}
        for here in houses.values():
            _stop(here)
        put_to_sleep(houses["with"].folder / "data" / "tocsin.sqlite")
        for _ in range(starts):
            for name, here in houses.items():
                seen[name].append(_started(here, stretch))
                _stop(here)
    return {"follow_ups": MANY} | {name: {key: spread([one[key] for one in many]) for key in many[0]} for name, many in seen.items()}


def _started(here: Wide, stretch: float) -> dict[str, float]:
    begun = time.perf_counter()
    here.start()
    start = time.perf_counter() - begun
    assert here.server is not None
    time.sleep(SETTLED)
    before = Seen.of(here.server.pid)
    time.sleep(stretch)
    after = Seen.of(here.server.pid)
    told = {"start_s": start, "threads": after.threads, "sockets": after.sockets, "files": after.files, "resident_mb": after.resident_mb}
    return told | _tasks(here) | {"idle_cpu_percent": 100 * (after.cpu_seconds - before.cpu_seconds) / stretch}


def _tasks(here: Wide) -> dict[str, float]:
    assert here.server is not None
    path = here.folder / "samples.json"
    here.server.send_signal(signal.SIGUSR2)
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, "the observer inside said nothing"
        time.sleep(0.05)
    told = json.loads(path.read_text())
    path.unlink()
    return {"tasks": told["tasks"]}


def _stop(here: Wide) -> None:
    here.kill(signal.SIGTERM)


def put_to_sleep(file: Path) -> None:
    """Writes the follow-ups, two an incident, into the SQLite file of a server that does not run; what is scheduled has its draft."""
    now = datetime.now(UTC)
    opens, closes = now + timedelta(days=7), now + timedelta(days=14)
    cases, drafts, owed = [], [], []
    for number in range(MANY // 2):
        case, draft = f"in_bench{number:06d}", f"an_bench{number:06d}"
        cases.append({"id": case, "slug": f"bench-{number}", "name": f"Incident {number}", "state": "open", "facts": {}, "created_at": now})
        written = {"id": draft, "incident": case, "kind": "postmortem", "state": "draft", "revision": 1, "digest": f"sha256:{number:064d}"}
        drafts.append(written | {"created_at": now, "not_before": opens, "not_after": closes})
        for kind, state, of in (("summary", FollowUpState.WAITING, None), ("postmortem", FollowUpState.SCHEDULED, draft)):
            row = {"id": f"fu_{kind}{number:06d}", "incident": case, "kind": kind, "state": state.value, "announcement": of}
            owed.append(row | {"opens": opens, "closes": closes})
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as tx:
        for table, rows in ((incidents, cases), (announcements, drafts), (follow_ups, owed)):
            tx.execute(table.insert(), rows)
    engine.dispose()


def lines(told: dict[str, Any]) -> list[str]:
    """As a table in Markdown."""
    rows = [[name.replace("_", " "), *(f"{told[of][name]['median']:.2f}" for of in ("without", "with"))] for name in told["with"]]
    return table(["medians", "without", f"with {told['follow_ups']:,}"], rows)
