"""The longest text that can be submitted, made to be looked at again and again, holds the server up no longer than a moment.

The checks run where everything else of the process does: a pattern that takes ten seconds would delay a broadcast by as much.
"""

from __future__ import annotations

import time

import pytest

from app.domain.announcement import MAX_TEXT, Kind
from app.domain.wording import Known, check

KNOWN = Known(("Example Web", "Example App"), ("Example Web",), ("example.com",), ("bad.example.com",), ("x.com",))
PIECES = (
    "a", "_", "1", "!", "(", "[a ", "<A ", "<a href=", "{{", "\n", "  ", "a.", "a@", "a@b.zz, ", "a:", "/", "&#x61;", "é", "é.a", "word ", "AB ", "A",
    "please enter ", "never please enter your password ", "if you ", "only the ", "we will ", "so that you ", "the User Group ", "don't move ",
    "password:", "sk-a", "eyJaaaaaaaa.", "-----BEGIN ", "javascript:", "https://a.b/", "a (dot) b ", "aHR0cHM6", "%25", "10:30 ", "4 March ",
    "between 10:00 and ", "abandon ", "+1 ", "\u200b", "\u200ea", "\u0440aypal ", "\U0001f468\u200d", "\U0001f3f4\U000e0067",
)  # fmt: skip
RUNS = (
    "https://a.b/" + "a" * MAX_TEXT,
    "https://a.b/" + ")" * MAX_TEXT,
    "sk-" + "a" * MAX_TEXT,
    "If you " + "a " * MAX_TEXT,
    "é" + "a" * MAX_TEXT,
)


@pytest.mark.parametrize("text", [(piece * MAX_TEXT)[:MAX_TEXT] for piece in PIECES] + [run[:MAX_TEXT] for run in RUNS])
@pytest.mark.parametrize("kind", [Kind.INITIAL, Kind.SUMMARY, Kind.POSTMORTEM])
def test_a_huge_text_is_looked_at_quickly(text: str, kind: Kind) -> None:
    assert len(text) == MAX_TEXT
    began = time.process_time()
    check(text, KNOWN, kind)
    assert time.process_time() - began < 3.0
