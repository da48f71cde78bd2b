"""The command line as people and scripts use it: real processes against one running rehearsal, judged by exit codes and streams."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.rehearsal import play
from app.rehearsal.house import PERSONS
from app.rehearsal.play import Stage

Done = subprocess.CompletedProcess[str]
POST = "https://forum.rehearsal.example/tocsin-drill/"


@dataclass
class Terminal:
    """Runs `tocsin` in processes of their own, reaching `url`."""

    stage: Stage
    url: str = ""

    def environ(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        return clean | {"TOCSIN_URL": self.url or self.stage.house.url, "TOCSIN_TOKEN": self.stage.house.token} | more

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "app.cli", *arguments]

        def in_the_foreground() -> None:
            """What runs these tests may have been started in the background, where a shell has Ctrl-C ignored."""
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        return subprocess.Popen(command, env=self.environ(), stdin=-3, stdout=-1, stderr=-1, text=True, preexec_fn=in_the_foreground)

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None, environ: dict[str, str] | None = None) -> Done:
        """One command to its end, which must have this exit code; a person never sees a traceback."""
        command = [sys.executable, "-m", "app.cli", *arguments]
        done = subprocess.run(
            command, env=self.environ(**environ or {}), input=stdin or "", capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0, stdin: str | None = None, environ: dict[str, str] | None = None) -> Any:
        """What a command prints with --json: one value on stdout, nothing else there."""
        return json.loads(self.run(*arguments, "--json", code=code, stdin=stdin, environ=environ).stdout)

    def key(self, person: str) -> tuple[str, ...]:
        return ("--key", str(self.stage.house.key(person)), "--person", person, "--yes")

    def announce(self, *arguments: str) -> dict[str, Any]:
        """A new announcement of an incident of its own."""
        unique = secrets.token_hex(4)
        words = ("--incident", f"Incident {unique}", "--text", f"If you used Example Web ({unique}), wait for our next update here.")
        accepted: dict[str, Any] = self.json("announce", *words, *arguments)
        return accepted


@pytest.fixture(scope="module")
def tocsin(running: Stage) -> Terminal:
    return Terminal(running)


# From the words to the last post.


def test_the_author_is_the_first_of_two_and_watching_ends_with_the_broadcast(tocsin: Terminal) -> None:
    accepted = tocsin.announce("--affected", "You are, if you used Example Web.", *tocsin.key("first-reviewer"))
    id_ = accepted["id"]
    assert (accepted["author"], accepted["missing"]["approvals"]) == ("first-reviewer", 1)
    watching = tocsin.start("watch", id_)
    outcome = tocsin.json("approve", id_, *tocsin.key("second-reviewer"))
    assert outcome == {"decision": "approve", "state": "approved", "missing": 0}
    told, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (1, ""), "a person still has to post on the forum"
    assert re.search(r"\d\d:\d\d:\d\d  x: posted http://", told)
    assert "first-reviewer signed it as approved" in told
    assert f"A person has to act on forum: tocsin status {id_}" in told

    by_hand = tocsin.run("status", id_).stdout
    permalink = next(d["permalink"] for d in tocsin.json("status", id_)["deliveries"] if d["role"] == "primary")
    text = by_hand[by_hand.index("The text:") :]
    assert f"only here: {permalink}" in text, "what is to be posted by hand names the primary's post"
    assert re.search(r"tocsin mark de_\w+ URL", text)

    tocsin.run("mark", f"{id_}:forum", f"{POST}41")
    assert tocsin.json("watch", id_)["state"] == "sent"
    assert "everything is out" in tocsin.run("watch", id_).stdout


def test_waiting_gives_the_end_as_the_exit_code(tocsin: Terminal) -> None:
    primary_and_team = ("--destination", "x", "--destination", "team")
    unique = secrets.token_hex(4)
    words = ("--incident", f"Incident {unique}", "-", *primary_and_team, *tocsin.key("first-reviewer"))
    waiting = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "announce", *words, "--wait", "--json"],
        env=tocsin.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdin is not None
    waiting.stdin.write(f"If you used Example Web ({unique}), wait here.\n")
    waiting.stdin.close()
    waiting.stdin = None
    (id_,) = until(
        lambda: [a["id"] for a in tocsin.json("status", f"incident-{unique}")["announcements"]] if reached(tocsin, unique) else []
    )
    tocsin.run("approve", id_, *tocsin.key("second-reviewer"))
    told, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, errors
    assert json.loads(told)["state"] == "sent"


def reached(tocsin: Terminal, unique: str) -> bool:
    return tocsin.stage.http.get(f"/v1/incidents/incident-{unique}").status_code == 200


def until(look: Callable[[], Any], seconds: float = 45) -> Any:
    """What `look` gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def test_a_link_needs_neither_token_nor_person(tocsin: Terminal) -> None:
    accepted = tocsin.announce()
    link = play.await_links(tocsin.stage, accepted["digest"], lambda _text: None)[PERSONS[0]]
    key, nowhere = ("--key", str(tocsin.stage.house.key(PERSONS[0]))), {"TOCSIN_TOKEN": "", "TOCSIN_URL": "http://localhost:1"}
    unasked = tocsin.run("approve", link, *key, code=1, environ=nowhere)
    assert "Nobody could be asked" in unasked.stderr
    done = tocsin.run("approve", link, *key, stdin="y\n", environ=nowhere)
    assert done.stdout == "Signed. 1 more signature is needed.\n"
    assert accepted["digest"] in done.stderr, "the digest of what was shown"
    again = tocsin.run("approve", link, *key, "--yes", code=1)
    assert "already decided" in again.stderr


