"""The long-running process."""

from __future__ import annotations

import asyncio
import os

import click


@click.command()
def serve() -> None:
    """Run API, pages, broadcasts and the clock in one process, until SIGTERM."""
    from app.bootstrap.configuration import ConfigurationError, load_settings
    from app.main import serve as run
    from app.store.lock import DatabaseInUse
    from app.store.migrate import WrongDatabase

    os.umask(0o077)  # the database is nobody else's
    try:
        asyncio.run(run(load_settings()))
    except (ConfigurationError, DatabaseInUse, WrongDatabase) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"Tocsin cannot start: {error}") from error
