"""Loss of power at any moment of a broadcast: `python -m tests.faults.power --moments 100 --seed 1`. Prints one JSON object.

One broadcast is recorded, from before its submission (`tracer.py`). For each moment the data folder is made what the disk may hold then
(`disk.py`), the stand-ins are turned back to what had been sent by then (`world.py`), and a server is started on that. It does what it can,
people sign again what was never acknowledged, and it is judged: each post once, none lost, and nothing acknowledged forgotten.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import disk
from tests.faults.campaign import Campaign, slowly
from tests.faults.disk import Unsynced
from tests.faults.harness import Town, Verdict, at_rest, judge, town, wait_for
from tests.faults.tracer import Call
from tests.faults.tracing import data, kind, tracing
from tests.faults.world import Asked, World, world

TOKEN = "power"
REVIEWERS = ("first-reviewer", "second-reviewer")
PLATFORMS = ("x", "reddit", "telegram", "discord", "smtp")


@dataclass(slots=True)
class Recording:
    """A broadcast: the files before it, every call, and when (Unix seconds) each of its requests was acknowledged."""

    here: Town
    world: World
    announcement: str = ""
    before: dict[str, bytes] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.here.folder / "data"

    def was_acknowledged(self, what: str, moment: int) -> bool:
        """Whether its caller had the answer before that many calls were made."""
        return moment > 0 and self.calls[moment - 1].at >= self.acknowledged[what]

    def asked(self, moment: int) -> dict[str, Asked]:
        """The requests that had been sent whole after that many calls, by platform."""
        ports = {self.world.port(platform): platform for platform in PLATFORMS}
        found: dict[str, Asked] = {platform: Counter() for platform in PLATFORMS}
        streams: dict[int, bytes] = {}
        for call in self.calls[:moment]:
            if platform := ports.get(call.port):
                stream = streams.get(call.socket, b"") + data(call)
                requests, streams[call.socket] = _mails(stream) if platform == "smtp" else _requests(stream)
                found[platform].update(requests)
        return found


def _requests(stream: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """The whole HTTP requests at the beginning of a stream, and what is left of it."""
    found = []
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", stream[:end])
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(stream) < whole:
            break
        method, path, _ = stream.split(b" ", 2)
        found.append((method.decode(), path.decode()))
        stream = stream[whole:]
    return found, stream


def _mails(stream: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """The same of mails, by sender."""
    found = []
    while (end := stream.find(b"\r\n.\r\n")) >= 0:
        sender = re.search(rb"MAIL FROM:<([^>]*)>", stream[:end])
        assert sender is not None
        found.append(("MAIL", sender[1].decode()))
        stream = stream[end + 5 :]
    return found, stream


@contextmanager
def recording(folder: Path) -> Iterator[Recording]:
    """Records one broadcast; the town stays, its server does not."""
    with world() as around, town(folder, stand_ins=around.addresses) as here:
        made = Recording(here, around)
        slowly(here)
        made.before = disk.read(made.folder)
        with tracing(here) as trace:
            accepted = here.announce(TOKEN)
            made.announcement = accepted["id"]
            made.acknowledged["announcement"] = time.time()
            for person in REVIEWERS:
                assert here.desk.decide(made.announcement, person).status_code == 200
                made.acknowledged[person] = time.time()
            wait_for(lambda: at_rest(here.desk.read(made.announcement)) or None, 60, TOKEN, every=0.5)
        made.calls = trace.calls
        here.kill()
        around.keep()
        yield made


def lose_power(made: Recording, moment: int, unsynced: Unsynced, seed: int) -> Verdict:
    """Power goes after that many calls; the verdict once the next process, and people, have done what they can."""
    here = made.here
    files = disk.after_power_loss(made.before, made.folder, made.calls[:moment], unsynced, seed)
    shutil.rmtree(made.folder)
    made.folder.mkdir(mode=0o700)
    for path, content in files.items():
        Path(path).write_bytes(content)
    made.world.turn_back(made.asked(moment))
    here.start()
    try:
        return _recovered(made, moment)
    finally:
        here.kill()


def _recovered(made: Recording, moment: int) -> Verdict:
    here, wrong = made.here, []
    shown = here.desk.read(made.announcement)
    if "state" not in shown:
        if made.was_acknowledged("announcement", moment):
            wrong.append("the announcement was acknowledged, and is forgotten")
        if any(TOKEN in post["text"] for platform in PLATFORMS[:-1] for post in here.stage.state()[platform]):
            wrong.append("it is forgotten, and there are posts of it")
        return Verdict(wrong=wrong)
    there = {approval["person"] for approval in shown["approvals"]}
    for person in REVIEWERS:
        if person not in there:
            if made.was_acknowledged(person, moment):
                wrong.append(f"the approval of {person} was acknowledged, and is forgotten")
            here.desk.decide(made.announcement, person)
    shown = here.await_(made.announcement)
    verdict = judge(shown, here.stage.state(), TOKEN)
    if verdict.good:
        ended = here.play_people(shown)
        verdict.wrong += judge(ended, here.stage.state(), TOKEN).wrong + ([] if ended["state"] == "sent" else ["it did not end"])
    verdict.wrong += wrong
    return verdict


def moments(calls: Sequence[Call], count: int, seed: int) -> list[tuple[int, Unsynced]]:
    """That many moments: just before and after syncs and sends for two of three, anywhere for the rest; each kind of loss in turn."""
    chance = random.Random(seed)
    edges = sorted({n + after for n, call in enumerate(calls) for after in (0, 1) if kind(call) != "write"})
    chosen = [chance.randint(0, len(calls)) if n % 3 == 2 else chance.choice(edges) for n in range(count)]
    return list(zip(chosen, itertools.cycle(Unsynced), strict=False))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.power", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    campaign = Campaign()
    with tempfile.TemporaryDirectory(prefix="tocsin-power-") as folder, recording(Path(folder)) as made:
        for number, (moment, unsynced) in enumerate(moments(made.calls, asked.moments, asked.seed), 1):
            verdict = lose_power(made, moment, unsynced, asked.seed + number)
            campaign.add(verdict, None)
            told = "; ".join(verdict.wrong) or f"good, {verdict.posted} posted, {verdict.undecided} undecided"
            print(f"{number}: after {moment} of {len(made.calls)} calls, unsynced: {unsynced}: {told}", file=sys.stderr, flush=True)
    print(json.dumps({"calls": len(made.calls)} | campaign.told(), indent=2))
    return 0 if campaign.verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
