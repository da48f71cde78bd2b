"""Threads on every platform: nothing is lost, no part is too long, and links, grapheme clusters and list items stay whole."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Message, Unsupported
from adapters.text import opening
from tests.adapters.cases import CASES, Case
from tests.adapters.test_contract import pure

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
THREADS = pytest.mark.parametrize(
    "case", [case for case in CASES.values() if pure(case.platform).limits.max_parts > 1], ids=lambda case: case.platform
)

LINK = "https://help.example.com/move_funds?a=1&b=(2)"
CLUSTERS = ("👩‍👩‍👧", "🇩🇪", "👍🏽", "é̂", "क्षि", "각")
SENTENCES = st.sampled_from(
    [
        "Move your funds to a new wallet now, with a device that never ran it. ",
        "Everyone else is not affected. ",
        f"How to: {LINK}. ",
        f"({LINK}) ",
        "次の更新は一時間後です。",
        "We have taken the page down at 07:52 UTC and work with 2 others to find out how it came there, which may take some hours. ",
        "Stay calm 👩‍👩‍👧 and 🇩🇪 too, 👍🏽 é̂ क्षि 각. ",
        "word " * 60 + ". ",
        "What to do now:\n",
        "\n\n",
        "\n",
    ]
)
ITEMS = st.integers(1, 9).map(
    lambda n: f"\n- item {n}: sign out on every device, and change the password\n  that you used here{' today' * n}\n"
)
TEXTS = st.tuples(
    st.sampled_from(["", "[DRILL] "]), st.lists(SENTENCES | ITEMS, min_size=1, max_size=90).map("".join).map(str.strip).filter(bool)
).map("".join)


def said(case: Case, text: str) -> str:
    """What a reader sees: without the platform's escapes, and without the numbers of parts."""
    shown = text.replace("\\", "") if case.platform in {"discord", "discord_webhook", "reddit"} else text
    shown = html.unescape(shown) if case.platform == "reddit" else shown
    return re.sub(r"\n\n\(\d+ of \d+\)$", "", shown)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@EVERY
@settings(max_examples=80, deadline=None)
@given(text=TEXTS)
def test_a_thread_says_all_in_order_and_tears_nothing(case: Case, text: str) -> None:
    adapter, drill = pure(case.platform), text.startswith("[DRILL] ")
    try:
        rendering = adapter.render(Message(text, "Title", drill=drill))
    except Unsupported:
        return
    assert len(rendering.parts) <= adapter.limits.max_parts
    assert all(case.length(part.text) <= adapter.limits.max_length for part in rendering.parts)
    assert all(case.length(part.filled(case.official).standalone) <= adapter.limits.max_length for part in rendering.parts)
    parts = [said(case, part.text) for part in rendering.parts]
    assert not drill or all(part.startswith("[DRILL] ") for part in parts)
    bare = [part.removeprefix("[DRILL] ") if at else part for at, part in enumerate(parts)]
    assert squeezed("".join(bare)) == squeezed(text)
    for whole in (LINK, *CLUSTERS):
        assert sum(part.count(whole) for part in parts) == text.count(whole)
    for item in re.findall(r"- item \d:[^\n]*\n  [^\n]*", text):
        assert any(squeezed(item) in squeezed(part) for part in parts), item


@THREADS
def test_parts_are_numbered_only_where_nothing_else_tells_their_order(case: Case) -> None:
    adapter = pure(case.platform)
    sentences = "We have found that version 4.2 signs transfers to a stranger. " * (adapter.limits.max_length // 40)
    parts = [part.text for part in adapter.render(Message(sentences, "Title")).parts]
    assert len(parts) > 1
    numbers = [f"\n\n({at} of {len(parts)})" for at in range(1, len(parts) + 1)]
    assert [part.endswith(number) for part, number in zip(parts, numbers, strict=True)] == [not adapter.limits.replies] * len(parts)


def test_the_first_post_on_x_holds_as_many_whole_sentences_as_fit() -> None:
    who, others = "If you used Example Web today, move your funds to a new wallet now.", "Everyone else is not affected."
    what = "We found a script in our page that sends what you type to a stranger, and took the page down at once. " * 2
    first, second = (part.text for part in pure("x").render(Message(f"{who}\n\n{others} {what.strip()}", "")).parts)
    assert first.startswith(f"{who}\n\n{others}")
    assert first.endswith("at once.")
    assert second.startswith("We found")


@pytest.mark.parametrize(
    ("text", "room", "first"),
    [
        ("One. Two. Three.", 9, "One. Two."),
        ("One. Two.\n\nThree. Four.", 18, "One. Two.\n\nThree."),
        ("One.\n- two. more\n- three", 16, "One.\n- two. more"),
        ("One.\n- two. more\n- three", 12, "One."),
        ("One. Do this:\n- two", 14, "One."),
        ("- a. b\n- c", 6, "- a. b"),
        ("A sentence that is too long.", 10, ""),
        ("All of it.", 80, "All of it."),
    ],
)
def test_an_opening_ends_with_a_sentence_or_an_item(text: str, room: int, first: str) -> None:
    assert opening(text, lambda part: len(part) <= room) == first
