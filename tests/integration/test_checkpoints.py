"""Checkpoints of the record: an outside witness proves them, and a record that was cut off or written anew does not agree with them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.bootstrap.checkpoints import open_checkpoints
from app.bootstrap.configuration import ConfigurationError
from app.domain.checkpoint import notes_of
from app.domain.note import Signer
from app.rehearsal import play
from app.rehearsal.play import stage
from app.services.checkpoint import Checkpoints, Conflict
from app.settings import Environment, Settings
from app.store import migrate, timeline
from app.store.database import Database
from app.store.timeline import GENESIS, Entry
from tests.support import witness
from tests.support.desk import Desk

NAME = "tocsin.example/timeline"


@dataclass(slots=True)
class Receiver:
    """Takes whatever is sent to it; `answers` are the statuses of the next ones."""

    port: int = 0
    notes: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.notes.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(found.answers.pop(0) if found.answers else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where checkpoints go, away from the server's data."""
    return tmp_path_factory.mktemp("outside") / "checkpoints"


@pytest.fixture(scope="module")
def desk(receiver: Receiver, outside: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house that makes a checkpoint every second. Its receiver does not take the first one."""
    receiver.answers.append(503)
    where = {"TOCSIN_CHECKPOINT_FILE": str(outside), "TOCSIN_CHECKPOINT_URL": f"http://127.0.0.1:{receiver.port}/checkpoints"}
    with stage(tmp_path_factory.mktemp("house"), environ={**where, "TOCSIN_CHECKPOINT_SECONDS": "1"}) as started:
        yield Desk(started)


@pytest.fixture(scope="module")
def kept(desk: Desk, outside: Path) -> tuple[str, str]:
    """An export, and the key. At least two checkpoints were made of it, the last over all of it."""
    for _ in range(2):
        desk.announce(destinations=["team"])
        rows = desk.http.get("/v1/timeline").json()["items"][-1]["seq"]
        play._until(partial(has_a_line, outside, str(rows)), "a checkpoint")
    export = "".join(line + "\n" for line in desk.tocsin("verify", "--export").splitlines() if line.startswith("{"))
    return export, desk.http.get("/v1/timeline/checkpoint").json()["key"]


def has_a_line(file: Path, line: str) -> bool:
    return file.exists() and line in file.read_text().splitlines()


def test_a_witness_verifies_every_checkpoint_with_its_own_tool(
    desk: Desk, outside: Path, receiver: Receiver, kept: tuple[str, str]
) -> None:
    export, key = kept
    leaves, notes = witness.leaves_of(export), notes_of(outside.read_text())
    assert len(notes) >= 2
    for note in notes:
        origin, size, root = witness.verified(note, key)
        assert origin == desk.stage.house.url.removeprefix("http://") + "/timeline"
        assert root == witness.root_of(leaves[:size])
    assert size == len(leaves)
    play._until(lambda: notes[-1] in receiver.notes, "the receiver")
    assert receiver.notes.count(notes[-1]) == 1
    assert set(receiver.notes) <= set(notes)
    assert receiver.notes.count(receiver.notes[0]) >= 1 + (receiver.notes[0] == receiver.notes[1]), "one that was refused came again"


def test_the_key_is_its_owners_alone_and_told_on_demand(desk: Desk, kept: tuple[str, str]) -> None:
    private = desk.stage.house.folder / "data" / "checkpoint.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    told = desk.tocsin("checkpoint")
    assert f"Key: {kept[1]}" in told
    witness.verified(told[told.index("localhost") : told.index("\n\n", told.index("— ")) + 1].removesuffix("\n"), kept[1])
    secret = private.read_text().strip()
    assert secret not in told + (desk.stage.house.folder / "server.log").read_text()


def test_an_export_is_proved_against_them_offline(desk: Desk, outside: Path, kept: tuple[str, str], tmp_path: Path) -> None:
    export, key = kept
    file = tmp_path / "timeline.jsonl"
    given = ("verify", str(file), "--checkpoint", str(outside), "--key", key)
    file.write_text(export)
    assert "It agrees with" in desk.tocsin(*given)
    lines = export.splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    assert f"Rows are cut off at the end: a checkpoint was signed over {len(lines)}" in desk.tocsin(*given, code=1)
    file.write_text(export.replace('"token:rehearsal"', '"first-reviewer"', 1))
    assert "Row 1 does not hold: it was changed" in desk.tocsin(*given, code=1)
    file.write_text(forged(export))
    assert "The chain holds" in desk.tocsin("verify", str(file)), "by itself it cannot be told from the true one"
    assert "not those over which a checkpoint was signed" in desk.tocsin(*given, code=1)
    assert json.loads(desk.tocsin(*given, "--json", code=1).partition("Error:")[0])["ok"] is False
    other = str(Signer(key.split("+")[0], Ed25519PrivateKey.generate()).verifier)
    assert "is signed with that key" in desk.tocsin(*given[:-1], other, code=1)
    assert "go together" in desk.tocsin(*given[:-2], code=2)


def forged(export: str) -> str:
    """The same timeline with another actor, chained anew from its first row."""
    previous, told = GENESIS, []
    for line in export.splitlines():
        row = json.loads(line) | {"actor": "first-reviewer", "previous": previous}
        entry = Entry(
            **row | {"at": datetime.fromisoformat(row["at"]), "data": json.dumps(row["data"], separators=(",", ":"), sort_keys=True)}
        )
        previous = row["hash"] = entry.computed_hash()
        told.append(json.dumps(row) + "\n")
    return "".join(told)


# What the server itself notices


@pytest.fixture
async def record(tmp_path: Path) -> Database:
    """A record of five entries."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.sqlite'}"
    await migrate.upgrade(url, "live")
    database = Database(url)
    await grow(database, 5)
    return database


async def grow(database: Database, entries: int) -> None:
    for number in range(entries):
        async with database.write() as tx:
            await timeline.append(tx, datetime.now(UTC), "somebody", "something", data={"number": number})


def tamper(folder: Path, *queries: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "tocsin.sqlite")) as raw, raw:
        for query in ("DROP TRIGGER IF EXISTS timeline_update", "DROP TRIGGER IF EXISTS timeline_delete", *queries):
            raw.execute(query)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def checkpoints(folder: Path) -> Checkpoints:
    """As a process that has just been started has them."""
    return Checkpoints(Signer(NAME, KEY), folder / "checkpoints", 60)


