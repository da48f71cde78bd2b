"""While the primary is asked, the pointers' connections are opened; whether that works or not, each post goes out once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.contract import Reconcile, Role
from app.workflows import crew, unknown
from tests.bench.houses import wide
from tests.faults.harness import wait_for
from tests.faults.scripted import SITE, Desk, Frozen, Scripted, furnished, kill, trust, until

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Furnish]:
    opened: list[Desk] = []
    monkeypatch.setattr(unknown, "LATEST_ANSWER", timedelta(seconds=1))

    async def make(platform: Scripted, **more: Any) -> Desk:
        opened.append(await furnished(tmp_path, platform, **more))
        trust(opened[0], monkeypatch)
        return opened[0]

    yield make
    for desk in opened:
        await desk.close()


def test_the_pointers_connections_are_open_before_the_primary_has_answered_and_their_posts_use_them(tmp_path: Path) -> None:
    with wide(tmp_path, 12, latency=1.0) as here:
        accepted = here.announce("ahead")
        signature = here.second_signature(accepted["id"])
        here.far.quiet()
        here.far.ask("forget")
        sent = signature()
        before = wait_for(lambda: (told := here.far.ask("counts"))["connections"] >= 12 and told, 5, "12 connections")
        assert before["post"] == before["check"] == before["read"] == 0, "nothing is sent over them before the primary has posted"
        sent.join()
        here.await_end(accepted["id"])
        posts = here.far.ask("record")["asked"]["post"]
        assert sorted(post[0] for post in posts) == list(range(12))
        first_part = min(entry["at"] for entry in here.stage.state()["log"]["x"] if entry["method"] == "POST")
        assert min(came for _, came, _ in posts) > first_part + 1.0


async def test_who_does_not_lead_is_connected_to_once_while_the_primary_is_asked(furnish: Furnish) -> None:
    here, there = Scripted([Frozen("ok")]), Scripted()
    desk = await furnish(here, others=[("there", there, Role.POINTER)])
    running = desk.begin()
    await until(lambda: there.connects == 1)
    assert here.connects == 0, "it has its request under way"
    assert not there.requests
    here.thaw.set()
    assert await running == "sent"
    assert there.connects == 1
    assert there.posts[0].text == f"there: {SITE}{here.posts[0].id}"


async def test_a_connection_that_never_comes_about_holds_up_nobody(furnish: Furnish) -> None:
    pointers = [Scripted(never_connects=True) for _ in range(40)]
    desk = await furnish(Scripted(), others=[(f"there-{number}", one, Role.POINTER) for number, one in enumerate(pointers)])
    assert await desk.run() == "sent"
    assert [len(one.posts) for one in pointers] == [1] * 40


async def test_nothing_is_opened_where_nobody_waits(furnish: Furnish) -> None:
    """What is left after the primary has posted goes at once."""
    there = Scripted(["hang"])
    desk = await furnish(Scripted(), others=[("there", there, Role.POINTER)])
    desk.begin()
    await until(lambda: len(there.requests) == 1)
    connected = there.connects
    next_desk = await kill(desk)
    assert await next_desk.run() == "sent"
    assert there.connects == connected
    assert len(there.posts) == 1


async def test_who_is_not_as_approved_and_who_came_before_the_primary_are_connected_to_by_nobody(furnish: Furnish) -> None:
    partner, moved, wrong = Scripted(["lost"], Reconcile.NOBODY), Scripted(), Scripted()
    here = Scripted([Frozen("ok")])
    roles = [
        ("partner", partner, Role.PARTNER),
        ("moved", moved, Role.POINTER),
        ("wrong", wrong, Role.POINTER),
        ("there", Scripted(), Role.POINTER),
    ]
    desk = await furnish(here, others=roles)
    places = dict(desk.ctx.destinations)
    places["moved"] = replace(places["moved"], account="account-2")
    desk.ctx.destinations, desk.ctx.wrong_accounts = places, {"wrong": "It is another's."}
    desk.begin()
    await until(lambda: roles[-1][1].connects)
    assert [partner.connects, moved.connects, wrong.connects] == [0, 0, 0]
    here.thaw.set()
    await desk.await_state("posted", "there")
    assert not moved.posts
    assert not wrong.posts


async def test_an_adapter_that_breaks_while_connecting_is_logged_and_posts_all_the_same(furnish: Furnish) -> None:
    class Broken(Scripted):
        async def connect(self) -> None:
            raise RuntimeError("no way out")

    here, there = Scripted([Frozen("ok")]), Broken()
    desk = await furnish(here, others=[("there", there, Role.POINTER)])
    with capture_logs() as log:
        running = desk.begin()
        await until(lambda: "not-connected" in [entry["event"] for entry in log])
        here.thaw.set()
        assert await running == "sent"
    assert len(there.posts) == 1


async def test_what_can_wait_waits_while_posts_are_about_to_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HURRY", 0.2)
    here = crew.Crew()
    assert here.calm.is_set()
    here.hurry()
    await asyncio.sleep(0.15)
    here.hurry()
    await asyncio.sleep(0.1)
    assert not here.calm.is_set(), "it is counted anew from the second"
    await asyncio.wait_for(here.calm.wait(), 5)
    here.hurry()
    assert not here.calm.is_set()


async def test_a_house_that_is_in_a_hurry_all_the_time_gets_its_other_work_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HURRY", 0.1)
    monkeypatch.setattr(crew, "LONGEST_HURRY", 0.3)
    here, done = crew.Crew(), 0

    async def works() -> None:
        nonlocal done
        while True:
            await here.calm.wait()
            done += 1
            await asyncio.sleep(0.05)

    working = asyncio.ensure_future(works())
    for _ in range(40):
        here.hurry()
        await asyncio.sleep(0.02)
    working.cancel()
    assert done >= 2
