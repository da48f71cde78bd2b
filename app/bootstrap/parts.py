"""The parts that Tocsin runs as: the whole, or, on Postgres, a web process and workers, each with no more than it needs.

A web process shows, takes and counts; it posts and mails nothing. A worker posts; it answers nobody. In live mode each refuses to start
where a secret of the other is in its environment, so that who breaks into the one finds nothing of the other. A drill's secrets open
nothing, so there nothing is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum

from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.destinations import secret_variable
from app.services.context import Destination
from app.settings import Settings


class Part(StrEnum):
    """What one process is."""

    WHOLE = "whole"
    WEB = "web"
    WORKER = "worker"


_WHY = {
    Part.WEB: "a web process without a worker posts and mails nothing. Take it out of this environment; only the worker needs it.",
    Part.WORKER: "a worker answers no caller. Take it out of this environment; only `tocsin serve` needs it.",
}


def refuse_too_much(
    part: Part, settings: Settings, destinations: Mapping[str, Destination], environ: Mapping[str, str] = os.environ
) -> None:
    """Raises `ConfigurationError`, which names every variable that this part must not have, a `…_FILE` of it as well."""
    needless = {Part.WHOLE: [], Part.WEB: _posting(destinations), Part.WORKER: ["TOCSIN_API_TOKENS", "TOCSIN_PUBLISHING_KEY"]}[part]
    found = [name for variable in needless for name in (variable, f"{variable}_FILE") if environ.get(name)]
    if found and not settings.drill:
        raise ConfigurationError([f"{name} is set, and {_WHY[part]}" for name in found])


def refuse_sqlite(part: Part, settings: Settings) -> None:
    """Raises `ConfigurationError` where a part that needs the other beside it has a database that only one process can open."""
    if part is not Part.WHOLE and not settings.database_url.get_secret_value():
        named = {Part.WEB: "tocsin serve --no-worker", Part.WORKER: "tocsin worker"}[part]
        raise ConfigurationError([f"`{named}` needs TOCSIN_DATABASE_URL (Postgres): on SQLite `tocsin serve` does all the work itself."])


def _posting(destinations: Mapping[str, Destination]) -> list[str]:
    secrets = [secret_variable(d.id, field.name) for d in destinations.values() for field in d.adapter.fields if field.secret]
    return [*secrets, "TOCSIN_SMTP_PASSWORD"]
