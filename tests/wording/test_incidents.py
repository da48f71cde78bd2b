"""Messages that the rules were not written from: sixty-four incidents in as many voices, put together, cut short, turned round and spoiled."""

from __future__ import annotations

import random

import pytest

from app.domain.announcement import Kind
from app.domain.wording import check
from tests.wording.stored import Incident, Names, incidents

INCIDENTS = incidents()
ONE = Names("Marrowgate", "marrowgate.io", "login.marrowgate-web.com")
OTHERS = (
    Names("Pellucid Nine", "pellucid9.com", "pellucid-nine.net"),
    Names("tinyserde", "tinyserde.rs", "tiny-serde.org"),
    Names("Ørsted Bank", "orstedbank.dk", "orsted-bank.com"),
)
each = pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.id)


def blocks(text: str, names: Names = ONE, kind: Kind = Kind.INITIAL) -> set[str]:
    return {f.rule for f in check(names.fill(text), names.known(), kind) if f.severity == "block"}


def whole(incident: Incident) -> str:
    return f"{incident.who} {incident.act} {incident.others} {incident.next}"


def test_there_are_more_than_sixty() -> None:
    assert len({incident.id for incident in INCIDENTS}) == len(INCIDENTS) > 60
    assert len({whole(incident) for incident in INCIDENTS}) == len(INCIDENTS)


@each
def test_a_message_that_answers_the_questions_is_not_blocked(incident: Incident) -> None:
    assert blocks(whole(incident)) == set()


@each
def test_lines_order_quotes_and_case_change_no_verdict(incident: Incident) -> None:
    parts = (incident.who, incident.act, incident.others, incident.next)
    assert blocks("\n".join(parts)) == set()
    assert blocks("\n\n".join(f"- {part}" for part in parts)) == set()
    assert blocks(f"{incident.others} {incident.who} {incident.act} {incident.next}") == set()
    assert blocks(whole(incident).replace("'", "’").replace("“", '"').replace("”", '"')) == set()
    assert blocks(f"Hello all, this is the security team. {whole(incident)} Thank you for your patience.") == set()
    assert blocks(whole(incident).replace("https://", "HTTPS://")) == set()


@each
def test_other_names_change_no_verdict(incident: Incident) -> None:
    first = {(f.rule, f.severity) for f in check(ONE.fill(whole(incident)), ONE.known(), Kind.INITIAL)}
    for names in OTHERS:
        assert {(f.rule, f.severity) for f in check(names.fill(whole(incident)), names.known(), Kind.INITIAL)} == first


@each
def test_without_what_to_do_it_is_blocked(incident: Incident) -> None:
    if "do not know" not in incident.who and "not yet" not in incident.who:
        assert blocks(f"{incident.who} We are working on it with all hands. {incident.next}") == {"action-missing"}


@each
def test_with_only_what_not_to_do_it_is_blocked(incident: Incident) -> None:
    if "do not know" not in incident.who and "not yet" not in incident.who:
        assert blocks(f"{incident.who} Please do not trust strangers who offer help. {incident.next}") == {"action-missing"}


@each
def test_without_who_is_affected_it_is_blocked(incident: Incident) -> None:
    assert blocks(f"There is a security problem, and we are sorry for it. {incident.act} {incident.next}") == {"affected-missing"}


@each
@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        ("More at https://{bad}/help.", "live-link-affected"),
        ("Never open {bad} again.", "live-link-affected"),
        ("More at https://{site}.support-desk.net/.", "lookalike-domain"),
        ("More at https://tinyurl.com/yx7.", "shortened-link"),
        ("More at https://some-newspaper.org/story.", "link-not-allowed"),
        ("To be safe, enter your seed phrase at https://help.{site}/check.", "asks-secret"),
        ("Then confirm your password by replying to this message.", "asks-secret"),
        ("Details: [insert link].", "placeholder"),
        ("The key was AKIAIOSFODNN7EXAMPLE.", "secret-in-text"),
        ("See http://wiki.corp.internal/page.", "internal-host"),
        ("@everyone please read.", "mass-mention"),
        ("Your p\u0430ssword is safe.", "hidden-characters"),
    ],
)
def test_one_bad_sentence_anywhere_blocks_for_its_own_reason(incident: Incident, spoil: str, rule: str) -> None:
    parts = [incident.who, incident.act, incident.others, incident.next]
    parts.insert(random.Random(incident.id + rule).randrange(5), spoil)
    assert blocks(" ".join(parts)) == {rule}