def test_a_revision_keeps_what_is_not_given_and_voids_what_was_signed(tocsin: Terminal) -> None:
    first = tocsin.announce("--affected", "You are.", "--if-affected", "Wait.", "--destination", "x", "--destination", "team")
    tocsin.run("approve", first["id"], *tocsin.key("first-reviewer"))
    done = tocsin.run("revise", first["id"], "--text", "Better words than before.", "--if-affected", "", "--json")
    second = json.loads(done.stdout)
    assert (second["revision"], second["text"], second["approvals"]) == (2, "Better words than before.", [])
    assert {r["destination"] for r in second["renderings"]} == {"x", "team"}
    assert "Kept of revision 1: affected, destinations." in done.stderr
    request = tocsin.stage.http.get(f"/v1/announcements/{first['id']}/approval-request").json()
    assert json.loads(request["manifest"])["answers"] == {"affected": "You are.", "if_affected": "", "if_not_affected": ""}
    tocsin.run("revise", first["id"], code=2)


def test_a_finding_stops_a_signature_and_a_reason_lets_it_through(tocsin: Terminal) -> None:
    link = ("--affected-domain", "app.example.com", "--text-for", "team=Our website is down.")
    accepted = tocsin.json("announce", "--incident", secrets.token_hex(4), "--text", "If you used https://app.example.com, wait.", *link)
    assert accepted["missing"]["overrides"] == ["live-link-affected"]
    assert next(r["parts"][0]["text"] for r in accepted["renderings"] if r["destination"] == "team").endswith("Our website is down.")
    stopped = tocsin.run("approve", accepted["id"], *tocsin.key("first-reviewer"), code=1)
    assert "live-link-affected" in stopped.stderr
    reason = ("--override", "live-link-affected=It is shown so that readers know it.")
    assert tocsin.json("revise", accepted["id"], *reason, *tocsin.key("first-reviewer"))["missing"]["approvals"] == 1


def test_rejecting_and_cancelling_end_it(tocsin: Terminal) -> None:
    id_ = tocsin.announce()["id"]
    assert tocsin.json("reject", id_, "--comment", "Wrong date.", *tocsin.key("second-reviewer"))["state"] == "returned"
    ended = tocsin.run("watch", id_, code=1)
    assert "second-reviewer rejected it: Wrong date." in ended.stdout
    assert "Revise it" in ended.stdout
    assert tocsin.json("cancel", id_)["state"] == "cancelled"
    assert "cannot be cancelled" not in tocsin.run("cancel", id_).stderr


