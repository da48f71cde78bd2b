"""The very same on Postgres. Runs where TOCSIN_TEST_POSTGRES names a server (postgresql://user@host/database); CI demands it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import rfc8785

from app.rehearsal import play
from app.rehearsal.play import Stage, stage
from app.store.timeline import Entry, first_broken
from tests.faults.harness import Town
from tests.faults.judgement import judge
from tests.integration.test_main_job import quiet
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import Desk


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A fresh database, dropped afterwards."""
    with fresh_database(demanded()) as url:
        yield url


@pytest.fixture(scope="module")
def running(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A rehearsal on that database."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    with stage(folder, environ={"TOCSIN_DATABASE_URL": database}) as started:
        yield started


def test_the_main_job_on_postgres(running: Stage) -> None:
    accepted = play.submit(running, quiet)
    for person, link in play.await_links(running, accepted["digest"], quiet).items():
        play.sign(running, person, link, quiet)
    shown = play.await_end(running, accepted["id"], quiet)
    assert {d["state"] for d in shown["deliveries"]} == {"posted"}
    primary = next(d for d in shown["deliveries"] if d["role"] == "primary")
    assert len(running.state()["x"]) == primary["parts"], "each part of the thread once"
    assert running.http.get("/banner.json").json()["digest"] == accepted["digest"]


def test_many_submissions_at_once_chain_one_timeline(running: Stage) -> None:
    desk = Desk(running)
    with ThreadPoolExecutor(8) as pool:
        ids = {accepted["id"] for accepted in pool.map(lambda _n: desk.announce(), range(24))}
    assert len(ids) == 24
    entries: list[Entry] = []
    after = 0
    while True:
        page = running.http.get("/v1/timeline", params={"after": after}).json()
        entries += [_entry(item) for item in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert len(entries) > 48
    assert first_broken(entries) is None


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(**item | {"at": datetime.fromisoformat(item["at"]), "data": rfc8785.dumps(item["data"]).decode()})


WORKERS = "SELECT count(*) FROM workers"
ENDED = "SELECT state IN ('sent', 'incomplete') FROM announcements WHERE id = %s"
LEFT = "SELECT count(*) FROM deliveries WHERE announcement = %s AND state NOT IN ('posted', 'by_hand')"
FROZEN = 30.0


def test_a_server_that_was_frozen_for_half_a_minute_starts_nothing_when_it_wakes(running: Stage, database: str, tmp_path: Path) -> None:
    """It is halted with the primary's request under way: the worker settles that and goes on, and the late answer does no harm."""
    here, server = Town(running), running.processes[1]
    slow(running)
    with beside(running, tmp_path), psycopg.connect(database, autocommit=True) as tx:
        until(lambda: tx.execute(WORKERS).fetchone() == (2,), 60)
        asked = len(running.state()["log"]["x"])
        announcement = here.announce("frozen")["id"]
        sending = here.second_signature(announcement)()
        until(lambda: len(running.state()["log"]["x"]) > asked, 10)
        server.send_signal(signal.SIGSTOP)
        try:
            halted = time.monotonic()
            until(lambda: tx.execute(LEFT, [announcement]).fetchone() == (0,), FROZEN)
            time.sleep(max(FROZEN - (time.monotonic() - halted), 0))
        finally:
            server.send_signal(signal.SIGCONT)
        sending.join()
        until(lambda: tx.execute(WORKERS).fetchone() == (2,), 20)  # it was buried, and begins anew under another name
        time.sleep(2)  # in which it would do what it must not
        until(lambda: tx.execute(ENDED, [announcement]).fetchone() == (True,), 90)
        verdict = judge(here.await_(announcement), running.state(), "frozen")
    assert verdict.good, verdict.wrong
    assert not verdict.undecided


def test_a_worker_beside_the_server_goes_on_when_that_is_killed(running: Stage, database: str, tmp_path: Path) -> None:
    """Two processes on one database are no mistake any more: the server is killed in mid-broadcast, and the worker has it done."""
    desk, posts = Desk(running), len(running.state()["x"])
    slow(running)
    with beside(running, tmp_path) as worker, psycopg.connect(database, autocommit=True) as tx:
        until(lambda: tx.execute(WORKERS).fetchone() == (2,), 60)
        accepted = desk.announce()
        for person in ("first-reviewer", "second-reviewer"):
            assert desk.decide(accepted["id"], person).status_code == 200
        time.sleep(0.2)
        running.processes[1].kill()
        until(lambda: tx.execute(ENDED, [accepted["id"]]).fetchone() == (True,), 90)
        found = "SELECT role, state, parts FROM deliveries WHERE announcement = %s"
        rows = tx.execute(found, [accepted["id"]]).fetchall()
        until(lambda: tx.execute(WORKERS).fetchone() == (1,), 20)
    primary = next(row for row in rows if row[0] == "primary")
    assert primary[1] == "posted"
    assert len(running.state()["x"]) - posts == primary[2], "each part of the thread once"
    assert {state for _, state, _ in rows} <= {"posted", "unknown", "by_hand"}, "unknown only where nobody can look"
    assert worker.returncode == 0


@contextlib.contextmanager
def beside(running: Stage, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `tocsin worker` of the same house."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")} | running.house.environ
    with (folder / "worker.log").open("w") as log:
        worker = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], env=environ, stderr=log)
        try:
            yield worker
        finally:
            worker.terminate()
            worker.wait(40)


def slow(running: Stage) -> None:
    """Each of these takes 0.3 s for a post."""
    for platform in ("x", "reddit", "discord"):
        Town(running).order(platform, "latency", value=0.3)


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
