"""What changed between two revisions: word by word, every signed field, and never a long wait."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rendering
from app.domain.announcement import Answers, Translation
from app.domain.changes import changes, words
from tests.browser.samples import manifest

TEXTS = st.text(alphabet=st.sampled_from("ab \n.é\u200b🚨"), max_size=60) | st.text(max_size=40)


@given(TEXTS, TEXTS)
def test_the_pieces_are_the_old_text_and_the_new_one(before: str, after: str) -> None:
    pieces = words(before, after)
    assert "".join(text for kind, text in pieces if kind != "in") == before
    assert "".join(text for kind, text in pieces if kind != "out") == after
    assert all(text for _, text in pieces)


def test_a_word_is_a_word() -> None:
    assert words("Move your funds now.", "Move your keys now.") == (
        ("same", "Move your "),
        ("out", "funds "),
        ("in", "keys "),
        ("same", "now."),
    )


def test_a_revision_that_only_was_written_later_shows_nothing() -> None:
    before = manifest()
    after = replace(before, revision=3, created_at="2026-11-24T08:00:00.000000Z", not_after="2026-11-25T08:00:00.000000Z", banner_until="")
    assert changes(before.to_bytes().decode(), after.to_bytes().decode()) == ()


def test_a_translation_that_changed_is_told_by_its_language() -> None:
    before = manifest(language="en", translations=(Translation("de", "Bringen Sie Ihr Guthaben weg.", correction="Das war falsch."),))
    german = Translation("de", "Bringen Sie Ihr Geld weg.", Answers(affected="Alle."), "Das war ein Irrtum.")
    after = replace(before, translations=(Translation("ar", "انقلوا أموالكم."), german))
    told = {change.where: change for change in changes(before.to_bytes().decode(), after.to_bytes().decode())}
    assert told["translations · ar"].pieces == (("in", "انقلوا أموالكم."),)
    assert told["translations · de"].pieces == (("same", "Bringen Sie Ihr "), ("out", "Guthaben "), ("in", "Geld "), ("same", "weg."))
    assert told["translations · de · answers · affected"].pieces == (("in", "Alle."),)
    assert told["translations · de · correction"].pieces[-2:] == (("out", "falsch."), ("in", "ein Irrtum."))


def test_every_signed_field_that_changed_is_told_alike_ones_together() -> None:
    before = manifest()
    entries = [
        replace(entry, pointer=Rendering(tuple(replace(part, text=part.text + " Now.") for part in entry.pointer.parts)))
        if entry.pointer
        else entry
        for entry in before.destinations
    ]
    after = replace(before, text=before.text + " Now.", destinations=tuple(entries[:-1]), primaries=("x-main",), fallback_after=90)
    told = {change.where: change for change in changes(before.to_bytes().decode(), after.to_bytes().decode())}
    assert told["the text"].pieces[-2:] == (("out", "else."), ("in", "else. Now."))
    assert told["primaries"].pieces == (("out", "x-main, telegram"), ("in", "x-main"))
    assert "fallback after" in told
    pointers = told["x-main (primary) · as a pointer · 1"]
    assert "hook (pointer) · as a pointer · 1" in pointers.also
    gone = [change for change in told.values() if change.where.startswith("team (internal)")]
    assert gone
    assert all(kind == "out" for change in gone for kind, _ in change.pieces)


def test_a_field_that_this_version_does_not_know_is_told() -> None:
    before, after = (json.loads(manifest().to_bytes()) for _ in "ab")
    after["sound"], after["destinations"][0]["colour"] = {"bell": ["loud"]}, 7
    told = {change.where: change.pieces for change in changes(json.dumps(before), json.dumps(after))}
    assert told == {"sound · bell": (("in", "loud"),), "x-main (primary) · colour": (("in", "7"),)}


def test_the_correction_that_is_sealed_with_it_is_compared_word_by_word() -> None:
    from tests.unit.test_seal import SHUT
    from tests.unit.test_seal import manifest as sealed

    one, two = (
        sealed(seal=replace(SHUT, correction=sealed(text=text, seal=replace(SHUT, corrects="an_7f3k")).to_bytes().decode()))
        for text in ("It was wrong.", "It was right.")
    )
    [told] = changes(one.to_bytes().decode(), two.to_bytes().decode())
    assert (told.where, told.pieces) == ("seal · correction", (("same", "It was "), ("out", "wrong."), ("in", "right.")))


def test_the_longest_texts_take_no_long_time() -> None:
    longest = ["a b " * 5000, "b a " * 5000, "x " * 10_000, "\n" * 20_000, " ".join(str(number) for number in range(3500))[:20_000]]
    started = time.process_time()
    for before in longest:
        for after in longest:
            assert "".join(text for kind, text in words(before, after) if kind != "out") == after
    assert time.process_time() - started < 20
