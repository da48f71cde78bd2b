"""JSON that was signed or travels with a signature, read strictly: bounded, in UTF-8, exactly the fields that are due, none twice."""

from __future__ import annotations

import json
from typing import Any


class NotStrict(ValueError):
    """This is not what was due; the message is a sentence that says why."""


def json_object(text: str | bytes, what: str, limit: int, fields: set[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The JSON object with exactly these fields, and of the optional ones any; at most `limit` bytes long.

    Raises `NotStrict`, and nothing else, whatever the text.
    """
    raw = encoded(text, what) if isinstance(text, str) else text
    if len(raw) > limit:
        raise NotStrict(f"The {what} is longer than {limit} bytes.")
    try:
        data = json.loads(raw.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise NotStrict(f"The {what} is not JSON in UTF-8: {error}.") from error
    if not isinstance(data, dict) or set(data) - optional != fields:
        raise NotStrict(f"The {what} must be an object with exactly the fields {', '.join(sorted(fields))}.")
    return data


def encoded(text: str, what: str) -> bytes:
    """The text in UTF-8. Raises `NotStrict` for half a character."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotStrict(f"The {what} holds a half of a character (a lone surrogate).") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a field stands twice")
    return data
