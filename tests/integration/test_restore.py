"""Restoring from a copy, as the runbook says: nothing goes out until people have looked, and what is left goes out then."""

from __future__ import annotations

import contextlib
import re
import secrets
import sqlite3
from pathlib import Path

from app.rehearsal import play
from app.rehearsal.play import stage
from tests.support.desk import Desk, delivery

RUNBOOK = (Path(__file__).parents[2] / "deploy" / "runbook.md").read_text()


def runbook_sql(begins: str) -> str:
    """The statements of the runbook that begin so."""
    found = re.search(rf'tocsin\.sqlite "({begins}[^"]*)"', RUNBOOK)
    assert found
    return found[1]


def test_a_restored_copy_sends_nothing_before_the_approvals_are_back(tmp_path: Path) -> None:
    def sql(text: str) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "tocsin.sqlite", timeout=15)) as database:
            database.executescript(text)

    with stage(tmp_path) as started:
        desk, server = Desk(started), started.processes[1]
        later = scheduled(desk)
        desk.order("x", "refused")
        begun = desk.announce(destinations=["x", "reddit"])["id"]
        desk.approve_by_both(begun)
        desk.reads(begun, lambda now: bool(delivery(now, "x")["problem"]), "X cannot be reached")
        server.terminate()
        server.wait(30)

        sql(runbook_sql("CREATE TABLE approvals_kept"))
        desk.well()
        with play.serving(started.house):
            desk.await_state(begun, "incomplete")
            desk.post("/v1/drill/clock", {"ahead_seconds": 1.5 * 3600})
            desk.await_state(later, "returned")
            assert len(started.state()["x"]) == 1, "only what was posted before the copy"
            desk.tocsin("skip", f"{begun}:reddit")
            assert desk.read(begun)["state"] == "incomplete"

            sql(runbook_sql("INSERT INTO approvals"))
            desk.tocsin("retry", f"{begun}:x")
            shown = desk.await_state(begun, "sent")
            assert (delivery(shown, "x")["state"], delivery(shown, "reddit")["state"]) == ("posted", "skipped")
            assert desk.read(later)["state"] == "returned"
            assert len(started.state()["x"]) == 2


def scheduled(desk: Desk) -> str:
    """An approved announcement whose window opens in an hour."""
    first = desk.announce(destinations=["x"])
    desk.approve_by_both(first["id"])
    incident = desk.await_state(first["id"], "sent")["incident"]["id"]
    desk.post(f"/v1/incidents/{incident}/resolve", {"resolution": {"text": f"All is well again. ({secrets.token_hex(4)})"}})
    follow_ups = desk.http.get(f"/v1/incidents/{incident}").json()["follow_ups"]
    later: str = next(one["announcement"] for one in follow_ups if one["kind"] == "resolution")
    assert desk.approve_by_both(later).json()["state"] == "approved"
    return later
