"""What commands print: one JSON value for programs, plain lines for people, and nothing that could repaint a terminal.

Texts come from elsewhere (a server, a file, an author), so each passes `safe` on its way out. Lines are built to be read on a phone:
a table that does not fit becomes a list.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click

QUOTED = 160
"""Characters of a finding's words that are shown; where a whole text is meant, its beginning tells."""

_GOOD = ("sent", "posted", "seen", "approved", "ok", "resolved")
_BAD = ("incomplete", "failed", "unknown", "missing", "altered", "overdue", "returned", "expired")
_WAITING = ("by_hand", "awaiting_approval", "due", "open", "draft")
_COLOURS = dict.fromkeys(_GOOD, "green") | dict.fromkeys(_BAD, "red") | dict.fromkeys(_WAITING, "yellow")


def safe(text: object) -> str:
    """Control and direction characters made visible, so that a text cannot repaint the terminal; line breaks and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" else f"\\u{ord(c):04x}" for c in str(text))


def one_line(text: object) -> str:
    """The same on one line."""
    return safe(" ".join(str(text).split("\n")))


def put(text: object = "", **style: Any) -> None:
    """A line for a person, on stdout."""
    click.secho(safe(text), **style) if style else click.echo(safe(text))


def say(text: object = "", **style: Any) -> None:
    """A line beside the result, on stderr, so that `--json` stays clean."""
    click.secho(safe(text), err=True, **style) if style else click.echo(safe(text), err=True)


def put_json(value: Any) -> None:
    """One JSON value on stdout and nothing else."""
    json.dump(value, sys.stdout, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"), indent=2)
    sys.stdout.write("\n")


def in_words(state: str) -> str:
    """A state as it is written for a person."""
    return one_line(state.replace("_", " "))


def coloured(state: str) -> str:
    """The same, coloured by whether somebody has to act."""
    words = in_words(state)
    return click.style(words, fg=_COLOURS[state]) if state in _COLOURS else words


def finding(found: Mapping[str, Any]) -> str:
    """A finding of the wording checks on one line."""
    where = f" on {found['destination']}" if found.get("destination") else ""
    words = f"  «{shortened(found['excerpt'])}»" if found["excerpt"] else ""
    return one_line(f"{found['severity']} {found['rule']}{where}: {found['message']}{words}")


def shortened(words: str) -> str:
    """Its beginning, where it is a whole text."""
    return words if len(words) <= QUOTED else f"{words[:QUOTED]}…"


def when(moment: str | None) -> str:
    """A time of the API (ISO 8601) in UTC, with the local one beside it where that is another; text that is no time as it is."""
    return _spoken(moment)


def span(opens: str | None, closes: str | None) -> str:
    """From one time to another, in the same way."""
    return _spoken(opens, closes)


def _spoken(*moments: str | None) -> str:
    try:
        times = [datetime.fromisoformat(moment or "") for moment in moments]
    except ValueError:
        return one_line(" to ".join(moment or "-" for moment in moments))
    utc, local = [at.astimezone(UTC) for at in times], [at.astimezone() for at in times]
    told = f"{_in_zone(utc)} UTC"
    if all(here.utcoffset() == there.utcoffset() for here, there in zip(local, utc, strict=True)):
        return told
    return f"{told} ({_in_zone(local, utc[0].date())} {local[-1].tzname()})"


def _in_zone(times: Sequence[datetime], day: date | None = None) -> str:
    """Times one after another, a date only where it is another than the last one told."""
    told = []
    for at in times:
        told.append(f"{at:{'%H:%M' if at.date() == day else '%Y-%m-%d %H:%M'}}")
        day = at.date()
    return " to ".join(told)


def clock(moment: str) -> str:
    """The time of day in UTC, for lines that come one after another."""
    try:
        return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M:%S}"
    except ValueError:
        return one_line(moment)


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> None:
    """Rows in columns on stdout; in a terminal that is too narrow, cells go on in a further line. Cells are safe, and may be styled."""
    for row in lines(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else None, indent):
        click.echo(row)


def lines(rows: Sequence[Sequence[str]], room: int | None, indent: str = "  ") -> list[str]:
    """The lines of such a table; `room` in columns, None for no limit."""
    count = max((len(row) for row in rows), default=0)
    widths = [max((width(row[at]) for row in rows if at < len(row)), default=0) for at in range(count)]
    if room is not None and len(indent) + sum(widths) + 2 * (count - 1) > room:
        return [line for row in rows for line in _folded(row, room, indent)]
    padded = ["  ".join(cell + " " * (widths[at] - width(cell)) for at, cell in enumerate(row)).rstrip() for row in rows]
    return [f"{indent}{line}" for line in padded]


def _folded(row: Sequence[str], room: int, indent: str) -> list[str]:
    """The cells of one row, as many in a line as there is room for."""
    folded = [f"{indent}{row[0]}"]
    for cell in filter(None, row[1:]):
        if width(folded[-1]) + 2 + width(cell) <= room:
            folded[-1] += f"  {cell}"
        else:
            folded.append(f"{indent}  {cell}")
    return folded


def width(text: str) -> int:
    """How many columns a terminal gives this text."""
    return sum(_columns(c) for c in click.unstyle(text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
