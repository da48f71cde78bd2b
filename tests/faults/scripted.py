"""A platform in memory whose answers are written beforehand, and an announcement to several on a real database.

A desk is a process: `new_process` is the next one, on the same database and platforms, with nothing else left. It may be a second one
beside the first, as on Postgres; on SQLite too, since the lock that forbids it there lies outside.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from sqlalchemy import select

from adapters.contract import (
    Config,
    Field,
    Identity,
    Limits,
    Message,
    OutcomeUnknown,
    Pace,
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
from app.store import announcements as store
from app.store import deliveries, workers
from app.store.announcements import AnnouncementRow
from app.store.database import Database
from app.store.deliveries import AttemptRow, DeliveryRow
from app.store.tables import announcements, attempts, incidents, iso, metadata, revisions, timeline
from app.store.tables import deliveries as table
from app.workflows import broadcast, deliver
from app.workflows.attempt import Lease
from app.workflows.broadcast import Story
from app.workflows.crew import Crew
from app.workflows.deliver import Courier

SITE = "https://posts.example/"


@dataclass(frozen=True, slots=True)
class Late:
    """The answer is lost at once, and the post appears only so many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Frozen:
    """The process sleeps in mid-call until `thaw`; then the platform's answer is this one."""

    then: Any


Answer = Literal["ok", "posted, then lost", "lost", "hang", "posted, then hang", "at the gate"] | Late | Frozen | Exception


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
    thaw: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    config: Config = field(default_factory=lambda: Config("here", "scripted", Role.PRIMARY, "account-1"))
    pending: set[asyncio.Task[None]] = field(default_factory=set)
    paces: tuple[Pace, ...] = ()
    at_once: int = 0
    sends: bool = True
    under_way: int = 0
    most_under_way: int = 0
    connects: int = 0
    never_connects: bool = False

    @property
    def limits(self) -> Limits:
        """A platform with a key and no look-up gives the first post back for half an hour."""
        key, reconcile = self.reconcile is Reconcile.KEY, self.reconcile
        more: dict[str, Any] = {"paces": self.paces, "at_once": self.at_once, "sends": self.sends, "key_lasts": 1800.0 if key else 0.0}
        return Limits("characters", 1000, 10, reconcile, public=True, readable=True, **more)

    def render(self, message: Message) -> Rendering:
        return Rendering((Part(message.text),))

    def owns(self, permalink: str) -> bool:
        return permalink.startswith(self.owned)

    async def check(self) -> Identity:
        return Identity("account-1", "scripted")

    async def connect(self) -> None:
        self.connects += 1
        if self.never_connects:
            await asyncio.Event().wait()

    async def publish(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        self.requests.append((key, part.text))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self._answered(part, key, reply_to)
        finally:
            self.under_way -= 1

    async def _answered(self, part: Part, key: str, reply_to: Receipt | None) -> Receipt:
        answer: Answer = self.script.pop(0) if self.script else "ok"
        if isinstance(answer, Frozen):
            await self.thaw.wait()
            answer = answer.then
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
    """One announcement, and a process that carries it. `platform` is that of the first destination, `here`."""

    ctx: Context
    approved: Approved
    platform: Scripted
    crew: Crew = field(default_factory=Crew)
    stories: dict[str, Story] = field(default_factory=dict)
    running: set[asyncio.Task[str]] = field(default_factory=set)
    signed: dict[str, Approved] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.signed[self.approved.digest] = self.approved

    @property
    def id(self) -> str:
        """The announcement's."""
        return self.approved.manifest.announcement

    def begin(self) -> asyncio.Task[str]:
        """Lets it run."""
        task = asyncio.ensure_future(self.run())
        self.running.add(task)
        return task

    async def courier(self, permalink: str | None = "") -> Courier:
        """In a new term of this process; all others point to `permalink`."""
        lease = Lease(self.id, self.ctx.runner)
        async with self.ctx.database.write() as tx:
            row = await store.announcement(tx, self.id, lock=True)
            assert row is not None
            lease.term = await store.take(tx, row, self.ctx.runner, state="sending")
        courier = Courier(self.ctx, self.approved, lease, self.crew, row.leads)
        courier.points_to(permalink)
        return courier

    async def deliver(self, permalink: str = "") -> DeliveryRow:
        """Carries the first delivery as far as it goes."""
        courier = await self.courier(permalink)
        return await courier.deliver((await self.rows())[0])

    async def run(self) -> str:
        """The broadcast, as the worker runs it, which hears signals."""

        def hears(announcement: str) -> None:
            if story := self.stories.get(announcement):
                story.nudge()

        self.ctx.database.on_signal = hears
        return await broadcast.run(self.ctx, self.crew, self.id, self.stories)

    async def rows(self) -> list[DeliveryRow]:
        async with self.ctx.database.read() as tx:
            return await deliveries.of_digest(tx, self.approved.digest)

    async def row(self, destination: str = "here") -> DeliveryRow:
        return next(row for row in await self.rows() if row.destination == destination)

    async def states(self) -> dict[str, str]:
        """Of the deliveries, by destination."""
        return {row.destination: row.state for row in await self.rows()}

    async def announcement(self) -> AnnouncementRow:
        async with self.ctx.database.read() as tx:
            row = await store.announcement(tx, self.id)
        assert row is not None
        return row

    async def attempts(self) -> list[AttemptRow]:
        async with self.ctx.database.read() as tx:
            return await deliveries.attempts_of(tx, self.approved.digest, (await self.row()).id)

    async def told(self) -> list[str]:
        """The events on the record, in order."""
        async with self.ctx.database.read() as tx:
            return list((await tx.scalars(select(timeline.c.event).order_by(timeline.c.seq))).all())

    async def await_state(self, state: str, destination: str = "here") -> DeliveryRow:
        """The delivery once it is in that state, or was read back so."""
        async with asyncio.timeout(10):
            while state not in {(row := await self.row(destination)).state, row.read_back}:  # noqa: ASYNC110 - nobody is signalled
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

    async def time_passes(self, passed: timedelta) -> None:
        """Dates every attempt back, and since when who leads is being tried."""
        async with self.ctx.database.write() as tx:
            for row in await self.attempts():
                await tx.execute(attempts.update().where(attempts.c.id == row.id).values(started_at=row.started_at - passed))
            since = (await self.announcement()).led_since
            if since:
                await tx.execute(announcements.update().values(led_since=since - passed))

    async def new_process(self, *, first_lives: bool = False) -> Desk:
        """What comes after a kill: the same database and platforms, nothing else. The dead one's terms are over."""
        ctx = replace(self.ctx, runner=f"wk_{next(_RUNNERS)}")
        async with ctx.database.write() as tx:
            if not first_lives:
                await workers.bury_all(tx)
            await workers.register(tx, ctx.runner, "test")
        return replace(self, crew=Crew(), ctx=ctx, stories={})

    async def close(self) -> None:
        for destination in self.ctx.destinations.values():
            await destination.adapter.aclose()
        await self.ctx.database.close()


_RUNNERS = itertools.count(1)


def trust(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the signatures as verified, which have tests of their own."""

    async def verified(_ctx: object, _tx: object, fingerprint: str) -> Approved:
        return desk.signed[fingerprint]

    monkeypatch.setattr(broadcast, "approved", verified)
    monkeypatch.setattr(deliver, "approved", verified)


async def another(desk: Desk, number: int, destination: str, platform: Scripted) -> Desk:
    """One more announcement, of the same words, to one destination alone."""
    old, places = desk.approved.manifest, dict(desk.ctx.destinations)
    planned = replace(old.destinations[0], id=destination)
    manifest = replace(old, announcement=f"an_{number}", destinations=(planned,), primaries=(destination,))
    fingerprint = digest(manifest.to_bytes())
    places.setdefault(destination, Destination.of(replace(platform.config, id=destination), platform))
    its = {"id": manifest.announcement, "announcement": manifest.announcement, "digest": fingerprint}
    async with desk.ctx.database.write() as tx:
        first = {t: dict((await tx.execute(select(t).limit(1))).mappings().one()) for t in (announcements, revisions, table)}
        fresh = {"state": "sending", "worker": "", "term": 0}
        await tx.execute(announcements.insert().values(first[announcements] | fresh | {k: its[k] for k in ("id", "digest")}))
        revision = first[revisions] | {k: its[k] for k in ("announcement", "digest")}
        await tx.execute(revisions.insert().values(revision | {"manifest": manifest.to_bytes().decode()}))
        row = {"id": f"de_{number}_0", "destination": destination, "position": 0, "role": "primary", "state": "planned", "problem": ""}
        await tx.execute(table.insert().values(first[table] | its | row | {"parts": len(planned.rendering.parts), "done": 0}))
    desk.ctx.destinations = places
    return replace(desk, approved=Approved(manifest, fingerprint, desk.approved.people), platform=platform, stories={})


async def kill(desk: Desk) -> Desk:
    """Ends all that runs, between two transactions, and gives the next process."""
    pool: Any = desk.ctx.database.engine.pool
    async with desk.ctx.database._writing:
        while pool.checkedout():  # noqa: ASYNC110 - a connection that is cut off in mid-query would be left open in this process
            await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    desk.ctx.database._waiting.clear()
    return await desk.new_process()


async def until(condition: Callable[[], object]) -> None:
    """Waits for something that nobody signals."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - plain data
            await asyncio.sleep(0.005)


Other = tuple[str, Scripted, Role]


async def furnished(
    folder: Path,
    platform: Scripted,
    *,
    parts: Sequence[str] = ("Move your funds.",),
    role: Role = Role.PRIMARY,
    on_unknown: str = "ask",
    resend_after: int = 0,
    others: Sequence[Other] = (),
    fallbacks: Sequence[str] = (),
    fallback_after: int = 60,
    url: str = "",
) -> Desk:
    """A database with one planned delivery to `here`, and one of a single part to each of the others.

    `fallbacks` are those of the others (pointers) that may lead where `here` does not, in order.
    """
    database = Database(url or f"sqlite+aiosqlite:///{folder / 'tocsin.sqlite'}")
    async with database.write() as tx:
        await tx.run_sync(metadata.create_all)
    now = datetime.now(UTC)
    may_lead = ("here", *fallbacks)
    planned = [_planned("here", role, parts, led=bool(fallbacks), on_unknown=on_unknown, resend_after=resend_after)]
    planned += [_planned(id_, other, (id_,), led=id_ in fallbacks) for id_, _, other in others]
    destinations: dict[str, Destination] = {}
    for id_, adapter, its_role in (("here", platform, role), *others):
        adapter.config = replace(adapter.config, id=id_, role=its_role)
        destinations[id_] = Destination.of(adapter.config, adapter, fallback=may_lead.index(id_) if id_ in may_lead else 0)
    manifest = _manifest(tuple(planned), now, may_lead if role is Role.PRIMARY else (), fallback_after)
    settings = Settings(environment=Environment.DRILL, data=folder)
    ctx = Context(settings, database, Clock(), destinations, lambda: Roster(1, ()), None, runner=f"wk_{next(_RUNNERS)}")
    fingerprint = digest(manifest.to_bytes())
    async with database.write() as tx:
        await workers.register(tx, ctx.runner, "test")
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


def _planned(id_: str, role: Role, parts: Sequence[str], *, led: bool, on_unknown: str = "ask", resend_after: int = 0) -> Planned:
    """Who may lead, or be led, has the words for both."""
    full = Rendering(tuple(Part(text) for text in parts))
    pointer = full if parts[0].endswith("{{permalink}}") else Rendering((Part(f"{id_}: {{{{permalink}}}}"),))
    points = role is Role.POINTER
    words = (None if points and not led else full, pointer if points or led else None)
    return Planned(id_, "scripted", role, "account-1", *words, None, on_unknown, resend_after)


def _manifest(planned: tuple[Planned, ...], now: datetime, primaries: tuple[str, ...], fallback_after: int) -> Manifest:
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
        primaries=primaries,
        overrides=(),
        not_before="",
        not_after=iso(now + timedelta(hours=24)),
        banner_until="",
        roster_version=1,
        created_at=iso(now),
        fallback_after=fallback_after,
    )
