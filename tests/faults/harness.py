"""A town under fire: stand-ins in one process, the real server in another that can be killed and started again on the same folder.

People act through the API alone, and what happened is judged by the stand-ins' own record, never by what the server says of itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.rehearsal import play
from app.rehearsal.house import furnish
from app.rehearsal.play import ANNOUNCEMENT, FORUM_POST, Stage
from app.rehearsal.stand_ins import accounts
from tests.support.desk import JSON, Desk

T = TypeVar("T")

FINAL = {"posted", "skipped"}
WITH_PEOPLE = {"failed", "unknown", "by_hand"}
NOBODY_CAN_LOOK = {"telegram", "discord_webhook", "email", "manual"}
"""Platforms with neither a key nor a look-up (docs/adapters.md): only there may an outcome stay undecided."""

STAND_INS = {"discord_webhook": "discord", "email": "smtp"}


@dataclass(slots=True)
class Town:
    """The stage, the server's process in it, and those of its workers by their number."""

    stage: Stage
    serving: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    server: subprocess.Popen[str] | None = None
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        return Desk(self.stage)

    @property
    def folder(self) -> Path:
        return self.stage.house.folder

    def start(self) -> float:
        """Starts the server; returns when it was started (Unix seconds), once it answers."""
        at = time.time()
        self.server = self.serving.enter_context(play.serving(self.stage.house))
        return at

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends the server and waits until it is gone."""
        assert self.server is not None
        self.server.send_signal(how)
        self.server.wait(40)
        self.serving.close()

    def start_worker(self, number: int) -> None:
        """Starts that worker, where it does not run."""
        if number in self.workers and self.workers[number].poll() is None:
            return
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        with (self.folder / f"worker-{number}.log").open("a") as log:
            self.workers[number] = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "worker"], env=clean | self.stage.house.environ, stdin=subprocess.DEVNULL, stderr=log
            )

    def end(self) -> None:
        """Ends all its processes, also those that are halted."""
        everyone: list[subprocess.Popen[Any]] = [*self.workers.values(), *([self.server] if self.server else [])]
        for process in everyone:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for worker in self.workers.values():
            worker.wait(40)
        self.serving.close()

    def log(self) -> str:
        """What all its processes have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def order(self, platform: str, fault: str, **more: Any) -> None:
        """Orders a fault of a stand-in."""
        body = {"platform": platform, "fault": fault} | more
        httpx.post(f"{self.stage.stand_ins['main']}/faults", json=body, trust_env=False).raise_for_status()

    def clear(self) -> None:
        """Takes back all faults."""
        httpx.delete(f"{self.stage.stand_ins['main']}/faults", trust_env=False).raise_for_status()

    def announce(self, token: str, **changes: Any) -> dict[str, Any]:
        """Submits an announcement whose texts hold the token, so that its posts are known again anywhere."""
        incident = ANNOUNCEMENT["incident"] | {"name": f"Incident {token}"}
        text = "\n\n".join(f"{paragraph} ({token})" for paragraph in ANNOUNCEMENT["text"].split("\n\n"))
        return self.desk.announce(**(ANNOUNCEMENT | {"incident": incident, "text": text} | changes))

    def second_signature(self, announcement: str) -> Callable[[], threading.Thread]:
        """Has the first reviewer sign, and gives what sends the second signature from a thread of its own."""
        first = self.desk.decide(announcement, "first-reviewer")
        assert first.status_code == 200, first.text
        signed = self.desk.signed(self.desk.statement(announcement, "second-reviewer"), "second-reviewer").encode()

        def send() -> None:
            with contextlib.suppress(httpx.HTTPError):  # the server may be killed meanwhile
                self.stage.http.post(f"/v1/announcements/{announcement}/approvals", content=signed, headers=JSON)

        def sent() -> threading.Thread:
            thread = threading.Thread(target=send)
            thread.start()
            return thread

        return sent

    def await_(self, announcement: str, *, seconds: float = 90, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        """Its form once `until` holds; by default, once the program has done all that it can."""
        ended = until or at_rest

        def there() -> dict[str, Any] | None:
            shown = self.desk.read(announcement)
            return shown if ended(shown) else None

        return wait_for(there, seconds, announcement, every=0.15)

    def await_mails(self, digest: str) -> None:
        """Returns once both reviewers and the team have had their mail of that manifest."""

        def there() -> bool | None:
            return sum(digest in mail["text"] for mail in self.stage.state()["smtp"]) >= 3 or None

        wait_for(there, 30, "the mails")

    def act(self, delivery: dict[str, Any], verb: str, **body: Any) -> httpx.Response:
        """What a person does about a delivery."""
        return self.desk.post(f"/v1/deliveries/{delivery['id']}/{verb}", body)

    def play_people(self, shown: dict[str, Any]) -> dict[str, Any]:
        """Looks at the stand-ins and decides truthfully what is undecided; posts by hand. The announcement once it is sent."""
        for delivery in shown["deliveries"]:
            if delivery["state"] not in WITH_PEOPLE:
                continue
            there = copies(shown, delivery, self.stage.state())
            if delivery["platform"] == "manual":
                answer = self.act(delivery, "mark", url=FORUM_POST)
            elif there and delivery["platform"] == "email":
                answer = self.act(delivery, "skip")  # a mail has no URL to mark it with
            elif there:
                answer = self.act(delivery, "mark", url=there[0]["permalink"])
            else:
                answer = self.act(delivery, "retry", looked=True)
            assert answer.status_code == 200, answer.text
        return self.await_(shown["id"], until=lambda now: now["state"] == "sent" or (at_rest(now) and now != shown))


@contextlib.contextmanager
def town(
    folder: Path,
    *,
    pointers: int = 0,
    workers: int = 0,
    environ: Mapping[str, str] | None = None,
    stand_ins: dict[str, Any] | None = None,
) -> Iterator[Town]:
    """Stand-ins that stay, in a process of their own or those at the given addresses, and a server and workers that do not have to stay.

    They get more of the environment where given; workers need `TOCSIN_DATABASE_URL` in it.
    """
    with contextlib.ExitStack() as stack:
        addresses = stand_ins or stack.enter_context(_stand_ins())
        stage = Stage(furnish(folder, addresses, pointers=pointers), addresses, [])
        stage.house.environ.update(environ or {})
        stack.callback(stage.http.close)
        here = Town(stage)
        stack.callback(here.end)
        here.start()
        for number in range(workers):
            here.start_worker(number)
        yield here


@contextlib.contextmanager
def _stand_ins() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "app.rehearsal", "--die-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


def at_rest(shown: dict[str, Any]) -> bool:
    """Whether the broadcast has ended, or waits for people alone."""
    return shown["state"] in {"sent", "incomplete"}


def wait_for(look: Callable[[], T | None], seconds: float, what: str, every: float = 0.03) -> T:
    """What `look` gives once that is true, asked every so many seconds; a server that is away is waited for."""
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if found := look():
                return found
        time.sleep(every)
    raise AssertionError(f"waited {seconds:g} s for {what}: {found}")


def approved_texts(shown: dict[str, Any], delivery: dict[str, Any]) -> list[str]:
    """The text of each part as it was approved for the role that the delivery has now, its slot filled."""
    rendering = next(r for r in shown["renderings"] if r["destination"] == delivery["destination"])
    parts = rendering["parts"] if rendering["role"] == delivery["role"] else rendering["otherwise"]["parts"]
    permalink = leader(shown)["permalink"] or ""
    return [part["text"].replace("{{permalink}}", permalink) for part in parts]


def leader(shown: dict[str, Any]) -> dict[str, Any]:
    """The delivery that all others point to."""
    found: dict[str, Any] = next(d for d in shown["deliveries"] if d["destination"] == shown["primaries"]["leads"])
    return found


def copies(shown: dict[str, Any], delivery: dict[str, Any], state: dict[str, Any], part: int = 0) -> list[dict[str, Any]]:
    """The posts of that part on that destination, as the stand-in holds them."""
    wanted = approved_texts(shown, delivery)[part].split()
    return [post for post in _posts(delivery, state) if post["text"].split() == wanted]


def _posts(delivery: dict[str, Any], state: dict[str, Any]) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = state.get(STAND_INS.get(delivery["platform"], delivery["platform"]), [])
    id_, platform = delivery["destination"], delivery["platform"]
    if platform == "telegram":
        name = id_.replace("telegram-", accounts.TELEGRAM["pointer_prefix"]) if "-" in id_ else next(iter(accounts.TELEGRAM["channels"]))
        return [post for post in held if post["account"] == f"@{name}"]
    channel = {"discord": accounts.DISCORD["channel_id"], "discord_webhook": accounts.DISCORD["webhook_channel_id"]}.get(platform)
    return [post for post in held if not channel or f"/{channel}/" in post["permalink"]]


@dataclass(slots=True)
class Verdict:
    """What the stand-ins' record says of one announcement: counts of parts, and what is wrong in words."""

    posted: int = 0
    undecided: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    platforms: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Parts by platform and what became of them: `posted`, `undecided`."""

    @property
    def good(self) -> bool:
        return not self.lost and not self.doubled and not self.wrong


def judge(shown: dict[str, Any], state: dict[str, Any], token: str) -> Verdict:
    """Each part there exactly once and posted, or undecided and shown as such where nobody can look; the primary first; no other text."""
    verdict = Verdict()
    for delivery in shown["deliveries"]:
        for part in range(delivery["parts"]):
            _judge_part(verdict, shown, delivery, state, part)
    _judge_order(verdict, shown, state)
    of_token = re.compile(rf"(?<![\w-]){re.escape(token)}(?![\w-])")  # not that of another one that begins alike
    for delivery in shown["deliveries"]:
        approved = [text.split() for text in approved_texts(shown, delivery)]
        others = [post for post in _posts(delivery, state) if of_token.search(post["text"]) and post["text"].split() not in approved]
        if delivery["platform"] != "email" and others:  # the team gets the approval mails too
            verdict.wrong.append(f"{delivery['destination']} holds a text that nobody approved: {others[0]['text']!r}")
    return verdict


def _judge_part(verdict: Verdict, shown: dict[str, Any], delivery: dict[str, Any], state: dict[str, Any], part: int) -> None:
    name, is_there = f"{delivery['destination']}, part {part + 1}", len(copies(shown, delivery, state, part))
    claimed = delivery["parts_posted"] > part
    asked = delivery["state"] == "unknown" and part == delivery["parts_posted"]
    if is_there > 1:
        verdict.doubled += 1
        verdict.wrong.append(f"{name} is there {is_there} times")
    elif asked and delivery["platform"] in NOBODY_CAN_LOOK:
        verdict.undecided += 1
        verdict.platforms[delivery["platform"], "undecided"] += 1
        if "yourself" not in delivery["problem"]:
            verdict.wrong.append(f"{name} does not say what to do: {delivery['problem']!r}")
    elif claimed and (is_there or delivery["platform"] in {"banner", "manual"}):
        verdict.posted += 1
        verdict.platforms[delivery["platform"], "posted"] += 1
    elif delivery["state"] == "by_hand" or (delivery["state"] == "skipped" and is_there):
        verdict.posted += 1  # it waits for a person, as approved; or one has seen that it is there
    else:
        verdict.lost += 1
        verdict.wrong.append(f"{name}: {delivery['state']} ({delivery['problem']}), and there {is_there} times")


def _judge_order(verdict: Verdict, shown: dict[str, Any], state: dict[str, Any]) -> None:
    first = copies(shown, leader(shown), state)
    for pointer in (d for d in shown["deliveries"] if d["role"] == "pointer"):
        for post in copies(shown, pointer, state):
            if not first or post["at"] < first[0]["at"]:
                verdict.wrong.append(f"{pointer['destination']} was posted before the primary")
