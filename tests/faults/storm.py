"""A random campaign with everything at once: `python -m tests.faults.storm --minutes 5 --seed 1 [--database URL] [--workers N]`.

Each round several broadcasts go out together, while platforms fail, wires break, and blows fall on processes and the database: kills,
halts of some seconds (a halted worker wakes up and goes on where it was), lost connections, a Postgres that restarts in immediate mode.
Then whoever died is started again, and the stand-ins' record is judged. What is ordered follows from the seed; when it meets what,
the machine decides. `--database cluster` takes a Postgres of its own, the only kind that is ever restarted. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql

from tests.faults.bad_disk import FAILS, FULL, bad_disk
from tests.faults.campaign import Campaign, slowly
from tests.faults.harness import Town, Verdict, judge, town, wait_for
from tests.faults.proxy import Fault, Wire, wires
from tests.faults.world import wired_world
from tests.support.cluster import Cluster, cluster, fresh_database

TOGETHER = 3
"""Broadcasts a round."""
ROUNDS_IN_A_TOWN = 14
"""X takes a hundred posts of an account in a quarter of an hour, six a round and what is tried again: one more would wait for the next."""

POSTS = {"x": b"POST /2/tweets", "reddit": b"POST /api/submit", "telegram": b"/sendMessage", "discord": b"POST /api/", "smtp": b"\r\n.\r\n"}
"""What only a chunk holds that posts."""

ON_THE_WIRE = (
    Fault("reset"),
    Fault("cut-request", 40),
    Fault("swallow-request"),
    Fault("reset-answer"),
    Fault("cut-answer", 30),
    Fault("half-open"),
    Fault("delay", 2),
    Fault("throttle", 400),
)
OF_PLATFORMS = ("429", "500", "502-html", "cut-before", "cut-after", "truncated", "junk", "hang")
OF_MAIL = ("450", "cut-before", "cut-after", "hang")


@dataclass(slots=True)
class Storm:
    """The town, the wires, its Postgres (none on SQLite; `own` where it may be restarted), and what was ordered so far."""

    here: Town
    laid: dict[str, Wire]
    chance: random.Random
    database: str = ""
    own: Cluster | None = None
    ordered: Counter[str] = field(default_factory=Counter)

    def blows(self) -> dict[str, Callable[[], None]]:
        """What can be done to this town's processes and database, by name."""
        found: dict[str, Callable[[], None]] = {"kill-serve": self.kill_serve, "halt-serve": lambda: self._halt(self.here.server)}
        if self.here.workers:
            found |= {"kill-worker": self.kill_worker, "halt-worker": lambda: self._halt(self._any_worker())}
        if self.database:
            found |= {
                "lose-connections": self.lose_connections,
                "reset-database": self.reset_database,
                "freeze-database": self.freeze_database,
            }
        elif shutil.which("strace"):
            found |= {"full-disk": lambda: self._bad_disk(FULL), "failing-disk": lambda: self._bad_disk(FAILS)}
        if self.own:
            found["restart-postgres"] = self.own.restart
        return found

    def kill_serve(self) -> None:
        self.here.kill()

    def kill_worker(self) -> None:
        self._any_worker().kill()

    def lose_connections(self) -> None:
        """The database ends all sessions but ours."""
        with psycopg.connect(self.database, autocommit=True) as tx:
            tx.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def reset_database(self) -> None:
        """The network does, and keeps the database away for a second."""
        self.laid["database"].sever(1)

    def freeze_database(self) -> None:
        """Nothing more comes through on the connections that are open, until they are reset six seconds later."""
        self.laid["database"].freeze()
        time.sleep(6)
        self.laid["database"].sever()

    def _bad_disk(self, error: str) -> None:
        if self.here.server and self.here.server.poll() is None:
            with bad_disk(self.here, error):
                time.sleep(self.chance.uniform(1, 3))

    def _any_worker(self) -> Any:
        return self.here.workers[self.chance.randrange(len(self.here.workers))]

    def _halt(self, process: Any) -> None:
        """For longer than others wait, or not."""
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(self.chance.uniform(1, 8))
            process.send_signal(signal.SIGCONT)

    def break_something(self) -> None:
        """Orders up to three faults of platforms and wires."""
        for _ in range(self.chance.randrange(4)):
            platform = self.chance.choice(tuple(POSTS))
            if self.chance.random() < 0.5:
                broken = self.chance.choice(ON_THE_WIRE)
                self.laid[platform].order(replace(broken, match=POSTS[platform]))
                name: str = broken.name
            else:
                name = self.chance.choice(list(OF_MAIL) if platform == "smtp" else list(OF_PLATFORMS))
                self.here.order(platform, name, **({"value": 1} if name == "429" else {}))
            self.ordered[f"{platform} {name}"] += 1

    def calm(self) -> None:
        """Whoever died is started again, and no fault is left."""
        assert self.here.server is not None
        if self.here.server.poll() is not None:
            self.here.start()
        for number in tuple(self.here.workers):
            self.here.start_worker(number)
        self.here.clear()
        for wire in self.laid.values():
            wire.clear()
        slowly(self.here)

    def round(self, tokens: list[str]) -> list[Verdict]:
        """Broadcasts of these tokens at once, with faults and blows as chance has it; a verdict for each."""
        names = sorted(self.blows())
        return self.ride(tokens, self.chance.sample(names, self.chance.choice((1, 1, 2, min(3, len(names))))), faults=True)

    def ride(self, tokens: list[str], blows: list[str], *, faults: bool = False) -> list[Verdict]:
        """The same with these blows, one after another."""
        slowly(self.here)
        accepted = {token: self.here.announce(token) for token in tokens}
        for one in accepted.values():
            self.here.await_mails(one["digest"])
        sends = [self.here.second_signature(one["id"]) for one in accepted.values()]
        if faults:
            self.break_something()
        sending = [send() for send in sends]
        for name in blows:
            time.sleep(self.chance.uniform(0, 0.6))
            self.ordered[name] += 1
            self.blows()[name]()
        for thread in sending:
            thread.join()
        self.calm()
        return [self._ended(one["id"], token) for token, one in accepted.items()]

    def _ended(self, announcement: str, token: str) -> Verdict:
        here = self.here
        shown = wait_for(lambda: _read(here, announcement), 30, token)
        if shown["state"] == "awaiting_approval":  # the second signature met a dead server, or a dead database
            here.desk.decide(announcement, "second-reviewer")
        shown = here.await_(announcement, seconds=180)
        verdict = judge(shown, here.stage.state(), token)
        if verdict.good:
            ended = here.play_people(shown)
            again = judge(ended, here.stage.state(), token)
            verdict.doubled += again.doubled
            verdict.wrong += again.wrong + ([] if ended["state"] == "sent" else [f"{token} did not end: {ended['state']}"])
        return verdict


