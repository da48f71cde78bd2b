"""Splitting never loses, changes or tears anything; neutralising is visible and done once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from adapters.contract import PERMALINK_SLOT, Unsupported
from adapters.text import URL, graphemes, neutralise_mentions, quoted, split, utf16_length

PIECES = st.sampled_from(
    [
        "A sentence that says something. ",
        "Short! ",
        "word ",
        "\n",
        "\n\n",
        "\r\n",
        "- item of a list\n",
        "  continued\n",
        "12) numbered item\n",
        "次の更新は一時間後です。",
        "https://status.company.example/a/b?c=d&e=f ",
        "company.example/path ",
        PERMALINK_SLOT,
        "Heading:\n",
        "👩‍👩‍👧",
        "🇩🇪🇫🇷",
        "e\u0301",
        "क्षि",
        "각",
        " \u0301",
        "\u00a0",
        "x" * 90,
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join)
LIMITS = st.integers(50, 120)


WHOLE = rf"{re.escape(PERMALINK_SLOT)}|{URL.pattern}"


def within(limit: int) -> Callable[[str], bool]:
    return lambda part: len(part) <= limit


def parts_of(text: str, limit: int) -> list[str]:
    """Refused is only what holds a link that is too long, with what sticks to it."""
    try:
        return split(text, within(limit))
    except Unsupported:
        assert any(len(word) > limit for word in re.findall(r"\S*\.\S*", text))
        reject()


def starts_of(parts: list[str], text: str) -> list[int]:
    """Where each part starts, having checked that only whitespace lies around the parts."""
    starts, at = [], 0
    for part in parts:
        start = text.index(part, at)
        assert not text[at:start].strip()
        starts.append(start)
        at = start + len(part)
    assert not text[at:].strip()
    return starts


@given(TEXTS, LIMITS)
def test_parts_fit_and_lose_nothing_but_whitespace_at_the_joints(text: str, limit: int) -> None:
    parts = parts_of(text, limit)
    assert all(len(part) <= limit and part.rstrip() == part for part in parts)
    assert not any(part[0].isspace() and unicodedata.category(part[1])[0] != "M" for part in parts if part)
    starts_of(parts, text)
    assert all(parts) or parts == [""]


@given(TEXTS, LIMITS)
@example("x" * 90 + f"{PERMALINK_SLOT} \u0301", 50)
@example("x" * 50 + " \u0301", 50)
def test_no_link_slot_or_grapheme_cluster_is_cut(text: str, limit: int) -> None:
    text = text.strip()
    starts = starts_of(parts_of(text, limit), text)
    clusters = {0}
    for cluster in graphemes(text):
        clusters.add(max(clusters) + len(cluster))
    assert set(starts) <= clusters
    for whole in re.finditer(WHOLE, text):
        assert not any(whole.start() < start < whole.end() for start in starts)


@given(TEXTS, LIMITS)
def test_what_fits_is_left_in_one_part(text: str, limit: int) -> None:
    if len(text.strip()) <= limit:
        assert split(text, within(limit)) == [text.strip()]


def test_cuts_at_paragraphs_before_sentences_before_words() -> None:
    text = "One sentence. Another sentence.\n\nA second paragraph of it."
    assert split(text, within(40)) == ["One sentence. Another sentence.", "A second paragraph of it."]
    assert split(text, within(30)) == ["One sentence.", "Another sentence.", "A second paragraph of it."]


def test_a_list_item_stays_whole_with_its_continuation_and_its_introduction() -> None:
    text = "We know this.\nDo this now:\n- change your password\n  on every device\n- sign out"
    assert split(text, within(60)) == ["We know this.", "Do this now:\n- change your password\n  on every device", "- sign out"]


def test_a_sentence_that_must_be_cut_starts_a_part() -> None:
    text = "Short. " + "Word " * 30
    assert split(text, within(60))[0] == "Short."


def test_a_list_item_too_long_for_a_part_is_cut_between_words() -> None:
    parts = split("- " + "word " * 30, within(50))
    assert len(parts) > 1
    assert all(re.fullmatch(r"(- )?(word ?)+", part) for part in parts)


def test_a_link_too_long_for_a_part_is_refused_not_cut() -> None:
    with pytest.raises(Unsupported, match="too long"):
        split("Look at https://status.company.example/" + "a" * 80, within(60))


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("e\u0301a", ["e\u0301", "a"]),
        ("👩‍👩‍👧👍🏽", ["👩‍👩‍👧", "👍🏽"]),
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("1️⃣2", ["1️⃣", "2"]),
        ("क्षि", ["क्षि"]),
        ("\u1112\u1161\u11ab한", ["\u1112\u1161\u11ab", "한"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("🏴\U000e0067\U000e0062\U000e007fx", ["🏴\U000e0067\U000e0062\U000e007f", "x"]),
    ],
)
def test_grapheme_clusters(text: str, clusters: list[str]) -> None:
    assert graphemes(text) == clusters


@given(st.text())
def test_utf16_length_is_that_of_the_encoding(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize(
    ("text", "neutral"),
    [
        ("Ask @name.", "Ask @ name."),
        (".@name says", ".@ name says"),
        ("日本@name", "日本@ name"),
        ("RT@name", "RT@ name"),
        ("＠name", "＠ name"),
        ("@everyone", "@ everyone"),
        ("write to help@company.example or rt@company.example", "write to help@company.example or rt@company.example"),
        ("https://social.example/@name#top", "https://social.example/@name#top"),
        ("#incident, #12, C#", "# incident, #12, C#"),
        ("$ABC costs $5 or US$5", "$ ABC costs $5 or US$5"),
        (f"see {PERMALINK_SLOT}", f"see {PERMALINK_SLOT}"),
    ],
)
def test_names_tags_and_cashtags_get_a_space(text: str, neutral: str) -> None:
    assert neutralise_mentions(text) == neutral


@given(st.text(alphabet="a @#$/.:_-1é\u2014h", max_size=30))
def test_neutralising_only_adds_spaces_and_only_once(text: str) -> None:
    neutral = neutralise_mentions(text)
    assert neutral.replace(" ", "") == text.replace(" ", "")
    assert neutralise_mentions(neutral) == neutral


def test_tags_can_stay() -> None:
    assert neutralise_mentions("@a1 #tag $ABC", tags=False, cashtags=False) == "@ a1 #tag $ABC"


@given(st.text() | st.none())
def test_what_a_platform_said_fits_into_one_short_line(said: str | None) -> None:
    line = quoted(said, 50)
    assert len(line) <= 52
    assert line.isprintable()
