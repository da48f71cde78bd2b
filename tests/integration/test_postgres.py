"""The very same on Postgres. Runs where TOCSIN_TEST_POSTGRES names a server (postgresql://user@host/database); CI demands it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import rfc8785

from app.rehearsal import play
from app.rehearsal.play import Stage, stage
from app.store.timeline import Entry, first_broken
from tests.integration.test_main_job import quiet
from tests.support.desk import Desk

SERVER = os.environ.get("TOCSIN_TEST_POSTGRES", "")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A fresh database, dropped afterwards."""
    if not SERVER:
        if os.environ.get("CI"):
            pytest.fail("TOCSIN_TEST_POSTGRES is not set, and CI demands this lane")
        pytest.skip("TOCSIN_TEST_POSTGRES is not set")
    name = f"tocsin_test_{secrets.token_hex(6)}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield SERVER.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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


def test_a_worker_beside_the_server_goes_on_when_that_is_killed(running: Stage, database: str, tmp_path: Path) -> None:
    """Two processes on one database are no mistake any more: the server is killed in mid-broadcast, and the worker has it done."""
    desk, main = Desk(running), running.stand_ins["main"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")} | running.house.environ
    posts = len(running.state()["x"])
    with (tmp_path / "worker.log").open("w") as log, psycopg.connect(database, autocommit=True) as tx:
        worker = subprocess.Popen([sys.executable, "-m", "app.cli", "worker"], env=environ, stderr=log)
        try:
            until(lambda: tx.execute("SELECT count(*) FROM workers").fetchone() == (2,), 30)
            for platform in ("x", "reddit", "discord"):
                order = {"platform": platform, "fault": "latency", "value": 0.3}
                httpx.post(f"{main}/faults", json=order, trust_env=False).raise_for_status()
            accepted = desk.announce()
            for person in ("first-reviewer", "second-reviewer"):
                assert desk.decide(accepted["id"], person).status_code == 200
            time.sleep(0.2)
            running.processes[1].kill()
            ended = "SELECT state IN ('sent', 'incomplete') FROM announcements WHERE id = %s"
            until(lambda: tx.execute(ended, [accepted["id"]]).fetchone() == (True,), 90)
            found = "SELECT role, state, parts FROM deliveries WHERE announcement = %s"
            rows = tx.execute(found, [accepted["id"]]).fetchall()
            assert tx.execute("SELECT count(*) FROM workers").fetchone() == (1,)
        finally:
            worker.terminate()
            worker.wait(40)
    primary = next(row for row in rows if row[0] == "primary")
    assert primary[1] == "posted"
    assert len(running.state()["x"]) - posts == primary[2], "each part of the thread once"
    assert {state for _, state, _ in rows} <= {"posted", "unknown"}, "unknown only where nobody can look"
    assert worker.returncode == 0


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
