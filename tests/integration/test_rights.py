"""On Postgres the server may be a role that only adds to the record: the whole job works with it, and nothing recorded can be changed."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest

from app.rehearsal import play
from app.rehearsal.play import Stage, stage
from app.store.tables import metadata
from tests.integration.test_main_job import quiet
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import Desk


@dataclass(frozen=True, slots=True)
class Roles:
    """One database, as its owner and as the role that works with it."""

    name: str
    owner: str
    worker: str


@pytest.fixture(scope="module")
def roles() -> Iterator[Roles]:
    server, name = demanded(), f"tocsin_app_{secrets.token_hex(4)}"
    with fresh_database(server) as url:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {name} LOGIN")
        try:
            parts = urlsplit(url)
            yield Roles(name, url, parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}").geturl())
        finally:
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute(f"DROP OWNED BY {name}")
                admin.execute(f"DROP ROLE {name}")


def migrate(url: str, role: str, code: int = 0) -> str:
    """What `tocsin migrate --grant` says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    environ = clean | {"TOCSIN_DATABASE_URL": url, "TOCSIN_ENVIRONMENT": "drill"}
    command = [sys.executable, "-m", "app.cli", "migrate", "--grant", role]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def running(roles: Roles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A rehearsal whose server is that role."""
    migrate(roles.owner, roles.name)
    with stage(tmp_path_factory.mktemp("rights"), environ={"TOCSIN_DATABASE_URL": roles.worker}) as started:
        yield started


def test_the_whole_job_works_with_it(running: Stage) -> None:
    accepted = play.submit(running, quiet)
    for person, link in play.await_links(running, accepted["digest"], quiet).items():
        play.sign(running, person, link, quiet)
    shown = play.await_end(running, accepted["id"], quiet)
    assert {d["state"] for d in shown["deliveries"]} == {"posted"}
    desk = Desk(running)
    assert desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve", {"now": True}).status_code == 200
    assert desk.post("/v1/destinations/check").status_code == 200
    assert desk.post("/v1/destinations/x/exclude", {"why": "It is not ours."}).status_code == 200
    assert desk.post("/v1/destinations/x/include").status_code == 200
    assert desk.post("/v1/drill/clock", {"ahead_seconds": 3600}).status_code == 200
    assert "permission denied" not in (running.house.folder / "server.log").read_text()


ROWS = "SELECT * FROM timeline ORDER BY seq"


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE timeline SET actor = 'first-reviewer'",
        "DELETE FROM timeline",
        "TRUNCATE timeline",
        "INSERT INTO timeline SELECT * FROM timeline ON CONFLICT (seq) DO UPDATE SET actor = 'first-reviewer'",
        "DROP TABLE timeline",
        "ALTER TABLE timeline DISABLE TRIGGER ALL",
        "ALTER TABLE timeline OWNER TO CURRENT_USER",
        "CREATE RULE swap AS ON INSERT TO timeline DO INSTEAD NOTHING",
        "CREATE TRIGGER swap BEFORE INSERT ON timeline EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "GRANT UPDATE ON timeline TO CURRENT_USER",
        "UPDATE alembic_version SET version_num = '0001'",
        "SET session_replication_role = replica",
    ],
)
def test_it_cannot_change_what_is_recorded(running: Stage, roles: Roles, query: str) -> None:
    Desk(running).announce(destinations=["team"])
    refused = contextlib.nullcontext() if query.startswith("GRANT") else pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(roles.worker, autocommit=True) as connection:
        before = connection.execute(ROWS).fetchall()
        with refused:  # to give what one does not hold is a warning, and gives nothing
            connection.execute(query)
        assert connection.execute(ROWS).fetchall()[: len(before)] == before
        assert connection.execute("SELECT has_table_privilege('timeline', 'UPDATE')").fetchone() == (False,)


def test_every_table_but_the_record_can_be_worked_with(roles: Roles, running: Stage) -> None:
    asked = "SELECT has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'UPDATE') AND has_table_privilege(%s, 'DELETE')"
    with psycopg.connect(roles.worker) as connection:
        may = {name for name in metadata.tables if connection.execute(asked, [name] * 3).fetchone() == (True,)}
    assert may == metadata.tables.keys() - {"timeline"}


def test_a_role_that_could_change_the_record_all_the_same_is_refused(roles: Roles, running: Stage) -> None:
    owner = urlsplit(roles.owner).username or ""
    assert "could change the record all the same" in migrate(roles.owner, owner, code=1)
    with psycopg.connect(roles.owner) as connection:
        assert connection.execute("SELECT has_table_privilege('timeline', 'UPDATE')").fetchone() == (True,), "nothing was changed"
    assert "does not exist" in migrate(roles.owner, "nobody_of_that_name", code=1)
