"""A platform in memory whose answers are written beforehand, and a delivery to it on a real database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from sqlalchemy import select

from adapters.contract import (
    Config,
    Field,
    Identity,
    Limits,
    Message,
    OutcomeUnknown,
    Part,
    ReadBack,
    Receipt,
    Reconcile,
    Rendering,
    Role,
    Unsupported,
)
from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.domain.manifest import Manifest, Planned, digest
from app.domain.roster import Roster
from app.services.context import Clock, Context, Destination
from app.services.verification import Approved
from app.settings import Environment, Settings
from app.store import deliveries
from app.store.database import Database
from app.store.deliveries import AttemptRow, DeliveryRow
from app.store.tables import announcements, attempts, incidents, iso, metadata, revisions
from app.store.tables import deliveries as table
from app.workflows.deliver import Courier, Crew

SITE = "https://posts.example/"


@dataclass(frozen=True, slots=True)
class Late:
    """The answer is lost at once, and the post appears only so many seconds later."""

    seconds: float


Answer = Literal["ok", "posted, then lost", "lost", "hang", "posted, then hang", "at the gate"] | Late | Exception


@dataclass(slots=True)
class Post:
    text: str
    key: str
    at: datetime
    id: str
    reply_to: str = ""


@dataclass(slots=True)
class Scripted:
    """An adapter and its platform. Answers come in their order, then all is well."""

    platform: ClassVar[str] = "scripted"
    fields: ClassVar[tuple[Field, ...]] = ()
    script: list[Answer] = field(default_factory=list)
    reconcile: Reconcile = Reconcile.LOOKUP
    posts: list[Post] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)  # key and text
    looks: list[datetime] = field(default_factory=list)  # `since` of each
    look_fails: int = 0
    owned: str = SITE
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    config: Config = field(default_factory=lambda: Config("here", "scripted", Role.PRIMARY, "account-1"))
    pending: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def limits(self) -> Limits:
        return Limits("characters", 1000, 10, self.reconcile, public=True, readable=True)

    def render(self, message: Message) -> Rendering:
        return Rendering((Part(message.text),))

    def owns(self, permalink: str) -> bool:
        return permalink.startswith(self.owned)

    async def check(self) -> Identity:
        return Identity("account-1", "scripted")

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        self.requests.append((key, part.text))
        answer: Answer = self.script.pop(0) if self.script else "ok"
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Late):
            task = asyncio.ensure_future(self._later(answer.seconds, part, key))
            self.pending.add(task)
            raise OutcomeUnknown("No answer came.")
        if answer == "at the gate":
            await self.gate.wait()
        post = None if answer in {"lost", "hang"} else self.hold(part.text, key, reply_to)
        if answer in {"hang", "posted, then hang"}:
            await asyncio.sleep(3600)
        if post is None or answer == "posted, then lost":
            raise OutcomeUnknown("No answer came.")
        return Receipt(post.id, SITE + post.id)

    async def _later(self, seconds: float, part: Part, key: str) -> None:
        await asyncio.sleep(seconds)
        self.hold(part.text, key)

    def hold(self, text: str, key: str = "", reply_to: Receipt | None = None) -> Post:
        """Posts it; a key gives the first post back where the platform knows keys."""
        again = next((post for post in self.posts if post.key == key and self.reconcile is Reconcile.KEY), None)
        post = again or Post(text, key, datetime.now(UTC), str(next(self.numbers)), reply_to.remote_id if reply_to else "")
        if again is None:
            self.posts.append(post)
        return post

    async def find(self, part: Part, key: str, since: datetime) -> Receipt | None:
        self.looks.append(since)
        if self.reconcile is not Reconcile.LOOKUP:
            raise Unsupported("Nobody can look here.")
        if self.look_fails:
            self.look_fails -= 1
            raise OutcomeUnknown("The look failed.")
        found = [post for post in self.posts if post.text == part.text and post.at >= since]
        return Receipt(found[-1].id, SITE + found[-1].id) if found else None

    async def read(self, part: Part, receipt: Receipt) -> ReadBack:
        return ReadBack("seen")

    async def finish(self, receipt: Receipt) -> str:
        return ""

    async def aclose(self) -> None:
        for task in self.pending:
            task.cancel()


@dataclass(slots=True)
class Desk:
    """One delivery, and what carries it. `crew` is of this process: a new one is a new process."""

    ctx: Context
    approved: Approved
    platform: Scripted
    crew: Crew = field(default_factory=Crew)

    def courier(self) -> Courier:
        return Courier(self.ctx, self.approved, self.crew)

    async def rows(self) -> list[DeliveryRow]:
        async with self.ctx.database.read() as tx:
            return await deliveries.of_digest(tx, self.approved.digest)

    async def row(self) -> DeliveryRow:
        return (await self.rows())[0]

    async def state(self) -> str:
        """The announcement's."""
        async with self.ctx.database.read() as tx:
            return str(await tx.scalar(select(announcements.c.state)))

    async def attempts(self) -> list[AttemptRow]:
        async with self.ctx.database.read() as tx:
            return await deliveries.attempts_of(tx, [(await self.row()).id])

    async def deliver(self, permalink: str = "") -> DeliveryRow:
        return await self.courier().deliver(await self.row(), permalink)

    async def await_state(self, state: str) -> DeliveryRow:
        """The delivery once it is in that state."""
        async with asyncio.timeout(10):
            while (row := await self.row()).state != state:  # noqa: ASYNC110 - the database signals nobody outside
                await asyncio.sleep(0.005)
        return row

    async def change(self, id_: str = "de_0", **values: Any) -> None:
        """Changes a row behind the program's back, as somebody with the database in hand could."""
        async with self.ctx.database.write() as tx:
            await tx.execute(table.update().where(table.c.id == id_).values(**values))

    async def change_announcement(self, **values: Any) -> None:
        async with self.ctx.database.write() as tx:
            await tx.execute(announcements.update().values(**values))

    async def change_manifest(self) -> None:
        """Changes the stored manifest, which nobody signed so."""
        async with self.ctx.database.write() as tx:
            await tx.execute(revisions.update().values(manifest=revisions.c.manifest + " "))

    async def hours_pass(self, hours: float) -> None:
        """Dates every attempt back."""
        async with self.ctx.database.write() as tx:
            for row in await self.attempts():
                earlier = row.started_at - timedelta(hours=hours)
                await tx.execute(attempts.update().where(attempts.c.id == row.id).values(started_at=earlier))

    def new_process(self) -> Desk:
        """What comes after a kill: the same database and platform, nothing else."""
        return replace(self, crew=Crew(), ctx=replace(self.ctx, runner="second-process"))


