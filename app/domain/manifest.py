"""The manifest: the exact bytes of a revision that people sign and that the dispatcher sends from.

Canonical JSON (RFC 8785); its SHA-256, written `sha256:<hex>`, is the digest. Parsing is strict: bytes that are not the
canonical form of themselves are refused, so that one manifest has one digest. Renderings are stored here and never made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from adapters.contract import Part, Receipt, Rendering, Role
from app.domain.announcement import Answers, Kind, Override, OwnText, Translation
from app.domain.incident import Facts

FORMAT = "tocsin-manifest/1"
_WHERE_USED = frozenset({"language", "translations", "texts", "seal"})
"""Fields that stand in the bytes only where they say something: one text in one language, not sealed, has the bytes that it always had."""


class ManifestError(ValueError):
    """These bytes are not a manifest: not canonical, or a field is missing or of the wrong form."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One post to be made: `full` for every role but pointers, `pointer` for those; whoever may lead or be led has both.

    `on_unknown` is `ask` (a person decides) or, for a pointer that nobody can look for, `resend` after `resend_after` seconds.
    """

    id: str  # the destination's
    platform: str
    role: Role
    account: str
    full: Rendering | None = None
    pointer: Rendering | None = None
    reply_to: Receipt | None = None
    on_unknown: str = "ask"
    resend_after: int = 0
    language: str = ""  # of its words, where it is told

    @property
    def rendering(self) -> Rendering:
        """What this post says in its planned role."""
        return self.said_as(self.role)

    def said_as(self, role: Role) -> Rendering:
        """What this post says in a role; a primary and its fallbacks can change theirs. Raises `ManifestError`."""
        chosen = self.pointer if role is Role.POINTER else self.full
        if chosen is None or (role is not self.role and not {role, self.role} <= {Role.PRIMARY, Role.POINTER}):
            raise ManifestError(f"Destination {self.id} has no rendering for the role {role}.")
        return chosen


@dataclass(frozen=True, slots=True)
class Seal:
    """What makes a manifest a sealed one: it goes out only from the moment on at which one person unseals it (`app.domain.seal`).

    It may then go out for `send_seconds` and stands on the banner for `banner_seconds` (0: the banner is cleared). `correction` is the
    whole manifest, as its canonical text, of the correction that is sealed with it, "" for none; `corrects` stands in that one alone
    and is the announcement that it corrects.
    """

    send_seconds: int
    banner_seconds: int
    correction: str = ""
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that two people stand behind. Times are ISO 8601 in UTC; `not_before`/`not_after` "" where open.

    `primaries` are the destinations that may carry the full text first, in order: one that has not posted within `fallback_after`
    seconds, or refuses for certain, is followed by the next. `correction` is the text that waits to correct this announcement.
    `translations` are the texts from which destinations of other languages were rendered, `texts` the author's own words for single
    destinations, from which theirs were. With a `seal`, `not_after` is the date until which it
    can be unsealed.
    """

    environment: str
    announcement: str
    revision: int
    kind: Kind
    incident: Facts
    author: str
    submitted_by: str
    text: str
    answers: Answers
    destinations: tuple[Planned, ...]
    primaries: tuple[str, ...]
    overrides: tuple[Override, ...]
    not_before: str
    not_after: str
    banner_until: str
    roster_version: int
    created_at: str
    fallback_after: int = 60
    correction: str = ""
    language: str = ""
    translations: tuple[Translation, ...] = ()
    texts: tuple[OwnText, ...] = ()
    seal: Seal | None = None

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return rfc8785.dumps(_plain(self) | {"format": FORMAT})

    @classmethod
    def parse(cls, raw: bytes) -> Manifest:
        """The manifest that these canonical bytes are; raises `ManifestError`."""
        name = digest(raw)
        manifest = _LAST.get(name)
        if manifest is None:
            _LAST.clear()  # before the next is read: of ten thousand destinations each is megabytes
            manifest = _LAST[name] = _parsed(raw)
        return manifest

    @property
    def primary(self) -> str:
        """The destination that is to carry the full text, or "" where only a banner or the team is told."""
        return self.primaries[0] if self.primaries else ""

    def unsealed(self, moment: datetime) -> Manifest:
        """As a sealed one goes out once it is unsealed: its send window and its banner count from that moment. Its digest stays."""
        assert self.seal is not None
        closes, clears = (_iso(moment + timedelta(seconds=seconds)) for seconds in (self.seal.send_seconds, self.seal.banner_seconds))
        banner = clears if self.seal.banner_seconds else ""
        return replace(self, not_before=_iso(moment), not_after=min(self.not_after, closes), banner_until=banner)


