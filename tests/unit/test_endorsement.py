"""Which version of the roster counts: the threshold of the people before and of its own, two recovery keys, and no other way."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import sshsig
from app.domain.approval import Approval, ApprovalRefused, Decision, SshSignature, Statement
from app.domain.endorsement import NAMESPACE, Endorsement, EndorsementRefused, RosterStatement, standing
from app.domain.roster import Roster, RosterError
from app.domain.roster_document import RosterDocument, differences
from app.domain.roster_history import Known, RosterHistory, RosterRefused, document_line
from tests.support.rosters import PEOPLE, SAFES, X, document, endorsement, lines, private, public, roster_toml

FIRST = document(roster_toml())
WITH_THIRD = PEOPLE | {"third": 3}
SECOND = document(roster_toml(2, WITH_THIRD), FIRST)
MOVED = X | {"account": "999"}


def stands(about: RosterDocument, before: RosterDocument | None, *signed: tuple[str, int]) -> bool:
    return standing(about, before, [endorsement(about, signer, seed) for signer, seed in signed]).counts


# One version after another


def test_version_one_counts_with_two_of_its_own() -> None:
    assert stands(FIRST, None, ("first", 1), ("second", 2))
    assert not stands(FIRST, None, ("first", 1))
    assert not stands(FIRST, None, ("first", 1), ("first", 1), ("second", 1))


def test_the_next_counts_with_the_threshold_of_the_people_before_and_of_its_own() -> None:
    assert stands(SECOND, FIRST, ("first", 1), ("second", 2))
    assert not stands(SECOND, FIRST, ("first", 1), ("third", 3)), "one of the old, two of the new"
    outsiders = document(roster_toml(2, {"mallory": 8, "trudy": 9}), FIRST)
    assert not stands(outsiders, FIRST, ("mallory", 8), ("trudy", 9)), "two of the new, none of the old"
    assert not stands(outsiders, FIRST, ("first", 1), ("second", 2)), "two of the old, but nobody holds the new keys"
    assert stands(outsiders, FIRST, ("first", 1), ("second", 2), ("mallory", 8), ("trudy", 9))


def test_a_key_that_is_swapped_does_not_sign_for_its_person() -> None:
    swapped = document(roster_toml(2, {"first": 1, "second": 9}), FIRST)
    assert not stands(swapped, FIRST, ("first", 1), ("second", 9))
    assert stands(swapped, FIRST, ("first", 1), ("second", 2), ("second", 9)), "who has both can change it"


def test_a_person_who_was_added_a_second_time_counts_once() -> None:
    twice = document(roster_toml(2, PEOPLE | {"first-again": 7}), FIRST)
    assert not stands(twice, FIRST, ("first", 1), ("first-again", 7))
    assert not stands(twice, FIRST, ("first", 1), ("second", 1), ("first-again", 1))


def test_a_destination_is_moved_by_two_people_only() -> None:
    moved = document(roster_toml(2), FIRST, [MOVED])
    assert not stands(moved, FIRST, ("first", 1))
    assert stands(moved, FIRST, ("first", 1), ("second", 2))
    (version, account) = [one for one in differences(FIRST, moved) if one.place != ("previous",)][::-1]
    assert (account.place, account.before, account.after) == (("destination", "x-main", "account"), '"2244994945"', '"999"')
    assert version.place == ("version",)


def test_a_threshold_cannot_be_lowered_by_fewer_than_it_demands() -> None:
    three = document(roster_toml(1, WITH_THIRD, threshold=3))
    lowered = document(roster_toml(2, WITH_THIRD, threshold=2), three)
    assert not stands(lowered, three, ("first", 1), ("second", 2))
    assert stands(lowered, three, ("first", 1), ("second", 2), ("third", 3))


def test_who_only_administers_and_two_who_only_write_do_not_suffice() -> None:
    mixed = document(roster_toml(1, WITH_THIRD, roles={"second": '"admin"', "third": '"author"'}))
    assert not stands(mixed, None, ("first", 1), ("second", 2))
    assert stands(mixed, None, ("first", 1), ("third", 3))
    authors = document(roster_toml(1, WITH_THIRD, roles={"second": '"author"', "third": '"author"'}))
    assert not stands(authors, None, ("second", 2), ("third", 3))


def test_two_recovery_keys_stand_for_the_people_before_and_one_does_not() -> None:
    fresh = {"third": 3, "fourth": 4}
    recovered = document(roster_toml(2, fresh), FIRST)
    own = [("third", 3), ("fourth", 4)]
    assert stands(recovered, FIRST, *own, ("bank-safe", 101), ("notary", 102))
    assert not stands(recovered, FIRST, *own, ("bank-safe", 101))
    assert not stands(recovered, FIRST, *own, ("bank-safe", 101), ("notary", 101))
    assert not stands(recovered, FIRST, *own, ("first", 1), ("bank-safe", 101)), "a person and a key are not two keys"
    assert not stands(recovered, FIRST, *own, ("notary", 101), ("bank-safe", 102)), "each in its own name"
    assert not stands(recovered, FIRST, ("bank-safe", 101), ("notary", 102)), "the new people have to show their keys"
    assert not stands(FIRST, None, ("bank-safe", 101), ("notary", 102)), "and no roster begins with them"
    replaced = document(roster_toml(2, fresh, recovery={"bank-safe": 8, "notary": 9}), FIRST)
    assert not stands(replaced, FIRST, *own, ("bank-safe", 8), ("notary", 9)), "only those of the version before"


def test_a_recovery_key_is_nobodys_own() -> None:
    with pytest.raises(RosterError, match="same key as 'first'"):
        document(roster_toml(recovery={"bank-safe": 1, "notary": 102}))
    with pytest.raises(RosterError, match="same key as 'bank-safe'"):
        document(roster_toml(recovery={"bank-safe": 101, "notary": 101}))
    with pytest.raises(RosterError, match="same id as 'first'"):
        document(roster_toml(recovery={"first": 101, "notary": 102}))
    with pytest.raises(RosterError, match="same keeper as 'bank-safe'"):
        document(roster_toml().replace("With the notary", "with  the BANK-safe"))


IDS = ("first", "second", "third", "fourth")
SEEDS = st.integers(1, 6)


@st.composite
def some_people(draw: st.DrawFn) -> dict[str, int]:
    ids = draw(st.lists(st.sampled_from(IDS), min_size=2, unique=True))
    seeds = draw(st.lists(SEEDS, min_size=len(ids), max_size=len(ids), unique=True))
    return dict(zip(ids, seeds, strict=True))


SIGNED = st.lists(st.tuples(st.sampled_from([*IDS, *SAFES]), st.sampled_from([*range(1, 7), *SAFES.values()])), max_size=8)


@given(some_people(), some_people(), SIGNED)
def test_nothing_else_ever_counts(old: dict[str, int], new: dict[str, int], signed: list[tuple[str, int]]) -> None:
    before = document(roster_toml(1, old))
    after = document(roster_toml(2, new), before)
    by_old, by_new, by_safes = (len({id_ for id_, seed in signed if keys.get(id_) == seed}) for keys in (old, new, SAFES))
    assert stands(after, before, *signed) == (by_new >= 2 and (by_old >= 2 or by_safes >= 2))


# What is signed is what was said


def test_an_endorsement_is_of_one_document_alone() -> None:
    both = [endorsement(SECOND, "first", 1), endorsement(SECOND, "second", 2)]
    other = document(roster_toml(2, PEOPLE), FIRST)
    drill = document(roster_toml(2, WITH_THIRD), FIRST, environment="drill")
    elsewhere = document(roster_toml(2, WITH_THIRD), document(roster_toml(1, WITH_THIRD)))
    assert standing(SECOND, FIRST, both).counts
    for about in (other, drill, elsewhere):
        assert standing(about, FIRST, both).signers == ()


def test_an_endorsement_is_never_an_approval_nor_the_other_way_round() -> None:
    given = endorsement(FIRST, "first", 1)
    with pytest.raises(ApprovalRefused):
        Approval.from_json(given.to_json())
    with pytest.raises(ApprovalRefused):
        Statement.parse(given.statement.to_bytes())
    said = Statement("an_1", 1, "live", FIRST.digest, "first", Decision.APPROVE, "n" * 22)
    approval = Approval(said.to_bytes(), SshSignature(sshsig.sign(said.to_bytes(), private(1))))
    with pytest.raises(EndorsementRefused):
        Endorsement.from_json(approval.to_json())
    in_the_other_namespace = Endorsement(given.statement, sshsig.sign(given.statement.to_bytes(), private(1)))
    assert standing(FIRST, None, [in_the_other_namespace]).signers == ()


def test_openssh_agrees(ssh_keygen: str, tmp_path: Path) -> None:
    given = endorsement(FIRST, "first", 1)
    (tmp_path / "sig").write_text(given.armored)
    (tmp_path / "allowed").write_text(f'first namespaces="{NAMESPACE}" {public(1)}\n')
    command = [ssh_keygen, "-Y", "verify", "-n", NAMESPACE, "-f", str(tmp_path / "allowed"), "-I", "first", "-s", str(tmp_path / "sig")]
    assert subprocess.run(command, input=given.statement.to_bytes(), capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=given.statement.to_bytes() + b" ", capture_output=True, check=False).returncode != 0


PAGE = (Path(__file__).parents[2] / "docs" / "approval-format.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_pages_examples_are_true(tmp_path: Path) -> None:
    (shown,) = re.findall(r'^{"destination".*$', PAGE, re.MULTILINE)
    (statement,) = re.findall(r'^{"digest".*"signer".*$', PAGE, re.MULTILINE)
    about, given = RosterDocument.parse(shown.encode()), Endorsement.from_json(blocks("jsonl")[0])
    assert about.roster.data == Roster.parse(blocks("toml")[0]).data
    assert given.statement.to_bytes().decode() == statement
    found = standing(about, None, [given])
    assert (found.signers, found.own_missing) == (("first-reviewer",), 1)
    if not all(map(shutil.which, ("ssh-keygen", "jq"))):
        pytest.skip("ssh-keygen or jq is not installed, so the page's commands were not run")
    (tmp_path / "roster.signed").write_text(document_line(about) + given.to_json() + "\n")
    said = subprocess.run(["sh", "-ec", blocks("sh")[-1]], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert 'Good "tocsin-roster" signature for first-reviewer' in said.stdout, said.stderr
    assert given.statement.digest.removeprefix("sha256:") in said.stdout


@given(st.data())
def test_a_changed_byte_endorses_nothing(data: st.DataObject) -> None:
    raw = endorsement(FIRST, "first", 1).to_json().encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))]) + raw[at + 1 :]
    try:
        found = Endorsement.from_json(changed)
    except EndorsementRefused:
        return
    assert standing(FIRST, None, [found]).signers == () or found == endorsement(FIRST, "first", 1)


@given(st.text() | st.dictionaries(st.text(), st.text()).map(json.dumps))
def test_what_is_no_endorsement_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(EndorsementRefused):
        Endorsement.from_json(text)


@pytest.mark.parametrize(
    "wrong",
    [{"environment": "test"}, {"version": 0}, {"version": True}, {"digest": "sha256:1"}, {"signer": "No One"}, {"signer": ["first"]}],
)
def test_a_statement_has_one_form(wrong: dict[str, Any]) -> None:
    with pytest.raises(EndorsementRefused):
        dataclasses.replace(RosterStatement.about(FIRST, "first"), **wrong)


# The document


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.dictionaries(st.text().filter(lambda name: name != "id"), VALUES, max_size=4).map(lambda entry: entry | {"id": "x-main"})


@given(ENTRIES, ENTRIES)
def test_all_that_differs_is_shown(one: dict[str, Any], other: dict[str, Any]) -> None:
    try:
        before, after = (document(roster_toml(), None, [entry]) for entry in (one, other))
    except RosterError:  # half a character
        return
    assert bool(differences(before, after)) == (before.to_bytes() != after.to_bytes())
    assert RosterDocument.parse(before.to_bytes()) == before


def test_the_order_of_the_files_does_not_count() -> None:
    other = {"id": "forum", "platform": "manual", "role": "pointer", "account": "us"}
    turned = roster_toml(1, dict(reversed(PEOPLE.items())), recovery=dict(reversed(SAFES.items())))
    assert document(turned, None, [other, X]).digest == document(roster_toml(), None, [X, other]).digest


@given(st.binary() | st.text().map(str.encode))
def test_what_is_no_document_is_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(RosterError):
        RosterDocument.parse(raw)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":1', '"version": 1'),
        ('"live"', '"public"'),
        ('"previous":""', '"previous":"sha256:' + "0" * 64 + '"'),
        ('"previous":""', '"previous":"x"'),
        ('"version":1', '"version":2'),
        ("tocsin-roster/1", "tocsin-roster/2"),
        ('"threshold":2', '"threshold":1'),
        ('"version":1', '"version":1,"version":1'),
        ('"recovery":{', '"more":1,"recovery":{'),
        ('"x-main":{', '"x-main":1,"y":{'),
    ],
)
def test_a_document_has_one_form(old: str, new: str) -> None:
    text = FIRST.to_bytes().decode()
    assert old in text
    with pytest.raises(RosterError):
        RosterDocument.parse(text.replace(old, new, 1).encode())


@pytest.mark.parametrize("entry", [{}, {"id": "X Main"}, {"id": 3}, {"id": "x", "at": 2.5e400}, {"id": "x", "at": 2**60}])
def test_what_cannot_be_signed_is_told(entry: dict[str, Any]) -> None:
    with pytest.raises(RosterError, match=r"[Dd]estination"):
        document(roster_toml(), None, [entry])


# The history

BOTH = {"first": 1, "second": 2}
ONE = lines(FIRST, BOTH)
TWO = ONE + lines(SECOND, BOTH)


def known(about: RosterDocument) -> Known:
    return Known(about.version, about.digest)


def test_the_highest_version_that_counts_is_in_force() -> None:
    for start in (None, known(FIRST), known(SECOND)):
        found = RosterHistory.parse(TWO).in_force("live", start)
        assert (found.digest, found.standing.signers) == (SECOND.digest, ("first", "second"))
    half = RosterHistory.parse(ONE + lines(SECOND, {"first": 1, "third": 3}))
    assert half.in_force("live").digest == FIRST.digest
    ((waiting, missing),) = half.waiting(half.in_force("live"))
    assert (waiting, missing.before_missing, missing.own_missing) == (SECOND, 1, 0)
    assert RosterHistory.parse("".join(reversed(TWO.splitlines(keepends=True)))).in_force("live").digest == SECOND.digest


def test_a_process_that_slept_walks_every_version_between() -> None:
    third = document(roster_toml(3, {"third": 3, "fourth": 4}), SECOND)
    fourth = document(roster_toml(4, {"third": 3, "fourth": 4, "fifth": 5}), third)
    newer = lines(third, {"first": 1, "third": 3, "fourth": 4}) + lines(fourth, {"third": 3, "fourth": 4})
    assert RosterHistory.parse(TWO + newer).in_force("live", known(FIRST)).digest == fourth.digest
    gap = ONE + newer
    assert RosterHistory.parse(gap).in_force("live", known(FIRST)).digest == FIRST.digest, "nothing is left out"


def test_a_version_follows_the_one_that_it_names_alone() -> None:
    false_past = document(roster_toml(1, WITH_THIRD))
    built_on_it = document(roster_toml(2, PEOPLE), false_past)
    history = RosterHistory.parse(ONE + lines(built_on_it, BOTH))
    assert history.in_force("live", known(FIRST)).digest == FIRST.digest
    assert list(history.waiting(history.in_force("live"))) == []


def test_a_rollback_is_refused() -> None:
    with pytest.raises(RosterRefused, match="rolled back: version 2 was trusted here, and it ends with version 1"):
        RosterHistory.parse(ONE).in_force("live", known(SECOND))


def test_a_fork_is_refused() -> None:
    fork = document(roster_toml(2, PEOPLE, recovery={}), FIRST)
    with pytest.raises(RosterRefused, match="another history"):
        RosterHistory.parse(ONE + lines(fork, BOTH)).in_force("live", known(SECOND))
    both = RosterHistory.parse(TWO + lines(fork, BOTH))
    with pytest.raises(RosterRefused, match="Two different versions 2"):
        both.in_force("live", known(FIRST))
    assert both.in_force("live", known(SECOND)).digest == SECOND.digest, "who trusts one already goes on with it"


def test_a_drills_roster_is_never_valid_live() -> None:
    drill = document(roster_toml(), environment="drill")
    history = RosterHistory.parse(lines(drill, BOTH))
    assert history.in_force("drill").digest == drill.digest
    with pytest.raises(RosterRefused, match="for drill, and can never be used for live"):
        history.in_force("live")
    with pytest.raises(RosterRefused, match="for live, and can never be used for drill"):
        RosterHistory.parse(ONE).in_force("drill")


def test_too_few_signatures_are_told() -> None:
    with pytest.raises(RosterRefused, match="version 1 lacks 1 more"):
        RosterHistory.parse(lines(FIRST, {"first": 1})).in_force("live")
    with pytest.raises(RosterRefused, match="holds no version 1"):
        RosterHistory.parse("").in_force("live")


@pytest.mark.parametrize(
    "line", ["<<<<<<< HEAD", '{"document":1}', '{"document":"{}"}', ONE.splitlines()[0][:-9], ONE.splitlines()[1][:-9]]
)
def test_a_line_that_is_damaged_is_named(line: str) -> None:
    with pytest.raises(RosterRefused, match="Line 4"):
        RosterHistory.parse(ONE + line)


@given(st.text())
def test_what_is_no_history_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        RosterHistory.parse(text).in_force("live")
    except RosterRefused:
        return
    raise AssertionError("nobody signed that")
