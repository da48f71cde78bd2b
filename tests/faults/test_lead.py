"""Who leads: the primary, else a fallback. Every test ends by counting full posts and asking where the pointers point.

`here` is the primary; `next` and `last` are pointers that may lead after it, in that order; `there` is a plain pointer.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from adapters.contract import NeedsOperator, NotSent, Part, Reconcile, Rejected, Rendering, Role
from app.domain.manifest import digest
from app.services import act, exclude
from app.store.tables import deliveries, notices, revisions, timeline
from app.workflows import deliver, unknown
from tests.faults.scripted import SITE, Answer, Desk, Frozen, Late, Scripted, furnished, kill, trust, until

FULL = "Move your funds."
BROKEN = NeedsOperator("Keys revoked.")
BUSY = NotSent("Busy.", 600)

Furnish = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def furnish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Furnish]:
    """A desk with a primary and its fallbacks; answers by destination. All know each other by numbers of their own."""
    opened: list[Desk] = []
    monkeypatch.setattr(unknown, "LATEST_ANSWER", timedelta(seconds=1))
    monkeypatch.setattr(deliver, "SHORTEST_BACK_OFF", 0.02)

    async def make(*, fallbacks: tuple[str, ...] = ("next",), within: int = 60, parts: tuple[str, ...] = (FULL,), **answers: Any) -> Desk:
        reconcile = answers.pop("reconcile", Reconcile.LOOKUP)
        others = [(id_, Scripted(answers.get(id_, [])), Role.POINTER) for id_ in (*fallbacks, "there")]
        here = Scripted(answers.get("here", []), reconcile)
        for number, platform in enumerate([here, *(adapter for _, adapter, _ in others)]):
            platform.numbers = iter(range(100 * (number + 1), 100 * (number + 1) + 99))
        opened.append(await furnished(tmp_path, here, others=others, fallbacks=fallbacks, fallback_after=within, parts=parts))
        trust(opened[0], monkeypatch)
        return opened[0]

    yield make
    for desk in opened:
        await desk.close()


def platform(desk: Desk, destination: str) -> Scripted:
    adapter = desk.ctx.destinations[destination].adapter
    assert isinstance(adapter, Scripted)
    return adapter


def said(desk: Desk) -> dict[str, list[str]]:
    """Every post, by destination."""
    return {id_: [post.text for post in platform(desk, id_).posts] for id_ in desk.ctx.destinations}


def post(desk: Desk, destination: str) -> str:
    """The permalink of its first post."""
    return SITE + platform(desk, destination).posts[0].id


async def facts(desk: Desk, event: str) -> list[dict[str, Any]]:
    async with desk.ctx.database.read() as tx:
        query = select(timeline.c.data).where(timeline.c.event == event).order_by(timeline.c.seq)
        return [json.loads(data) for data in (await tx.scalars(query)).all()]


async def leads(desk: Desk) -> str:
    return (await desk.announcement()).leads


# It refuses for certain


@pytest.mark.parametrize("answer", [BROKEN, Rejected("Too rude.")])
async def test_a_primary_that_refuses_is_followed_at_once(furnish: Furnish, answer: Exception) -> None:
    desk = await furnish(here=[answer])
    begin = asyncio.get_running_loop().time()
    assert await desk.run() == "incomplete", "the primary wants a person still"
    assert asyncio.get_running_loop().time() - begin < 5
    assert said(desk) == {"here": [], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}
    assert await leads(desk) == "next"
    assert (await desk.row("next")).role == "primary"
    told = await facts(desk, "fallback-leads")
    assert [(t["from"], t["to"], t["why"]) for t in told] == [("here", "next", str(answer))]
    # A retry makes the old primary a pointer to the one that leads.
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    assert await desk.run() == "sent"
    assert said(desk)["here"] == [f"here: {post(desk, 'next')}"]
    assert (await desk.row()).role == "pointer"
    assert len(platform(desk, "next").posts) == 1


async def test_two_fallbacks_and_the_first_fails_too(furnish: Furnish) -> None:
    desk = await furnish(fallbacks=("next", "last"), here=[BROKEN], next=[BROKEN])
    assert await desk.run() == "incomplete"
    assert said(desk) == {"here": [], "next": [], "last": ["last"], "there": [f"there: {post(desk, 'last')}"]}
    for id_ in ("de_0", "de_1"):
        await act.retry(desk.ctx, id_, "ops", looked=False)
    assert await desk.run() == "sent"
    assert said(desk)["here"] == [f"here: {post(desk, 'last')}"]
    assert said(desk)["next"] == [f"next: {post(desk, 'last')}"]


async def test_a_fallback_that_does_not_lead_points(furnish: Furnish) -> None:
    desk = await furnish(fallbacks=("next", "last"), here=[BROKEN])
    await desk.run()
    assert said(desk)["last"] == [f"last: {post(desk, 'next')}"]


@pytest.mark.parametrize("which", ["here", "next"])
async def test_where_none_is_left_pointers_stay_and_a_persons_retry_makes_it_lead(furnish: Furnish, which: str) -> None:
    desk = await furnish(here=[BROKEN], next=[BROKEN])
    assert await desk.run() == "incomplete"
    assert await desk.states() == {"here": "failed", "next": "failed", "there": "planned"}
    await act.retry(desk.ctx, (await desk.row(which)).id, "ops", looked=False)
    assert await leads(desk) == which
    assert await desk.run() == "incomplete"
    assert said(desk)["there"] == [f"there: {post(desk, which)}"]
    assert (await desk.states())[which] == "posted"


@pytest.mark.parametrize("how", ["skip", "exclude"])
async def test_a_primary_that_is_left_out_is_followed(furnish: Furnish, how: str) -> None:
    desk = await furnish(here=[BUSY])
    running = desk.begin()
    await until(lambda: platform(desk, "here").requests)
    await desk.await_state("planned")
    await (act.skip(desk.ctx, "de_0", "ops") if how == "skip" else exclude.exclude(desk.ctx, "here", "It is hacked.", "ops"))
    assert await asyncio.wait_for(running, 5) == "sent"
    assert await desk.states() == {"here": "skipped", "next": "posted", "there": "posted"}
    assert said(desk)["there"] == [f"there: {post(desk, 'next')}"]


async def test_one_that_was_excluded_before_never_leads(furnish: Furnish) -> None:
    desk = await furnish(fallbacks=("next", "last"), here=[BROKEN])
    await exclude.exclude(desk.ctx, "next", "It is hacked.", "ops")
    await desk.run()
    assert said(desk) == {"here": [], "next": [], "last": ["last"], "there": [f"there: {post(desk, 'last')}"]}


# It is not posted in time


@pytest.mark.parametrize("answer", [BUSY, "hang", "lost"])
async def test_at_the_limit_the_next_leads(furnish: Furnish, answer: Answer) -> None:
    """Asked to wait, hanging, or unknown where nobody can look: the pointers wait for none of these."""
    desk = await furnish(within=1, here=[answer], reconcile=Reconcile.NOBODY)
    begin = asyncio.get_running_loop().time()
    desk.begin()
    await desk.await_state("posted", "there")
    assert 0.9 < asyncio.get_running_loop().time() - begin < 4
    assert said(desk) == {"here": [], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}
    assert len(platform(desk, "here").requests) == 1
    await kill(desk)


async def test_a_primary_that_answers_within_the_limit_leads(furnish: Furnish) -> None:
    desk = await furnish(within=3, here=[NotSent("Busy.", 1)])
    assert await desk.run() == "sent"
    assert said(desk) == {"here": [FULL], "next": [f"next: {post(desk, 'here')}"], "there": [f"there: {post(desk, 'here')}"]}
    assert await facts(desk, "fallback-leads") == []


async def test_who_leads_does_not_wait_for_who_led(furnish: Furnish) -> None:
    """The rest of its thread, and the other fallbacks, go while the old primary is asked to wait for ten minutes."""
    desk = await furnish(fallbacks=("next", "last"), within=1, here=[BUSY])
    running = desk.begin()
    for destination in ("next", "last", "there"):
        await desk.await_state("posted", destination)
    await desk.await_state("seen", "next")
    assert said(desk)["last"] == [f"last: {post(desk, 'next')}"]
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    assert await asyncio.wait_for(running, 5) == "sent"
    assert said(desk)["here"] == [f"here: {post(desk, 'next')}"]


async def test_a_primary_unknown_to_everybody_is_not_sent_again(furnish: Furnish) -> None:
    desk = await furnish(within=1, here=["posted, then lost"], reconcile=Reconcile.NOBODY)
    assert await desk.run() == "incomplete"
    assert (await desk.row()).state == "unknown"
    assert await (await desk.new_process()).run() == "elsewhere"
    await desk.change_announcement(state="sending", worker="")
    assert await (await desk.new_process()).run() == "incomplete"
    assert len(platform(desk, "here").requests) == 1
    assert said(desk)["there"] == [f"there: {post(desk, 'next')}"]


async def test_a_person_who_looked_within_the_limit_has_it_tried_again(furnish: Furnish) -> None:
    desk = await furnish(within=30, here=["lost"], reconcile=Reconcile.NOBODY)
    running = desk.begin()
    await desk.await_state("unknown")
    await act.retry(desk.ctx, "de_0", "ops", looked=True)
    assert await asyncio.wait_for(running, 5) == "sent"
    assert said(desk) == {"here": [FULL], "next": [f"next: {post(desk, 'here')}"], "there": [f"there: {post(desk, 'here')}"]}


async def test_a_person_who_marks_it_within_the_limit_makes_it_lead(furnish: Furnish) -> None:
    desk = await furnish(within=30, here=["posted, then lost"], reconcile=Reconcile.NOBODY)
    running = desk.begin()
    await desk.await_state("unknown")
    await act.mark(desk.ctx, "de_0", post(desk, "here"), "ops")
    assert await asyncio.wait_for(running, 5) == "sent"
    assert said(desk)["there"] == [f"there: {post(desk, 'here')}"]
    assert said(desk)["next"] == [f"next: {post(desk, 'here')}"]


async def test_a_persons_retry_while_a_fallback_is_tried_makes_the_primary_lead(furnish: Furnish) -> None:
    """The fallback is asked to wait for ten minutes; the primary's keys are mended meanwhile."""
    desk = await furnish(here=[BROKEN], next=[BUSY])
    running = desk.begin()
    await until(lambda: platform(desk, "next").requests)
    await desk.await_state("planned", "next")
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    await desk.await_state("posted", "there")
    assert await leads(desk) == "here"
    await act.retry(desk.ctx, "de_1", "ops", looked=False)
    assert await asyncio.wait_for(running, 5) == "sent"
    assert said(desk) == {"here": [FULL], "next": [f"next: {post(desk, 'here')}"], "there": [f"there: {post(desk, 'here')}"]}


