"""Brings the database's tables to this version (Alembic), and binds the database to one environment for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError

from app.store.tables import house

HEAD = "0006"
_OLDER = {None, "0001", "0002", "0004"}
_MOST_AHEAD = 400 * 24 * 3600.0
_LOCK = 0x746F6375
_FOLDER = Path(__file__).parent / "migrations"


class WrongDatabase(Exception):
    """This database cannot be used; the message says why."""


async def upgrade(url: str, environment: str) -> timedelta:
    """Migrates where it is not at `HEAD`; returns how far this house's clock runs ahead. Raises `WrongDatabase`."""
    return await asyncio.to_thread(_upgrade, url.replace("+aiosqlite", ""), environment)


def _upgrade(url: str, environment: str) -> timedelta:
    engine = create_engine(url)
    try:
        with engine.begin() as tx:
            if tx.dialect.name == "postgresql":  # several processes may start at once
                tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            version = _version(url)
            if version in _OLDER:
                _migrate(url)
            elif version != HEAD:
                raise WrongDatabase(f"This database is of a newer Tocsin (tables {version}). Start that one.")
        with engine.begin() as tx:
            if tx.dialect.name == "postgresql":
                tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            bound = tx.execute(select(house.c.environment, house.c.clock_ahead)).first()
            if bound is None:
                tx.execute(insert(house).values(environment=environment))
                return timedelta()
            if bound.environment != environment:
                whose = f"This database belongs to a {bound.environment} Tocsin"
                raise WrongDatabase(f"{whose} and can never be used for {environment}. Choose another.")
            return timedelta(seconds=min(max(float(bound.clock_ahead), 0.0), _MOST_AHEAD))
    except DBAPIError as error:
        raise WrongDatabase(f"The database cannot be used: {error.orig}") from error
    finally:
        engine.dispose()


def _version(url: str) -> str | None:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return version
    except DBAPIError:
        return None  # no such table yet; a real fault shows in the migration
    finally:
        engine.dispose()


def _migrate(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["url"] = url
    command.upgrade(config, "head")
