"""Plays the main job as people would: starts the stand-ins and a server, submits, reads the mails, signs twice, watches, looks.

It uses the real API, the real mails and real signatures; only the platforms are stand-ins. What it judges by is the stand-ins' own
record: each post there exactly once, with the text that was approved.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from app.rehearsal.house import PERSONS, RehearsalHouse, furnish

TEXT = (
    "If you used Example Web since 07:10 UTC today, move your funds to a new wallet now: https://help.example.com/new-wallet\n\n"
    "If you only used Example Mobile, you are not affected and need to do nothing. Please do not use our website until we say here "
    "that it is safe.\n\nNext update here at 10:00 UTC."
)
ANNOUNCEMENT: dict[str, Any] = {
    "incident": {
        "name": "Website compromised",
        "products": ["Example Web", "Example Mobile"],
        "affected_products": ["Example Web"],
        "own_domains": ["example.com"],
        "affected_domains": ["app.example.com"],
        "safe_links": ["https://help.example.com"],
    },
    "text": TEXT,
    "affected": "You are affected if you used Example Web since 07:10 UTC today.",
    "if_affected": "Move your funds to a new wallet now.",
    "if_not_affected": "If you only used Example Mobile, you need to do nothing.",
}
FORUM_POST = "https://forum.rehearsal.example/tocsin-drill/1"
PATIENCE = 60.0


class RehearsalFailed(Exception):
    """The rehearsal could not be played to its end; the message says where it stopped."""


Say = Callable[[str], None]


@dataclass(slots=True)
class Stage:
    """A running rehearsal: its house, its two processes, the addresses of the stand-ins."""

    house: RehearsalHouse
    stand_ins: dict[str, Any]
    processes: list[subprocess.Popen[str]]
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.house.token}"}
        self.http = httpx.Client(base_url=self.house.url, headers=headers, timeout=30, trust_env=False)

    def state(self) -> dict[str, Any]:
        """What the stand-ins hold, and what they were asked."""
        return cast("dict[str, Any]", httpx.get(f"{self.stand_ins['main']}/state.json", trust_env=False).json())

    def links(self, digest: str) -> dict[str, str]:
        """Each person's approval link to that manifest, from the mails that arrived."""
        found: dict[str, str] = {}
        for mail in self.state()["smtp"]:
            url = re.search(r"http://\S+/approve/\S+", mail["text"])
            for person in PERSONS if digest in mail["text"] else ():
                if url and any(person in to for to in _recipients(mail)):
                    found[person] = url[0]
        return found


def _recipients(mail: dict[str, Any]) -> list[str]:
    to = mail.get("to") or mail.get("extra", {}).get("to") or mail["account"]
    return [to] if isinstance(to, str) else list(to)