async def test_a_persons_retry_while_a_fallback_is_being_posted_makes_the_primary_a_pointer_at_once(furnish: Furnish) -> None:
    desk = await furnish(here=[BROKEN], next=[Frozen("ok")])
    running = desk.begin()
    await until(lambda: platform(desk, "next").requests)
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    await asyncio.sleep(0.2)  # the broadcast has heard of it
    platform(desk, "next").thaw.set()
    assert await asyncio.wait_for(running, 5) == "sent", "and not in another run"
    assert said(desk) == {"here": [f"here: {post(desk, 'next')}"], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}


async def test_one_that_came_late_for_its_turn_and_is_made_to_lead_again_is_not_left_waiting(furnish: Furnish) -> None:
    """The old primary waits for somebody to point to, when a person says that it is to lead itself."""
    desk = await furnish(within=1, here=[NotSent("Busy.", 1.5)], next=[BUSY])
    desk.begin()
    await until(lambda: platform(desk, "next").requests)
    await desk.await_state("planned", "next")
    await asyncio.sleep(1)
    assert len(platform(desk, "here").requests) == 1, "another leads"
    await act.retry(desk.ctx, "de_0", "ops", looked=False)
    await desk.await_state("posted", "there")
    assert said(desk)["there"] == [f"there: {post(desk, 'here')}"]
    await kill(desk)


