"""What is public: announcements that went out, from manifests whose signatures verify, so that a changed row shows nothing unsigned.

Feeds and incident pages answer from here, verify by `app.services.recognise`; the banner has rules of its own (`app.services.banner`).
An announcement is public once the first part of its primary is posted; one that only the team or partners got never is, nor a sealed
one before its unseal verifies. Its words, names, answers and window are signed. Where and when it was posted are rows: a permalink
counts where it is the approved account's own and that account is not excluded, a time where it lies after the signed ones and is not to
come. So whoever writes rows can hide a post or shift its time, and cannot change a word.
"""

from __future__ import annotations

import asyncio
import functools
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import Rendering, Role
from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.domain.manifest import Manifest, ManifestError, Planned
from app.domain.roster import Roster
from app.services.context import Context
from app.services.kept import Kept
from app.services.verification import NotApproved, approved
from app.store import holds, publications
from app.store.publications import PUBLIC, PostRow
from app.store.tables import iso, moment

NEWEST = 200
"""So many announcements are looked at; older ones are found by their incident's page alone."""
AHEAD = timedelta(minutes=5)
"""How far a clock that was set back may put a post into the time to come."""

SENSELESS = (NotApproved, ManifestError, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What a row that was changed may lead to; it shows nothing, and keeps no other from being shown."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What of a manifest is for the public, two people standing behind it.

    `carriers` may carry the full text, in the signed order; `words` are all texts for public places as readers may copy them, the
    permalink's slot in place.
    """

    announcement: str
    digest: str
    environment: str
    kind: Kind
    incident: Facts
    answers: Answers
    not_before: str
    created_at: str
    carriers: tuple[Planned, ...]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Post:
    """An announcement as its primary carried it at `at`; `permalink` is "" where none can be shown."""

    signed: Signed
    text: str
    at: datetime
    permalink: str


class Published:
    """The public announcements. What two people stand behind is kept by digest for as long as the roster stays the same."""

    def __init__(self) -> None:
        self._newest = Kept(self._worked_out)
        self._signed: dict[str, Signed] = {}
        self._roster: Roster | None = None
        self.asking = asyncio.Lock()  # one question at a time: nobody makes the database work for many

    async def newest(self, ctx: Context) -> tuple[Post, ...]:
        """The newest ones, newest first."""
        return await self._newest.current(ctx)

    async def of_incident(self, ctx: Context, slug: str) -> tuple[Post, ...]:
        """An incident's, newest first; none for one that is unknown, or of which nothing is public."""
        async with ctx.database.read() as tx:
            posts = await self._posts(ctx, tx, await publications.newest(tx, NEWEST, slug))
        ours = [post for post in posts if post.signed.incident.slug == slug]
        return tuple(post for post in ours if post.signed.incident.id == ours[0].signed.incident.id)

    async def _worked_out(self, ctx: Context) -> tuple[Post, ...]:
        async with ctx.database.read() as tx:
            return await self._posts(ctx, tx, await publications.newest(tx, NEWEST))

    async def _posts(self, ctx: Context, tx: AsyncConnection, rows: Iterable[PostRow]) -> tuple[Post, ...]:
        excluded, posts = await holds.excluded(tx), []
        by_digest: dict[str, list[PostRow]] = {}
        for row in rows:
            by_digest.setdefault(row.digest, []).append(row)
        for digest, of_one in by_digest.items():
            try:
                posts.append(_post(ctx, await self._public(ctx, tx, digest), of_one, excluded))
            except SENSELESS:
                continue
        return tuple(sorted(posts, key=lambda post: (post.at, post.signed.announcement), reverse=True))

    async def _public(self, ctx: Context, tx: AsyncConnection, digest: str) -> Signed:
        """Raises `NotApproved`."""
        if (roster := ctx.read_roster()) is not self._roster:
            self._signed, self._roster = {}, roster
        if digest not in self._signed:
            made = _signed((await approved(ctx, tx, digest)).manifest, digest)
            while len(self._signed) >= 2 * NEWEST:
                del self._signed[next(iter(self._signed))]
            self._signed[digest] = made
        return self._signed[digest]


def link(ctx: Context, planned: Planned, permalink: str, excluded: Collection[str]) -> str:
    """The permalink, where it is one of the approved account's and that account is not excluded; else ""."""
    configured = ctx.destinations.get(planned.id)
    theirs = configured is not None and configured.account == planned.account and configured.adapter.owns(permalink)
    return permalink if theirs and planned.id not in excluded else ""


def _signed(manifest: Manifest, digest: str) -> Signed:
    planned = {entry.id: entry for entry in reversed(manifest.destinations)}
    public = {r for entry in manifest.destinations if entry.role in PUBLIC for r in (entry.full, entry.pointer) if r is not None}
    return Signed(
        announcement=manifest.announcement,
        digest=digest,
        environment=manifest.environment,
        kind=manifest.kind,
        incident=manifest.incident,
        answers=manifest.answers,
        not_before=manifest.not_before,
        created_at=manifest.created_at,
        carriers=tuple(planned[id_] for id_ in manifest.primaries),
        words=frozenset(word for rendering in public for word in words(rendering)),
    )


def _post(ctx: Context, signed: Signed, rows: Sequence[PostRow], excluded: Collection[str]) -> Post:
    """Raises one of `SENSELESS`."""
    order = [entry.id for entry in signed.carriers]
    leads = rows[0].leads or order[0]
    row = min(rows, key=lambda row: (row.destination != leads, order.index(row.destination)))
    carrier = signed.carriers[order.index(row.destination)]
    text = texts(carrier.said_as(Role.PRIMARY), row.done)[0]
    return Post(signed, text, posted_at(ctx, signed, row.posted_at), link(ctx, carrier, row.permalink, excluded))


def posted_at(ctx: Context, signed: Signed, told: str) -> datetime:
    """When it was posted. Raises ValueError where that cannot be, by what is signed and by the clock."""
    at = moment(told)
    if at is None or iso(at) < max(signed.not_before, signed.created_at) or at > ctx.now + AHEAD:
        raise ValueError("Nothing was posted then.")
    return at


def texts(rendering: Rendering, done: int) -> list[str]:
    """What readers may copy of the first `done` parts: the whole, then each part, and each as it stands alone."""
    parts = rendering.parts[:done]
    return ["\n\n".join(part.text for part in parts), *(text for part in parts for text in (part.text, part.standalone) if text)]


@functools.lru_cache(maxsize=1024)
def words(rendering: Rendering) -> frozenset[str]:
    """Its texts, folded. A thousand pointers say the same, and are folded once."""
    return frozenset(map(folded, texts(rendering, len(rendering.parts))))


def folded(text: str) -> str:
    """A text without what copying changes: white space, and the backslashes with which platforms are told to show a character as it is."""
    return " ".join(unicodedata.normalize("NFC", text).replace("\\", "").split())
