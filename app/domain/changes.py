"""What changed from one manifest to another, word by word: every signed field, also one that this version does not know.

Pure. A manifest is taken apart into texts, each with a name for people; texts of the same name are compared. What always differs between
two revisions (their number, when they were written) is left out.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

Kind = Literal["same", "out", "in"]

_WORDS, _LINES = re.compile(r"\S+\s*|\s+"), re.compile(r"[^\n]*\n|[^\n]+")
_MOST_WORDS = 4000
"""Of both texts; longer ones are compared line by line, so that no text takes long."""
_ALWAYS = {"revision", "created_at", "not_after", "banner_until"}
_NAMED = {"full": "in full", "pointer": "as a pointer", "text": "", "parts": "", "destinations": ""}


@dataclass(frozen=True, slots=True)
class Change:
    """One text that is another now: where it stands, and its pieces in order.

    The pieces that are not `out` joined are the new text, those that are not `in` the old one. `also` are the other places that changed
    in just the same way.
    """

    where: str
    pieces: tuple[tuple[Kind, str], ...]
    also: tuple[str, ...] = ()


@functools.lru_cache(maxsize=16)
def changes(before: str, after: str) -> tuple[Change, ...]:
    """The changes from one manifest's canonical text to another's, in the order of the new one, then what is gone."""
    old, new = (dict(_leaves(_said(json.loads(raw)))) for raw in (before, after))
    found: dict[tuple[str, str], list[str]] = {}
    for where in [*new, *(where for where in old if where not in new)]:
        pair = old.get(where, ""), new.get(where, "")
        if pair[0] != pair[1]:
            found.setdefault(pair, []).append(where)
    return tuple(Change(where, words(*pair), tuple(also)) for pair, (where, *also) in found.items())


def words(before: str, after: str) -> tuple[tuple[Kind, str], ...]:
    """The pieces from one text to another."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) + len(new) > _MOST_WORDS:
        old, new = _LINES.findall(before), _LINES.findall(after)
    found: list[tuple[Kind, str]] = []
    for _, start, end, begin, stop in SequenceMatcher(None, old, new).get_opcodes():
        gone, come = "".join(old[start:end]), "".join(new[begin:stop])
        found += [("same", gone)] if gone == come else [("out", gone), ("in", come)]
    return tuple((kind, text) for kind, text in found if text)


def _said(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what differs in any case; the date of a seal is chosen by its author."""
    kept = {"not_after"} if manifest.get("seal") else set()
    return {name: value for name, value in manifest.items() if name not in _ALWAYS - kept}


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a manifest with where it stands; what is neither text nor a list of texts is written as JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            nested = where == "seal" and name == "correction" and inner  # a whole manifest, as text
            yield from _leaves(_said(json.loads(inner)) if nested else inner, _joined(where, _NAMED.get(name, name.replace("_", " "))))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for at, item in enumerate(value):
            yield from _leaves(item, _joined(where, _called(item, at)))
    elif isinstance(value, str):
        yield where or "the text", value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield where, ", ".join(value)
    elif value is not None:
        yield where, json.dumps(value)


def _called(item: Any, at: int) -> str:
    """How one of several is named: a destination by its id and role, a translation by its language, a part by its number."""
    if isinstance(item, dict) and isinstance(item.get("id"), str):
        return f"{item['id']} ({item['role']})" if isinstance(item.get("role"), str) else str(item["id"])
    language = item.get("language") if isinstance(item, dict) else None
    return language if isinstance(language, str) else f"{at + 1}"


def _joined(where: str, name: str) -> str:
    return f"{where} · {name}" if where and name else where or name