def test_resolving_puts_drafts_on_the_clock(tocsin: Terminal) -> None:
    sent = tocsin.announce("--destination", "x", "--destination", "team", *tocsin.key("first-reviewer"))
    tocsin.run("approve", sent["id"], *tocsin.key("second-reviewer"))
    tocsin.run("watch", sent["id"])
    slug = sent["incident"]["slug"]
    told = tocsin.run("resolve", slug, "--now", "--text", "It is safe again.").stdout
    assert re.search(r"resolution\s+an_\w+\s+awaiting approval\s+\d{4}-\d\d-\d\d \d\d:\d\d to", told)
    assert re.search(r"postmortem\s+an_\w+\s+draft", told)
    overview = tocsin.run("status", environ={"TZ": "Asia/Tokyo"}).stdout
    assert "Follow-ups owed" in overview
    assert re.search(r"UTC \(.* JST\)", overview)
    assert tocsin.json("status", slug)["state"] == "resolved"
    assert slug in {incident["slug"] for incident in tocsin.json("status")["incidents"]}
    again = tocsin.run("resolve", slug, code=1)
    assert "resolved already" in again.stderr


def test_a_delivery_is_found_by_its_destination(tocsin: Terminal) -> None:
    id_ = tocsin.announce("--destination", "x", "--destination", "forum", *tocsin.key("first-reviewer"))["id"]
    assert "Nothing has begun" in tocsin.run("skip", f"{id_}:forum", code=1).stderr
    tocsin.run("approve", id_, *tocsin.key("second-reviewer"))
    tocsin.run("watch", id_, code=1)
    assert "There are: x, forum." in tocsin.run("skip", f"{id_}:nowhere", code=1).stderr
    assert "is no post on forum" in tocsin.run("mark", f"{id_}:forum", "https://evil.example/1", code=1).stderr
    tocsin.run("retry", f"{id_}:x", code=1)
    assert tocsin.json("skip", f"{id_}:forum")["state"] == "skipped"
    assert tocsin.json("watch", id_)["state"] == "sent"


# Connections that break.


class Breaking:
    """Passes connections on to the server, and cuts off some: the request arrives, the answer does not, or only its beginning."""

    def __init__(self, url: str, cut: list[int | None]) -> None:
        at = urlsplit(url)
        self.target, self.cut = (at.hostname or "", at.port or 0), cut
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                allowed = self.cut.pop(0) if self.cut else None
                threading.Thread(target=self._pass, args=(client, allowed), daemon=True).start()

    def _pass(self, client: socket.socket, allowed: int | None) -> None:
        """`allowed`: bytes of the answer that get through; None for all."""
        with client, socket.create_connection(self.target) as server:
            threading.Thread(target=_copy, args=(client, server, None), daemon=True).start()
            _copy(server, client, allowed)


def _copy(source: socket.socket, sink: socket.socket, allowed: int | None) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            if allowed is not None:
                data, allowed = data[:allowed], allowed - len(data)
            sink.sendall(data)
            if allowed is not None and allowed <= 0:
                break
        sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def breaking(stage: Stage, *cut: int | None) -> Iterator[Terminal]:
    between = Breaking(stage.house.url, list(cut))
    with closing(between.listener):
        yield Terminal(stage, between.url)


def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(running: Stage) -> None:
    with breaking(running, 0, 40) as tocsin:
        accepted = tocsin.announce()
    incident = running.http.get(f"/v1/incidents/{accepted['incident']['id']}").json()
    assert [a["id"] for a in incident["announcements"]] == [accepted["id"]]


