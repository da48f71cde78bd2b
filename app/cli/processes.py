"""The long-running processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

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
