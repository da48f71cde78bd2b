"""What the wording checks take, and how often they are right on texts that were made or written to mislead them.

`start` is a fresh process: the import of the checks with all their rules, and the first text. `warm` are all findings of a manifest with
a text of 1,000 characters and ten destinations, in a process that has looked at others before; the text is another one each time, so that
it is not remembered. Renderings are the real adapters' own, and are made before the clock starts. The clock counts the process's own CPU
time: the checks wait for nothing, so others at work change nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from adapters.contract import Role
from adapters.registry import load
from app.domain import findings, rendering
from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.domain.manifest import Manifest, Planned
from app.domain.wording import RULES, check
from tests.adapters.cases import CASES
from tests.bench.measures import spread
from tests.bench.page import table
from tests.browser import samples
from tests.wording import disguises
from tests.wording.stored import Names, incidents, notices

LENGTH = 1_000
MADE = 5_000
"""Generated texts of each sort."""

SEED = 2026
"""Another one than those of the tests."""

FACTS = Facts(
    "in_1",
    "Harbour Web taken over",
    "harbour-web",
    products=("Harbour Web", "Harbour Mobile"),
    affected_products=("Harbour Web",),
    own_domains=("harbour.example", "harbour.help"),
    affected_domains=("harbour.example",),
    safe_links=("https://status.harbour.help", "https://docs.harbour.help"),
    started="2026-11-24T07:00:00Z",
)
TEXT = """\
If you entered your recovery phrase on Harbour Web (harbour[.]example) after 07:{minute:02} UTC today, move your funds to a new wallet
now: https://docs.harbour.help/new-wallet-{number}
1. Install Harbour Mobile 4.2.{number} and create a new wallet in it.
2. Send everything from the old wallet to the new one, the largest amounts first.
3. Revoke the approvals of the old wallet, and do not use it again.
If you used only Harbour Mobile, or have not opened our website today, you are not affected and need not do anything.
Please stay away from the website until we say here that it is safe.
Nobody from our team will write to you first, call you, or ask for your recovery phrase; whoever does is a thief.
We have asked our registrar to lock the domain, and case {number} is open with them.
We post updates only on this account, the next one by 09:{minute:02} UTC. If you need help, write to help@harbour.help
or look at https://status.harbour.help, where the same steps stand in nine languages.
"""
ANSWERS = Answers(
    "Anyone who entered a recovery phrase on Harbour Web today", "Move your funds to a new wallet now", "There is nothing you need to do"
)
TEN = ("x", "telegram", "telegram", "discord", "discord", "discord_webhook", "reddit", "email", "banner", "discord_webhook")

_START = """
import json, sys, time
began = time.process_time()
from app.domain.announcement import Kind
from app.domain.incident import Facts
from app.domain.wording import check
loaded = time.process_time()
facts = Facts("", "", "", ("Harbour Web", "Harbour Mobile"), ("Harbour Web",), ("harbour.example",), (), ("https://docs.harbour.help",))
found = check(sys.argv[1], facts, Kind.INITIAL)
print(json.dumps([1000 * (loaded - began), 1000 * (time.process_time() - loaded)]))
"""


def measure(rounds: int = 200, starts: int = 15) -> dict[str, Any]:
    """All figures; milliseconds of CPU."""
    return {
        "rules": len(RULES),
        "characters": LENGTH,
        "destinations": len(TEN),
        "start": _start(starts),
        "warm_ms": spread(list(_warm(rounds)), 2),
        "right": _right(),
    }


def text(number: int) -> str:
    """The text of 1,000 characters; each number makes another one."""
    made = TEXT.format(number=number, minute=number % 60)
    return made[:LENGTH].ljust(LENGTH, ".")


def manifest(number: int) -> Manifest:
    """The announcement with ten destinations, as the real adapters render it; the team's room has a text of its own."""
    words = text(number)
    planned = []
    for place, platform in enumerate(TEN):
        case = CASES[platform]
        adapter = load(platform)(case.config(case.home))
        role = Role.PRIMARY if platform == "x" else case.role if case.role is not Role.PRIMARY else Role.POINTER
        own = words if place < len(TEN) - 1 else words.replace("is a thief", "is a fraud")
        full, pointer = (
            adapter.render(
                rendering.message(
                    as_role,
                    Kind.INITIAL,
                    FACTS,
                    ANSWERS,
                    own if platform != "banner" else rendering.one_line(Kind.INITIAL, FACTS, ANSWERS),
                    drill=False,
                )
            )
            for as_role in (Role.PRIMARY, Role.POINTER)
        )
        carries = role is not Role.POINTER or platform == "telegram" or place == len(TEN) - 1
        planned.append(Planned(f"{platform}-{place}", platform, role, case.account, full if carries else None, pointer))
    return samples.manifest(incident=FACTS, text=words, answers=ANSWERS, destinations=tuple(planned))


