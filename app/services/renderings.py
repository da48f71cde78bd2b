"""From a wording to the planned posts of every destination, and to the findings on each of them.

Renderings are made here once, at submission; afterwards only the bytes of the manifest count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from adapters.contract import PERMALINK_SLOT, Message, Receipt, Rendering, Role, Unsupported
from app.domain import rendering, wording
from app.domain.announcement import Kind, Wording
from app.domain.incident import Facts
from app.domain.manifest import Planned
from app.domain.wording import Finding
from app.services.context import Context, Destination, Refused


def plan(
    ctx: Context, kind: Kind, facts: Facts, words: Wording, replies: Mapping[tuple[str, Role], Receipt], chosen: Sequence[Destination]
) -> tuple[Planned, ...]:
    """Renders for every chosen destination. Raises `Refused` naming each destination that cannot carry the text."""
    planned: list[Planned] = []
    problems: list[dict[str, str]] = []
    for destination in chosen:
        try:
            planned.append(_planned(ctx, destination, kind, facts, words, replies))
        except Unsupported as error:
            problems.append({"field": f"destinations.{destination.id}", "message": str(error)})
    if problems:
        raise Refused(422, "A destination cannot carry this text.", "Shorten it, or leave the destination out.", tuple(problems))
    return tuple(planned)


def _planned(
    ctx: Context,
    destination: Destination,
    kind: Kind,
    facts: Facts,
    words: Wording,
    replies: Mapping[tuple[str, Role], Receipt],
) -> Planned:
    role = destination.role

    def render(as_role: Role) -> Rendering:
        text = words.texts.get(destination.id, words.text)
        try:
            return destination.adapter.render(_said(ctx, as_role, kind, facts, words, text))
        except Unsupported:
            if as_role is Role.POINTER or role is not Role.BANNER:
                raise
            # A banner that cannot hold the whole text still tells who is affected; it links the post besides.
            short = rendering.one_line(kind, facts, words.answers)
            return destination.adapter.render(_said(ctx, as_role, kind, facts, words, short))

    return Planned(
        id=destination.id,
        platform=destination.config.platform,
        role=role,
        account=destination.config.account,
        full=render(Role.PRIMARY) if role is not Role.POINTER or destination.fallback else None,
        pointer=render(Role.POINTER) if role is Role.POINTER else None,
        reply_to=replies.get((destination.id, role)),
        on_unknown=destination.on_unknown,
    )


def _said(ctx: Context, role: Role, kind: Kind, facts: Facts, words: Wording, text: str) -> Message:
    return rendering.message(role, kind, facts, words.answers, text, drill=ctx.settings.drill, monitored=ctx.settings.monitored)


def thread_link(ctx: Context, primary: Destination, kind: Kind, facts: Facts, words: Wording, original: Receipt) -> Planned:
    """The reply in the primary's original thread that links a new post (a summary's)."""
    said = rendering.message(Role.POINTER, kind, facts, words.answers, words.text, drill=ctx.settings.drill, monitored=True)
    return Planned(
        id=primary.id,
        platform=primary.config.platform,
        role=Role.POINTER,
        account=primary.config.account,
        pointer=primary.adapter.render(said),
        reply_to=original,
        on_unknown=primary.on_unknown,
    )


def findings(facts: Facts, words: Wording, planned: Sequence[Planned]) -> tuple[tuple[str, Finding], ...]:
    """Findings on the canonical text (destination "") and those that only a rendering has."""
    canonical = wording.check(words.text, facts)
    known = {(finding.rule, finding.excerpt) for finding in canonical}
    found = [("", finding) for finding in canonical]
    for entry in planned:
        for part in (part for form in (entry.full, entry.pointer) if form for part in form.parts):
            for finding in wording.check(part.text.replace(PERMALINK_SLOT, ""), facts, wording.OF_RENDERINGS):
                if (finding.rule, finding.excerpt) not in known:
                    known.add((finding.rule, finding.excerpt))
                    found.append((entry.id, finding))
    return tuple(found)


def as_json(found: Sequence[tuple[str, Finding]]) -> list[dict[str, object]]:
    """Findings as they are stored and shown."""
    return [{"destination": destination} | dataclasses.asdict(finding) for destination, finding in found]
