"""Every table and column, attacked in every way and at every time, on both databases: nothing goes out that two people did not sign.

The attacks are made from the tables' own description (`tests/support/intruder.py`), so that a column which comes later is attacked without
anyone thinking of it. Many announcements are attacked at once, each in its own way; one in each run is left alone, and has to go out.
What belongs to no announcement is everybody's: it is attacked in a house of two. On SQLite everything is tried at every time; on
Postgres each way to each column once. It takes some three minutes on SQLite, and one on Postgres.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import structlog

from app.store.tables import metadata
from tests.support.cluster import demanded, fresh_database
from tests.support.ground import PEOPLE, STILL, Ground, Told
from tests.support.intruder import FRESH, Attack, attacks

CASES = {"sqlite": 100, "postgres": 40}
"""Announcements that are attacked in one run."""

BEFORE, BETWEEN, AFTER = "before", "between", "after"
"""Before the second person approves, between that and the sending, and after it."""

SHOWN = {"announcements", "revisions", "approvals", "deliveries"}
"""What the banner is made from; it shows one announcement, so that each attack needs a look of its own."""

TIMES = (BEFORE, BETWEEN, AFTER)
ATTACKS = attacks()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the attacked house says of it would be megabytes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(params=["sqlite", "postgres"])
async def grounds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Ground, Ground]]:
    """A house of many announcements and one of two, each on a database of its own."""
    with ExitStack() as stack:
        urls = [f"sqlite+aiosqlite:///{tmp_path / name}" for name in ("many", "two")]
        if request.param == "postgres":
            urls = [stack.enter_context(fresh_database(demanded())).replace("postgresql:", "postgresql+psycopg:") for _ in urls]
        many, two = (Ground(url, tmp_path) for url in urls)
        for ground, count in ((many, CASES[request.param] + 1), (two, 2)):
            await prepared(ground, count)
        yield many, two
        for ground in (many, two):
            await ground.close()


async def prepared(ground: Ground, count: int) -> None:
    """Keeps the house as it is at each of the three times."""
    await ground.furnish(count)
    ground.keep(BEFORE)
    for told in ground.told:
        await ground.sign(told.id, PEOPLE[1])
    ground.keep(BETWEEN)
    for _ in range(20):
        if ground.over():
            break
        await ground.work(still=100 * STILL)  # to its end, however busy the machine is
    assert ground.over(), "left alone, all of them go out"
    ground.keep(AFTER)


def sample() -> list[Attack]:
    """Each way to each column once, with one value or another: on Postgres, where all of them at all times would take too long."""
    ways: dict[tuple[str, str, str], list[Attack]] = {}
    for attack in ATTACKS:
        ways.setdefault((attack.table, attack.column, attack.how), []).append(attack)
    return [alike[number % len(alike)] for number, alike in enumerate(ways.values())]


def bears(ground: Ground, stage: str, attack: Attack, told: Told) -> bool:
    """Whether an announcement has what is attacked; what is replayed, it need have at another time only."""
    return bool(ground.owned[stage, told.id][attack.table] or (attack.how == "replay" and ground.owned[AFTER, told.id][attack.table]))


def assigned(ground: Ground, stage: str, left: list[Attack]) -> dict[Told, Attack]:
    """As many of the attacks that are left as there are announcements to bear them; the last one is left alone."""
    free, found = dict.fromkeys(ground.told[:-1]), dict[Told, Attack]()
    for attack in list(left):
        victim = next((told for told in free if bears(ground, stage, attack, told)), None)
        if victim is not None:
            found[victim] = attack
            del free[victim]
            left.remove(attack)
    return found


def strike(ground: Ground, stage: str, tried: Mapping[Told, Attack]) -> None:
    """Attacks each victim, as it was at that time; its neighbour is what it is swapped with."""
    other_time = BETWEEN if stage == AFTER else AFTER
    with ground.raw() as query:
        for victim, attack in tried.items():
            bearers = [told for told in ground.told if bears(ground, stage, attack, told)] or [victim]
            other = bearers[(bearers.index(victim) + 1) % len(bearers)]
            rows, others = ground.rows(stage, attack.table, victim), ground.rows(stage, attack.table, other)
            try:
                attack.run(query, rows, others, ground.rows(other_time, attack.table, victim), FRESH)
            except (sqlite3.Error, psycopg.Error):  # the database itself refuses it
                ground.refused += 1


@pytest.mark.timeout(900)
async def test_nothing_unsigned_goes_out_whatever_is_written_where(grounds: tuple[Ground, Ground]) -> None:
    many, two = grounds
    columns = {(table.name, column.name) for table in metadata.sorted_tables for column in table.c}
    assert {(attack.table, attack.column) for attack in sample()} >= columns
    tried, every = 0, ATTACKS if many.ctx.database.sqlite else sample()
    for at, stage in enumerate(TIMES):
        left = [attack for number, attack in enumerate(every) if many.ctx.database.sqlite or number % len(TIMES) == at]
        bearers = {attack: sum(bears(many, stage, attack, told) for told in many.told) for attack in left}
        left = sorted((attack for attack in left if bearers[attack]), key=lambda attack: bearers[attack])
        while left:
            struck = assigned(many, stage, left)
            many.restore(stage)
            strike(many, stage, struck)
            await many.work(many.told if stage == BEFORE else ())
            assert await many.wrong() == [], (
                stage,
                {many.manifests[told.digest].incident.name: str(attack) for told, attack in struck.items()},
            )
            assert many.sent(many.told[-1]), (stage, "the one that was left alone")
            tried += len(struck)
    for attack in (attack for attack in every if not many.owns(BETWEEN, attack.table)):  # everybody's
        two.restore(BETWEEN)
        strike(two, BETWEEN, {two.told[0]: attack})
        await two.work()
        assert await two.wrong() == [], str(attack)
        tried += 1
    two.restore(AFTER)
    for attack in (attack for attack in every if attack.table in SHOWN):
        strike(two, AFTER, {two.told[0]: attack})
        assert await two.wrong() == [], str(attack)
        two.restore(AFTER, attack.table)
        tried += 1
    print(f"{tried} attacks, {many.refused + two.refused} of them refused by the database itself; 0 posts")
