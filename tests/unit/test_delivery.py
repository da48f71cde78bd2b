"""The state machine of a delivery, against a model of a platform: crashes anywhere, any answer, workers that freeze, people at any time.

What is judged is what the model platform holds. A part is there at most once, except where a person said "I looked, it is not there"
falsely or while the request was still under way, or where two people approved that it be sent again and nobody can look. And a
delivery that is neither final nor asks a person always has a next step.

Two things are modelled as impossible, since they lie outside this machine: a worker that slept between its attempt and its call does not
send (`SENT_WITHIN`), and "not there" is believed only once no request can be under way any more (`LONGEST_CALL`, `LATEST_ANSWER`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.delivery import (
    ASKS_A_PERSON,
    FINAL,
    NOTHING_UNDER_WAY,
    UNDER_WAY,
    DeliveryState,
    Event,
    Impossible,
    Progress,
    key,
    transitions,
)

S, E = DeliveryState, Event
PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"


@dataclass(eq=False)
class Request:
    """One that is under way, or whose receipt has not come yet. `over`: the platform will not post it any more."""

    part: int
    role: str
    posted: bool = False
    over: bool = False


class DeliveryModel(RuleBasedStateMachine):
    """`held` is the platform's truth, `stored` what is on disk; `mine` is the present worker's request, `frozen` those of others."""

    @initialize(parts=st.integers(1, 4), reconcile=st.sampled_from(["key", "lookup", "nobody"]), resend=st.booleans())
    def plan(self, parts: int, reconcile: str, resend: bool) -> None:
        self.stored, self.role = Progress(S.PLANNED, parts), "first"
        self.reconcile, self.resend = reconcile, resend
        self.held: Counter[tuple[str, int]] = Counter()
        self.by_hand: set[int] = set()
        self.excused: set[tuple[str, int]] = set()
        self.mine: Request | None = None
        self.frozen: list[Request] = []

    @property
    def part(self) -> tuple[str, int]:
        """The next one."""
        return self.role, self.stored.done

    @property
    def open_attempt(self) -> bool:
        return self.stored.state in {S.SENDING, S.UNKNOWN}

    def happens(self, event: Event) -> None:
        self.stored = self.stored.after(event)

    def arrives(self, request: Request | None) -> None:
        """The platform posts the part, once for a key where it knows keys."""
        assert request
        name = (request.role, request.part)
        self.held[name] = 1 if self.reconcile == "key" else self.held[name] + 1
        request.posted = request.over = True

    # The program

    @precondition(lambda self: self.stored.state is S.PLANNED)
    @rule()
    def attempt(self) -> None:
        self.happens(E.STARTED)
        self.mine = Request(self.stored.done, self.role)

    @precondition(lambda self: self.mine)
    @rule(answer=st.sampled_from(["receipt", "lost, posted", "lost, not posted", "busy", "refused", "by hand"]))
    def answer(self, answer: str) -> None:
        if answer in {"receipt", "lost, posted"}:
            self.arrives(self.mine)
        outcome = {"receipt": E.POSTED, "busy": E.NOT_SENT, "refused": E.REFUSED, "by hand": E.HANDED_OVER}
        self.happens(outcome.get(answer, E.LOST))
        self.mine = None

    @precondition(lambda self: self.mine)
    @rule(posted=st.booleans())
    def crash(self, posted: bool) -> None:
        """At any point after the attempt was committed: before the request left, or after the platform took it."""
        if posted:
            self.arrives(self.mine)
        self.mine = None

    @precondition(lambda self: not self.mine and self.stored.state is S.SENDING)
    @rule()
    def take_over(self) -> None:
        self.happens(E.LOST)

    @precondition(lambda self: self.mine)
    @rule(sent=st.booleans())
    def freeze_and_be_taken_over(self, sent: bool) -> None:
        """Its request is under way and may be posted yet; one that was not sent when it slept never is."""
        if sent and self.mine:
            self.frozen.append(self.mine)
        self.mine = None
        self.happens(E.LOST)

    @precondition(lambda self: any(not request.over for request in self.frozen))
    @rule(data=st.data())
    def is_posted_late(self, data: st.DataObject) -> None:
        self.arrives(data.draw(st.sampled_from([request for request in self.frozen if not request.over])))

    @precondition(lambda self: any(request.posted for request in self.frozen))
    @rule(data=st.data())
    def came_late(self, data: st.DataObject) -> None:
        """The receipt is good for its own part, in the role that it had, wherever nothing is under way; else people are told."""
        request = data.draw(st.sampled_from([request for request in self.frozen if request.posted]))
        if self.stored.state is S.SENDING:
            with pytest.raises(Impossible):
                self.stored.after(E.CAME_LATE)  # it is waited for what becomes of that
            return
        self.frozen.remove(request)
        if (request.role, request.part) == self.part and self.stored.state not in FINAL:
            self.happens(E.CAME_LATE)

    @precondition(lambda self: self.stored.state is S.UNKNOWN)
    @rule(seen=st.booleans())
    def find_out(self, seen: bool) -> None:
        """By the key, by a look (that may fail, or come too soon), by what was approved, or not at all."""
        if self.reconcile == "key":
            self.happens(E.NOT_SENT)
        elif self.reconcile == "lookup" and seen and self.held[self.part]:
            self.happens(E.POSTED)
        elif self.reconcile == "lookup" and seen:
            for request in self.frozen:
                request.over = True
            self.happens(E.NOT_SENT)
        elif self.reconcile == "nobody" and self.resend:
            self.excused.add(self.part)
            self.happens(E.NOT_SENT)
        else:
            self.happens(E.LOST)

    @precondition(lambda self: self.stored.state in NOTHING_UNDER_WAY and not self.stored.done)
    @rule(parts=st.integers(1, 4))
    def recast(self, parts: int) -> None:
        """Another destination leads: this one gets other words, unless a post under the same key may be there already."""
        if self.reconcile == "key" and (self.frozen or self.held):
            return
        self.role = f"after {self.role}"
        self.stored = Progress(self.stored.state, parts)

    # People, at any time

    @rule(honest=st.booleans())
    def retry(self, honest: bool) -> None:
        """An honest person looks first where it is unknown, and retries only what is not there."""
        unknown = self.stored.state is S.UNKNOWN
        if unknown and self.held[self.part] and honest:
            return
        part, too_soon = self.part, any(not request.over for request in self.frozen)
        try:
            self.happens(E.RETRIED)
        except Impossible:
            assert self.stored.state in {S.SENDING, S.POSTED, S.BY_HAND, S.SKIPPED}
            return
        if unknown and (self.held[part] or too_soon):
            self.excused.add(part)

    @rule()
    def mark(self) -> None:
        rest = set(range(self.stored.done, self.stored.parts))
        try:
            self.happens(E.MARKED)
        except Impossible:
            assert self.stored.state in FINAL | {S.SENDING}
            return
        self.by_hand |= {part for part in rest if not self.held[self.role, part]}

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
        assert doubled <= self.excused, "a part was posted twice, and nobody is to blame for it but the program"

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
        assert all(self.held[self.role, part] or part in self.by_hand for part in done)
        assert (self.stored.state is S.POSTED) == (self.stored.done == self.stored.parts)
        assert 0 <= self.stored.done <= self.stored.parts

    @invariant()
    def one_request_at_most(self) -> None:
        """The present worker's, and only while the state says so."""
        assert not self.mine or self.stored.state is S.SENDING


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
    """A late one can end whatever waits; where a call is under way, it has to wait too."""
    assert {state for state, event, _ in transitions() if event is E.POSTED} == {S.SENDING, S.UNKNOWN}
    assert {state for state, event, _ in transitions() if event is E.CAME_LATE} == set(S) - FINAL - {S.SENDING}
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
