"""The link rules on thousands of generated texts: every disguise is found, and what is no link is left alone."""

from __future__ import annotations

import pytest

from app.domain.announcement import Kind
from app.domain.wording import check
from tests.wording.disguises import KNOWN, disguises, impostors, innocents

LINK_RULES = {"live-link-affected", "lookalike-domain", "shortened-link", "link-not-allowed"}
COUNT = 1500


def rules(text: str) -> set[str]:
    return {finding.rule for finding in check(text, KNOWN, Kind.UPDATE)} & LINK_RULES


@pytest.mark.parametrize("seed", [11, 1101])
def test_every_disguise_of_an_affected_domain_is_found(seed: int) -> None:
    texts = disguises(COUNT, seed)
    missed = [text for text in texts if rules(text) != {"live-link-affected"}]
    assert not missed, f"{len(missed)} of {len(texts)}: {missed[:20]}"


@pytest.mark.parametrize("seed", [12, 1102])
def test_every_impostor_of_an_own_domain_is_found(seed: int) -> None:
    texts = impostors(COUNT // 3, seed)
    missed = [text for text in texts if not rules(text) & {"lookalike-domain", "live-link-affected"}]
    assert not missed, f"{len(missed)} of {len(texts)}: {missed[:20]}"


@pytest.mark.parametrize("seed", [13, 1103])
def test_what_is_no_link_is_left_alone(seed: int) -> None:
    texts = innocents(COUNT, seed)
    wrong = [(text, found) for text in texts if (found := rules(text))]
    assert not wrong, f"{len(wrong)} of {len(texts)}: {wrong[:20]}"


def test_the_same_seed_makes_the_same_texts_and_another_other_ones() -> None:
    assert disguises(50) == disguises(50)
    assert not set(innocents(50, 1)) >= set(innocents(50, 2))
