"""First messages in many voices: those that answer what readers ask are let through, those that leave it open are told which answer they lack."""

from __future__ import annotations

import pytest

from app.domain.announcement import Kind
from app.domain.wording import check
from tests.wording.stored import Names, messages

NAMES = Names("Marrowgate", "marrowgate.io", "marrowgate-web.com")
OTHER = Names("Oddlebury", "oddlebury.io", "oddlebury-web.com")
MESSAGES = messages()
LACKING = [(rule, text) for rule in ("action-missing", "affected-missing") for text in MESSAGES[rule]]


def blocks(text: str, names: Names = NAMES, kind: Kind = Kind.INITIAL) -> set[str]:
    return {f.rule for f in check(text, names.known(), kind) if f.severity == "block"}


def swapped(text: str) -> str:
    return text.replace(NAMES.product, OTHER.product).replace(NAMES.product.lower(), OTHER.product.lower())


@pytest.mark.parametrize("text", MESSAGES["good"])
def test_a_good_message_in_any_voice_is_not_blocked(text: str) -> None:
    assert blocks(text) == set()
    assert blocks(swapped(text), OTHER) == set()
    assert not [f.excerpt for f in check(text, NAMES.known(), Kind.INITIAL) if f.rule == "spelling"]


@pytest.mark.parametrize(("rule", "text"), LACKING)
def test_a_message_that_lacks_an_answer_is_told_which(rule: str, text: str) -> None:
    assert rule in blocks(text)
    assert rule in blocks(swapped(text), OTHER)


@pytest.mark.parametrize("text", MESSAGES["asks-secret"])
def test_an_ask_for_a_secret_is_found(text: str) -> None:
    assert "asks-secret" in blocks(text, kind=Kind.UPDATE)


@pytest.mark.parametrize("text", MESSAGES["warnings"])
def test_a_warning_is_no_ask(text: str) -> None:
    assert blocks(text, kind=Kind.UPDATE) == set()