@contextlib.contextmanager
def stage(
    folder: Path, *, pointers: int = 0, environ: Mapping[str, str] | None = None, languages: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """Starts stand-ins and server, with more of the environment and languages of destinations where given; both end when this does, also
    when it is killed."""
    with contextlib.ExitStack() as stack:
        stand_ins, addresses = stack.enter_context(standing_in())
        house = furnish(folder, addresses, pointers=pointers, languages=languages or {})
        house.environ.update(environ or {})
        server = stack.enter_context(serving(house))
        playing = Stage(house, addresses, [stand_ins, server])
        stack.callback(playing.http.close)
        yield playing


@contextlib.contextmanager
def standing_in() -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """All stand-ins, with their addresses. Raises `RehearsalFailed`."""
    with _process([sys.executable, "-m", "app.rehearsal", "--die-with-parent"], {}) as stand_ins:
        assert stand_ins.stdout is not None
        line = stand_ins.stdout.readline()
        if not line:
            raise RehearsalFailed("The stand-ins did not start.")
        yield stand_ins, json.loads(line)


@contextlib.contextmanager
def serving(house: RehearsalHouse, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A server of that house, ready to answer; `options` are those of `tocsin serve`."""
    log = (house.folder / "server.log").open("a")
    with log, _process([sys.executable, "-m", "app.cli", "serve", *options], house.environ, stderr=log) as server:
        wait_ready(house, server)
        yield server


def wait_ready(house: RehearsalHouse, server: subprocess.Popen[str]) -> None:
    """Returns once the server answers. Raises `RehearsalFailed`."""
    deadline = time.monotonic() + PATIENCE
    with httpx.Client(trust_env=False) as client:  # one for all: to make it takes a tenth of a second
        while time.monotonic() < deadline and server.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{house.url}/readyz").status_code == 200:
                    return
            time.sleep(0.03)
    told = (house.folder / "server.log").read_text()[-2000:]
    raise RehearsalFailed(f"The server did not start:\n{told}")


@contextlib.contextmanager
def _process(command: list[str], environ: dict[str, str], stderr: Any = None) -> Iterator[subprocess.Popen[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
        command, env=clean | environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def submit(stage: Stage, say: Say, **changes: Any) -> dict[str, Any]:
    """Submits the announcement by the machine token."""
    answer = stage.http.post("/v1/announcements", json=ANNOUNCEMENT | changes)
    if answer.status_code != 202:
        raise RehearsalFailed(f"The submission was answered with {answer.status_code}: {answer.text}")
    accepted: dict[str, Any] = answer.json()
    say(f"Accepted as {accepted['id']}, digest {accepted['digest'][:23]}…, {len(accepted['renderings'])} renderings.")
    if len(order := accepted["primaries"]["order"]) > 1:
        say(f"In full on {order[0]}; should it fail, on {' or '.join(order[1:])}.")
    return accepted


def await_links(stage: Stage, digest: str, say: Say) -> dict[str, str]:
    """Waits for the mails with everybody's link."""
    links = _until(lambda: (found := stage.links(digest)) and len(found) == len(PERSONS) and found, "the approval mails")
    say(f"The approval links were mailed to {' and '.join(links)}.")
    return cast("dict[str, str]", links)


def sign(stage: Stage, person: str, link: str, say: Say) -> dict[str, Any]:
    """Opens the link and signs with the person's SSH key, as `tocsin approve` does."""
    from app.cli import signing
    from app.domain.approval import Decision

    request = stage.http.get(f"{link}/request").json()
    manifest = signing.read(request)
    signed = signing.approval(request, manifest, Decision.APPROVE, person, signing.signer(str(stage.house.key(person))))
    answer = stage.http.post(link, content=signed.to_json().encode())
    if answer.status_code != 200:
        raise RehearsalFailed(f"The signature of {person} was answered with {answer.status_code}: {answer.text}")
    outcome: dict[str, Any] = answer.json()
    say(f"{person} signed; {outcome['missing']} more needed." if outcome["missing"] else f"{person} signed; it is going out now.")
    return outcome


def await_end(stage: Stage, announcement: str, say: Say, *, mark_by_hand: bool = True) -> dict[str, Any]:
    """Follows the announcement until it is sent, plays the person who posts by hand, and gives its final form."""
    told: set[tuple[str, str]] = set()

    def ended() -> dict[str, Any] | None:
        shown: dict[str, Any] = stage.http.get(f"/v1/announcements/{announcement}").json()
        for delivery in shown["deliveries"]:
            if (delivery["id"], delivery["state"]) not in told and delivery["state"] not in {"planned", "sending"}:
                told.add((delivery["id"], delivery["state"]))
                say(f"  {delivery['destination']}: {delivery['state'].replace('_', ' ')}  {delivery['permalink'] or delivery['problem']}")
            if delivery["state"] == "by_hand" and mark_by_hand and shown["state"] == "incomplete":
                stage.http.post(f"/v1/deliveries/{delivery['id']}/mark", json={"url": FORUM_POST}).raise_for_status()
        return shown if shown["state"] in {"sent", "returned", "cancelled"} else None

    return cast("dict[str, Any]", _until(ended, "the end of the broadcast"))


def _until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise RehearsalFailed(f"Waited {PATIENCE:g} s for {what}.")