_LAST: dict[str, Manifest] = {}
"""By digest: the same bytes are the same manifest, which nothing can change, and it is read again and again while a broadcast begins."""


def _parsed(raw: bytes) -> Manifest:
    try:
        data = json.loads(raw, object_pairs_hook=_Same())
        canonical, form = rfc8785.dumps(data) == raw, data.pop("format")
        manifest = _manifest(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ManifestError(f"Not a manifest: {error}") from error
    if not canonical or form != FORMAT:
        raise ManifestError(f"The manifest is not in the canonical form of {FORMAT}.")
    return manifest


class _Same:
    """Objects of plain text that are alike are one: of ten thousand pointers each would be held by itself while they are read."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = all(isinstance(value, str) for _, value in pairs)
        return self._known.setdefault(tuple(pairs), dict(pairs)) if plain else dict(pairs)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(manifest: bytes) -> str:
    """What people approve: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Rendering):
        return _written(value)
    if is_dataclass(value):
        told = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(item) for name, item in told.items() if item or name not in _WHERE_USED}
    return value.value if isinstance(value, Role | Kind) else value


@functools.lru_cache(maxsize=64)
def _written(rendering: Rendering) -> dict[str, Any]:
    """A thousand pointers say the same, and are written once."""
    return {"parts": [_plain(part) for part in rendering.parts]}


def _rendering(data: Mapping[str, Any] | None) -> Rendering | None:
    return _shared(tuple(tuple(sorted(part.items())) for part in data["parts"])) if data else None


@functools.lru_cache(maxsize=64)
def _shared(parts: tuple[tuple[tuple[str, str], ...], ...]) -> Rendering:
    """A thousand pointers say the same, and are held once."""
    return Rendering(tuple(Part(**dict(part)) for part in parts))


def _planned(data: dict[str, Any]) -> Planned:
    changed: dict[str, Any] = {
        "role": Role(data["role"]),
        "full": _rendering(data["full"]),
        "pointer": _rendering(data["pointer"]),
        "reply_to": Receipt(**data["reply_to"]) if data["reply_to"] else None,
    }
    return Planned(**(data | changed))


def _translation(data: dict[str, Any]) -> Translation:
    return Translation(**(data | {"answers": Answers(**data["answers"])}))


def _seal(data: dict[str, Any], until: str) -> Seal:
    seal = Seal(**data)
    numbers, texts = (seal.send_seconds, seal.banner_seconds), (seal.correction, seal.corrects)
    if not all(type(number) is int and 0 <= number < 2**31 for number in numbers) or not all(isinstance(text, str) for text in texts):
        raise ValueError("its seal is not of the right form")
    if datetime.fromisoformat(until).tzinfo is None:
        raise ValueError("its seal has no date")
    return seal


def _manifest(data: dict[str, Any]) -> Manifest:
    changed: dict[str, Any] = {
        "kind": Kind(data["kind"]),
        "incident": Facts.parse(data["incident"]),
        "answers": Answers(**data["answers"]),
        "destinations": tuple(_planned(entry) for entry in data["destinations"]),
        "primaries": tuple(data["primaries"]),
        "overrides": tuple(Override(**entry) for entry in data["overrides"]),
        "translations": tuple(_translation(entry) for entry in data.get("translations", ())),
        "texts": tuple(OwnText(**entry) for entry in data.get("texts", ())),
        "seal": _seal(data["seal"], data["not_after"]) if data.get("seal") else None,
    }
    return Manifest(**(data | changed))
