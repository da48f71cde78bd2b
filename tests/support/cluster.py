"""Postgres for tests: a database of one's own on a given server, and a whole cluster of one's own that may be stopped and started again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.rehearsal.house import _free_port

PATIENCE = 60
INSTALLED = Path("/usr/lib/postgresql")


def demanded() -> str:
    """The server that TOCSIN_TEST_POSTGRES names; without one the test is skipped, and in CI it fails."""
    server = os.environ.get("TOCSIN_TEST_POSTGRES", "")
    if not server:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("TOCSIN_TEST_POSTGRES is not set")
    return server


@contextlib.contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """A database of its own on that server (`postgresql://user@host:port/database`), dropped afterwards; gives its URL."""
    name = f"tocsin_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster in a folder of its own, on a port of its own on loopback. It waits for the disk at each commit, as a real one does."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Its database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Returns once it takes connections."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c max_connections=200"
        self._control("start", "-w", "-t", str(PATIENCE), "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` cuts every connection and session at once, as a crash does; the next start recovers. `fast` is an orderly end."""
        self._control("stop", "-w", "-t", str(PATIENCE), "-m", mode)

    def restart(self) -> None:
        """Stops at once and starts again."""
        self.stop()
        self.start()

    def _control(self, *arguments: str) -> None:
        _run(self.folder, "pg_ctl", "-D", str(self.folder / "data"), *arguments)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A started cluster, with all that it held removed in the end. Raises `FileNotFoundError` where Postgres is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-cluster-"))
    try:
        if os.geteuid() == 0:  # Postgres refuses to run as root
            shutil.chown(folder, _unprivileged())
        _run(folder, "initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        made = Cluster(folder, _free_port())
        made.start()
        try:
            yield made
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # it may be stopped already
                made.stop()
    finally:
        shutil.rmtree(folder)


def program(name: str) -> str:
    """The path of one of Postgres' programs, of the newest version that is installed. Raises `FileNotFoundError`."""
    found = shutil.which(name) or max((str(path) for path in INSTALLED.glob(f"*/bin/{name}")), default="")
    if not found:
        raise FileNotFoundError(f"Postgres' {name} is not installed")
    return found


def _unprivileged() -> str:
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(folder: Path, name: str, *arguments: str) -> None:
    user = _unprivileged() if os.geteuid() == 0 else None
    # Not a pipe: the server, which stays, would hold it open.
    subprocess.run(
        [program(name), *arguments],
        check=True,
        user=user,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=2 * PATIENCE,
    )