async def furnished(
    folder: Path,
    platform: Scripted,
    *,
    parts: Sequence[str] = ("Move your funds.",),
    role: Role = Role.PRIMARY,
    on_unknown: str = "ask",
    others: Sequence[tuple[str, Scripted, Role]] = (),
) -> Desk:
    """A database with one planned delivery to `here`, and one of a single part to each of the others."""
    url = f"sqlite+aiosqlite:///{folder / 'tocsin.sqlite'}"
    database = Database(url)
    async with database.write() as tx:
        await tx.run_sync(metadata.create_all)
    now = datetime.now(UTC)
    planned = [_planned("here", role, parts, on_unknown)]
    planned += [_planned(id_, other, (f"{id_}: {{{{permalink}}}}" if other is Role.POINTER else id_,), "ask") for id_, _, other in others]
    destinations: dict[str, Destination] = {}
    for id_, adapter, its_role in (("here", platform, role), *others):
        adapter.config = replace(adapter.config, id=id_, role=its_role)
        destinations[id_] = Destination(adapter.config, adapter)
    manifest = _manifest(tuple(planned), now)
    settings = Settings(environment=Environment.DRILL, data=folder)
    ctx = Context(settings, database, Clock(), destinations, lambda: Roster(1, ()), _nothing, None)
    fingerprint = digest(manifest.to_bytes())
    async with database.write() as tx:
        incident = {"id": "in_1", "slug": "one", "name": "One", "state": "open", "facts": {}, "created_at": now}
        await tx.execute(incidents.insert().values(incident))
        announcement = {"id": "an_1", "incident": "in_1", "kind": "initial", "state": "sending", "revision": 1, "created_at": now}
        await tx.execute(announcements.insert().values(announcement | {"digest": fingerprint}))
        revision = {"digest": fingerprint, "announcement": "an_1", "revision": 1, "wording": {}, "created_at": now}
        await tx.execute(revisions.insert().values(revision | {"manifest": manifest.to_bytes().decode()}))
        for position, one in enumerate(planned):
            row = {"id": f"de_{position}", "announcement": "an_1", "digest": fingerprint, "position": position, "destination": one.id}
            rest = {"platform": "scripted", "role": one.role.value, "state": "planned", "parts": len(one.rendering.parts)}
            await tx.execute(table.insert().values(row | rest | {"updated_at": now}))
    return Desk(ctx, Approved(manifest, fingerprint, ("first-reviewer", "second-reviewer")), platform)


def _planned(id_: str, role: Role, parts: Sequence[str], on_unknown: str) -> Planned:
    rendering = Rendering(tuple(Part(text) for text in parts))
    pointer = role is Role.POINTER
    return Planned(id_, "scripted", role, "account-1", None if pointer else rendering, rendering if pointer else None, None, on_unknown)


def _manifest(planned: tuple[Planned, ...], now: datetime) -> Manifest:
    return Manifest(
        environment="drill",
        announcement="an_1",
        revision=1,
        kind=Kind.INITIAL,
        incident=Facts("in_1", "One", "one"),
        author="first-reviewer",
        submitted_by="token:ops",
        text="Move your funds.",
        answers=Answers(),
        destinations=planned,
        primaries=("here",),
        overrides=(),
        not_before="",
        not_after=iso(now + timedelta(hours=24)),
        banner_until="",
        roster_version=1,
        created_at=iso(now),
    )


async def _nothing(_announcement: str, _digest: str, _run: int) -> None:
    """Starts nothing."""