def test_what_never_answers_is_told_with_the_key_to_repeat_it(running: Stage) -> None:
    name = f"Incident {secrets.token_hex(4)}"
    with breaking(running, 0, 0, 0, 0) as tocsin:
        failed = tocsin.run(
            "announce", "--incident", name, "--text", "If you used Example Web, wait for our next update here.", "--json", code=1
        )
    assert failed.stdout == ""
    key = re.search(r"--idempotency-key (\S+) does nothing twice", failed.stderr)
    assert key is not None, failed.stderr
    words = (
        "announce",
        "--incident",
        name,
        "--text",
        "If you used Example Web, wait for our next update here.",
        "--idempotency-key",
        key[1],
    )
    accepted = Terminal(running).json(*words)
    incident = running.http.get(f"/v1/incidents/{accepted['incident']['id']}").json()
    assert [a["id"] for a in incident["announcements"]] == [accepted["id"]]


def test_watching_goes_on_where_the_connection_broke(running: Stage) -> None:
    direct = Terminal(running)
    id_ = direct.announce("--destination", "x", "--destination", "team", *direct.key("first-reviewer"))["id"]
    with breaking(running, None, 900, 1500, 2100) as tocsin:
        watching = tocsin.start("watch", id_)
        direct.run("approve", id_, *direct.key("second-reviewer"))
        told, errors = watching.communicate(timeout=60)
    assert watching.returncode == 0, errors
    assert [line for line in told.splitlines() if "posted" in line] == [
        line for line in direct.run("watch", id_).stdout.splitlines() if "posted" in line
    ]
    events = [line for line in told.splitlines() if re.match(r"\d\d:\d\d:\d\d  ", line)]
    assert len(events) == len(set(events)), "no event twice"


