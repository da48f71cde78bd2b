"""From a wording to the planned posts: which destinations, what each will say, and which earlier posts they reply to.

Renderings are made here once, at submission; afterwards only the bytes of the manifest count. An own text that the author gave for
a destination is rendered, broken and measured like the canonical one; the manifest names it (`texts`), so whoever signs knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.contract import PERMALINK_SLOT, Message, Receipt, Rendering, Role, Unsupported
from app.domain import rendering
from app.domain.announcement import Answers, Kind, Wording
from app.domain.incident import Facts
from app.domain.manifest import Planned
from app.domain.phrases import fitting
from app.services.context import Context, Destination, Refused
from app.store import announcements as store
from app.store import deliveries, holds

MAX_LINE = 800
"""Characters of a pointer's own line: as many as two answers may have."""

_ALONE = {Kind.INITIAL, Kind.REPORT_ANSWER, Kind.HELP}
"""Kinds that begin a thread of their own."""


async def choose(ctx: Context, tx: AsyncConnection, incident: str, announcement: str, words: Wording) -> list[Destination]:
    """The destinations that the author names; else those of the incident's first announcement; else all that are not excluded.

    Where the primary is not among them, the first fallback that is takes its role. Raises `Refused`.
    """
    unknown = [name for name in words.destinations if name not in ctx.destinations]
    if unknown:
        errors = tuple({"field": "destinations", "message": f"“{name}” is not configured."} for name in unknown)
        raise Refused(422, "Unknown destination.", f"Configured are: {', '.join(ctx.destinations)}.", errors)
    held = await holds.standing(tx)
    excluded = {id_: hold for id_, hold in held.items() if hold.kind == "excluded"}
    if named := [excluded[name] for name in words.destinations if name in excluded]:
        errors = tuple({"field": "destinations", "message": f"“{hold.destination}” is excluded: {hold.why}"} for hold in named)
        raise Refused(422, "An excluded destination.", "Leave it out, or include it again once it is yours (`tocsin include`).", errors)
    so_far = await _so_far(tx, incident, announcement)
    wanted = words.destinations or tuple(name for name in so_far if name in ctx.destinations)
    chosen = [d for d in ctx.destinations.values() if (not wanted or d.id in wanted) and d.id not in excluded]
    if not chosen:
        raise Refused(422, "There is no destination left.", "Every one that was asked for is excluded.")
    chosen = _with_a_primary(chosen)
    _own_texts(words.texts, chosen)
    return chosen


def _each_language_has_readers(words: Wording, chosen: Sequence[Destination]) -> None:
    """What nobody would get nobody should have to sign. Raises `Refused`."""
    if not words.translations:
        return
    read = {_spoken(destination, words).language for destination in chosen}
    if idle := [t.language for t in words.translations if t.language not in read]:
        errors = tuple(
            {"field": f"translations.{one}", "message": "No destination speaks it, or each has a text of its own."} for one in idle
        )
        spoken = sorted({destination.language for destination in chosen} - {""})
        told = f"Destinations speak: {', '.join(spoken) or 'no language that is told'}; `language` in destinations.toml tells it."
        raise Refused(422, "A translation that nobody would get.", told, errors)


class _Spoken(NamedTuple):
    """The words in which a destination is told, and their language, "" where it is not told."""

    text: str
    answers: Answers
    language: str


def _spoken(destination: Destination, words: Wording) -> _Spoken:
    """Its own text, the translation into its language, or the text as it was written.

    Of one that is only ever a pointer, an own text is the line; all else of it stays.
    """
    offered = {t.language: t for t in words.translations}
    fits = fitting(destination.language, [words.language, *offered]) if destination.language else ""
    text, answers = (offered[fits].text, offered[fits].answers) if fits in offered else (words.text, words.answers)
    if own := words.texts.get(destination.id, ""):
        return _Spoken(own, Answers(own) if only_points(destination) else answers, destination.language or words.language)
    return _Spoken(text, answers, fits if fits in offered else words.language)


