"""What the wording checks find in a manifest. Findings follow from the signed bytes alone, so no row can add or hide one.

The correction that was written in advance is looked at with the rest: when it has to go, nobody has the time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from adapters.contract import PERMALINK_SLOT, Part, Role
from app.domain import wording
from app.domain.announcement import Kind, Translation, corrections
from app.domain.manifest import Manifest
from app.domain.phrases import fitting
from app.domain.wording import Finding
from app.domain.wording.first_part import room_of

CORRECTION = "correction"
"""Where a finding is in the correction, in place of a destination."""

_PRIVATE = frozenset({Role.INTERNAL, Role.PARTNER})


@functools.lru_cache(maxsize=1)
def of_manifest(manifest: Manifest) -> tuple[tuple[str, Finding], ...]:
    """Findings on the canonical text (destination ""), then those that only a translation has, an own text, a rendering, or a correction
    (`CORRECTION`); last, where an own text or a translation says something else than the text beside it.
    """
    known: set[tuple[str, str]] = set()
    found: list[tuple[str, Finding]] = []
    for destination, findings in (*_of_authors_words(manifest), *_of_renderings(manifest)):
        new = [finding for finding in findings if (finding.rule, finding.excerpt or finding.message) not in known]
        known.update((finding.rule, finding.excerpt or finding.message) for finding in new)
        found += [(destination, finding) for finding in new]
    found += [(destination, finding) for destination, findings in _compared(manifest) for finding in findings]
    return tuple(found)


def _of_authors_words(manifest: Manifest) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """What the author wrote for all, a language, a destination. Readers' questions are asked of what carries the full text in public."""
    facts, own = _facts(manifest), {one.destination for one in manifest.texts}
    full = {entry.id: entry for entry in manifest.destinations if entry.full and entry.role not in _PRIVATE}
    threads = [(entry.language, entry.full.parts) for entry in full.values() if entry.full and entry.id not in own]
    for said in (_written(manifest), *manifest.translations):
        room = _room(max((parts for language, parts in threads if language == said.language), key=len, default=()))
        yield _place(said, manifest), wording.check(said.text, facts, manifest.kind, said.answers, room=room)
    for one in manifest.texts:
        entry = full.get(one.destination)
        room = _room(entry.full.parts) if entry and entry.full else 0
        answers = _beside(manifest, one.destination).answers
        yield one.destination, wording.check(one.text, facts, manifest.kind, answers, whole=entry is not None, room=room)


def _facts(manifest: Manifest) -> wording.Known:
    return dataclasses.replace(wording.Known.of(manifest.incident), sealed=manifest.seal is not None)


def _written(manifest: Manifest) -> Translation:
    """The text as it was written, beside its translations."""
    return Translation(manifest.language, manifest.text, manifest.answers)


def _place(said: Translation, manifest: Manifest) -> str:
    return f"text in {said.language}" if said in manifest.translations else ""


def _beside(manifest: Manifest, destination: str) -> Translation:
    """The text that a destination with an own one would have had, were there none."""
    spoken = next((entry.language for entry in manifest.destinations if entry.id == destination), "")
    texts = {said.language: said for said in (*manifest.translations, _written(manifest))}
    return texts.get(fitting(spoken, list(texts)) if spoken else "", _written(manifest))


def _room(parts: tuple[Part, ...]) -> int:
    """What the first of several posts holds."""
    return room_of(part.text for part in parts) if len(parts) > 1 else 0


def _of_renderings(manifest: Manifest) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """What is posted, looked at as it stands there; words of the author that stand in it were looked at with theirs."""
    read = [manifest.text, *(one.text for one in manifest.translations), *(one.text for one in manifest.texts)]
    for destination, text in _each_once(_renderings(manifest)):
        if destination != CORRECTION and any(_stands_in(text, one) for one in read):
            continue
        kind = Kind.CORRECTION if destination == CORRECTION else manifest.kind
        yield destination, wording.check(text, _facts(manifest), kind, whole=False)


def _compared(manifest: Manifest) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """Where a translation says something else than the text, or an own text than the one beside it; a line may leave out what it likes."""
    for said in manifest.translations:
        yield _place(said, manifest), wording.compared(said.text, manifest.text, manifest.incident, manifest.kind)
    full = {entry.id for entry in manifest.destinations if entry.full}
    for destination, text in _each_once((one.destination, one.text) for one in manifest.texts):
        other = _beside(manifest, destination).text
        found = wording.compared(text, other, manifest.incident, manifest.kind)
        yield destination, tuple(finding for finding in found if destination in full or finding.excerpt)


def _renderings(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every text that a reader will or may see, without the slot and the backslashes of Markdown."""
    for correction in filter(None, (manifest.correction, *(one.text for one in corrections(manifest.translations)))):
        yield CORRECTION, correction
    for entry in manifest.destinations:
        for form in filter(None, (entry.full, entry.pointer)):
            for text in dict.fromkeys(text for part in form.parts for text in (part.text, part.title, part.standalone)):
                yield entry.id, _bare(text)


def _bare(text: str) -> str:
    return text.replace(PERMALINK_SLOT, "").replace("\\", "")


def _stands_in(text: str, read: str) -> bool:
    """Whether these very words stand in a text of the author: then they were looked at with it."""
    start = read.find(text)
    end = start + len(text)
    return start >= 0 and not read[max(0, start - 1) : start].strip() and not read[end : end + 1].strip()


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