# It was posted after all


async def shows_it(desk: Desk) -> None:
    """Two full posts are out, and everybody is told; the pointers point to one of them alone."""
    row = await desk.row()
    assert (row.state, row.role) == ("posted", "primary")
    assert "posted after all" in row.problem
    assert "next" in row.problem
    assert len(await facts(desk, "posted-after-all")) == 1
    async with desk.ctx.database.read() as tx:
        assert await tx.scalar(select(notices.c.kind).where(notices.c.kind == "alarm").limit(1)) is None, "no reviewer is in this roster"
    assert said(desk) == {"here": [FULL], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}
    assert await leads(desk) == "next"


async def test_a_receipt_that_comes_when_another_leads_is_shown(furnish: Furnish) -> None:
    desk = await furnish(within=1, here=["at the gate"])
    running = desk.begin()
    await desk.await_state("posted", "there")
    platform(desk, "here").gate.set()
    assert await asyncio.wait_for(running, 5) == "sent"
    await shows_it(desk)


async def test_a_look_that_finds_it_when_another_leads_is_shown(furnish: Furnish) -> None:
    desk = await furnish(within=1, here=[Late(1.5)])
    platform(desk, "here").look_fails = 2
    assert await desk.run() == "sent"
    await shows_it(desk)


async def test_one_that_has_begun_its_thread_ends_it_when_another_leads(furnish: Furnish) -> None:
    desk = await furnish(within=1, here=[Late(1.5)], parts=("One of two.", "Two of two."))
    platform(desk, "here").look_fails = 2
    assert await asyncio.wait_for(desk.run(), 10) == "sent"
    assert said(desk)["here"] == ["One of two.", "Two of two."]
    assert said(desk)["there"] == [f"there: {post(desk, 'next')}"]
    assert [told["destination"] for told in await facts(desk, "posted-after-all")] == ["here"]
    assert "posted after all" in (await desk.row()).problem