def _with_a_primary(chosen: Sequence[Destination]) -> list[Destination]:
    """The same, with a fallback as primary where there is none; raises `Refused` where pointers have nothing to point to."""
    if any(d.role is Role.PRIMARY for d in chosen) or not any(d.role is Role.POINTER for d in chosen):
        return list(chosen)
    fallbacks = in_order(chosen)
    if not fallbacks:
        raise Refused(422, "Pointers need a primary to point to.", "Add the primary to `destinations`, or leave the field out.")
    leads = fallbacks[0]
    primary = replace(leads, role=Role.PRIMARY, fallback=0)
    return [primary if d is leads else d for d in chosen]


def _own_texts(texts: Mapping[str, str], chosen: Sequence[Destination]) -> None:
    """Raises `Refused` for an own text that nobody would get, or that is no line where it has to be one."""
    lines = {d.id for d in chosen if only_points(d)}
    wrong = dict.fromkeys(texts.keys() - {d.id for d in chosen}, "It is not among the destinations of this announcement.")
    wrong |= {
        name: f"It is a pointer's line: {MAX_LINE} characters at most." for name in lines & texts.keys() if len(texts[name]) > MAX_LINE
    }
    if wrong:
        errors = tuple({"field": f"texts.{name}", "message": why} for name, why in sorted(wrong.items()))
        raise Refused(422, "An own text that cannot be used.", f"The destinations are: {', '.join(d.id for d in chosen)}.", errors)


def only_points(destination: Destination) -> bool:
    """Whether it is only ever a pointer: it never carries the full text."""
    return destination.role is Role.POINTER and not destination.fallback


def in_order(chosen: Sequence[Destination]) -> list[Destination]:
    """The fallbacks, first the one that takes over first."""
    return sorted((d for d in chosen if d.fallback), key=lambda d: d.fallback)


async def _so_far(tx: AsyncConnection, incident: str, announcement: str) -> tuple[str, ...]:
    for first in await store.of_kind(tx, incident, Kind.INITIAL):
        revision = await store.revision(tx, first.digest)
        if first.id != announcement and revision:
            return tuple(revision.wording["destinations"])
    return ()


async def threads(tx: AsyncConnection, incident: str, kind: Kind) -> dict[tuple[str, Role], Receipt]:
    """What later announcements reply to: on each destination the last post of the incident's first one; a correction, of its newest."""
    if kind in _ALONE:
        return {}
    found: dict[tuple[str, Role], Receipt] = {}
    listed = (
        await store.of_kind(tx, incident, Kind.INITIAL)
        if kind is not Kind.CORRECTION
        else await store.list_announcements(tx, incident, "", 50)
    )
    for earlier in listed:
        for row in await deliveries.of_digest(tx, earlier.digest):
            receipt = await deliveries.last_receipt(tx, row.id)
            if receipt is None or not receipt.remote_id:
                continue
            for role in {Role(row.role)} | ({Role.PRIMARY, Role.POINTER} if kind is Kind.CORRECTION else set()):
                found.setdefault((row.destination, role), receipt)
    return found


def plan(
    ctx: Context, kind: Kind, facts: Facts, words: Wording, replies: Mapping[tuple[str, Role], Receipt], chosen: Sequence[Destination]
) -> tuple[Planned, ...]:
    """Renders for every chosen destination. Raises `Refused` naming each destination that cannot carry the text."""
    if kind is not Kind.CORRECTION:  # what was written in advance is never held up by an account that is gone since
        _each_language_has_readers(words, chosen)
    planned: list[Planned] = []
    problems: list[dict[str, str]] = []
    may_follow = {d.id for d in chosen if d.role is Role.PRIMARY and in_order(chosen)} - {d.id for d in new_posts(kind, replies, chosen)}
    for destination in chosen:
        try:
            planned.append(_planned(ctx, destination, kind, facts, words, replies, led=destination.id in may_follow))
        except Unsupported as error:
            problems.append({"field": f"destinations.{destination.id}", "message": str(error)})
    for destination in new_posts(kind, replies, chosen):
        try:
            planned.append(_thread_link(ctx, destination, kind, facts, words, replies[destination.id, Role.PRIMARY]))
        except Unsupported as error:
            problems.append({"field": f"destinations.{destination.id}", "message": str(error)})
    if problems:
        raise Refused(422, "A destination cannot carry this text.", "Shorten it, or leave the destination out.", tuple(problems))
    _one_slot_in_pointers_alone(planned)
    return tuple(planned)


