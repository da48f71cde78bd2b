"""What is public: announcements that went out, from manifests whose signatures verify, so that a changed row shows nothing unsigned.

Feeds, incident pages and verify answer from here; the banner has rules of its own (`app.services.banner`). An announcement is public once
the first part of its primary is posted; one that only the team or partners got never is. Its words, names, answers and window are signed.
Where and when it was posted are rows: a permalink counts where it is the approved account's own and that account is not excluded, a time
where it lies after the signed ones and is not to come. So whoever writes rows can hide a post or shift its time, and cannot change a word.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import PERMALINK_SLOT, Rendering, Role
from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.domain.manifest import Manifest, ManifestError, Planned
from app.domain.roster import Roster
from app.services.context import Context
from app.services.kept import Kept
from app.services.verification import NotApproved, approved
from app.store import holds, publications
from app.store.holds import Hold
from app.store.publications import PUBLIC, PostRow
from app.store.tables import iso, moment

NEWEST = 200
"""So many announcements are looked at; older ones are found by their incident's page alone."""
LONGEST = 25_000
"""Characters of what a reader asks about; nothing that is posted in public is longer."""
AHEAD = timedelta(minutes=5)
"""How far a clock that was set back may put a post into the time to come."""

_SENSELESS = (NotApproved, ManifestError, ValueError, TypeError, KeyError, AttributeError, IndexError)
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


@dataclass(frozen=True, slots=True)
class Found:
    """That a text is ours: the announcement it belongs to, where it was posted and when, its exact words there."""

    post: Post
    platform: str
    at: datetime
    permalink: str
    text: str


class Published:
    """The public announcements. What two people stand behind is kept by digest for as long as the roster stays the same."""

    def __init__(self) -> None:
        self._newest = Kept(self._worked_out)
        self._signed: dict[str, Signed] = {}
        self._roster: Roster | None = None
        self._asking = asyncio.Lock()  # one question at a time: nobody makes the database work for many

    async def newest(self, ctx: Context) -> tuple[Post, ...]:
        """The newest ones, newest first."""
        return await self._newest.current(ctx)

    async def of_incident(self, ctx: Context, slug: str) -> tuple[Post, ...]:
        """An incident's, newest first; none for one that is unknown, or of which nothing is public."""
        async with ctx.database.read() as tx:
            posts = await self._posts(ctx, tx, await publications.newest(tx, NEWEST, slug))
        ours = [post for post in posts if post.signed.incident.slug == slug]
        return tuple(post for post in ours if post.signed.incident.id == ours[0].signed.incident.id)

    async def find(self, ctx: Context, asked: str) -> Found | None:
        """What is known of a post's URL, or of a text, among the newest announcements. Nothing that is not public is even looked at."""
        wanted, posts = asked.strip(), await self.newest(ctx)
        if not wanted or len(wanted) > LONGEST:
            return None
        async with self._asking, ctx.database.read() as tx:
            if wanted.lower().startswith(("https://", "http://")) and len(wanted.split()) == 1:
                return await _found_at(ctx, tx, wanted, posts)
            return await _found_as(ctx, tx, _folded(wanted), posts)

    async def _worked_out(self, ctx: Context) -> tuple[Post, ...]:
        async with ctx.database.read() as tx:
            return await self._posts(ctx, tx, await publications.newest(tx, NEWEST))

    async def _posts(self, ctx: Context, tx: AsyncConnection, rows: Iterable[PostRow]) -> tuple[Post, ...]:
        held, posts = await holds.standing(tx), []
        by_digest: dict[str, list[PostRow]] = {}
        for row in rows:
            by_digest.setdefault(row.digest, []).append(row)
        for digest, of_one in by_digest.items():
            try:
                posts.append(_post(ctx, await self._public(ctx, tx, digest), of_one, held))
            except _SENSELESS:
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


def link(ctx: Context, planned: Planned, permalink: str, held: Mapping[str, Hold]) -> str:
    """The permalink, where it is one of the approved account's and that account is not excluded; else ""."""
    configured, hold = ctx.destinations.get(planned.id), held.get(planned.id)
    theirs = configured is not None and configured.config.account == planned.account and configured.adapter.owns(permalink)
    return permalink if theirs and not (hold and hold.kind == "excluded") else ""


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
        words=frozenset(_folded(text) for rendering in public for text in _texts(rendering, len(rendering.parts))),
    )


