"""The roster in force: live only what enough people signed, whatever happens to its files; in a drill the file itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.roster import RosterFile
from app.domain.roster_document import RosterDocument
from app.domain.roster_history import Known, RosterRefused
from app.settings import Settings
from app.store import trusted as memory
from tests.support.rosters import PEOPLE, X, document, lines, roster_toml

FIRST = document(roster_toml())
THREE = PEOPLE | {"third": 3}
SECOND = document(roster_toml(2, THREE), FIRST)
FORK = document(roster_toml(2, PEOPLE | {"mallory": 9}), FIRST)
BOTH = {"first": 1, "second": 2}
ONE, TWO = lines(FIRST, BOTH), lines(FIRST, BOTH) + lines(SECOND, BOTH)


@dataclass
class Place:
    """The files of one Tocsin."""

    folder: Path
    environment: str = "live"

    @property
    def settings(self) -> Settings:
        return Settings(roster=self.folder / "roster.toml", data=self.folder / "data", environment=self.environment)

    def write(self, roster: str | None = None, signed: str | None = None) -> None:
        for name, text in (("roster.toml", roster), ("roster.signed", signed)):
            if text is not None:
                (self.folder / f"{name}.new").write_text(text)
                (self.folder / f"{name}.new").replace(self.folder / name)

    def look(self, *entries: dict[str, Any]) -> RosterFile:
        return RosterFile(self.settings, entries or (X,))

    def open(self, *entries: dict[str, Any]) -> RosterFile:
        found = self.look(*entries)
        found.keep()
        return found

    def refusal(self, *entries: dict[str, Any]) -> str:
        with pytest.raises(ConfigurationError) as caught:
            self.open(*entries)
        return str(caught.value)

    @property
    def known(self) -> Known | None:
        return memory.known(self.folder / "data")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def second(place: Place) -> RosterFile:
    """One that trusts version 2, in a process that runs."""
    place.write(roster_toml(2, THREE), TWO)
    return place.open()


# Live


def test_a_live_start_without_signatures_is_refused(place: Place) -> None:
    place.write(roster_toml())
    assert "Nobody has signed the roster" in place.refusal()
    place.write(signed=lines(FIRST, {"first": 1}))
    assert "version 1 lacks 1 more" in place.refusal()
    assert place.known is None, "what is refused is not remembered"
    place.write(signed=ONE)
    assert place.open()().version == 1
    assert place.known == Known(1, FIRST.digest)


def test_a_live_start_with_more_than_was_signed_is_refused(place: Place) -> None:
    place.write(roster_toml(2, THREE), ONE)
    assert "is not version 1, which is signed and in force" in place.refusal()
    place.write(roster_toml(1, THREE))
    assert "is not version 1, which is signed and in force" in place.refusal()
    place.write(roster_toml(2, THREE), ONE + lines(SECOND, {"first": 1, "third": 3}))
    assert "is not version 1" in place.refusal()


def test_a_destination_that_one_person_moved_stops_a_live_start(place: Place) -> None:
    place.write(roster_toml(), ONE)
    for moved in ({"account": "999"}, {"base_url": "http://127.0.0.1:10"}, {"role": "pointer"}, {"handle": "other"}, {"fallback": 1}):
        assert "The destinations are not those of version 1" in place.refusal(X | moved)
    assert "The destinations are not those" in place.refusal(X, X | {"id": "x-two"})
    assert place.open()().version == 1


def test_a_drills_roster_stops_a_live_start(place: Place) -> None:
    drill = document(roster_toml(), environment="drill")
    place.write(roster_toml(), lines(drill, BOTH))
    assert "for drill, and can never be used for live" in place.refusal()


def test_what_nobody_signed_changes_nothing_in_flight(place: Place, second: RosterFile) -> None:
    for slip in (roster_toml(3, PEOPLE), roster_toml(2, PEOPLE), "version = 'x'", ""):
        place.write(slip)
        assert (second().version, len(second().persons)) == (2, 3)
        assert second.problem
    place.write(roster_toml(2, THREE))
    assert (second().version, second.problem) == (2, "")
    (place.folder / "roster.toml").unlink()
    assert (second().version, "There is no roster" in second.problem) == (2, True)


def test_a_new_version_counts_in_flight_once_enough_people_signed_it(place: Place, second: RosterFile) -> None:
    third = document(roster_toml(3, {"first": 1, "third": 3}), SECOND)
    place.write(roster_toml(3, {"first": 1, "third": 3}), TWO + lines(third, {"first": 1}))
    assert (second().version, bool(second.problem)) == (2, True)
    place.write(signed=TWO + lines(third, {"first": 1, "third": 3}))
    assert (second().version, second.problem, place.known) == (3, "", Known(3, third.digest))
    assert second().person("second") is None


def test_a_signed_version_counts_though_the_files_to_edit_lag_behind(place: Place, second: RosterFile) -> None:
    """Whoever takes a stolen key out must not wait for a restart."""
    moved = document(roster_toml(3, PEOPLE), SECOND, [X | {"account": "999"}])
    place.write(signed=TWO + lines(moved, BOTH))
    assert (second().version, "is not version 3" in second.problem) == (3, True)
    place.write(roster_toml(3, PEOPLE))
    assert (second().version, "The destinations are not those of version 3" in second.problem) == (3, True)


@pytest.mark.parametrize(
    ("signed", "told"),
    [
        (ONE, "rolled back"),
        (ONE + lines(FORK, BOTH), "another history"),
        ("", "rolled back"),
        (TWO + "{", "Line 7"),
        (None, "Nobody has signed"),
    ],
    ids=["rolled back", "forked", "emptied", "damaged", "gone"],
)
def test_a_history_that_does_not_go_on_is_refused_in_flight_and_at_a_start(
    place: Place, second: RosterFile, signed: str | None, told: str
) -> None:
    if signed is None:
        (place.folder / "roster.signed").unlink()
    else:
        place.write(signed=signed)
    assert (second().version, told in second.problem) == (2, True)
    assert told in place.refusal()
    place.write(signed=TWO)
    assert (second().version, second.problem) == (2, "")


def test_what_was_trusted_is_not_forgotten_when_it_cannot_be_read(place: Place, second: RosterFile) -> None:
    kept = place.folder / "data" / memory.NAME
    for damage in ("", "{", "[]", json.dumps({"version": 1}), json.dumps({"version": "1", "digest": FIRST.digest})):
        kept.write_text(damage)
        assert "is damaged" in place.refusal()
    assert second().version == 2


def test_a_process_does_not_forget_what_it_trusted_though_its_folder_does(place: Place, second: RosterFile) -> None:
    (place.folder / "data" / memory.NAME).unlink()
    place.write(roster_toml(), ONE)
    assert (second().version, "rolled back" in second.problem) == (2, True)


def test_what_cannot_be_remembered_does_not_count_yet(place: Place, second: RosterFile) -> None:
    third = document(roster_toml(3, PEOPLE), SECOND)
    blocked = place.folder / "data" / f"{memory.NAME}.new"
    blocked.mkdir()
    place.write(roster_toml(3, PEOPLE), TWO + lines(third, BOTH))
    assert (second().version, place.known) == (2, Known(2, SECOND.digest))
    assert second.problem
    blocked.rmdir()
    assert (second().version, second.problem) == (3, "")


def test_who_only_looks_leaves_nothing_behind(place: Place) -> None:
    place.write(roster_toml(), ONE)
    assert place.look()().version == 1
    assert not (place.folder / "data").exists()


# Drill


def test_in_a_drill_the_file_itself_counts_until_somebody_signs(tmp_path: Path) -> None:
    place = Place(tmp_path, "drill")
    place.write("version = 1\n")
    read = place.open()
    for text, version, problem in (("version = 22\n", 22, False), ("version = 'x'\n", 22, True), ("version = 333\n", 333, False)):
        place.write(text)
        assert (read().version, bool(read.problem)) == (version, problem), "the last good one stays in force"
    assert read.trusted is None
    assert place.known is None
    signed = document(roster_toml(), environment="drill")
    place.write(roster_toml(), lines(signed, BOTH))
    assert (read().version, read.problem) == (1, "")
    place.write(roster_toml(2))
    assert (read().version, bool(read.problem)) == (1, True), "now it is as live"
    (tmp_path / "roster.signed").unlink()
    assert "Nobody has signed" in place.refusal()


# The memory


def test_what_is_remembered_only_rises(tmp_path: Path) -> None:
    memory.remember(tmp_path / "data", Known(2, SECOND.digest))
    memory.remember(tmp_path / "data", Known(2, SECOND.digest))
    for lower in (Known(1, FIRST.digest), Known(2, FORK.digest)):
        with pytest.raises(RosterRefused, match="Version 2 was trusted here meanwhile"):
            memory.remember(tmp_path / "data", lower)
    assert memory.known(tmp_path / "data") == Known(2, SECOND.digest)
    assert os.stat(tmp_path / "data" / memory.NAME).st_mode & 0o777 == 0o600


def test_of_many_at_once_the_highest_stays(tmp_path: Path) -> None:
    def one(version: int) -> bool:
        try:
            memory.remember(tmp_path, Known(version, SECOND.digest))
        except RosterRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        went = list(pool.map(one, [7, 3, 40, 12, 1, 39, 25, 40]))
    assert memory.known(tmp_path) == Known(40, SECOND.digest)
    assert went[2]
    assert went[7]


CUTS: dict[str, Callable[[str], str]] = {"half": lambda text: text[: len(text) // 2], "one line": lambda text: text.split("\n", 1)[1]}


@pytest.mark.parametrize("cut", CUTS)
def test_a_file_that_is_being_copied_changes_nothing(place: Place, second: RosterFile, cut: str) -> None:
    third: RosterDocument = document(roster_toml(3, PEOPLE), SECOND)
    whole = TWO + lines(third, BOTH)
    place.write(roster_toml(3, PEOPLE), CUTS[cut](whole))
    assert second().version in (2, 3)
    place.write(signed=whole)
    assert (second().version, second.problem) == (3, "")
