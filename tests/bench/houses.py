"""A house with many pointers, for benches: the primary at X's stand-in, N Discord webhooks at the lean platform, the real server.

What happened is told by the platform's record and by a reader of the database (`receipts.py`); the server is asked nothing while it
works, since its answers would cost what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.rehearsal import play
from app.rehearsal.house import RehearsalHouse, furnish
from app.rehearsal.play import Stage
from tests.bench.platform import GUILD, webhook
from tests.faults.harness import Town

SERVE, WORK = ("-m", "app.cli", "serve"), ("-m", "app.cli", "worker")
OBSERVED = ("-m", "tests.bench.inside", "serve")
PATIENCE = 600.0


@dataclass(slots=True)
class Far:
    """The lean platform, in a process of its own."""

    base_url: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60))

    def ask(self, verb: str, value: object = "") -> dict[str, Any]:
        """One of `Platform.control`."""
        told: dict[str, Any] = self.http.get(f"{self.base_url}/bench/{verb}?{value}").json()
        return told

    def url(self, number: int) -> str:
        """The webhook's URL, as Discord gives it to copy."""
        id_, token, _ = webhook(number)
        return f"{self.base_url}/api/webhooks/{id_}/{token}"

    def quiet(self, seconds: float = 1.0) -> None:
        """Returns when it was asked nothing for so long, and closes what connections are left open, so that all begin alike."""
        before, since = self.ask("counts"), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.1)
            now = self.ask("counts")
            if now["waiting"] or any(now[kind] != before[kind] for kind in ("post", "check", "read")):
                before, since = now, time.monotonic()
        self.ask("hang-up")
        time.sleep(0.3)


@dataclass(slots=True, kw_only=True)
class Wide(Town):
    """A town whose pointers are at the far end; its server may be an observed one."""

    far: Far
    pointers: int
    command: Sequence[str] = SERVE

    @property
    def database_url(self) -> str:
        """Of Postgres; "" for the embedded SQLite."""
        return self.stage.house.environ.get("TOCSIN_DATABASE_URL", "")

    def start(self) -> float:
        at = time.time()
        self.server = self.serving.enter_context(serving(self.stage.house, self.command))
        return at

    def list_state(self, announcement: str) -> str:
        """Its state, by the cheapest way to ask."""
        answer = self.stage.http.get("/v1/announcements?limit=5")
        assert answer.status_code == 200, answer.text
        return next((str(item["state"]) for item in answer.json()["items"] if item["id"] == announcement), "")

    def await_end(self, announcement: str, *wanted: str) -> None:
        """Returns once every post is read back and it is in one of these states ("sent" where none is named)."""
        deadline = time.monotonic() + PATIENCE
        while (state := self.list_state(announcement)) not in (wanted or ("sent",)):
            if state == "incomplete" or time.monotonic() > deadline:
                raise AssertionError(f"{announcement} is {state}")
            time.sleep(0.2)


@contextlib.contextmanager
def serving(house: RehearsalHouse, command: Sequence[str] = SERVE) -> Iterator[subprocess.Popen[str]]:
    """A server of that house, ready to answer, run as asked; a worker is waited for by whoever needs it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    with (house.folder / "server.log").open("a") as log:
        server = subprocess.Popen([sys.executable, *command], env=clean | house.environ, stderr=log, stdout=log, text=True)
        try:
            if command is not WORK:
                play.wait_ready(house, server)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextlib.contextmanager
def wide(
    folder: Path, pointers: int, latency: float = 0.1, *, observed: bool = False, start: bool = True, database_url: str = ""
) -> Iterator[Wide]:
    """The whole of it; X takes `latency` for a post too."""
    with contextlib.ExitStack() as stack:
        addresses = json.loads(stack.enter_context(process("app.rehearsal", "--die-with-parent")))
        far = Far(json.loads(stack.enter_context(process("tests.bench.platform", f"--latency={latency}")))["base_url"])
        stack.callback(far.http.close)
        house = furnish(folder, addresses)
        _widen(house, far, pointers)
        house.environ["BENCH_SAMPLES"] = str(folder / "samples.json")
        if database_url:
            house.environ["TOCSIN_DATABASE_URL"] = database_url
        stage = Stage(house, addresses, [])
        stage.http.timeout = httpx.Timeout(300)
        stack.callback(stage.http.close)
        here = Wide(stage, far=far, pointers=pointers, command=OBSERVED if observed else SERVE)
        stack.callback(here.serving.close)
        here.order("x", "latency", value=latency)
        if start:
            here.start()
        yield here


def _widen(house: RehearsalHouse, far: Far, pointers: int) -> None:
    """Leaves the primary and adds the webhooks."""
    file = house.folder / "destinations.toml"
    (primary,) = [one for one in tomllib.loads(file.read_text())["destination"] if one["id"] == "x"]
    listed = [primary]
    for number in range(pointers):
        id_, _, channel = webhook(number)
        same = {"platform": "discord_webhook", "role": "pointer", "base_url": far.base_url, "guild": GUILD}
        listed.append({"id": f"w{number}", "account": id_, "channel": channel} | same)
        house.environ[f"TOCSIN_W{number}_URL"] = far.url(number)
    lines = ["[[destination]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in one.items()) for one in listed]
    file.write_text("\n".join(lines))


@contextlib.contextmanager
def process(module: str, *arguments: str) -> Iterator[str]:
    """A helper process that ends with its standard input; gives the first line that it prints."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.stdin.close()
        process.wait(15)
        process.stdout.close()