def _read(here: Town, announcement: str) -> dict[str, Any] | None:
    with contextlib.suppress(httpx.HTTPError):
        shown = here.desk.read(announcement)
        return shown if "state" in shown else None
    return None


@contextlib.contextmanager
def storm(folder: Path, seed: int, *, database: str = "", workers: int = 0) -> Iterator[Storm]:
    """A town for it: on SQLite, on that Postgres server, or on a `cluster` of its own."""
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(cluster()) if database == "cluster" else None
        url = stack.enter_context(fresh_database(own.url if own else database)) if database else ""
        around, laid = stack.enter_context(wired_world())
        environ = {}
        if url:
            user, _, rest = url.removeprefix("postgresql://").partition("@")
            host, port = rest.split("/")[0].split(":")
            laid |= stack.enter_context(wires({"database": (host, int(port))}))
            environ["TOCSIN_DATABASE_URL"] = f"postgresql://{user}@127.0.0.1:{laid['database'].address[1]}/{rest.split('/')[1]}"
        here = stack.enter_context(town(folder, workers=workers, environ=environ, stand_ins=around.addresses))
        yield Storm(here, laid, random.Random(seed), url, own)


def _in_one_town(asked: argparse.Namespace, campaign: Campaign, ordered: Counter[str], rounds: int, until: float) -> int:
    """Some more rounds in a fresh town; returns how many there were by now."""
    last = min(asked.rounds, rounds + ROUNDS_IN_A_TOWN)
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tocsin-storm-", dir=asked.keep))
        if not asked.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        raging = stack.enter_context(storm(folder, asked.seed + rounds, database=asked.database, workers=asked.workers))
        while rounds < last and time.monotonic() < until:
            rounds += 1
            before = Counter(raging.ordered)
            try:
                verdicts = raging.round([f"storm-{asked.seed}-{rounds}-{number}" for number in range(TOGETHER)])
            except AssertionError as stall:
                verdicts, last = [Verdict(wrong=[str(stall)])], rounds  # the next town begins afresh
                _write_down(raging, folder)
            lines = []
            for verdict in verdicts:
                campaign.add(verdict, None)
                lines.append("; ".join(verdict.wrong) or f"good, {verdict.posted} posted, {verdict.undecided} undecided")
            print(f"{rounds}: {', '.join(raging.ordered - before)}: {' | '.join(lines)}", file=sys.stderr, flush=True)
        ordered.update(raging.ordered)
    return rounds


def _write_down(raging: Storm, folder: Path) -> None:
    """What the database held and did when the broadcast stalled, into `rows.json` of that folder, if that is kept."""
    if not raging.database:
        return
    with psycopg.connect(raging.database) as tx:
        tables = [name for (name,) in tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = {
            name: [row for (row,) in tx.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(name)))] for name in tables
        }
        sessions = tx.execute("SELECT to_jsonb(s) FROM pg_stat_activity s WHERE datname = current_database()").fetchall()
    (folder / "rows.json").write_text(json.dumps(rows | {"pg_stat_activity": [row for (row,) in sessions]}, indent=1))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=1000, help="no more rounds than these")
    parser.add_argument("--database", default="", help="a Postgres server, or `cluster`; SQLite without")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder in which all is kept")
    asked = parser.parse_args()
    campaign, rounds, ordered, until = Campaign(), 0, Counter[str](), time.monotonic() + asked.minutes * 60
    while rounds < asked.rounds and time.monotonic() < until:
        rounds = _in_one_town(asked, campaign, ordered, rounds, until)
    told = {name: value for name, value in campaign.told().items() if name not in {"kills", "seconds_to_resume"}}
    print(json.dumps({"rounds": rounds, "broadcasts": campaign.kills, "ordered": dict(sorted(ordered.items()))} | told, indent=2))
    return 0 if campaign.verdict.good and rounds else 1


if __name__ == "__main__":
    sys.exit(main())
