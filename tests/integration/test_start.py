"""Starting and standing: a second server, a database that cannot be written, a full disk, a clock that jumps, SIGTERM."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.rehearsal import play
from app.rehearsal.house import PERSONS
from app.rehearsal.play import Stage, stage
from app.store import migrate
from tests.support.desk import Desk
from tests.support.live import sign_as


def start(house_environ: dict[str, str], **changes: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TOCSIN_")} | house_environ | changes
    return subprocess.run([sys.executable, "-m", "app.cli", "serve"], env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_second_server_on_the_same_folder_is_refused(running: Stage) -> None:
    second = start(running.house.environ, TOCSIN_PORT="0")
    assert second.returncode == 1
    assert "Another Tocsin is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_told(running: Stage, tmp_path: Path) -> None:
    second = start(running.house.environ, TOCSIN_DATA=str(tmp_path / "other"))
    assert second.returncode == 1
    assert "Traceback" not in second.stderr, second.stderr


def test_a_database_of_a_drill_is_never_opened_live(tmp_path: Path) -> None:
    with stage(tmp_path) as started:
        environ = dict(started.house.environ)
        started.processes[1].terminate()
        started.processes[1].wait(20)
        sign_as(started.house, "init", *PERSONS)
        live = start(environ, TOCSIN_ENVIRONMENT="live", TOCSIN_API_TOKENS="")
        assert not (tmp_path / "data" / "roster.trusted").exists(), "nothing of live stays in a drill's folder"
    assert live.returncode == 1
    assert "belongs to a drill Tocsin and can never be used for live" in live.stderr


def test_a_token_that_is_no_hash_stops_a_live_start(running: Stage, tmp_path: Path) -> None:
    refused = start(running.house.environ, TOCSIN_ENVIRONMENT="live", TOCSIN_DATA=str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "`tocsin token` makes one" in refused.stderr
    assert running.house.token not in refused.stderr
    assert not (tmp_path / "data").exists(), "found before anything is opened"


def test_a_publishing_key_that_is_none_is_told_and_not_quoted(running: Stage, tmp_path: Path) -> None:
    refused = start(running.house.environ, TOCSIN_PUBLISHING_KEY="secret-word", TOCSIN_DATA=str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "TOCSIN_PUBLISHING_KEY is no unencrypted private key in PEM; make one with `openssl genpkey" in refused.stderr
    assert "secret-word" not in refused.stderr
    assert not (tmp_path / "data").exists(), "found before anything is opened"


async def test_a_database_that_is_read_only_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.sqlite"
    await migrate.upgrade(f"sqlite:///{path}", "drill")
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM house")
    database.close()
    with pytest.raises(migrate.WrongDatabase, match="readonly"):
        await migrate.upgrade(f"sqlite:///file:{path}?mode=ro&uri=true", "drill")


def test_a_database_that_is_no_database_is_told(running: Stage, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tocsin.sqlite").write_bytes(b"this is no database, and quite long enough to show it" * 100)
    refused = start(running.house.environ, TOCSIN_DATA=str(tmp_path / "data"), TOCSIN_PORT="0")
    assert refused.returncode == 1
    assert "database" in refused.stderr.lower()
    assert "Traceback" not in refused.stderr


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    with stage(tmp_path) as started:
        desk = Desk(started)
        kept = desk.announce()
        server = started.processes[1]
        largest = max(file.stat().st_size for file in (tmp_path / "data").iterdir())
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + 8192, resource.RLIM_INFINITY))
        answers = [desk.post("/v1/announcements", {"incident": {"name": f"Full {n}"}, "text": f"{n} " + "word " * 150}) for n in range(12)]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused, "the disk was never full"
        assert {answer.status_code for answer in refused} == {503}, {a.text for a in refused}
        assert "Nothing was accepted" in refused[0].json()["title"]
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert desk.read(kept["id"])["state"] == "awaiting_approval"
        assert desk.announce()["state"] == "awaiting_approval"
        for answer in answers:
            if answer.status_code == 202:
                assert desk.read(answer.json()["id"])["state"] == "awaiting_approval"


def test_a_clock_that_jumps_back_sends_nothing_early_or_twice(tmp_path: Path) -> None:
    with stage(tmp_path) as started:
        desk = Desk(started)
        desk.post("/v1/drill/clock", {"ahead_seconds": 7200})
        accepted = desk.announce(destinations=["x", "telegram"])
        desk.post("/v1/drill/clock", {"ahead_seconds": 0})
        desk.approve_by_both(accepted["id"])
        assert desk.await_state(accepted["id"], "sent", "incomplete")["state"] == "sent"
        desk.post("/v1/drill/clock", {"ahead_seconds": 36000})
        time.sleep(1.5)
        assert len(started.state()["x"]) == 1


def test_sigterm_ends_it_quickly_and_cleanly(tmp_path: Path) -> None:
    with stage(tmp_path) as started:
        server = started.processes[1]
        begun = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert time.monotonic() - begun < 15
        told = (tmp_path / "server.log").read_text()
        assert "Traceback" not in told, told
        with play.serving(started.house):
            assert started.http.get("/readyz").status_code == 200
