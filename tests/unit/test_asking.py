"""Who is asked to sign, in what order, and how often they are reminded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import asking

PEOPLE = ["ann", "bob", "cyd", "dan"]
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("on_duty", "expected"),
    [
        ("", [["ann", "bob", "cyd", "dan"]]),
        ("bob", [["bob"], ["ann", "cyd", "dan"]]),
        ("bob, cyd", [["bob", "cyd"], ["ann", "dan"]]),
        ("bob; cyd, ann", [["bob"], ["cyd", "ann"], ["dan"]]),
        ("bob, bob; bob, eve; ;cyd", [["bob"], ["cyd"], ["ann", "dan"]]),
        ("eve", [["ann", "bob", "cyd", "dan"]]),
        (" ; , ;dan,cyd,bob,ann", [["dan", "cyd", "bob", "ann"]]),
    ],
)
def test_groups_are_asked_in_their_order_and_who_is_not_named_last(on_duty: str, expected: list[list[str]]) -> None:
    assert asking.groups(on_duty, PEOPLE) == expected


@given(st.text("ab,; xyz", max_size=30), st.lists(st.sampled_from("abxyz"), max_size=6))
def test_everybody_is_asked_once_whatever_is_written(on_duty: str, reviewers: list[str]) -> None:
    found = asking.groups(on_duty, reviewers)
    assert sorted(person for group in found for person in group) == sorted(set(reviewers))
    assert all(found)


def test_three_reminders_each_after_twice_the_time() -> None:
    told, notice, waited = [], asking.ASKS, timedelta()
    while following := asking.following(notice, 3 * MINUTE):
        notice, wait = following
        waited += wait
        told.append((notice, waited))
    assert told == [("nudge-1", 3 * MINUTE), ("nudge-2", 9 * MINUTE), ("nudge-3", 21 * MINUTE)]
    assert asking.following("next", 3 * MINUTE) == ("nudge-1", 3 * MINUTE), "who is asked later is reminded as well"
    assert asking.following("alarm", MINUTE) is None
