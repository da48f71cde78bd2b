"""Who is asked to sign, and when: those on duty at once, the next ones after minutes, and whoever was asked is reminded.

Pure rules. A call is a notice with its time (`app.services.notices` plans it, `app.services.notify` sends it, or leaves it out where
nothing is to be signed any more). Only one is ever planned for a person at a time: a reminder is planned when the call before it was
sent, so that a long downtime sends nobody several at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

ASKS, ASKS_NEXT = "approve", "next"
REMINDS = ("nudge-1", "nudge-2", "nudge-3")
CALLS = (ASKS, ASKS_NEXT, *REMINDS)
"""The notices that ask one person to sign, in their order. All but the first are left out where nothing is to be signed any more; that one
is always sent, since its link shows how it goes on, and leaves an account out."""


def groups(on_duty: str, reviewers: Sequence[str]) -> list[list[str]]:
    """The reviewers in the order in which they are asked, each once; those of a group at the same time.

    `on_duty` names groups with `;` between them and people with `,`; who is no reviewer is left out, and who is not named comes last.
    """
    left, found = list(dict.fromkeys(reviewers)), []
    for group in [*named(on_duty), left.copy()]:
        found.append([person for person in group if person in left])
        left = [person for person in left if person not in found[-1]]
    return [group for group in found if group]


def named(on_duty: str) -> list[list[str]]:
    """The groups as they are written."""
    written = ([person.strip() for person in group.split(",")] for group in on_duty.split(";"))
    return [list(dict.fromkeys(filter(None, group))) for group in written]


def following(notice: str, remind: timedelta) -> tuple[str, timedelta] | None:
    """The reminder that follows a call, and how long after it; each waits twice as long as the one before. None after the last."""
    if notice not in CALLS or notice == REMINDS[-1]:
        return None
    place = REMINDS.index(notice) + 1 if notice in REMINDS else 0
    return REMINDS[place], remind * 2**place
