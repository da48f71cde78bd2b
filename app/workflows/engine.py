"""The durable engine, DBOS: launched once a process, with the two settings that keep an upgrade from stranding work.

The truth is in our own tables; the engine only runs the broadcast and resumes it after a crash. A row in its database must not be
able to run code: it would unpickle, so its pickling serializer is replaced by a refusal and everything is JSON.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn

import dbos._serialization
from dbos import DBOS, DBOSConfig
from dbos._serialization import DBOSPortableJSONSerializer

APPLICATION_VERSION = "1"
"""Constant: by default it is a hash of the code, and each deployment would strand what is under way."""

EXECUTOR = "tocsin"


class PickleRefused(Exception):
    """A row of the engine's database asks to be unpickled, which would run code; it is not."""


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise PickleRefused("The engine's database holds a pickled value. Tocsin writes none: somebody else did.")


def launch(database_url: str) -> None:
    """Starts the engine and resumes what an earlier process left. `database_url` is SQLAlchemy's, synchronous."""
    dbos._serialization.DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign]
    config: DBOSConfig = {
        "name": "tocsin",
        "system_database_url": database_url,
        "application_version": APPLICATION_VERSION,
        "executor_id": EXECUTOR,
        "serializer": DBOSPortableJSONSerializer(),
        "max_executor_threads": 8,
        "log_level": "WARNING",
        "enable_otlp": False,
    }
    DBOS(config=config)
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.launch()


async def close(seconds: int = 10) -> None:
    """Lets running broadcasts finish for so long, then stops the engine; what is left is resumed at the next start."""
    await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=seconds)
