"""Counted as the platform counts: X's weights and links against all of twitter-text's own cases, the others against their encodings."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import Message, Unsupported
from adapters.text import neutralise_mentions, utf16_length
from adapters.x.text import weight
from app.domain.wording import first_part
from app.domain.wording.links import links, plain
from app.rehearsal.stand_ins import telegram_text, x_text
from tests.adapters import clickable
from tests.adapters.cases import CASES
from tests.adapters.test_contract import pure
from tests.rehearsal.wire import documents

WEIGHTS = ("WeightedTweetsWithDiscountedEmojiCounterTest", "UnicodeDirectionalMarkerCounterTest")
OLDER = "WeightedTweetsCounterTest"
"""Of config v2, in which an emoji counts by its code points: where it differs from v3, ours is v3."""


EXCEPTED = {"twitter.xn--q9jyb4c"}
"""`twitter.みんなです`: X ends the name after the top-level domain みんな, within a word; the checks take the whole word."""


@cache
def conformance(file: str) -> dict[str, list[dict[str, Any]]]:
    """The cases of one of twitter-text's files by section."""
    cases: dict[str, list[dict[str, Any]]] = yaml.safe_load((documents() / "twitter-text" / f"{file}.yml").read_text("utf-8"))["tests"]
    return cases


@pytest.mark.parametrize("section", WEIGHTS)
def test_weighs_as_twitter_text_does(section: str) -> None:
    cases = conformance("validate")[section]
    assert len(cases) >= 2
    assert not [case["description"] for case in cases if weight(case["text"]) != case["expected"]["weightedLength"]]


def test_weighs_as_the_older_rules_did_but_for_emoji() -> None:
    others = [case for case in conformance("validate")[OLDER] if weight(case["text"]) != case["expected"]["weightedLength"]]
    assert all(any(unicodedata.category(char) in {"So", "Sk", "Cf"} for char in case["text"]) for case in others)
    newer = {case["text"] for case in conformance("validate")[WEIGHTS[0]]}
    assert all(case["text"] in newer for case in others), "each that differs has a newer case, which holds"


def test_what_is_too_long_for_one_post_is_what_twitter_text_calls_invalid() -> None:
    for section in WEIGHTS:
        for case in conformance("validate")[section]:
            try:
                parts = len(pure("x").render(Message(case["text"], "")).parts)
            except Unsupported:
                parts = 0
            assert (parts == 1) == case["expected"]["valid"], case["description"]


@pytest.mark.parametrize("section", ["urls", "urls_with_indices", "urls_with_directional_markers", "tco_urls_with_params"])
def test_every_link_of_twitter_text_is_found_by_the_stand_in_and_by_the_wording_checks(section: str) -> None:
    cases = conformance("extract")[section]
    assert len(cases) >= 2
    for case in cases:
        expected = [one["url"] if isinstance(one, dict) else one for one in case["expected"]]
        assert [one.value for one in x_text.found(case["text"]) if one.kind == "urls"] == expected, case["description"]
        seen = {host for link in links(plain(case["text"])) for host in link.hosts}
        assert clickable.hosts("x", case["text"]) - EXCEPTED <= seen, case["description"]


@pytest.mark.parametrize("section", ["mentions", "hashtags", "cashtags", "hashtags_from_astral"])
def test_no_mention_or_tag_of_twitter_text_is_left_once_neutralised(section: str) -> None:
    cases = conformance("extract")[section]
    assert any(case["expected"] for case in cases)
    for case in cases:
        left = [one for one in x_text.found(neutralise_mentions(case["text"])) if one.kind != "urls"]
        assert not left, case["description"]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cn", "Co")), max_size=60))
def test_the_wording_checks_weigh_no_less_than_x(text: str) -> None:
    """Theirs is an estimate that needs no library; it may be more, so that what they say fits does."""
    spaced = " ".join(unicodedata.normalize("NFC", text).replace(".", " ").split())
    assert first_part.weight(spaced) >= weight(spaced)


UNITS: dict[str, Callable[[str], int]] = {
    "telegram": lambda text: len(text.encode("utf-16-le")) // 2,
    "discord": lambda text: max(len(text), len(text.encode("utf-16-le")) // 2),
    "discord_webhook": lambda text: max(len(text), len(text.encode("utf-16-le")) // 2),
    "reddit": len,
    "banner": len,
    "email": len,
    "manual": len,
}


@pytest.mark.parametrize("platform", UNITS)
@pytest.mark.parametrize("letter", ["a", "é", "次", "👩", "🇩🇪"])
def test_one_part_holds_exactly_as_much_as_the_platform_counts(platform: str, letter: str) -> None:
    adapter, count = pure(platform), UNITS[platform]
    fitting = letter * (adapter.limits.max_length // count(letter))
    assert count(adapter.render(Message(fitting, "Title")).parts[0].text) <= adapter.limits.max_length
    assert len(adapter.render(Message(fitting, "Title")).parts) == 1
    try:
        parts = len(adapter.render(Message(fitting + letter, "Title")).parts)
    except Unsupported:
        parts = 2
    assert parts == 2


def test_telegrams_offsets_are_in_the_units_that_we_count() -> None:
    text = "👩‍👩‍👧 see https://help.example.com/x"
    (entity,) = telegram_text.entities(text)
    assert entity["offset"] == utf16_length(text[: text.index("https")])
    assert set(UNITS) | {"x"} == set(CASES)