def new_posts(kind: Kind, threads: Mapping[tuple[str, Role], Receipt], chosen: Sequence[Destination]) -> list[Destination]:
    """The primaries on which a summary or post-mortem is a new post, linked by a reply in the thread that is there."""
    if kind not in {Kind.SUMMARY, Kind.POSTMORTEM}:
        return []
    return [d for d in chosen if d.role is Role.PRIMARY and (d.id, Role.PRIMARY) in threads]


def _one_slot_in_pointers_alone(planned: Sequence[Planned]) -> None:
    """The permalink is the only thing ever substituted, once in a pointer; a slot that an author wrote would be one too many."""
    for entry in planned:
        written = entry.full and any(PERMALINK_SLOT in part.text + part.title for part in entry.full.parts)
        slots = sum((part.text + part.title).count(PERMALINK_SLOT) for part in entry.pointer.parts) if entry.pointer else 1
        if written or slots != 1:
            raise Refused(
                422, f"The words for {entry.id} hold {PERMALINK_SLOT}.", "Only pointers have that slot, and Tocsin puts it there."
            )


def _planned(
    ctx: Context,
    destination: Destination,
    kind: Kind,
    facts: Facts,
    words: Wording,
    replies: Mapping[tuple[str, Role], Receipt],
    *,
    led: bool,
) -> Planned:
    """One post; with `led`, a primary that a fallback may overtake also gets the words with which it would follow."""
    role, spoken = destination.role, _spoken(destination, words)

    def render(as_role: Role) -> Rendering:
        try:
            return destination.adapter.render(_said(ctx, destination, as_role, kind, facts, words, spoken))
        except Unsupported:
            if as_role is Role.POINTER or role is not Role.BANNER:
                raise
            # A banner that cannot hold the whole text still tells who is affected; it links the post besides.
            short = spoken._replace(text=rendering.one_line(kind, facts, spoken.answers, destination.language))
            return destination.adapter.render(_said(ctx, destination, as_role, kind, facts, words, short))

    return Planned(
        id=destination.id,
        platform=destination.platform,
        role=role,
        account=destination.account,
        full=render(Role.PRIMARY) if role is not Role.POINTER or destination.fallback else None,
        pointer=render(Role.POINTER) if role is Role.POINTER or led else None,
        reply_to=None if destination in new_posts(kind, replies, [destination]) else replies.get((destination.id, role)),
        on_unknown=destination.on_unknown if role is Role.POINTER else "ask",
        resend_after=destination.resend_after if role is Role.POINTER else 0,
        language=spoken.language,
    )


def _said(
    ctx: Context,
    destination: Destination,
    role: Role,
    kind: Kind,
    facts: Facts,
    words: Wording,
    spoken: _Spoken,
    *,
    monitored: bool | None = None,
) -> Message:
    return rendering.message(
        role,
        kind,
        facts,
        spoken.answers,
        spoken.text,
        drill=ctx.settings.drill,
        monitored=ctx.settings.monitored if monitored is None else monitored,
        language=destination.language or spoken.language,
        overrides=words.overrides,
        names=destination.adapter.limits.links_names,
    )


def _thread_link(ctx: Context, primary: Destination, kind: Kind, facts: Facts, words: Wording, original: Receipt) -> Planned:
    """The reply in the primary's original thread that links a new post (a summary's)."""
    spoken = _spoken(primary, words)
    said = _said(ctx, primary, Role.POINTER, kind, facts, words, spoken, monitored=True)
    return Planned(
        id=primary.id,
        platform=primary.platform,
        role=Role.POINTER,
        account=primary.account,
        pointer=primary.adapter.render(said),
        reply_to=original,
        language=spoken.language,
    )