def _post(ctx: Context, signed: Signed, rows: Sequence[PostRow], held: Mapping[str, Hold]) -> Post:
    """Raises one of `_SENSELESS`."""
    order = [entry.id for entry in signed.carriers]
    leads = rows[0].leads or order[0]
    row = min(rows, key=lambda row: (row.destination != leads, order.index(row.destination)))
    carrier = signed.carriers[order.index(row.destination)]
    text = _texts(carrier.said_as(Role.PRIMARY), row.done)[0]
    return Post(signed, text, _time(ctx, signed, row.posted_at), link(ctx, carrier, row.permalink, held))


def _time(ctx: Context, signed: Signed, told: str) -> datetime:
    """When it was posted. Raises ValueError where that cannot be, by what is signed and by the clock."""
    at = moment(told)
    if at is None or iso(at) < max(signed.not_before, signed.created_at) or at > ctx.now + AHEAD:
        raise ValueError("Nothing was posted then.")
    return at


def _texts(rendering: Rendering, done: int) -> list[str]:
    """What readers may copy of the first `done` parts: the whole, then each part, and each as it stands alone."""
    parts = rendering.parts[:done]
    return ["\n\n".join(part.text for part in parts), *(text for part in parts for text in (part.text, part.standalone) if text)]


def _folded(text: str) -> str:
    """A text without what copying changes: white space, and the backslashes with which platforms are told to show a character as it is."""
    return " ".join(unicodedata.normalize("NFC", text).replace("\\", "").split())


async def _found_at(ctx: Context, tx: AsyncConnection, url: str, posts: Sequence[Post]) -> Found | None:
    """By a post's URL, also where a reader's copy of it has a query or lacks its last slash."""
    bare = url.split("#")[0].split("?")[0].rstrip("/")
    of = {post.signed.digest: post for post in posts}
    for part in await publications.at(tx, {url, bare, bare + "/"}, of.keys()):
        for row, planned in await _places(ctx, tx, part.digest):
            if row.id == part.delivery and (found := await _told(ctx, tx, of[part.digest], row, planned, part.permalink, part.part)):
                return found
    return None


async def _found_as(ctx: Context, tx: AsyncConnection, words: str, posts: Sequence[Post]) -> Found | None:
    for post in posts:
        if words not in {known.replace(PERMALINK_SLOT, post.permalink) for known in post.signed.words}:
            continue
        for row, planned in await _places(ctx, tx, post.signed.digest):
            said = planned.said_as(Role(row.role))
            filled = [_folded(text.replace(PERMALINK_SLOT, post.permalink)) for text in _texts(said, row.done)]
            if words in filled and (found := await _told(ctx, tx, post, row, planned, row.permalink)):
                return found
    return None


async def _places(ctx: Context, tx: AsyncConnection, digest: str) -> list[tuple[PostRow, Planned]]:
    """Where a manifest was posted in public, its signatures being verified at this moment; nowhere if they do not."""
    try:
        manifest = (await approved(ctx, tx, digest)).manifest
    except _SENSELESS:
        return []
    exact = {(entry.id, entry.role): entry for entry in manifest.destinations}
    any_role = {entry.id: entry for entry in reversed(manifest.destinations) if entry.role in PUBLIC}
    found = []
    for row in await publications.of_digest(tx, digest):
        planned = exact.get((row.destination, Role(row.role))) or any_role.get(row.destination)
        if planned is not None and (Role(row.role) is planned.role or {Role(row.role), planned.role} <= {Role.PRIMARY, Role.POINTER}):
            found.append((row, planned))
    return found


async def _told(
    ctx: Context, tx: AsyncConnection, post: Post, row: PostRow, planned: Planned, permalink: str, part: int | None = None
) -> Found | None:
    """What is said of one place (or of one part there); None where its row makes no sense. A part counts by its own permalink alone."""
    try:
        said = planned.said_as(Role(row.role))
        text = said.parts[part].text if part is not None else _texts(said, row.done)[0]
        at = _time(ctx, post.signed, row.posted_at)
        shown = link(ctx, planned, permalink, await holds.standing(tx, [planned.id]))
    except _SENSELESS:
        return None
    if part is not None and not shown:
        return None
    return Found(post, planned.platform, at, shown, text.replace(PERMALINK_SLOT, post.permalink))