def sizes(folder: Path) -> list[int]:
    return [witness.verified(note, str(Signer(NAME, KEY).verifier))[1] for note in notes_of((folder / "checkpoints").read_text())]


LAST = "DELETE FROM timeline WHERE seq = 5"
TAMPERED = {
    "cut off": [LAST],
    "cut off, and grown again": [
        LAST,
        "INSERT INTO timeline SELECT 5, at, 'other', event, incident, announcement, data, hash, hash FROM timeline WHERE seq = 4",
    ],
    "emptied": ["DELETE FROM timeline"],
    "the last one is another": ["UPDATE timeline SET hash = previous WHERE seq = 5"],
}


@pytest.mark.parametrize("case", TAMPERED)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_record_that_was_tampered_with_gets_no_further_checkpoint(
    record: Database, tmp_path: Path, case: str, restarted: bool
) -> None:
    making = checkpoints(tmp_path)
    await making.make(record)
    tamper(tmp_path, *TAMPERED[case])
    if restarted:
        making = checkpoints(tmp_path)
    for _ in range(2):
        with pytest.raises(Conflict):
            await making.make(record)
        await grow(record, 1)
    assert sizes(tmp_path) == [5]
    await record.close()


async def test_an_old_entry_that_was_chained_anew_shows_at_the_next_start(record: Database, tmp_path: Path) -> None:
    await checkpoints(tmp_path).make(record)
    tamper(tmp_path, *(f"UPDATE timeline SET hash = '{n:064x}', previous = '{n - 1:064x}' WHERE seq = {n}" for n in range(1, 6)))
    making = checkpoints(tmp_path)
    with pytest.raises(Conflict, match="1 to 5 of the record are not those"):
        await making.make(record)
    await record.close()


async def test_it_goes_on_where_it_was_whatever_a_crash_cut_off(record: Database, tmp_path: Path) -> None:
    first = checkpoints(tmp_path)
    await first.make(record)
    await first.make(record)
    assert sizes(tmp_path) == [5], "nothing new, nothing signed"
    with (tmp_path / "checkpoints").open("a") as file:
        file.write(first.note[:70])
    await grow(record, 1200)
    await checkpoints(tmp_path).make(record)
    whole = [note for note in notes_of((tmp_path / "checkpoints").read_text()) if note.startswith(NAME) and note.count("\n") == 5]
    assert [note.splitlines()[1] for note in whole] == ["5", "1205"]
    await record.close()


async def test_an_empty_record_has_none(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'tocsin.sqlite'}"
    await migrate.upgrade(url, "live")
    database, making = Database(url), checkpoints(tmp_path)
    await making.make(database)
    assert making.note == ""
    await database.close()


WRONG = {
    "a key that is none": {"checkpoint_key": "no key"},
    "a key that is too short": {"checkpoint_key": "AAAA"},
    "in the clear": {"checkpoint_url": "http://witness.example/"},
    "a drill that leaves the machine": {"checkpoint_url": "https://witness.example/", "environment": Environment.DRILL},
    "a file that cannot be": {"checkpoint_file": "/dev/null/checkpoints"},
    "a name that no key can have": {"public_url": "https://tocsin.example/a+b"},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_named_and_no_secret_with_it(case: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_checkpoints(Settings.model_validate({"data": tmp_path, **WRONG[case]}))
    assert "no key of" not in str(refused.value) or "no key\n" not in str(refused.value)
    assert "heckpoint" in str(refused.value) or "CHECKPOINT" in str(refused.value) or "TOCSIN_PUBLIC_URL" in str(refused.value)


def test_a_key_of_the_environment_is_used_and_none_is_made(tmp_path: Path) -> None:
    made = open_checkpoints(Settings.model_validate({"data": tmp_path, "checkpoint_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}))
    assert made.signer.verifier.public == KEY.public_key().public_bytes_raw()
    assert not (tmp_path / "checkpoint.key").exists()
