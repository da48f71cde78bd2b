"""The long-running processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.cli.output import say

if TYPE_CHECKING:
    from app.settings import Settings


@click.command()
@click.option("--no-worker", is_flag=True, help="Run API and pages only, and hold no secret of a destination; `tocsin worker` posts.")
def serve(no_worker: bool) -> None:
    """Run API, pages, broadcasts and the clock in one process, until SIGTERM.

    With --no-worker it posts and mails nothing: at least one `tocsin worker` has to run beside it, on the same Postgres database. Live, it
    then refuses to start where a destination's secret is in its environment.
    """
    from app.bootstrap.parts import Part
    from app.main import serve as run

    _run(partial(run, part=Part.WEB if no_worker else Part.WHOLE))


@click.command()
def worker() -> None:
    """Carry broadcasts beside `tocsin serve`, on the same Postgres database, until SIGTERM. Any number of them may run.

    It needs the settings of `tocsin serve` and the destinations' secrets, and listens on no port. Live, it refuses to start where
    TOCSIN_API_TOKENS is in its environment: it answers no caller.
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
