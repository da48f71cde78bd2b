"""The state machine of a delivery, written once: what each event makes of each state.

A delivery has one or more parts, sent in order; `done` counts those that are certainly posted. At most one attempt is open,
and it is open just while the state is `sending` or `unknown`. An event that a state does not know raises `Impossible`, so
nothing is sent twice by an answer that comes late, and a part that is done is never sent again. An answer that comes after another
worker took over is good for one thing: its receipt (`came_late`) ends the delivery's part wherever nothing is under way.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands; `posted` and `skipped` are final."""

    PLANNED = "planned"
    SENDING = "sending"
    POSTED = "posted"
    FAILED = "failed"  # certainly not posted, and a person has to mend something
    UNKNOWN = "unknown"  # perhaps posted
    BY_HAND = "by_hand"  # a person posts it and gives the URL
    SKIPPED = "skipped"


class Event(StrEnum):
    """What can happen to a delivery."""

    STARTED = "started"  # an attempt was committed; the network call follows
    POSTED = "posted"  # a receipt came for the open part
    NOT_SENT = "not_sent"  # certainly not posted; may be tried again
    REFUSED = "refused"  # certainly not posted; a person has to mend the text or the account
    LOST = "lost"  # no usable answer, or the process died while the attempt was open
    CAME_LATE = "came_late"  # the receipt of an attempt that another worker has taken over since
    HANDED_OVER = "handed_over"  # a person posts it
    MARKED = "marked"  # a person gave the URL of the post
    RETRIED = "retried"  # a person wants it tried again and, where it was unknown, has looked
    SKIPPED = "skipped"


class Impossible(Exception):
    """This event cannot happen in this state; the message names both."""


S, E = DeliveryState, Event

_NEXT: dict[tuple[DeliveryState, Event], DeliveryState] = {
    (S.PLANNED, E.STARTED): S.SENDING,
    (S.PLANNED, E.HANDED_OVER): S.BY_HAND,
    (S.PLANNED, E.MARKED): S.POSTED,
    (S.PLANNED, E.REFUSED): S.FAILED,
    (S.PLANNED, E.RETRIED): S.PLANNED,  # wakes a broadcast that waits or has ended
    (S.PLANNED, E.SKIPPED): S.SKIPPED,
    (S.PLANNED, E.CAME_LATE): S.POSTED,
    (S.SENDING, E.POSTED): S.POSTED,
    (S.SENDING, E.NOT_SENT): S.PLANNED,
    (S.SENDING, E.REFUSED): S.FAILED,
    (S.SENDING, E.LOST): S.UNKNOWN,
    (S.SENDING, E.HANDED_OVER): S.BY_HAND,
    (S.UNKNOWN, E.POSTED): S.POSTED,
    (S.UNKNOWN, E.NOT_SENT): S.PLANNED,
    (S.UNKNOWN, E.LOST): S.UNKNOWN,
    (S.UNKNOWN, E.MARKED): S.POSTED,
    (S.UNKNOWN, E.RETRIED): S.PLANNED,
    (S.UNKNOWN, E.SKIPPED): S.SKIPPED,
    (S.UNKNOWN, E.CAME_LATE): S.POSTED,
    (S.FAILED, E.RETRIED): S.PLANNED,
    (S.FAILED, E.MARKED): S.POSTED,
    (S.FAILED, E.SKIPPED): S.SKIPPED,
    (S.FAILED, E.CAME_LATE): S.POSTED,
    (S.BY_HAND, E.MARKED): S.POSTED,
    (S.BY_HAND, E.SKIPPED): S.SKIPPED,
    (S.BY_HAND, E.CAME_LATE): S.POSTED,
}

FINAL = frozenset({S.POSTED, S.SKIPPED})
ASKS_A_PERSON = frozenset({S.FAILED, S.UNKNOWN, S.BY_HAND})
UNDER_WAY = frozenset({S.PLANNED, S.SENDING})
"""The program's own to carry on; every state is in one of the three sets."""
NOTHING_UNDER_WAY = frozenset({S.PLANNED, S.FAILED, S.BY_HAND})
"""Certainly not posted and not being posted: here alone may a delivery's role change, when another destination leads."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery is: its state and how many of its `parts` are posted."""

    state: DeliveryState
    parts: int
    done: int = 0

    def after(self, event: Event) -> Progress:
        """The progress once `event` has happened; raises `Impossible`."""
        following = _NEXT.get((self.state, event))
        if following is None:
            raise Impossible(f"A delivery that is {self.state} cannot be {event}.")
        if following is not S.POSTED:
            return replace(self, state=following)
        # A person who marks a thread as posted answers for all of it; a receipt answers for one part.
        done = self.parts if event is E.MARKED else self.done + 1
        return replace(self, state=S.POSTED if done == self.parts else S.PLANNED, done=done)


def transitions() -> Iterator[tuple[DeliveryState, Event, DeliveryState]]:
    """Every transition there is; a part that is posted leads on to the next (planned) until all are."""
    for (state, event), following in _NEXT.items():
        yield state, event, following
        if event in {E.POSTED, E.CAME_LATE}:
            yield state, event, S.PLANNED


def key(delivery_id: str, part: int) -> str:
    """The idempotency key of one part of a delivery: 20 characters of [a-z2-7], the same at every try."""
    return base64.b32encode(hashlib.sha256(f"{delivery_id}/{part}".encode()).digest()[:15])[:20].decode().lower()
