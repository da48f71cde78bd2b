"""Figures as people read them: tables in Markdown, on the screen and in `docs/performance.md`, whose words are written by hand.

A part's figures stand there between `<!-- its name -->` and `<!-- end -->`; nothing else of the page is touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Its lines; numbers to the right of the first column."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def taken_on(name: str, machine: dict[str, Any]) -> str:
    """The command, the machine, and who else was at work."""
    where = f"{machine['cores']} cores, Python {machine['python']}, load {machine['load']} as it began"
    return f"`make bench ARGS={name}`, {machine['at']}; {where}, others kept {machine['cores_kept_busy_by_others']} cores busy."


def filled(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with these lines in their place. Raises `ValueError` where it has none for them."""
    place = re.compile(f"(?<=<!-- {re.escape(name)} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"The page has no place for {name}.")
    return place.sub(lambda _: "\n" + "\n".join(lines) + "\n\n", page, count=1)
