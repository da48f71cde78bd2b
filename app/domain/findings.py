"""What the wording checks find in a manifest. Findings follow from the signed bytes alone, so no row can add or hide one.

The correction that was written in advance is looked at with the rest: when it has to go, nobody has the time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from adapters.contract import PERMALINK_SLOT, Part, Role
from app.domain import wording
from app.domain.announcement import Kind
from app.domain.manifest import Manifest
from app.domain.wording import Finding
from app.domain.wording.first_part import room_of

CORRECTION = "correction"
"""Where a finding is in the correction, in place of a destination."""

_PRIVATE = frozenset({Role.INTERNAL, Role.PARTNER})


@functools.lru_cache(maxsize=2)
def of_manifest(manifest: Manifest) -> tuple[tuple[str, Finding], ...]:
    """Findings on the canonical text (destination ""), then those that only an own text has, only a rendering, or only the correction."""
    known: set[tuple[str, str]] = set()
    found: list[tuple[str, Finding]] = []
    for destination, findings in (*_of_authors_words(manifest), *_of_renderings(manifest)):
        new = [finding for finding in findings if (finding.rule, finding.excerpt) not in known]
        known.update((finding.rule, finding.excerpt) for finding in new)
        found += [(destination, finding) for finding in new]
    return tuple(found)


def _of_authors_words(manifest: Manifest) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """What the author wrote for all, and for single destinations. Readers' questions are asked of what carries the full text in public."""
    own = {one.destination: one.text for one in manifest.texts}
    full = {entry.id: entry.full.parts for entry in manifest.destinations if entry.full and entry.role not in _PRIVATE}
    thread = max((parts for id_, parts in full.items() if id_ not in own), key=len, default=())
    yield "", wording.check(manifest.text, manifest.incident, manifest.kind, manifest.answers, room=_room(thread))
    for id_, text in own.items():
        room = _room(full.get(id_, ()))
        yield id_, wording.check(text, manifest.incident, manifest.kind, manifest.answers, whole=id_ in full, room=room)


def _room(parts: tuple[Part, ...]) -> int:
    """What the first of several posts holds."""
    return room_of(part.text for part in parts) if len(parts) > 1 else 0


def _of_renderings(manifest: Manifest) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """What is posted, looked at as it stands there."""
    for destination, text in _each_once(_renderings(manifest)):
        kind = Kind.CORRECTION if destination == CORRECTION else manifest.kind
        yield destination, wording.check(text, manifest.incident, kind, whole=False)


def _renderings(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every text that a reader will or may see, without the slot and the backslashes of Markdown."""
    if manifest.correction:
        yield CORRECTION, manifest.correction
    for entry in manifest.destinations:
        for form in filter(None, (entry.full, entry.pointer)):
            for text in dict.fromkeys(text for part in form.parts for text in (part.text, part.title, part.standalone)):
                yield entry.id, text.replace(PERMALINK_SLOT, "").replace("\\", "")


def _each_once(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A thousand pointers say the same: it is read once, for the first of them."""
    seen: set[str] = set()
    for destination, text in texts:
        if text not in seen:
            seen.add(text)
            yield destination, text


def unanswered(manifest: Manifest) -> tuple[Finding, ...]:
    """The blocks that no override names; while there are any, the revision cannot be approved."""
    return wording.not_overridden(tuple(finding for _, finding in of_manifest(manifest)), manifest.overrides)


def as_json(manifest: Manifest) -> list[dict[str, object]]:
    """Findings as they are shown."""
    return [{"destination": destination} | dataclasses.asdict(finding) for destination, finding in of_manifest(manifest)]
