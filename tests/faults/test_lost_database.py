"""The database goes away in the middle of a broadcast: nothing is lost or doubled, and what is under way goes on once it is back.

On SQLite the disk is full, or fails to sync (`strace -e inject` makes the kernel say so). On Postgres sessions end, the network breaks, and
the server restarts at once (`pg_ctl stop -m immediate`), on a cluster of the test's own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.faults.bad_disk import FAILS, FULL, bad_disk
from tests.faults.harness import Town, judge, town, wait_for
from tests.faults.storm import Storm, storm
from tests.support.cluster import program


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    _demand("strace", bool(shutil.which("strace")))
    with town(tmp_path_factory.mktemp("full")) as started:
        yield started


@pytest.fixture(scope="module")
def raging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    with contextlib.suppress(FileNotFoundError):
        program("initdb")
        with storm(tmp_path_factory.mktemp("postgres"), 1, database="cluster") as started:
            yield started
        return
    _demand("Postgres", False)


def _demand(what: str, is_there: bool) -> None:
    """CI demands every lane."""
    if not is_there and not os.environ.get("CI"):
        pytest.skip(f"{what} is not installed")
    assert is_there, f"{what} is not installed, and CI demands this lane"


@pytest.mark.parametrize(("error", "killed"), [(FULL, False), (FAILS, True)], ids=["full", "fails-then-killed"])
def test_a_disk_that_takes_nothing_in_the_middle_of_a_broadcast(here: Town, error: str, killed: bool) -> None:
    token = f"disk-{error[:6]}-{killed}"
    here.order("x", "latency", value=1.5)
    accepted = here.announce(token)
    here.await_mails(accepted["digest"])
    asked = len(here.stage.state()["log"]["x"])
    sending = here.second_signature(accepted["id"])()
    wait_for(lambda: len(here.stage.state()["log"]["x"]) > asked or None, 10, "the request at X")
    with bad_disk(here, error):
        time.sleep(2)
        refused = here.desk.post("/v1/announcements", {"text": "Nothing can be kept now.", "incident": {"name": f"Full {token}"}})
        if killed:
            here.kill()
    assert refused.status_code >= 500, "what cannot be kept is not accepted"
    assert "INJECTED" in (here.folder / "strace.txt").read_text()
    sending.join()
    if killed:
        here.start()
    shown = here.await_(accepted["id"])
    verdict = judge(shown, here.stage.state(), token)
    assert verdict.good, verdict.wrong
    assert not verdict.undecided, "X shows its post, and nothing else had begun"


@pytest.mark.parametrize("blow", ["lose-connections", "reset-database", "freeze-database", "restart-postgres"])
def test_a_database_that_goes_away_in_the_middle_of_a_broadcast(raging: Storm, blow: str) -> None:
    verdict = raging.ride([blow], [blow])[0]
    assert verdict.good, verdict.wrong
    assert not verdict.undecided, "the process lives, so nobody has to be asked"


def test_a_cluster_of_its_own_keeps_what_it_acknowledged(raging: Storm) -> None:
    """Else the restart would prove nothing."""
    assert raging.own is not None
    with psycopg.connect(raging.own.url, autocommit=True) as tx:
        tx.execute("CREATE TABLE told (id int); INSERT INTO told VALUES (1)")
        before = tx.info.backend_pid
    raging.own.restart()
    with psycopg.connect(raging.own.url) as tx:
        assert tx.execute("SELECT count(*) FROM told").fetchone() == (1,)
        assert tx.execute("SHOW fsync").fetchone() == ("on",)
        assert tx.info.backend_pid != before
