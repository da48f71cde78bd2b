"""The ASGI application and the processes that run it: API, pages, broadcasts and the clock together; or, apart, web process and worker.

One process is one process: Granian is embedded, since its usual main process would leave a worker alive and posting when killed.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from datetime import timedelta

import structlog
from fastapi import FastAPI, Response
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from app.api import announcements, checks, destinations, incidents, problems, roster, templates
from app.api.bodies import Bodies
from app.api.gate import Gate
from app.api.tokens import Tokens, today
from app.bootstrap.checkpoints import open_checkpoints
from app.bootstrap.house import House, open_house
from app.bootstrap.parts import Part
from app.services import own_name
from app.services.banner import Shown
from app.services.context import Context
from app.services.published import Published
from app.services.sessions import Door
from app.settings import Settings
from app.web import public, routes, sessions

log = structlog.get_logger(__name__)

CONNECTIONS = 2048
SOON = timedelta(days=14)


def application(ctx: Context, tokens: Tokens) -> FastAPI:
    """The application over an open house."""
    app = FastAPI(title="Tocsin", version="1", description=__doc__, docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.state.ctx, app.state.tokens = ctx, tokens
    app.state.banner, app.state.published, app.state.door = Shown(), Published(), Door()
    problems.install(app)
    for part in (announcements, checks, incidents, destinations, roster, templates, routes, public, sessions):
        app.include_router(part.router)

    app.add_middleware(Bodies)
    app.add_middleware(Gate, settings=ctx.settings, tokens=tokens)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        async with ctx.database.read() as tx:
            await tx.exec_driver_sql("SELECT 1")
        ctx.read_roster()
        if problem := ctx.roster_problem():
            return problems.problem(503, "The roster cannot be read; the last good one is in force.", problem)
        return Response('{"status":"ready"}', media_type="application/json")

    return app


async def serve(settings: Settings, part: Part = Part.WHOLE) -> None:
    """Serves until SIGTERM or SIGINT, then lets what is under way finish. Raises `ConfigurationError` before anything is opened."""
    async with open_house(settings, part) as house:
        checkpoints = house.ctx.checkpoints = open_checkpoints(settings)  # by one process: a second one would sign beside it
        log.info("checkpoints", key=str(checkpoints.signer.verifier), file=str(checkpoints.file))
        making = asyncio.ensure_future(checkpoints.run(house.ctx.database))
        try:
            await _serve(house)
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)


async def work(settings: Settings) -> None:
    """Carries broadcasts until SIGTERM or SIGINT, beside others on the same Postgres database. Raises `ConfigurationError`."""
    async with open_house(settings, Part.WORKER) as house:
        log.info("working", environment=settings.environment.value, destinations=len(house.ctx.destinations), worker=house.ctx.runner)
        await _stopping().wait()


def _stopping() -> asyncio.Event:
    """Is set by SIGTERM and SIGINT."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def _claim(host: str, port: int) -> None:
    """Raises OSError where somebody listens there already: Granian would share the port with them, unseen."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(f"{host}:{port} cannot be listened on ({error.strerror}). Stop what runs there, or set TOCSIN_PORT.") from error


async def _serve(house: House) -> None:
    settings = house.ctx.settings
    stopping = _stopping()
    _claim(settings.host, settings.port)
    for token in house.tokens.ending(today() + SOON):
        log.warning("machine-token-ends", name=token.name, last_day=f"{token.last_day}")
    if warning := own_name.warning(settings):
        log.warning("own-domain", problem=warning)
    app = application(house.ctx, house.tokens)
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        log_enabled=False,
    )
    serving = asyncio.ensure_future(server.serve())
    part = Part.WHOLE if house.ctx.works else Part.WEB
    told = {"environment": settings.environment.value, "destinations": len(house.ctx.destinations), "part": part.value}
    log.info("serving", url=settings.public_url, **told)
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
    await serving
