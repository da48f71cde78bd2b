"""Recognise: whether a post or a text that a reader saw is ours, by what was posted in public and nothing else.

Whole texts and addresses of posts alone are recognised: a part of a text would lend a forger a true beginning. Nothing that is not public
is even looked at, so nobody learns from the answer what is being prepared. A match is verified again, from the stored bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import PERMALINK_SLOT, Role
from app.domain.manifest import Planned
from app.services.context import Context
from app.services.published import SENSELESS, Post, Published, folded, link, posted_at, texts, words
from app.services.verification import approved
from app.store import holds, publications
from app.store.publications import PUBLIC, PartRow, PostRow

LONGEST = 25_000
"""Characters of what a reader asks about; nothing that is posted in public is longer."""
PLACES = 100
"""Of what was posted as asked so many are looked at; one whose row makes sense is enough."""


@dataclass(frozen=True, slots=True)
class Found:
    """That a text is ours: the announcement it belongs to, where it was posted and when, its exact words there."""

    post: Post
    platform: str
    at: datetime
    permalink: str
    text: str


async def recognise(ctx: Context, published: Published, asked: str) -> Found | None:
    """What is known of a post's URL, or of a text, among the newest announcements."""
    asked, posts = asked.strip(), await published.newest(ctx)
    if not asked or len(asked) > LONGEST:
        return None
    by_url = asked.lower().startswith(("https://", "http://")) and len(asked.split()) == 1
    async with published.asking:
        begun = time.monotonic()
        try:
            async with ctx.database.read() as tx:
                return await (_by_url(ctx, tx, asked, posts) if by_url else _by_text(ctx, tx, folded(asked), posts))
        finally:  # rests as long as it worked, so that however many ask, broadcasts have half of the process at least
            await asyncio.sleep(time.monotonic() - begun)


async def _by_url(ctx: Context, tx: AsyncConnection, url: str, posts: Sequence[Post]) -> Found | None:
    """By a post's URL, also where a reader's copy of it has a query or lacks its last slash."""
    bare = url.split("#")[0].split("?")[0].rstrip("/")
    of = {post.signed.digest: post for post in posts}
    for part in await publications.at(tx, {url, bare, bare + "/"}, of.keys()):
        for row, planned in await _places(ctx, tx, part.digest, _named(part.destination)):
            if row.id == part.delivery and (found := await _part_told(ctx, tx, of[part.digest], row, planned, part)):
                return found
    return None


async def _by_text(ctx: Context, tx: AsyncConnection, asked: str, posts: Sequence[Post]) -> Found | None:
    for post in posts:
        if not _said(asked, post.signed.words, post):
            continue
        for row, planned in await _places(ctx, tx, post.signed.digest, _says(asked, post)):
            if found := await _told(ctx, tx, post, row, planned, asked):
                return found
    return None


def _said(asked: str, known: frozenset[str], post: Post) -> bool:
    return any(asked == word.replace(PERMALINK_SLOT, post.permalink) for word in known)


def _named(destination: str) -> Callable[[Planned], bool]:
    return lambda entry: entry.id == destination


def _says(asked: str, post: Post) -> Callable[[Planned], bool]:
    """Whether an entry of the manifest was to say just this."""
    return lambda entry: any(said is not None and _said(asked, words(said), post) for said in (entry.full, entry.pointer))


async def _places(ctx: Context, tx: AsyncConnection, digest: str, wanted: Callable[[Planned], bool]) -> list[tuple[PostRow, Planned]]:
    """Where a manifest was posted in public, its signatures being verified at this moment; nowhere if they do not."""
    try:
        entries = [entry for entry in (await approved(ctx, tx, digest)).manifest.destinations if entry.role in PUBLIC and wanted(entry)]
    except SENSELESS:
        return []
    exact = {(entry.id, entry.role): entry for entry in entries}
    by_id = {entry.id: entry for entry in reversed(entries)}
    rows = await publications.of_digest(tx, digest, by_id, PLACES)
    return [(row, exact.get((row.destination, Role(row.role))) or by_id[row.destination]) for row in rows]


async def _told(ctx: Context, tx: AsyncConnection, post: Post, row: PostRow, planned: Planned, asked: str) -> Found | None:
    """What is said of a text in one place; None where it was not posted there, or the row makes no sense."""
    try:
        said = [text.replace(PERMALINK_SLOT, post.permalink) for text in texts(planned.said_as(Role(row.role)), row.done)]
        text = next(text for text in said if folded(text) == asked)
        shown = link(ctx, planned, row.permalink, await holds.excluded(tx))
        return Found(post, planned.platform, posted_at(ctx, post.signed, row.posted_at), shown, text)
    except (*SENSELESS, StopIteration):
        return None


async def _part_told(ctx: Context, tx: AsyncConnection, post: Post, row: PostRow, planned: Planned, part: PartRow) -> Found | None:
    """What is said of one part at its own permalink, which must be the approved account's."""
    try:
        text = planned.said_as(Role(row.role)).parts[part.part].text.replace(PERMALINK_SLOT, post.permalink)
        shown = link(ctx, planned, part.permalink, await holds.excluded(tx))
        return Found(post, planned.platform, posted_at(ctx, post.signed, row.posted_at), shown, text) if shown else None
    except SENSELESS:
        return None
