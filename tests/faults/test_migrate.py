"""An upgrade in mid-broadcast: the old version's rows are carried on by the new one. On SQLite, and on Postgres where given."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc8785
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, insert, inspect, select, text

from adapters.contract import Role
from app.domain.manifest import Manifest, digest
from app.services.verification import Approved
from app.store import migrate, workers
from app.store.database import Database
from app.store.tables import announcements, attempts, deliveries, incidents, metadata, revisions
from tests.faults.scripted import SITE, Desk, Scripted, furnished, trust
from tests.support.cluster import demanded, fresh_database

NEW = {"worker", "term", "leads", "led_since"}
"""Columns that version 0001 did not have."""


@pytest.fixture
def server() -> Iterator[str]:
    """A fresh database on the server, dropped afterwards."""
    with fresh_database(demanded()) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    given: str = request.getfixturevalue("server") if request.param == "postgres" else f"sqlite:///{tmp_path / 'old.sqlite'}"
    return given


def at(url: str, version: str) -> None:
    """Makes the tables of a version."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, version)


async def copied(desk: Desk, tx: Connection) -> Approved:
    """Writes what a desk holds as the old version wrote it: tables without the new columns, a manifest without the new fields."""
    old = json.loads(desk.approved.manifest.to_bytes())
    del old["fallback_after"], old["correction"]
    for planned in old["destinations"]:
        del planned["resend_after"]
    raw = rfc8785.dumps(old)
    async with desk.ctx.database.read() as source:
        for table in (incidents, announcements, revisions, deliveries, attempts):
            columns = [column for column in table.c if column.name not in NEW and column is not attempts.c.id]  # which the server counts
            for row in (await source.execute(select(*columns))).mappings():
                values = dict(row) | ({"digest": digest(raw)} if "digest" in table.c else {})
                tx.execute(insert(table).values(values | ({"manifest": raw.decode()} if table is revisions else {})))
    return Approved(Manifest.parse(raw), digest(raw), desk.approved.people)


async def test_what_the_old_version_had_under_way_is_carried_on(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary was posted and its answer never came; the pointers were not begun."""
    pointer = Scripted()
    old = await furnished(tmp_path, Scripted(), others=[("there", pointer, Role.POINTER)])
    post = old.platform.hold("Move your funds.")
    await old.change(state="sending")
    started = datetime.now(UTC) - timedelta(minutes=1)
    open_attempt = {"delivery": "de_0", "part": 0, "state": "open", "runner": "the old version", "started_at": started}
    async with old.ctx.database.write() as tx:
        await tx.execute(attempts.insert().values(open_attempt))
    at(url, "0001")
    engine = create_engine(url)
    with engine.begin() as connection:
        approved = await copied(old, connection)
    engine.dispose()

    await migrate.upgrade(url, "drill")
    await old.ctx.database.close()
    ctx = replace(old.ctx, database=Database(url.replace("sqlite://", "sqlite+aiosqlite://")), runner="wk_new")
    desk = replace(old, ctx=ctx, approved=approved, stories={})
    trust(desk, monkeypatch)
    async with ctx.database.write() as tx:
        await workers.register(tx, "wk_new", "test")
    assert await desk.run() == "sent"
    assert [post.text for post in desk.platform.posts] == ["Move your funds."]
    assert not desk.platform.requests, "it was found, not sent again"
    assert pointer.posts[0].text == f"there: {SITE}{post.id}"
    await desk.close()


async def test_the_migrations_make_the_tables_that_the_code_knows(url: str) -> None:
    await migrate.upgrade(url, "drill")
    engine = create_engine(url)
    found = inspect(engine)
    try:
        for table in metadata.tables.values():
            columns = {column["name"] for column in found.get_columns(table.name)}
            assert columns - {"runs"} == set(table.c.keys()), table.name
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= indexes, table.name
    finally:
        engine.dispose()
    assert await migrate.upgrade(url, "drill") == timedelta(), "again, it changes nothing"


async def test_a_newer_database_is_refused_in_words(url: str) -> None:
    await migrate.upgrade(url, "drill")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    engine.dispose()
    with pytest.raises(migrate.WrongDatabase, match=r"newer Tocsin \(tables 0099\)"):
        await migrate.upgrade(url, "drill")


async def test_a_migration_that_is_cut_off_is_begun_again(url: str) -> None:
    """All of it or nothing: half a migration would be a database that no version can open."""
    at(url, "0001")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE budgets (x INTEGER)"))  # the third step fails
    with pytest.raises(migrate.WrongDatabase):
        await migrate.upgrade(url, "drill")
    assert not inspect(engine).has_table("workers")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE budgets"))
    engine.dispose()
    assert await migrate.upgrade(url, "drill") == timedelta()


@pytest.mark.parametrize("version", ["", "0001"])
def test_many_that_migrate_at_once_do_it_once(server: str, version: str) -> None:
    if version:
        at(server, version)
    code = f"import asyncio; from app.store import migrate; asyncio.run(migrate.upgrade({server!r}, 'drill'))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(5)]
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 5, told
    engine = create_engine(server)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [migrate.HEAD]
        assert connection.execute(text("SELECT environment FROM house")).scalars().all() == ["drill"]
    engine.dispose()
