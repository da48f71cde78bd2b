"""Sealed announcements: two people signed exact bytes on a quiet day, and one person of the roster chooses the moment.

Rules kept here, from signed statements alone: nothing of a sealed manifest goes out without an `unseal` over its digest, by somebody
whose approval could count, signed before the seal's date. From the moment that it names, the send window and the banner are counted,
so a statement that was kept back opens nothing a day later. A rejection, by anybody and at any time before, ends a seal as it ends any
revision (`app.domain.approval.quorum`). That it is fresh when it is handed in, the service looks at (`app.services.unseal`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.domain.approval import Decision, Verified
from app.domain.manifest import Manifest

LONGEST = timedelta(days=366)
"""For how long a text can be sealed: what was true then should be read again once a year."""
CORRECTABLE = timedelta(days=7)
"""For how much longer than an announcement the correction that is sealed with it can be unsealed."""
ENDS_SOON = timedelta(days=14)
"""So long before a seal ends, people are told."""


class Sealed(ValueError):
    """Nobody has unsealed it; the message says so."""


def opened(manifest: Manifest, verified: Iterable[Verified]) -> Manifest:
    """The manifest as it may go out: one that is not sealed as it is, a sealed one counted from its unsealing. Raises `Sealed`."""
    if manifest.seal is None:
        return manifest
    moments = [one.statement.moment for one in unseals(manifest, verified)]
    if not moments:
        raise Sealed("It is sealed, and nobody of the roster has unsealed it before the seal's date.")
    return manifest.unsealed(max(moments))


def unseals(manifest: Manifest, verified: Iterable[Verified]) -> list[Verified]:
    """Those of the verified statements over a sealed manifest that unseal it."""
    return [
        one
        for one in verified
        if one.decision is Decision.UNSEAL and one.person.counts and one.statement.moment < datetime.fromisoformat(manifest.not_after)
    ]


def warned_at(sealed: datetime, ends: datetime) -> datetime:
    """When people are told that a seal ends: two weeks before, and of a short one at half its time."""
    return max(ends - ENDS_SOON, sealed + (ends - sealed) / 2)