def _start(times: int) -> dict[str, Any]:
    taken = [_fresh() for _ in range(times + 1)][1:]  # the first one may compile
    return {
        "import_ms": spread([one for one, _ in taken], 1),
        "first_text_ms": spread([two for _, two in taken], 1),
        "both_ms": spread([sum(both) for both in taken], 1),
    }


def _fresh() -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", _START, text(1)], capture_output=True, text=True, check=True)
    loaded, looked = json.loads(done.stdout)
    return loaded, looked


def _warm(rounds: int) -> Iterator[float]:
    for number in range(rounds + 5):
        made = manifest(number)
        began = time.process_time()
        findings.of_manifest(made)
        if number >= 5:
            yield 1000 * (time.process_time() - began)


def _right() -> dict[str, Any]:
    """How often the rules are right. Precision counts what is found among as many disguises as innocent texts."""
    made = {
        "disguises": disguises.disguises(MADE, SEED),
        "impostors": disguises.impostors(MADE // 5, SEED),
        "innocents": disguises.innocents(MADE, SEED),
    }
    found = {sort: sum(_is_found(one) for one in texts) for sort, texts in made.items()}
    wrong = [case.id for case in notices() if any(f.severity == "block" for f in check(case.text, case.known, case.kind))]
    names = Names("Marrowgate", "marrowgate.io", "login.marrowgate-web.com")
    spoken = [names.fill(f"{one.who} {one.act} {one.others} {one.next}") for one in incidents()]
    return {
        "disguises": {"of": MADE, "found": found["disguises"], "recall": round(found["disguises"] / MADE, 4)},
        "impostors": {"of": MADE // 5, "found": found["impostors"], "recall": round(found["impostors"] / (MADE // 5), 4)},
        "innocents": {
            "of": MADE,
            "found": found["innocents"],
            "precision": round(found["disguises"] / (found["disguises"] + found["innocents"]), 4),
        },
        "notices": {"of": len(notices()), "blocked": len(wrong)},
        "incidents": {
            "of": len(spoken),
            "blocked": sum(any(f.severity == "block" for f in check(one, names.known(), Kind.INITIAL)) for one in spoken),
        },
    }


def _is_found(one: str) -> bool:
    return any(
        f.rule.endswith(("-affected", "-domain", "-link", "-allowed")) and f.severity == "block" for f in check(one, disguises.KNOWN)
    )


def lines(figures: dict[str, Any]) -> list[str]:
    """As tables."""
    start, right = figures["start"], figures["right"]
    times = {"start: the import": start["import_ms"], "start: the first text": start["first_text_ms"], "start: both": start["both_ms"]}
    times[f"warm: the text and {figures['destinations']} destinations"] = figures["warm_ms"]
    rows = [[name, *(f"{one[key]}" for key in ("median", "p95", "max"))] for name, one in times.items()]
    rates = [
        ["disguises of an affected domain, found", str(right["disguises"]["of"]), f"{right['disguises']['recall']:.2%}"],
        ["impostors of an own domain, found", str(right["impostors"]["of"]), f"{right['impostors']['recall']:.2%}"],
        ["innocent texts, precision", str(right["innocents"]["of"]), f"{right['innocents']['precision']:.2%}"],
        ["good notices in five languages, blocked", str(right["notices"]["of"]), str(right["notices"]["blocked"])],
        ["good first messages in other words, blocked", str(right["incidents"]["of"]), str(right["incidents"]["blocked"])],
    ]
    head = f"all {figures['rules']} rules, {figures['characters']:,} characters, CPU ms"
    return [*table((head, "median", "p95", "max"), rows), "", *table(("what", "texts", "rate"), rates)]
