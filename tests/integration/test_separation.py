"""Web process and worker apart, on Postgres: what is submitted and signed at the one is sent by the other, and no secret of the one is
in the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from app.rehearsal import play
from app.rehearsal.house import PERSONS, RehearsalHouse, furnish
from app.rehearsal.play import Stage
from app.services import check
from app.services.context import Refused
from app.settings import Settings
from tests.faults.scripted import Scripted, furnished
from tests.integration.test_main_job import quiet
from tests.integration.test_postgres import beside, until
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import Desk
from tests.support.live import sign_as

OWN = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
"""The settings of Tocsin itself; the rest of a house's environment are secrets of destinations."""


def start(environ: dict[str, str], *command: str) -> str:
    """What a start says that has to be refused."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command], env=clean | environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def web_only(house: RehearsalHouse) -> RehearsalHouse:
    """The house as its web process knows it."""
    return replace(house, environ={name: value for name, value in house.environ.items() if name in OWN})


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A web process without a secret, and a worker without a token."""
    folder: Path = tmp_path_factory.mktemp("apart")
    with fresh_database(demanded()) as database, ExitStack() as stack:
        stand_ins, addresses = stack.enter_context(play.standing_in())
        house = furnish(folder, addresses)
        house.environ["TOCSIN_DATABASE_URL"] = database
        web = stack.enter_context(play.serving(web_only(house), "--no-worker"))
        worker = replace(house, environ={name: value for name, value in house.environ.items() if name != "TOCSIN_API_TOKENS"})
        running = Stage(house, addresses, [stand_ins, web])
        stack.callback(running.http.close)
        stack.enter_context(beside(replace(running, house=worker), folder))
        yield running


def test_what_is_submitted_and_signed_at_the_web_process_is_sent_by_the_worker(apart: Stage) -> None:
    accepted = play.submit(apart, quiet)
    for person, link in play.await_links(apart, accepted["digest"], quiet).items():
        play.sign(apart, person, link, quiet)
    shown = play.await_end(apart, accepted["id"], quiet)
    assert {d["state"] for d in shown["deliveries"]} == {"posted"}
    assert len(apart.state()["x"]) == next(d for d in shown["deliveries"] if d["role"] == "primary")["parts"]
    assert apart.http.get("/banner.json").json()["digest"] == accepted["digest"]


def test_the_web_process_holds_no_secret_of_a_destination(apart: Stage) -> None:
    held = Path(f"/proc/{apart.processes[1].pid}/environ").read_bytes()
    secrets = {value for name, value in apart.house.environ.items() if name not in OWN}
    assert len(secrets) > 5
    assert not [secret for secret in secrets if secret.encode() in held]
    assert apart.house.token.encode() in held, "its own are there, so that this looks at something"


def test_the_worker_checks_what_the_web_process_is_asked_to_check(apart: Stage) -> None:
    found = Desk(apart).post("/v1/destinations/check").json()["items"]
    assert {item["destination"] for item in found} == {item["destination"] for item in apart.http.get("/v1/destinations").json()["items"]}
    assert all(item["ok"] for item in found if item["platform"] != "manual"), found
    assert {item["account"] for item in found if item["destination"] == "x"} != {""}


def test_live_each_refuses_to_start_with_what_is_the_others_and_names_it(apart: Stage, tmp_path: Path) -> None:
    live = {"TOCSIN_ENVIRONMENT": "live", "TOCSIN_DATA": str(tmp_path / "data")}
    whole = apart.house.environ | live
    told = start({name: value for name, value in whole.items() if name != "TOCSIN_API_TOKENS"}, "serve", "--no-worker")
    for name in apart.house.environ.keys() - OWN:
        assert f"{name} is set, and a web process without a worker posts and mails nothing" in told
    told = start(whole | {"TOCSIN_API_TOKENS": f"desk:sha256:{'0' * 64}:read:2099-12-31"}, "worker")
    assert "TOCSIN_API_TOKENS is set, and a worker answers no caller" in told


def test_live_the_web_process_starts_with_what_is_its_own(apart: Stage, tmp_path: Path) -> None:
    with fresh_database(demanded()) as database:
        house = web_only(furnish(tmp_path, apart.stand_ins))
        own = {"TOCSIN_API_TOKENS": f"desk:sha256:{'0' * 64}:read:2099-12-31", "TOCSIN_DATABASE_URL": database}
        house.environ.update(own, TOCSIN_ENVIRONMENT="live")
        sign_as(house, "init", *PERSONS)
        with play.serving(house, "--no-worker"):
            page = httpx.get(f"{house.url}/login", trust_env=False).text
    assert "<strong>LIVE</strong>" in page
    assert '"part": "web"' in (tmp_path / "server.log").read_text()


def test_on_sqlite_there_is_nothing_to_separate(apart: Stage) -> None:
    alone = {name: value for name, value in apart.house.environ.items() if name in OWN and name != "TOCSIN_DATABASE_URL"}
    assert "`tocsin serve --no-worker` needs TOCSIN_DATABASE_URL (Postgres)" in start(alone, "serve", "--no-worker")


def test_a_web_process_that_is_alone_says_so_until_a_worker_comes(apart: Stage, tmp_path: Path) -> None:
    with fresh_database(demanded()) as database:
        house = furnish(tmp_path, apart.stand_ins)
        house.environ["TOCSIN_DATABASE_URL"] = database
        log = tmp_path / "server.log"
        with play.serving(web_only(house), "--no-worker") as web:
            until(lambda: "no-worker" in log.read_text(), 30)
            assert "Start `tocsin worker`" in log.read_text()
            alone = Stage(house, apart.stand_ins, [web])
            with closing(alone.http), beside(alone, tmp_path):
                until(lambda: "worker-there" in log.read_text(), 60)


async def test_who_asks_for_a_check_that_no_worker_does_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = await furnished(tmp_path, Scripted())
    monkeypatch.setattr(check, "BY_A_WORKER", 1)
    with pytest.raises(Refused, match="No worker has checked the destinations"):
        await check.now(replace(alone.ctx, works=False))
    await alone.close()