def test_a_link_of_a_stranger_gets_no_token(running: Stage) -> None:
    heard: list[str | None] = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        answered = Terminal(running).run("approve", f"{url}/approve/abc", code=1)
        assert "is not Tocsin's" in answered.stderr
        assert heard == [None]
        assert "is not Tocsin's" in Terminal(running, url).run("status", code=1).stderr
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "more", "code", "says"),
    [
        (("status",), {"TOCSIN_URL": "http://127.0.0.1:1"}, 1, "cannot be reached"),
        (("status",), {"TOCSIN_URL": "status.example"}, 1, "must begin with"),
        (("status",), {"TOCSIN_TOKEN": "wrong"}, 1, "Set TOCSIN_TOKEN"),
        (("status",), {"TOCSIN_TOKEN": "", "TOCSIN_TOKEN_FILE": "/nowhere"}, 1, "TOCSIN_TOKEN_FILE"),
        (("status", "an_none"), {}, 1, "no such announcement"),
        (("status", "none"), {}, 1, "no such incident"),
        (("watch", "an_none"), {}, 1, "no such announcement"),
        (("retry", "de_none"), {}, 1, "no such delivery"),
        (("approve", "an_none"), {}, 2, "Say who you are"),
        (("approve", "an_none", "--person", "first-reviewer"), {}, 1, "no such announcement"),
        (("announce",), {}, 2, "Name the incident"),
        (("announce", "--incident", "x"), {}, 2, "Give the text"),
        (("announce", "--incident", "x", "nowhere.txt"), {}, 2, "cannot be read"),
        (("announce", "--incident", "x", "--text", "t", "--destination", "mars"), {}, 1, "not configured"),
        (("announce", "--incident", "x", "--text", "t", "--key", "/nowhere/key", "--person", "first-reviewer"), {}, 1, "cannot be read"),
        (("announce", "--incident", "x", "--text", "t", "--time-zone", "Mars"), {}, 1, "incident.time_zone"),
        (("announce", "--incident", "x", "--text", "t\udcff"), {}, 1, "not text in UTF-8"),
        (("check",), {"TOCSIN_DESTINATIONS": "/nowhere.toml"}, 1, "no /nowhere.toml"),
        (("verify", "/nowhere"), {}, 2, "cannot be read"),
        (("roster", "enrol", "nobody"), {}, 1, "no such person"),
        (("nonsense",), {}, 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_said_in_words(tocsin: Terminal, arguments: tuple[str, ...], more: dict[str, str], code: int, says: str) -> None:
    done = tocsin.run(*arguments, code=code, environ=more)
    assert says in done.stderr
    assert done.stdout == ""


def test_a_reader_that_has_enough_is_no_error(tocsin: Terminal) -> None:
    command = f"'{sys.executable}' -m app.cli verify --export | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=tocsin.environ(), capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["seq"] == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_ctrl_c_stops_watching_and_nothing_else(tocsin: Terminal) -> None:
    id_ = tocsin.announce()["id"]
    watching = tocsin.start("watch", id_)
    assert watching.stdout is not None
    assert "revision 1 submitted" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=30)
    assert (watching.returncode, errors.strip()) == (1, "You stopped watching; at the server all goes on.")


# Without a server, or beside it.


def test_check_proves_every_destination_by_itself_and_by_the_server(tocsin: Terminal) -> None:
    here = tocsin.run("check", "--json", environ=tocsin.stage.house.environ)
    found = json.loads(here.stdout)
    assert found["roster_gaps"] == []
    assert {item["destination"]: item["ok"] for item in found["destinations"]} == dict.fromkeys(found_ids(tocsin), True)
    assert "x: ok" in here.stderr
    broken = tocsin.run("check", code=1, environ=tocsin.stage.house.environ | {"TOCSIN_X_CONSUMER_SECRET": "no-such-secret"})
    assert re.search(r"x\s+failed\s+primary", broken.stdout)
    assert f"{len(found_ids(tocsin)) - 1} of {len(found_ids(tocsin))} destinations are ready." in broken.stdout
    assert "no-such-secret" not in broken.stdout + broken.stderr
    assert all(item["ok"] for item in tocsin.json("check", "--server")["destinations"])


def found_ids(tocsin: Terminal) -> list[str]:
    return [item["destination"] for item in tocsin.stage.http.get("/v1/destinations").json()["items"]]


def test_check_tells_that_nobody_could_approve(tocsin: Terminal, tmp_path: Path) -> None:
    roster = tmp_path / "roster.toml"
    roster.write_text("version = 1\n")
    told = tocsin.json("check", code=1, environ=tocsin.stage.house.environ | {"TOCSIN_ROSTER": str(roster)})
    assert any("enrol" in gap for gap in told["roster_gaps"])


def test_an_exported_timeline_is_verified_offline(tocsin: Terminal, tmp_path: Path) -> None:
    export = tocsin.run("verify", "--export")
    rows = export.stdout.splitlines()
    assert f"The chain holds: {len(rows)} rows" in export.stderr
    file = tmp_path / "timeline.jsonl"
    file.write_text(export.stdout)
    nowhere = {"TOCSIN_URL": "http://127.0.0.1:1", "TOCSIN_TOKEN": ""}
    assert tocsin.json("verify", str(file), environ=nowhere)["rows"] == len(rows)
    file.write_text(export.stdout.replace('"actor":"tocsin"', '"actor":"nobody"', 1))
    broken = next(at for at, row in enumerate(rows, 1) if json.loads(row)["actor"] == "tocsin")
    assert f"Row {broken} does not hold" in tocsin.run("verify", str(file), code=1, environ=nowhere).stderr
    page = tocsin.stage.http.get("/v1/timeline", params={"limit": 3}).text
    assert tocsin.json("verify", "-", stdin=page, environ=nowhere)["rows"] == 3


def test_a_passkey_is_enrolled_by_a_link(tocsin: Terminal) -> None:
    told = tocsin.run("roster", "enrol", "first-reviewer")
    url = told.stdout.strip()
    assert url.startswith(f"{tocsin.stage.house.url}/enrol/")
    assert tocsin.stage.http.get(url).status_code == 200
    assert "first-reviewer alone" in told.stderr
