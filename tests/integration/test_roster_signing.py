"""A signed roster end to end: the ceremony on the command line, and a live Tocsin that starts with it alone and follows it in flight."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.rehearsal import play
from app.rehearsal.house import _person
from app.rehearsal.play import Stage
from tests.integration.test_start import start
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import Desk
from tests.support.live import Signers, live, sign_as
from tests.support.rosters import X, key_file, public, roster_toml


def entry(**changes: str) -> str:
    return "[[destination]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in (X | changes).items())


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    made = Signers(tmp_path, entry())
    made.write(roster_toml())
    return made


def by(signers: Signers, person: str, seed: int) -> tuple[str, ...]:
    return ("--person", person, "--key", key_file(signers.folder, seed))


# The command line


def test_the_ceremony_of_two_people(signers: Signers) -> None:
    assert "Nobody has signed it" in signers.done("show")
    assert "Begin with `tocsin roster init`" in signers.run("sign", *by(signers, "second", 2), "--yes").output
    shown = signers.done("init", *by(signers, "first", 1), stdin="y\n")
    assert "LIVE · roster version 1" in shown
    for said in ('"second@status.example"', public(2), '+ destination · x-main · account: "2244994945"', "recovery · notary", "SHA256:"):
        assert said in shown, "all of version 1 is shown"
    assert "Missing: 1 of its own people (second)" in shown
    assert signers.signatures()["in_force"] is None
    assert "Version 1 is in force (live), signed by first, second" in signers.done("sign", *by(signers, "second", 2), "--yes")
    force = signers.signatures()["in_force"]
    assert (force["version"], force["signers"], force["said_by_files"]) == (1, ["first", "second"], True)
    assert "has begun already" in signers.run("init", *by(signers, "first", 1), "--yes").output
    assert "Nothing to sign" in signers.run("sign", *by(signers, "first", 1), "--yes").output


def begun(signers: Signers) -> None:
    signers.done("init", *by(signers, "first", 1), "--yes")
    signers.done("sign", *by(signers, "second", 2), "--yes")


def test_what_changes_is_shown_word_by_word_and_nothing_else(signers: Signers) -> None:
    begun(signers)
    signers.write(roster_toml(2, {"first": 1, "second": 3}))
    (signers.folder / "destinations.toml").write_text(entry(account="999"))
    assert "The files say something that nobody signed" in signers.done("show")
    found = signers.run("sign", *by(signers, "first", 1), "--json", stdin="y\n")
    assert found.exit_code == 0, found.output
    assert '~ destination · x-main · account: "2244994945" → "999"' in found.stderr
    assert "- person · second · ssh · SHA256:" in found.stderr
    assert public(2) in found.stderr
    assert public(3) in found.stderr
    assert public(1) not in found.stderr, "what stays is not repeated"
    told = json.loads(found.stdout)["signatures"]
    assert told["in_force"]["version"] == 1
    (waiting,) = told["waiting"]
    assert (waiting["missing"], waiting["who_can"]) == ({"before": 1, "own": 1}, {"before": ["second"], "own": ["second"]})
    signers.done("sign", *by(signers, "second", 2), "--yes")
    signers.done("sign", *by(signers, "second", 3), "--yes")
    assert signers.signatures()["in_force"]["version"] == 2


def test_a_lost_quorum_is_recovered_by_two_keys_and_by_no_single_one(signers: Signers) -> None:
    begun(signers)
    signers.write(roster_toml(2, {"third": 3, "fourth": 4}))
    for person, seed in (("third", 3), ("fourth", 4), ("bank-safe", 101)):
        signers.done("sign", *by(signers, person, seed), "--yes")
        assert signers.signatures()["in_force"]["version"] == 1
    assert "signed by bank-safe, fourth, notary, third, by recovery" in signers.done("sign", *by(signers, "notary", 102), "--yes")
    assert signers.signatures()["in_force"] == signers.signatures()["in_force"] | {"version": 2, "recovered": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (roster_toml(2), "The next version is 1"),
        (roster_toml(1, {"first": 1}), "2 people must approve"),
        (
            "version = 1\n" + roster_toml().replace("version = 1\n", "").replace("[[person.second.ssh]]", "[[person.first.ssh]]"),
            "1 more need one",
        ),
        ("version = [", "not valid TOML"),
    ],
    ids=["not version 1", "one person", "a person without a key", "no TOML"],
)
def test_a_roster_that_is_not_ready_begins_nothing(signers: Signers, text: str, said: str) -> None:
    signers.write(text)
    found = signers.run("init", *by(signers, "first", 1), "--yes")
    assert (found.exit_code, said in found.output) == (1, True), found.output
    assert not (signers.folder / "roster.signed").exists()


def test_what_is_refused_signs_nothing(signers: Signers) -> None:
    begun(signers)
    before = (signers.folder / "roster.signed").read_bytes()
    signers.write(roster_toml(2, {"first": 1, "second": 2, "third": 3}))
    cases: list[tuple[tuple[str, ...], str | None, int, str]] = [
        (by(signers, "second", 1), None, 1, "is no key of second"),
        (by(signers, "notary", 3), None, 1, "is no key of notary"),
        (by(signers, "nobody", 1), None, 1, "is no key of nobody"),
        (by(signers, "", 1), None, 2, "Say who you are"),
        (by(signers, "first", 1), "n\n", 1, "Nothing was signed"),
    ]
    for arguments, stdin, code, said in cases:
        found = signers.run("sign", *arguments, stdin=stdin)
        assert (found.exit_code, said in found.output) == (code, True), found.output
    (signers.folder / "destinations.toml").write_text(entry(consumer_secret="hunter2hunter2"))
    found = signers.run("sign", *by(signers, "first", 1), "--yes")
    assert "is a secret" in found.output
    assert "hunter2" not in found.output
    assert (signers.folder / "roster.signed").read_bytes() == before


# A live Tocsin


def trusted_versions(desk: Desk) -> list[tuple[int, tuple[str, ...]]]:
    """By the timeline."""
    entries = desk.http.get("/v1/timeline", params={"limit": 200}).json()["items"]
    return [(one["data"]["version"], tuple(one["data"]["signers"])) for one in entries if one["event"] == "roster-trusted"]


def test_a_live_tocsin_starts_with_a_signed_roster_alone_and_follows_it(tmp_path: Path) -> None:
    both = ("first-reviewer", "second-reviewer")
    with live(tmp_path) as house:
        assert "Nobody has signed the roster" in start(house.environ).stderr
        sign_as(house, "init", both[0])
        assert "version 1 lacks 1 more" in start(house.environ).stderr
        sign_as(house, "sign", both[1])
        with play.serving(house) as server:
            desk = Desk(Stage(house, {}, [server]))
            play._until(lambda: trusted_versions(desk) == [(1, both)], "version 1 on the record")

            roster, third = tmp_path / "roster.toml", _person(house, "third-reviewer")
            roster.write_text(roster.read_text().replace("version = 1", "version = 2") + third)
            assert desk.http.get("/readyz").status_code == 503
            shown = desk.http.get("/v1/roster").json()
            assert (shown["version"], len(shown["people"])) == (1, 2), "what nobody signed counts for nothing"
            assert any("which is signed and in force" in gap for gap in shown["gaps"])

            sign_as(house, "sign", both[0])
            assert desk.http.get("/v1/roster").json()["version"] == 1
            sign_as(house, "sign", both[1])
            assert desk.http.get("/readyz").status_code == 200
            shown = desk.http.get("/v1/roster").json()
            assert (shown["version"], shown["signed"]["signers"], shown["gaps"]) == (2, list(both), [])
            play._until(lambda: trusted_versions(desk) == [(1, both), (2, both)], "version 2 on the record")
            desk.http.close()
        rolled_back = "".join((tmp_path / "roster.signed").read_text().splitlines(keepends=True)[:3])
        (tmp_path / "roster.signed").write_text(rolled_back)
        assert "rolled back: version 2 was trusted here" in start(house.environ).stderr
        check = [sys.executable, "-m", "app.cli", "check"]
        told = subprocess.run(check, env={"PATH": "/usr/bin", **house.environ}, capture_output=True, text=True, timeout=60, check=False)
        assert told.returncode == 1
        assert "rolled back" in told.stdout


def test_on_postgres_a_worker_follows_it_too_and_each_version_stands_on_the_record_once(tmp_path: Path) -> None:
    both = ("first-reviewer", "second-reviewer")
    with fresh_database(demanded()) as url, live(tmp_path) as house:
        house.environ["TOCSIN_DATABASE_URL"] = url

        def recorded() -> list[int]:
            with psycopg.connect(url) as database:
                rows = database.execute("SELECT data FROM timeline WHERE event = 'roster-trusted' ORDER BY seq").fetchall()
            return [json.loads(data)["version"] for (data,) in rows]

        def next_version(version: int) -> None:
            roster = tmp_path / "roster.toml"
            roster.write_text(roster.read_text().replace(f"version = {version - 1}", f"version = {version}"))
            sign_as(house, "sign", *both)
            play._until(lambda: version in recorded(), f"version {version} on the record")

        sign_as(house, "init", *both)
        posting = {name: value for name, value in house.environ.items() if name != "TOCSIN_API_TOKENS"}
        with (tmp_path / "worker.log").open("w") as log, contextlib.ExitStack() as stack:
            server = stack.enter_context(play.serving(house))
            stack.enter_context(play._process([sys.executable, "-m", "app.cli", "worker"], posting, stderr=log))
            play._until(lambda: '"working"' in (tmp_path / "worker.log").read_text(), "the worker")
            play._until(lambda: recorded() == [1], "version 1 on the record")
            next_version(2)
            server.kill()
            server.wait(10)
            next_version(3)  # now by the worker, which is on duty
        assert recorded() == [1, 2, 3]
