"""A house without a server, on either database, where a thousand attacks take a minute: real services, signatures and broadcasts.

Only the platforms are in memory. What is judged is what they hold: whether two people signed just that, once, the primary first.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import secrets
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert

from adapters.contract import PERMALINK_SLOT, Config, Reconcile, Role
from app.bootstrap.templates import load_templates
from app.domain import sshsig
from app.domain.announcement import Answers, Kind, Wording
from app.domain.approval import Approval, Decision, SshSignature, Statement
from app.domain.incident import Facts
from app.domain.manifest import Manifest, digest
from app.domain.roster import Person, PersonRole, Roster, SshKey, person_entry
from app.services import announce, approve, check, follow_up, links, notify
from app.services.announce import Submission, existing
from app.services.banner import Shown
from app.services.context import Clock, Context, Destination
from app.settings import Environment, Settings
from app.store import idempotency, workers
from app.store.database import Database
from app.store.tables import budgets, holds, metadata
from app.workflows.worker import Worker
from tests.faults.scripted import SITE, Post, Scripted
from tests.support.intruder import SAID, Row, State, marks_of, owned

PEOPLE = ("first-reviewer", "second-reviewer")
STILL = 25
"""Rounds of the loop without a post after which a run is over, once whoever was left alone is out; `LONGEST` seconds at most."""
LONGEST = 60.0
AT_ONCE = 8
"""People who sign at the same moment: fewer than the database has connections."""
RESOLVED = 6
"""So many of the announcements are of an incident that has ended, with follow-ups on the clock; more would take their time."""


class Account(Scripted):
    """One that knows its own permalinks, as every real adapter does."""

    def owns(self, permalink: str) -> bool:
        return re.fullmatch(f"{re.escape(SITE)}[0-9]+", permalink) is not None


ROLES = {"x": Role.PRIMARY, "t": Role.POINTER, "homepage": Role.BANNER, "spare": Role.POINTER}
USED = ("x", "t", "homepage")


@dataclass(frozen=True, slots=True)
class Told:
    """One announcement: its ids as they stand in rows, and the manifest's bytes."""

    id: str
    incident: str
    digest: str


