"""The order that a thread needs: proposed where the author's order hides an answer, never elsewhere, and without losing a word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Part, Rendering, Role
from app.domain import findings
from app.domain.announcement import Answers, Kind, OwnText
from app.domain.incident import Facts
from app.domain.manifest import Manifest, Planned
from app.domain.wording import Known, check
from app.domain.wording.first_part import weight
from app.domain.wording.rule import ROOM

WHO = "If you used Example Web since 07:10 UTC today, move your funds to a new wallet now."
OTHERS = "Everyone else is not affected."
STORY = [
    "We took our page down at 07:52 UTC.",
    "Two companies work with us on how the script came there, and we thank the reader who saw it first.",
    "It sends what is typed into the page to a stranger.",
    "The page had been changed by somebody with the password of a former supplier, which we had not withdrawn in time.",
    "Next update here at 09:30 UTC.",
]
LIST = "What we know:\n- The page was changed.\n- The app was not."
NOTHING = Known()


def proposed(text: str, room: int = ROOM) -> str | None:
    found = [one for one in check(text, NOTHING, Kind.INITIAL, room=room) if one.rule == "first-part-incomplete"]
    assert len(found) <= 1
    if not found:
        return None
    assert (found[0].start, found[0].end) == (0, len(text))
    assert found[0].mend is not None
    return found[0].mend


@pytest.mark.parametrize(
    "text",
    [
        f"{WHO} {OTHERS}",
        f"{WHO} {OTHERS} {' '.join(STORY)}",
        f"{WHO}\n\n{OTHERS}\n\n{LIST}\n\n{' '.join(STORY)}",
        " ".join(STORY),
        "Wenn Sie Example Web heute benutzt haben, ziehen Sie um. " * 8,
    ],
    ids=["one post", "all in the first", "blocks", "no answers", "another language"],
)
def test_an_order_that_tells_readers_first_is_left_alone(text: str) -> None:
    assert proposed(text) is None


def test_answers_behind_the_story_are_moved_before_it() -> None:
    text = f"{' '.join(STORY[:4])}\n\n{WHO}\n\n{LIST}\n\n{OTHERS}"
    mended = proposed(text)
    assert mended is not None
    assert mended.startswith(f"{WHO} {OTHERS}\n\n{STORY[0]}")
    assert LIST in mended
    assert proposed(mended) is None


def test_what_leans_on_a_sentence_goes_with_it() -> None:
    who = "Customers who used Example Web today are affected. They should move their funds to a new wallet now."
    text = f"{STORY[1]} {STORY[3]} {STORY[0]} {who} {OTHERS}"
    mended = proposed(text)
    assert mended is not None
    assert "are affected. They should move their funds" in mended


def test_where_the_answers_would_not_fit_nothing_is_proposed() -> None:
    long = WHO.replace("now", "now, with a device that never ran it, " + "as described in the guide that we have put there for you, " * 4)
    assert proposed(f"{' '.join(STORY)} {long} {OTHERS}") is None


def test_more_room_needs_no_other_order_and_one_post_has_none() -> None:
    text = f"{' '.join(STORY[:4])} {WHO} {OTHERS}"
    assert proposed(text) is not None
    assert proposed(text, room=2000) is None
    assert proposed(text, room=0) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.permutations([WHO, OTHERS, *STORY]), st.lists(st.sampled_from([" ", "\n\n", "\n"]), min_size=6, max_size=6))
def test_a_mend_keeps_every_word_and_is_final(sentences: list[str], between: list[str]) -> None:
    text = "".join(sentence + joint for sentence, joint in zip(sentences, [*between, ""], strict=True))
    mended = proposed(text)
    if mended is not None:
        assert sorted(re.findall(r"\S+", mended)) == sorted(re.findall(r"\S+", text))
        assert proposed(mended) is None
        assert weight(mended[: mended.index("\n\n")]) <= 280
    elif weight(text) > 280:
        assert all(weight(text[: text.index(answer) + len(answer)]) <= 280 for answer in (WHO, OTHERS))


def manifest(text: str, *destinations: Planned, texts: tuple[OwnText, ...] = ()) -> Manifest:
    return Manifest(
        environment="drill",
        announcement="an_1",
        revision=1,
        kind=Kind.INITIAL,
        incident=Facts("in_1", "Name", "name"),
        author="a",
        submitted_by="a",
        text=text,
        answers=Answers(),
        destinations=destinations,
        primaries=("x",),
        overrides=(),
        not_before="",
        not_after="",
        banner_until="",
        roster_version=1,
        created_at="",
        texts=texts,
    )


def planned(id_: str, *parts: str) -> Planned:
    return Planned(id_, "x", Role.PRIMARY, "1", full=Rendering(tuple(map(Part, parts))))


def test_it_is_found_only_where_the_text_becomes_a_thread() -> None:
    text = f"{' '.join(STORY[:4])} {WHO} {OTHERS}"
    thread = planned("x", text[:270], text[270:])
    assert "first-part-incomplete" in {found.rule for _, found in findings.of_manifest(manifest(text, thread))}
    assert "first-part-incomplete" not in {found.rule for _, found in findings.of_manifest(manifest(text, planned("x", text)))}


def test_an_own_text_has_to_answer_what_readers_ask_and_is_named_by_its_destination() -> None:
    own = OwnText("blog", "Our website was attacked.")
    found = findings.of_manifest(manifest(f"{WHO} {OTHERS}", planned("x", f"{WHO} {OTHERS}"), planned("blog", own.text), texts=(own,)))
    assert {"affected-missing", "action-missing"} <= {finding.rule for destination, finding in found if destination == "blog"}
    assert not [finding for destination, finding in found if destination == "" and finding.severity == "block"]
