"""What the wording checks find in a manifest. Findings follow from the signed bytes alone, so no row can add or hide one.

The correction that was written in advance is looked at with the rest: when it has to go, nobody has the time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

from adapters.contract import PERMALINK_SLOT
from app.domain import rendering, wording
from app.domain.announcement import Kind, corrections
from app.domain.manifest import Manifest
from app.domain.wording import Finding

CORRECTION = "correction"
"""Where a finding is in the correction, in place of a destination."""


@functools.lru_cache(maxsize=1)
def of_manifest(manifest: Manifest) -> tuple[tuple[str, Finding], ...]:
    """Findings on the canonical text (destination ""), and those that only a rendering has, or only the correction (`CORRECTION`)."""
    facts = dataclasses.replace(wording.Known.of(manifest.incident), sealed=manifest.seal is not None)
    canonical = wording.check(manifest.text, facts, manifest.kind, manifest.answers)
    known = {(finding.rule, finding.excerpt) for finding in canonical}
    found = [("", finding) for finding in canonical]
    for translation in manifest.translations:  # what it lacks itself; its other words are read on the renderings
        for finding in wording.check(translation.text, facts, manifest.kind, translation.answers):
            if (finding.rule, finding.excerpt) not in known:
                known.add((finding.rule, finding.excerpt))
                found.append((f"text in {translation.language}", finding))
    for destination, text in _each_once(_renderings(manifest)):
        if destination != CORRECTION and _stands_in(text, manifest.text):
            continue
        kind = Kind.CORRECTION if destination == CORRECTION else manifest.kind
        for finding in wording.check(text, facts, kind, whole=False):
            if (finding.rule, finding.excerpt) not in known:
                known.add((finding.rule, finding.excerpt))
                found.append((destination, finding))
    for destination, text in _each_once(_whole(manifest)):
        found += [(destination, finding) for finding in wording.compared(text, manifest.text, manifest.incident, manifest.kind)]
    return tuple(found)


def _renderings(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Every text that a reader will or may see, without the slot and the backslashes of Markdown."""
    for correction in filter(None, (manifest.correction, *(one.text for one in corrections(manifest.translations)))):
        yield CORRECTION, correction
    for entry in manifest.destinations:
        for form in filter(None, (entry.full, entry.pointer)):
            for text in dict.fromkeys(text for part in form.parts for text in (part.text, part.title, part.standalone)):
                yield entry.id, _bare(text)


def _whole(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What each destination says where it carries the full text, its parts in one; not where only the one line had room."""
    short = _bare(rendering.one_line(manifest.kind, manifest.incident, manifest.answers))
    for entry in manifest.destinations:
        text = _bare("\n".join(part.text for part in entry.full.parts)) if entry.full else ""
        if text and not text.endswith(short):
            yield entry.id, text


def _bare(text: str) -> str:
    return text.replace(PERMALINK_SLOT, "").replace("\\", "")


def _stands_in(text: str, canonical: str) -> bool:
    """Whether these very words stand in the canonical text: then they were looked at with it."""
    start = canonical.find(text)
    end = start + len(text)
    return start >= 0 and not canonical[max(0, start - 1) : start].strip() and not canonical[end : end + 1].strip()


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
