"""The very same on Postgres. Runs where TOCSIN_TEST_POSTGRES names a server (postgresql://user@host/database); CI demands it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
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


def test_a_second_server_on_the_same_database_is_refused(running: Stage) -> None:
    environ = os.environ | running.house.environ | {"TOCSIN_PORT": "0"}
    second = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "Another Tocsin is running" in second.stderr
