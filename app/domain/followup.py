"""The clock of an incident: which follow-ups it owes, and in which windows they are due.

A follow-up is a row that a tick looks at, never a sleeping task. It is sent only when approved and inside its window; opening
unapproved it reminds, closing unapproved it is overdue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.announcement import Kind


class FollowUpState(StrEnum):
    """Where a follow-up stands."""

    WAITING = "waiting"  # for the incident's resolution
    SCHEDULED = "scheduled"  # its window has not opened
    DUE = "due"  # its window is open, and it is not approved
    APPROVED = "approved"  # goes out at its time
    SENT = "sent"
    OVERDUE = "overdue"  # its window closed, and it was not sent
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Window:
    """From `opens` to `closes`, both UTC."""

    opens: datetime
    closes: datetime

    def after(self, moment: datetime, least: timedelta) -> Window:
        """The same window, but not before `moment` and then open for at least `least`."""
        opens = max(self.opens, moment)
        return Window(opens, max(self.closes, opens + least))


def resolution_window(resolved: datetime, now: bool) -> Window:
    """One to two hours after the resolution; at once where the author says so, since readers wait to hear that it is safe."""
    return Window(resolved if now else resolved + timedelta(hours=1), resolved + timedelta(hours=2))


def first_post_windows(first_post: datetime) -> dict[Kind, Window]:
    """Summary 8 to 12 hours, post-mortem one to two weeks after the first post."""
    return {
        Kind.SUMMARY: Window(first_post + timedelta(hours=8), first_post + timedelta(hours=12)),
        Kind.POSTMORTEM: Window(first_post + timedelta(weeks=1), first_post + timedelta(weeks=2)),
    }


def resolved_window(planned: Window, resolved: datetime) -> Window:
    """A window that had to wait for the resolution: never before it, and never shorter than an hour."""
    return planned.after(resolved, timedelta(hours=1))


def state_at(now: datetime, window: Window, state: FollowUpState) -> FollowUpState:
    """What the clock alone makes of an unsent follow-up at `now`; final states stay."""
    if state in {FollowUpState.SENT, FollowUpState.CANCELLED, FollowUpState.WAITING}:
        return state
    if now >= window.closes:
        return FollowUpState.OVERDUE
    if state is FollowUpState.APPROVED or now < window.opens:
        return state
    return FollowUpState.DUE
