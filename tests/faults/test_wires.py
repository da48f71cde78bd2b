"""Every adapter with every fault of the network between it and its platform: what became of the post is told truly, and it is there once.

The stand-ins' own faults are in `test_platforms.py`; these break the connection itself (`proxy.py`), which a platform cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.faults.harness import Town, judge, town, wait_for
from tests.faults.proxy import HARMLESS, REACHES_IT, Fault, Wire
from tests.faults.storm import ON_THE_WIRE, POSTS
from tests.faults.test_platforms import HAS_A_KEY, LOOKS, POINTERS, Played, announced
from tests.faults.world import wired_world

pytestmark = pytest.mark.timeout(300)  # real processes, and a machine that may be busy

Wired = tuple[Town, dict[str, Wire]]


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with wired_world() as (around, laid), town(tmp_path_factory.mktemp("wires"), stand_ins=around.addresses) as here:
        yield here, laid


@pytest.fixture(scope="module")
def broken(wired: Wired) -> dict[tuple[str, str], Played]:
    """All faults, on the primary and on all pointers, by fault and `primary` or `pointers`; they come to their ends side by side."""
    here, laid = wired
    started = {}
    for where in ("pointers", "primary"):
        for fault in ON_THE_WIRE:
            chosen = {"destinations": ["x"]} if where == "primary" else {}
            started[fault.name, where] = accepted = announced(here, f"{where}-{fault.name}", **chosen)
            here.await_mails(accepted["digest"])
            hit = {"x": 1} if where == "primary" else {platform: len(names) for platform, names in POINTERS.items()}
            _break(laid, fault, hit, f"{where}-{fault.name}")
            here.desk.approve_by_both(accepted["id"])
            wait_for(lambda: not any(wire.orders for wire in laid.values()) or None, 20, f"{fault.name} to meet {hit}")
    at_rest = {name: here.await_(accepted["id"]) for name, accepted in started.items()}
    state = here.stage.state()
    return {name: Played(f"{name[1]}-{name[0]}", shown, state) for name, shown in at_rest.items()}


def _break(laid: dict[str, Wire], fault: Fault, hit: dict[str, int], token: str) -> None:
    for platform, count in hit.items():
        # The team gets other mails as well; its own holds the token, and comes in one chunk.
        laid[platform].order(replace(fault, match=token.encode() if platform == "smtp" else POSTS[platform]), count)


CASES = [
    pytest.param(fault.name, "primary" if name == "x" else "pointers", name, id=f"{name}-{fault.name}")
    for fault in ON_THE_WIRE
    for name in ("x", "reddit", "telegram", "discord", "discord-webhook", "team")
]


@pytest.mark.parametrize(("fault", "where", "name"), CASES)
def test_what_the_network_lost_is_looked_for_else_a_person_is_asked(
    broken: dict[tuple[str, str], Played], fault: str, where: str, name: str
) -> None:
    played, there = broken[fault, where], int(fault in REACHES_IT)
    delivery = played.delivery(name)
    if fault in HARMLESS:
        assert delivery["state"] == "posted", delivery["problem"]
        assert played.attempts(name) == ["posted"]
        assert played.copies(name) == 1
    elif name in LOOKS | HAS_A_KEY:
        assert delivery["state"] == "posted", delivery["problem"]
        assert played.attempts(name) in (["posted"], ["not_sent", "posted"])  # seen there, or sent again: where not there, or by its key
        assert played.copies(name) == 1
    else:
        assert delivery["state"] == "unknown"
        assert played.copies(name) == there
        assert "Look at" in delivery["problem"]


def test_then_people_look_and_everything_ends_once(wired: Wired, broken: dict[tuple[str, str], Played]) -> None:
    here, _ = wired
    for (fault, where), played in broken.items():
        ended = here.play_people(played.shown)
        assert ended["state"] == "sent", (fault, where)
        verdict = judge(ended, here.stage.state(), played.token)
        assert verdict.good, (fault, where, verdict.wrong)