@dataclass(slots=True)
class Ground:
    """One database with announcements that are the victims, and all that people signed of them."""

    url: str
    folder: Path
    ctx: Context = field(init=False)
    accounts: dict[str, Account] = field(init=False)
    told: list[Told] = field(default_factory=list)
    signed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # who signed, by digest
    manifests: dict[str, Manifest] = field(default_factory=dict)
    kept: dict[str, tuple[State, dict[str, list[Post]], dict[str, set[str]]]] = field(default_factory=dict)
    owned: dict[tuple[str, str], State] = field(default_factory=dict)  # each announcement's rows, by stage and id
    server: psycopg.Connection[Row] | None = None  # the intruder's, on Postgres
    refused: int = 0  # statements that the database itself did not take

    def __post_init__(self) -> None:
        self.accounts = {id_: Account(config=Config(id_, "scripted", role, "account-1")) for id_, role in ROLES.items()}
        self.accounts["homepage"].sends, self.accounts["homepage"].reconcile = False, Reconcile.KEY  # as the banner is
        places = {id_: Destination.of(account.config, account) for id_, account in self.accounts.items()}
        database, settings = Database(self.url), Settings(environment=Environment.DRILL, data=self.folder)
        roster = Roster.parse("version = 1\n" + "\n".join(person_entry(_person(person)) for person in PEOPLE))
        self.ctx = Context(
            settings, database, Clock(), places, lambda: roster, None, templates=load_templates(settings.templates), runner="wk_ground"
        )

    # Making what is attacked

    async def furnish(self, count: int) -> None:
        """So many announcements that one person has signed; and a row at least in every table."""
        async with self.ctx.database.write() as tx:
            await tx.run_sync(metadata.create_all)
            await idempotency.claim(tx, "token:ops", "key", "0" * 64, self.ctx.now)
            now = self.ctx.now
            await tx.execute(insert(holds).values(destination="spare", kind="paused", why="A test", by="somebody", at=now))
            await tx.execute(insert(budgets).values(bucket="scripted:x", booked_to=now.timestamp(), closed_to=0.0))
        await check.all_of_them(self.ctx)
        for number in range(count):
            self.told.append(await self._announced(number, resolved=number < RESOLVED))
        await notify.send_due(self.ctx)

    async def _announced(self, number: int, *, resolved: bool) -> Told:
        name = f"Case {number:04d}"
        words = Wording(
            f"If you used {name} today, {SAID} to a new wallet now.", Answers(f"You are affected if you used {name}."), destinations=USED
        )
        id_ = await announce.announce(self.ctx, Submission(Facts("", name, ""), Kind.INITIAL, words), "token:ops")
        async with self.ctx.database.write() as tx:
            row = await existing(tx, id_)
            for person in PEOPLE:
                await links.create(self.ctx, tx, id_, row.digest, person)
        if resolved:
            await follow_up.resolve(self.ctx, row.incident, "token:ops")
        await self.sign(id_, PEOPLE[0])
        return Told(id_, row.incident, row.digest)

    async def sign(self, id_: str, person: str) -> None:
        """A person signs what they are shown. Raises what the service raises."""
        async with self.ctx.database.read() as tx:
            row = await existing(tx, id_)
            raw = (await links.request_for(self.ctx, tx, row, row.digest, person))["manifest"].encode()
        shown, fingerprint = Manifest.parse(raw), digest(raw)
        environment: Any = shown.environment
        said = Statement(
            shown.announcement, shown.revision, environment, fingerprint, person, Decision.APPROVE, secrets.token_urlsafe(16)
        ).to_bytes()
        self.signed[fingerprint].add(person)
        self.manifests[fingerprint] = shown
        await approve.decide(self.ctx, id_, Approval(said, SshSignature(sshsig.sign(said, _private(person)))))

    # One run, from what was kept

    def keep(self, stage: str) -> None:
        """Remembers all that is there now."""
        with self.raw() as query:
            state: State = {}
            for name in metadata.tables:
                query(f'CREATE TABLE "{stage}_{name}" AS SELECT * FROM "{name}"')
                state[name] = query(f'SELECT * FROM "{name}"')
        posts = {id_: list(account.posts) for id_, account in self.accounts.items()}
        for told in self.told:
            marks = marks_of(state, frozenset({told.id, told.incident, told.digest}))
            self.owned[stage, told.id] = {name: owned(rows, marks) for name, rows in state.items()}
        self.kept[stage] = (state, posts, {fingerprint: set(people) for fingerprint, people in self.signed.items()})

    def restore(self, stage: str, *tables: str) -> None:
        """Puts everything back, or these tables alone."""
        _, posts, signed = self.kept[stage]
        with self.raw() as query:
            for name in tables or metadata.tables:
                query(f'DELETE FROM "{name}"')
                query(f'INSERT INTO "{name}" SELECT * FROM "{stage}_{name}"')
        for id_, account in self.accounts.items():
            account.posts[:] = posts[id_]
        self.signed = defaultdict(set, {fingerprint: set(people) for fingerprint, people in signed.items()})
        self.ctx.clock.ahead = Clock().ahead

    async def work(self, sign: Sequence[Told] = (), still: int = STILL) -> None:
        """What a process that starts now does, for as long as it posts anything; meanwhile these are signed by the second person."""
        self.ctx.runner = f"wk_{next(_RUNNERS)}"
        worker = Worker(self.ctx)
        self.ctx.database.on_signal = worker.go_on
        with contextlib.suppress(Exception):
            await worker._register()
        for first in range(0, len(sign), AT_ONCE):
            together = (self.sign(told.id, PEOPLE[1]) for told in sign[first : first + AT_ONCE])
            await asyncio.gather(*together, return_exceptions=True)  # whatever the service refuses
        for each in (worker.sweep, follow_up.tick, notify.send_due):
            with contextlib.suppress(Exception):
                await each(self.ctx)
        await self._still(worker, still)
        worker.crew.stopping = True
        await self._killed()

    async def _still(self, worker: Worker, still: int) -> None:
        seen, rounds, until = -1, 0, time.monotonic() + LONGEST
        while worker._running and rounds < still and time.monotonic() < until:
            count = sum(len(account.posts) for account in self.accounts.values())
            rounds, seen = (rounds + 1, seen) if count == seen and self.sent(self.told[-1]) else (0, count)
            await asyncio.sleep(0.005)

    async def _killed(self) -> None:
        """Ends all that runs, between two transactions."""
        pool: Any = self.ctx.database.engine.pool
        for _ in range(2000):  # a connection that is cut off in mid-query would be left open in this process
            if not pool.checkedout():
                break
            await asyncio.sleep(0.001)
        async with self.ctx.database._writing:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self.ctx.database._waiting.clear()
        with contextlib.suppress(Exception):  # a roll that was attacked
            async with self.ctx.database.write() as tx:
                await workers.bury_all(tx)

    def owns(self, stage: str, table: str) -> bool:
        """Whether rows of that table are an announcement's, and not everybody's."""
        return any(self.owned[stage, told.id][table] for told in self.told)

    def rows(self, stage: str, table: str, told: Told) -> list[Row]:
        """The rows of one announcement, or everybody's."""
        return self.owned[stage, told.id][table] if self.owns(stage, table) else self.kept[stage][0][table]

    # Judging

    async def wrong(self) -> list[str]:
        """What went out that may not have, in words; [] where all is well."""
        found = [problem for id_ in USED for problem in self._posts(id_)]
        shown = (await Shown().current(self.ctx)).data
        if shown["active"]:
            manifest = self.manifests.get(str(shown["digest"]))
            texts = {one.rendering.parts[0].text for one in manifest.destinations if one.role is Role.BANNER} if manifest else set()
            if len(self.signed[str(shown["digest"])]) < 2 or shown["text"] not in texts:
                found.append(f"the banner shows what was not signed: {shown}")
            if shown["permalink"] and not self._primary(shown["permalink"]):
                found.append(f"the banner leads astray: {shown['permalink']}")
        return found

    def _posts(self, id_: str) -> Iterator[str]:
        times: Counter[str] = Counter()
        for post in self.accounts[id_].posts:
            of = next((fingerprint for fingerprint, manifest in self.manifests.items() if self._fits(manifest, id_, post)), "")
            if len(self.signed.get(of, ())) < 2:
                yield f"{id_} holds what two people did not sign: {post.text!r}"
            times[of] += 1
        yield from (f"{id_} holds {self.manifests[of].incident.name} {count} times" for of, count in times.items() if of and count > 1)

    def _fits(self, manifest: Manifest, id_: str, post: Post) -> bool:
        """Whether it is what this manifest plans there, with a primary's earlier permalink in its slot."""
        text = next(one.rendering.parts[0].text for one in manifest.destinations if one.id == id_)
        before, slot, after = text.partition(PERMALINK_SLOT)
        if not slot:
            return post.text == text
        link = post.text[len(before) : len(post.text) - len(after)]
        primary = self._primary(link)
        return post.text == before + link + after and primary is not None and primary.at <= post.at

    def _primary(self, permalink: str) -> Post | None:
        return next((post for post in self.accounts["x"].posts if SITE + post.id == permalink), None)

    def over(self) -> bool:
        """Whether no broadcast is under way, and all of them are out."""
        with self.raw() as query:
            left = query("SELECT id FROM announcements WHERE state IN ('approved', 'sending')")
        return not left and all(map(self.sent, self.told))

    def sent(self, told: Told) -> bool:
        """Whether it is out everywhere."""
        manifest = self.manifests[told.digest]
        return all(any(self._fits(manifest, id_, post) for post in self.accounts[id_].posts) for id_ in USED)

    # The intruder's connection

    @contextlib.contextmanager
    def raw(self) -> Iterator[Any]:
        """Runs statements with `?` for values, past every rule that a database can be told to leave aside; gives rows as dicts."""
        if self.url.startswith("sqlite"):
            path = self.url.partition(":///")[2]
            with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection, connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous=OFF")
                yield lambda query, values=(): [dict(row) for row in connection.execute(query, values).fetchall()]
            return
        if self.server is None:
            url = self.url.replace("+psycopg", "")
            self.server = psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row)
            self.server.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        server = self.server

        def run(query: str, values: Sequence[Any] = ()) -> list[Row]:
            done = server.execute(query.replace("?", "%s"), values or None)
            return done.fetchall() if done.description else []

        yield run

    async def close(self) -> None:
        if self.server:
            self.server.close()
        await self.ctx.database.close()


_RUNNERS = itertools.count(1)


def _private(person: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([1 + PEOPLE.index(person)]) * 32)


def _person(id_: str) -> Person:
    key = SshKey.parse(_private(id_).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    return Person(id_, id_, f"{id_}@rehearsal.example", frozenset({PersonRole.REVIEWER}), (key,))
