"""The state machine of a delivery, against a model of a platform: crashes anywhere, any answer, people acting at any time.

What is judged is what the model platform holds. A part is there at most once unless a person said falsely "I looked, it is not
there"; and a delivery that is neither final nor asks a person always has a next step.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.delivery import ASKS_A_PERSON, FINAL, UNDER_WAY, DeliveryState, Event, Impossible, Progress, key, transitions

S, E = DeliveryState, Event
PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"


class DeliveryModel(RuleBasedStateMachine):
    """`held` is the platform's truth, in flight is a request whose answer nobody has seen. `stored` is what is on disk."""

    @initialize(parts=st.integers(1, 4), reconcile=st.sampled_from(["key", "lookup", "nobody"]))
    def plan(self, parts: int, reconcile: str) -> None:
        self.stored = Progress(S.PLANNED, parts)
        self.reconcile = reconcile
        self.held: Counter[int] = Counter()
        self.by_hand: set[int] = set()
        self.lied: set[int] = set()
        self.in_flight = False  # this process waits for an answer
        self.open_attempt = False

    def happens(self, event: Event) -> None:
        self.stored = self.stored.after(event)
        self.open_attempt = self.stored.state in {S.SENDING, S.UNKNOWN}

    def arrives(self) -> None:
        """The platform posts the part, once for a key where it knows keys."""
        part = self.stored.done
        self.held[part] = 1 if self.reconcile == "key" else self.held[part] + 1

    # The program

    @precondition(lambda self: self.stored.state is S.PLANNED)
    @rule()
    def attempt(self) -> None:
        self.happens(E.STARTED)
        self.in_flight = True

    @precondition(lambda self: self.in_flight)
    @rule(answer=st.sampled_from(["receipt", "lost, posted", "lost, not posted", "busy", "refused", "by hand"]))
    def answer(self, answer: str) -> None:
        if answer in {"receipt", "lost, posted"}:
            self.arrives()
        outcome = {"receipt": E.POSTED, "busy": E.NOT_SENT, "refused": E.REFUSED, "by hand": E.HANDED_OVER}
        self.happens(outcome.get(answer, E.LOST))
        self.in_flight = False

    @precondition(lambda self: self.in_flight)
    @rule(posted=st.booleans())
    def crash(self, posted: bool) -> None:
        """At any point after the attempt was committed: before the request left, or after the platform took it."""
        if posted:
            self.arrives()
        self.in_flight = False

    @precondition(lambda self: not self.in_flight and self.stored.state is S.SENDING)
    @rule()
    def take_over(self) -> None:
        self.happens(E.LOST)

    @precondition(lambda self: self.stored.state is S.UNKNOWN)
    @rule(seen=st.booleans())
    def find_out(self, seen: bool) -> None:
        """By the key, by a look (that may fail), or not at all."""
        if self.reconcile == "key":
            self.happens(E.NOT_SENT)
        elif self.reconcile == "lookup" and seen:
            self.happens(E.POSTED if self.held[self.stored.done] else E.NOT_SENT)
        else:
            self.happens(E.LOST)

    # People, at any time

    @rule(honest=st.booleans())
    def retry(self, honest: bool) -> None:
        """An honest person looks first where it is unknown, and retries only what is not there."""
        unknown_and_there = self.stored.state is S.UNKNOWN and bool(self.held[self.stored.done])
        if unknown_and_there and honest:
            return
        try:
            self.happens(E.RETRIED)
        except Impossible:
            assert self.stored.state in {S.SENDING, S.POSTED, S.BY_HAND, S.SKIPPED}
            return
        if unknown_and_there:
            self.lied.add(self.stored.done)

    @rule()
    def mark(self) -> None:
        rest = set(range(self.stored.done, self.stored.parts))
        try:
            self.happens(E.MARKED)
        except Impossible:
            assert self.stored.state in FINAL | {S.SENDING}
            return
        self.by_hand |= {part for part in rest if not self.held[part]}

    @rule()
    def skip(self) -> None:
        try:
            self.happens(E.SKIPPED)
        except Impossible:
            assert self.stored.state in FINAL | {S.SENDING}

    @rule(event=st.sampled_from([E.POSTED, E.NOT_SENT, E.REFUSED, E.HANDED_OVER]))
    @precondition(lambda self: not self.open_attempt)
    def late_answer(self, event: Event) -> None:
        """An answer to nothing changes nothing (a plan may be refused or handed over before it is tried)."""
        if self.stored.state is S.PLANNED and event in {E.REFUSED, E.HANDED_OVER}:
            return
        with pytest.raises(Impossible):
            self.stored.after(event)

    # What always holds

    @invariant()
    def never_twice(self) -> None:
        doubled = {part for part, times in self.held.items() if times > 1}
        assert doubled <= self.lied, "a part was posted twice, and nobody said falsely that it is not there"

    @invariant()
    def never_lost(self) -> None:
        state = self.stored.state
        assert (state in FINAL) + (state in ASKS_A_PERSON) + (state in UNDER_WAY) == 1
        if state in UNDER_WAY:
            assert state is S.SENDING or self.stored.after(E.STARTED).state is S.SENDING
            assert not self.open_attempt or self.stored.after(E.LOST).state is S.UNKNOWN
        if state in ASKS_A_PERSON:
            assert self.stored.after(E.MARKED).state is S.POSTED
            assert self.stored.after(E.SKIPPED).state is S.SKIPPED

    @invariant()
    def posted_means_there(self) -> None:
        done = range(self.stored.done)
        assert all(self.held[part] or part in self.by_hand for part in done)
        assert (self.stored.state is S.POSTED) == (self.stored.done == self.stored.parts)
        assert 0 <= self.stored.done <= self.stored.parts


TestDeliveryModel = DeliveryModel.TestCase


@given(st.sampled_from(S), st.integers(1, 5), st.data())
def test_no_event_undoes_a_part_that_is_posted(state: DeliveryState, parts: int, data: st.DataObject) -> None:
    done = parts if state is S.POSTED else data.draw(st.integers(0, parts - 1))
    before = Progress(state, parts, done)
    possible = {event for source, event, _ in transitions() if source is state}
    assert not possible or state not in FINAL, "nothing leads out of a final state"
    for event in E:
        if event in possible:
            assert before.after(event).done >= before.done
        else:
            with pytest.raises(Impossible, match=f"{state.value} cannot be {event.value}"):
                before.after(event)


def test_only_an_open_attempt_can_get_a_receipt() -> None:
    assert {state for state, event, _ in transitions() if event is E.POSTED} == {S.SENDING, S.UNKNOWN}
    assert {state for state, event, _ in transitions() if event is E.STARTED} == {S.PLANNED}


@given(st.text(min_size=1, max_size=40), st.integers(0, 30))
def test_a_key_is_the_same_at_every_try_and_names_one_part(delivery: str, part: int) -> None:
    name = key(delivery, part)
    assert re.fullmatch(r"[a-z2-7]{20}", name)
    assert name == key(delivery, part)
    assert name != key(delivery, part + 1)
    assert name != key(delivery + "0", part)


def test_the_documented_diagram_is_the_state_machine() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (.+)$", PAGE.read_text(), re.MULTILINE))
    arrows = {(source, target, event) for source, target, events in drawn if source != "[" for event in events.split(", ")}
    assert arrows == {(state.value, following.value, event.value) for state, event, following in transitions()}
