"""A town under fire: stand-ins in one process, the real server in another that can be killed and started again on the same folder.

People act through the API alone, and what happened is judged by the stand-ins' own record, never by what the server says of itself.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.rehearsal import play
from app.rehearsal.house import furnish
from app.rehearsal.play import ANNOUNCEMENT, FORUM_POST, Stage
from tests.faults.judgement import Verdict as Verdict
from tests.faults.judgement import copies as copies
from tests.faults.judgement import judge as judge
from tests.support.desk import JSON, Desk

T = TypeVar("T")

WITH_PEOPLE = {"failed", "unknown", "by_hand"}


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
        """Has the first reviewer sign, and gives what sends the second signature; it is answered to a thread of its own."""
        first = self.desk.decide(announcement, "first-reviewer")
        assert first.status_code == 200, first.text
        signed = self.desk.signed(self.desk.statement(announcement, "second-reviewer"), "second-reviewer").encode()
        request = self.stage.http.build_request("POST", f"/v1/announcements/{announcement}/approvals", content=signed, headers=JSON)
        way = http.client.HTTPConnection(request.url.host, request.url.port, timeout=300)  # httpx takes a millisecond to begin
        way.connect()

        def answered() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(way):
                way.getresponse().read()

        def sent() -> threading.Thread:
            with contextlib.suppress(OSError):  # the server may be killed meanwhile
                way.request("POST", request.url.path, signed, dict(request.headers))
            thread = threading.Thread(target=answered)
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