async def test_a_receipt_that_comes_when_all_had_ended_lets_the_rest_go_out(furnish: Furnish) -> None:
    """The first worker sleeps in mid-call, the next can only ask a person; then the first wakes up."""
    parts = ("One of two.", "Two of two.")
    desk = await furnish(here=[Frozen("ok")], reconcile=Reconcile.NOBODY, fallbacks=(), parts=parts)
    first = desk.begin()
    await until(lambda: platform(desk, "here").requests)
    second = await desk.new_process()  # it takes the first for dead
    assert await second.run() == "incomplete"
    platform(desk, "here").thaw.set()
    assert await asyncio.wait_for(first, 5) != "sent", "it is another's"
    await until_state(desk, "sending")
    assert await asyncio.wait_for(second.run(), 5) == "sent"
    assert said(desk) == {"here": list(parts), "there": [f"there: {post(desk, 'here')}"]}


async def until_state(desk: Desk, state: str) -> None:
    async with asyncio.timeout(5):
        while (await desk.announcement()).state != state:  # noqa: ASYNC110 - nobody is signalled
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
async def test_posted_in_the_very_moment_of_the_promotion(furnish: Furnish, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Whoever wins, one of them is what all point to, here and in the next process."""
    desk = await furnish(within=1, here=["at the gate"], there=[NotSent("Busy.", 1)])
    write, gate = desk.ctx.database.commit_each, platform(desk, "here").gate

    async def commit(bulk: Any, item: Any, *, about: str) -> Any:
        promotes = getattr(item, "__qualname__", "").startswith("Lead._follow")
        if promotes and moment != "after":
            gate.set()
            await asyncio.sleep(0.2 if moment == "before" else 0)
        result = await write(bulk, item, about=about)
        if promotes and moment == "after":
            gate.set()
            await asyncio.sleep(0.2)
        return result

    monkeypatch.setattr(desk.ctx.database, "commit_each", commit)
    desk.begin()
    await until(lambda: platform(desk, "there").requests)
    who = await leads(desk) or "here"
    assert await (await kill(desk)).run() == "sent"
    assert said(desk)["there"] == [f"there: {post(desk, who)}"]
    assert {text for _, text in platform(desk, "there").requests} == {f"there: {post(desk, who)}"}
    assert said(desk)["here"] == [FULL]
    assert said(desk)["next"] == ([f"next: {post(desk, 'here')}"] if who == "here" else ["next"])
    assert len(await facts(desk, "posted-after-all")) == (who == "next")


async def test_one_that_had_posted_leads_again_where_the_next_fails(furnish: Furnish) -> None:
    desk = await furnish(within=1, here=["at the gate"], next=[Frozen(BROKEN)])
    running = desk.begin()
    await until(lambda: platform(desk, "next").requests)
    platform(desk, "here").gate.set()
    await desk.await_state("posted")
    platform(desk, "next").thaw.set()
    assert await asyncio.wait_for(running, 5) == "incomplete"
    assert said(desk) == {"here": [FULL], "next": [], "there": [f"there: {post(desk, 'here')}"]}
    assert await leads(desk) == "here"
    assert "stays the reference" not in (await desk.row()).problem


# A crash at any point between


async def test_the_time_that_passed_counts_over_a_crash(furnish: Furnish) -> None:
    desk = await furnish(within=60, here=[BUSY])
    desk.begin()
    await until(lambda: platform(desk, "here").requests)
    await desk.await_state("planned")
    second = await kill(desk)
    await second.time_passes(timedelta(seconds=58))
    begin = asyncio.get_running_loop().time()
    second.begin()
    await second.await_state("posted", "there")
    assert 1 < asyncio.get_running_loop().time() - begin < 5
    assert said(desk) == {"here": [], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}
    await kill(second)


async def test_one_whose_time_is_over_is_not_tried_beside_the_next(furnish: Furnish) -> None:
    desk = await furnish(within=60, here=[BUSY])
    desk.begin()
    await desk.await_state("planned")
    await until(lambda: platform(desk, "here").requests)
    second = await kill(desk)
    await second.time_passes(timedelta(seconds=61))
    async with second.ctx.database.write() as tx:
        await tx.exec_driver_sql("DELETE FROM budgets")
    assert await second.run() == "sent"
    assert said(desk) == {"here": [f"here: {post(desk, 'next')}"], "next": ["next"], "there": [f"there: {post(desk, 'next')}"]}


@pytest.mark.parametrize("posted", [True, False])
async def test_a_crash_after_the_promotion_goes_on_with_who_leads(furnish: Furnish, posted: bool) -> None:
    """Both calls were under way: whichever is found leads, and one that is certainly not there follows it."""
    desk = await furnish(within=1, here=["posted, then hang" if posted else "hang"], next=["hang"])
    desk.begin()
    await until(lambda: platform(desk, "next").requests)
    second = await kill(desk)
    assert await second.run() == "sent"
    who, other = ("here", "next") if posted else ("next", "here")
    assert said(desk)[who] == [FULL if posted else "next"]
    assert said(desk)[other] == [f"{other}: {post(desk, who)}"], "it is not there, so it follows"
    assert said(desk)["there"] == [f"there: {post(desk, who)}"]
    assert await leads(second) == who
    assert "stays the reference" not in (await second.row(who)).problem


@pytest.mark.parametrize("seed", range(12))
async def test_killed_at_any_moment(furnish: Furnish, seed: int) -> None:
    """Each full text at most once, all pointers to one reference, and nothing is lost, wherever the process dies, several times."""
    chance = random.Random(seed)
    script: list[Answer] = [chance.choice(["ok", "lost", "posted, then lost", BROKEN, NotSent("Busy.", 0.3), "posted, then hang"])]
    desk = await furnish(fallbacks=("next", "last"), within=1, here=script, next=[chance.choice([BROKEN, "ok", "posted, then lost"])])
    present = desk
    for _ in range(chance.randint(1, 4)):
        present.begin()
        await asyncio.sleep(chance.random() * 0.3)
        present = await kill(present)
    async with asyncio.timeout(60):
        while (ended := await present.run()) == "unfinished":
            pass
    assert ended in {"sent", "incomplete", "elsewhere"}
    who = await leads(desk) or "here"
    for id_, texts in said(desk).items():
        full = FULL if id_ == "here" else id_
        assert texts.count(full) <= 1
        assert set(texts) <= {full, f"{id_}: {post(desk, who)}"}
        assert len(texts) <= 1, "one post a destination"
    assert said(desk)["there"] == [f"there: {post(desk, who)}"]
    assert all(state in {"posted", "failed"} for state in (await desk.states()).values())


# The link in the thread


async def test_the_link_in_the_primarys_own_thread_is_not_taken_for_who_leads(furnish: Furnish) -> None:
    """A summary is a new post on the primary, and a pointer on the same destination links it; that one can never lead."""
    desk = await furnish(here=[BROKEN])
    first = desk.approved.manifest.destinations[0]
    link = replace(first, role=Role.POINTER, full=None, pointer=Rendering((Part("In the thread: {{permalink}}"),)))
    desk = await with_one_more(desk, replace(first, pointer=None), link)
    assert await desk.run() == "incomplete"
    by_role = {(row.destination, row.role): row for row in await desk.rows()}
    assert by_role["here", "primary"].state == "failed"
    assert by_role["next", "primary"].state == "posted"
    assert said(desk)["there"] == [f"there: {post(desk, 'next')}"]
    assert by_role["here", "pointer"].state == "failed", "its destination is paused, so it is not asked again"
    for row in (by_role["here", "pointer"], by_role["here", "primary"]):
        await act.retry(desk.ctx, row.id, "ops", looked=False)
    assert await desk.run() == "incomplete"
    assert said(desk)["here"] == [f"In the thread: {post(desk, 'next')}"]
    primary = next(row for row in await desk.rows() if (row.destination, row.role) == ("here", "primary"))
    assert (primary.state, "no pointer was approved" in primary.problem) == ("failed", True)


async def with_one_more(desk: Desk, first: Any, link: Any) -> Desk:
    """The same announcement with the first destination changed and one more."""
    old = desk.approved.manifest
    manifest = replace(old, destinations=(first, *old.destinations[1:], link))
    fingerprint = digest(manifest.to_bytes())
    async with desk.ctx.database.write() as tx:
        row = dict((await tx.execute(select(revisions))).mappings().one())
        await tx.execute(revisions.insert().values(row | {"digest": fingerprint, "revision": 2, "manifest": manifest.to_bytes().decode()}))
        await tx.execute(deliveries.update().values(digest=fingerprint))
        last = dict((await tx.execute(select(deliveries).where(deliveries.c.id == "de_0"))).mappings().one())
        more = {"id": "de_9", "position": len(old.destinations), "role": "pointer", "digest": fingerprint}
        await tx.execute(deliveries.insert().values(last | more))
    await desk.change_announcement(digest=fingerprint)
    desk.approved = desk.signed[fingerprint] = replace(desk.approved, manifest=manifest, digest=fingerprint)
    return desk
