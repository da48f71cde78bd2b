"""Spelling and hard words: slips of the fingers are found with their mend, and what is no prose is left alone."""

from __future__ import annotations

import random
import re

import pytest

from app.domain.announcement import Kind
from app.domain.wording import Finding, Known, check
from tests.wording.stored import Names, incidents

KNOWN = Known(("Zarquon Pay", "tidyjson"), ("Zarquon Pay",), ("zarquon.io", "qelmor.dev"), (), ("github.com",))
NAMES = Names("Marrowgate", "marrowgate.io", "login.marrowgate-web.com")


def found(text: str, rule: str = "spelling", kind: Kind = Kind.UPDATE) -> list[Finding]:
    return [finding for finding in check(text, KNOWN, kind) if finding.rule == rule]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("probelm", "problem"),
        ("investigatting", "investigating"),
        ("bulids", "builds"),
        ("recieve", "receive"),
        ("pasword", "password"),
        ("webstie", "website"),
        ("acount", "account"),
        ("securty", "security"),
        ("adress", "address"),
        ("untill", "until"),
        ("teh", "the"),
        ("wich", "which"),
        ("affcted", "affected"),
    ],
)
def test_a_slip_of_the_fingers_is_found_with_its_mend(wrong: str, right: str) -> None:
    assert [(f.excerpt, f.mend, f.severity) for f in found(f"We have seen {wrong} in the text of this update, and we are sorry.")] == [
        (wrong, right, "warn")
    ]
    (first,) = found(f"{wrong.capitalize()} is what the update begins with, and you can read it here.")
    assert first.mend == right.capitalize()


@pytest.mark.parametrize(
    "words",
    [
        "the colours of our organisation, the cancelled programme and the licence, whose behaviour we analysed and apologised for",
        "the colors of our organization, the canceled program and the license, whose behavior we analyzed and apologized for",
        "a webhook of the backend, a passkey, the testnet and a stablecoin, phished by typosquatting and defanged",
        "Zarquon Pay, zarquon and tidyjson, of which qelmor is a part",
        "`pip instal fastyaml` and the file src/net/resolv.py, the handle @zarqoun and the tag #probelm",
        "the users Dvorak, Hrdlicka and McKenzie, and their friend iPhnoe",
        "https://github.com/zarquon/probelm or probelm.md, probelm_two and --probelm=yes",
        "it's what you're told, isn't it, and the team's and users' rights won't change",
        "a well-known and re-opened co-op; e.g. the 2nd and 3rd of it, i.e. v2beta1",
        "<problm> and {probelm}, and $probelm",
    ],
)
def test_what_is_right_or_no_prose_is_left_alone(words: str) -> None:
    assert [(f.excerpt, f.mend) for f in found(f"This is about {words}, and it is all that we have for you.")] == []


def test_in_another_language_nothing_is_misspelt() -> None:
    assert found("Wir untersuchen das Probelm mit den Bulids und melden uns hier wieder, sobald wir mehr wissen.") == []


def test_of_swapped_letters_in_messages_nearly_all_are_found_and_no_other_word() -> None:
    dice, made, seen = random.Random(3), 0, 0
    for incident in incidents():
        text = NAMES.fill(f"{incident.who} {incident.act} {incident.others} {incident.next}")
        words = [word for word in text.split() if word.isalpha() and word.islower() and len(word) > 5]
        for word in dice.sample(words, min(3, len(words))):
            place = dice.randrange(1, len(word) - 2)
            wrong = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
            if wrong != word:
                spots = [f.excerpt for f in check(re.sub(rf"\b{word}\b", wrong, text), NAMES.known(), Kind.UPDATE) if f.rule == "spelling"]
                assert set(spots) <= {wrong}
                made, seen = made + 1, seen + bool(spots)
    assert made > 150
    assert seen / made > 0.97, f"{seen} of {made}"


def test_a_long_sentence_and_a_hard_text_are_hints() -> None:
    long = "We ask you to " + "look at it and then to wait and " * 5 + "to tell us what you have seen."
    assert [(f.severity, f.excerpt) for f in found(long, "hard-to-read") if f.excerpt] == [("info", long)]
    assert found("We ask you to look at it. " * 5, "hard-to-read") == []
    assert found(long, "hard-to-read", Kind.POSTMORTEM) == []


def test_names_make_no_text_harder() -> None:
    text = (
        "{0} is slow today, and we know why. If you use {0}, please wait until noon. We will tell you here when {0} is as fast as it was."
    )
    for name in ("Box", "Internationalisation Authority"):
        known = Known((name,), (name,))
        assert not [f for f in check(text.format(name), known, Kind.UPDATE) if f.rule == "hard-to-read"]
