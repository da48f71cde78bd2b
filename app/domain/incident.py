"""What happened: the facts of an incident that texts are checked against and drafts are filled from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class IncidentState(StrEnum):
    """An incident is open until a person resolves it."""

    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Facts:
    """The incident as it is written into every manifest; domains are bare host names, `started` is ISO 8601 or ""."""

    id: str
    name: str
    slug: str
    products: tuple[str, ...] = ()
    affected_products: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    affected_domains: tuple[str, ...] = ()
    safe_links: tuple[str, ...] = ()
    time_zone: str = "UTC"
    started: str = ""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Facts:
        """From JSON, in which tuples are lists."""
        given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**given)


def slug(name: str) -> str:
    """A name for URLs: ASCII letters, digits and single hyphens, at most 60 characters, never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "incident"
