"""Wires the house: settings, database, roster, destinations with their adapters, a worker. Only here is the registry reached.

Whatever is missing or wrong is found before anything is opened, and all of it is named at once. A drill can never reach the public:
its destinations must lie on this machine, and its database is never opened live, nor the other way round. Which part holds what lies in
`app.bootstrap.parts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.engine import make_url

from app.api.tokens import Tokens
from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.destinations import open_destinations, read_entries
from app.bootstrap.logs import configure
from app.bootstrap.mail import mailer
from app.bootstrap.memory import give_back
from app.bootstrap.parts import Part, refuse_sqlite, refuse_too_much
from app.bootstrap.roster import RosterFile
from app.bootstrap.templates import load_templates
from app.domain.asking import named
from app.domain.roster import Roster
from app.services.context import Clock, Context, Destination
from app.services.stamp import Stamp
from app.settings import Settings
from app.store import migrate
from app.store.database import Database
from app.store.lock import only_one
from app.workflows import attended
from app.workflows.worker import Worker

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """An open house: its context, and the tokens of its callers."""

    ctx: Context
    tokens: Tokens


def database_url(settings: Settings) -> str:
    """SQLAlchemy's URL of the database, asynchronous."""
    if given := settings.database_url.get_secret_value():
        return make_url(given).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    return f"sqlite+aiosqlite:///{settings.data / 'tocsin.sqlite'}"


@asynccontextmanager
async def open_house(settings: Settings, part: Part = Part.WHOLE) -> AsyncIterator[House]:
    """Opens everything, lets a worker run unless this is the web process alone, and closes in order. Raises `ConfigurationError`."""
    works = part is not Part.WEB
    refuse_sqlite(part, settings)
    configure(settings.log_level)
    give_back()
    _more_files()
    try:
        tokens = Tokens(settings.api_tokens.get_secret_value(), drill=settings.drill)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from error
    stamp = _stamp(settings)
    destinations, read_roster = _files(settings, part)
    _duty(settings, read_roster())
    templates = load_templates(settings.templates)
    url = database_url(settings)
    async with contextlib.AsyncExitStack() as stack:
        if url.startswith("sqlite"):
            stack.enter_context(only_one(settings.data))
        ahead = await migrate.upgrade(url, settings.environment.value)
        read_roster.keep()  # only now: a folder of the other environment's is refused before
        database = Database(url)
        stack.push_async_callback(database.close)
        stack.push_async_callback(_close, destinations)
        ctx = Context(
            settings,
            database,
            Clock(ahead if settings.drill else timedelta()),
            destinations,
            read_roster,
            mailer(settings) if works else None,
            lambda: read_roster.problem,
            lambda: read_roster.trusted,
            works=works,
            stamp=stamp,
            templates=templates,
        )
        if works:
            worker = Worker(ctx)
            stack.push_async_callback(_stop, asyncio.create_task(worker.run()))
            stack.push_async_callback(worker.stop)
        else:
            stack.push_async_callback(_stop, asyncio.create_task(attended.mind(ctx)))
        yield House(ctx, tokens)


def _files(settings: Settings, part: Part) -> tuple[dict[str, Destination], RosterFile]:
    """The destinations and the roster. What was read for them, megabytes of ten thousand, is let go."""
    entries = read_entries(settings.destinations)
    destinations = open_destinations(entries, settings, credentials=part is not Part.WEB)
    refuse_too_much(part, settings, destinations)
    return destinations, RosterFile(settings, entries)


def _stamp(settings: Settings) -> Stamp | None:
    try:
        return Stamp(key) if (key := settings.publishing_key.get_secret_value()) else None
    except ValueError as error:
        raise ConfigurationError([f"TOCSIN_PUBLISHING_KEY {error}."]) from error


def _duty(settings: Settings, roster: Roster) -> None:
    """Whoever is named and no reviewer is passed over: that is told, and nobody is kept from starting by it."""
    reviewers = {person.id for person in roster.reviewers}
    if unknown := [person for group in named(settings.on_duty) for person in group if person not in reviewers]:
        log.warning("on-duty-unknown", problem=f"TOCSIN_ON_DUTY names who is no reviewer of the roster: {', '.join(unknown)}.")


async def _close(destinations: Mapping[str, Destination]) -> None:
    for destination in destinations.values():
        try:
            await destination.adapter.aclose()
        except Exception:  # the others are to be closed all the same
            log.exception("not-closed", destination=destination.id)


def _more_files() -> None:
    """A thousand destinations are a thousand connections, and many systems let a process open 1,024 files unless it asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
