"""The long-running processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from app.cli.output import say

if TYPE_CHECKING:
    from app.settings import Settings


@click.command()
def serve() -> None:
    """Run API, pages, broadcasts and the clock in one process, until SIGTERM."""
    from app.main import serve as run

    _run(run)


@click.command()
def worker() -> None:
    """Carry broadcasts beside `tocsin serve`, on the same Postgres database, until SIGTERM. Any number of them may run.

    It needs the same settings and secrets as `tocsin serve`, and listens on no port.
    """
    from app.main import work as run

    _run(run)


@click.command()
@click.option("--grant", "role", metavar="ROLE", help="Let this role of Postgres work, and only ever add to the record.")
def migrate(role: str | None) -> None:
    """Bring the database to this version, as its owner. `tocsin serve` does so by itself where it may.

    \b
    With --grant the server can be another role than the owner, one that cannot change what is recorded:
      TOCSIN_DATABASE_URL=postgresql://owner@host/tocsin tocsin migrate --grant tocsin_app
    """
    from app.bootstrap.configuration import ConfigurationError, load_settings
    from app.bootstrap.house import database_url
    from app.store import rights
    from app.store.migrate import WrongDatabase, upgrade

    try:
        settings = load_settings()
        asyncio.run(upgrade(url := database_url(settings), settings.environment.value))
        if role:
            rights.give(url, role)
    except (ConfigurationError, WrongDatabase) as error:
        raise click.ClickException(str(error)) from error
    say("The database is of this version." + (f" {role} may work with it, and add to the record alone." if role else ""))


def _run(process: Callable[[Settings], Coroutine[Any, Any, None]]) -> None:
    import uvloop

    from app.bootstrap.configuration import ConfigurationError, load_settings
    from app.store.lock import DatabaseInUse
    from app.store.migrate import WrongDatabase

    os.umask(0o077)  # the database is nobody else's
    try:
        uvloop.run(process(load_settings()))
    except (ConfigurationError, DatabaseInUse, WrongDatabase) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"Tocsin cannot start: {error}") from error
