"""The options by which a person gives the words of an announcement, and what the API is asked with them.

Exactly one of --text, --file and the argument FILE gives the text. A file is read as UTF-8, and white space at its end is not part of it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from app.cli.output import one_line, say
from app.domain.announcement import MAX_TEXT

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

ANSWERS = ("affected", "if_affected", "if_not_affected")

_OPTIONS = (
    click.argument("source", metavar="[FILE | -]", required=False, default=""),
    click.option("--text", help="The text itself."),
    click.option("--file", "file", metavar="FILE", help="A file with the text, in UTF-8; the same as FILE, and - is stdin."),
    click.option("--template", metavar="ID", help="Take the words from a template (tocsin templates)."),
    click.option("--set", "values", metavar="NAME=VALUE", multiple=True, help="A value of the template (repeat it)."),
    click.option("--ask", is_flag=True, help="Ask for each value of the template that is not set."),
    click.option("--affected", help="Who is affected, in one sentence."),
    click.option("--if-affected", help="What they do now, in one sentence."),
    click.option("--if-not-affected", help="What the others do, or need not do."),
    click.option("--destination", "destinations", metavar="ID", multiple=True, help="Only there (repeat it); everywhere unless given."),
    click.option(
        "--text-for",
        "texts",
        metavar="ID=TEXT",
        multiple=True,
        help="Own words for one destination, for a mere pointer its line (repeat it). ID=@FILE reads them from a file.",
    ),
    click.option("--override", "overrides", metavar="RULE=REASON", multiple=True, help="Send in spite of a finding; signed with the rest."),
    click.option("--author", metavar="PERSON", help="Who of the roster wrote it; unless given, who signs with --key."),
    click.option(
        "--correction", metavar="TEXT", help="A correction in advance, should this be wrong: shown to those who sign (tocsin correct)."
    ),
    click.option("--language", help="The language of the text, like en."),
    click.option(
        "--translation",
        "translations",
        metavar="LANGUAGE=FILE",
        multiple=True,
        help="The same in another one (repeat it): the text, or a .toml with text, affected, if_affected, if_not_affected, correction.",
    ),
    click.option(
        "--sealed-until", metavar="DATE", help="Of a sealed one: the last day on which it can be unsealed, or a time with its zone."
    ),
    click.option("--clear-banner", is_flag=True, help="Once this is out, the banner is empty."),
)


def wording_options(command: Decorated) -> Decorated:
    """Adds the options of a wording to a command, which gets them as keyword arguments for `wording`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def wording(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a wording that were given, as the API takes them, without `text` where none was. Raises click's errors."""
    body: dict[str, Any] = {}
    text = _text(given)
    if text is not None:
        if not text.strip():
            raise click.UsageError("The text is empty.")
        body["text"] = text
    body |= {name: given[name].strip() for name in (*ANSWERS, "author", "correction", "language") if given[name] is not None}
    if given["destinations"]:
        body["destinations"] = list(given["destinations"])
    if given["texts"]:
        pairs = [pair(entry, "--text-for", "ID=TEXT") for entry in given["texts"]]
        body["texts"] = {id_: read(text[1:], f"the text for {id_}") if text.startswith("@") else text for id_, text in pairs}
    if given["overrides"]:
        pairs = [pair(entry, "--override", "RULE=REASON") for entry in given["overrides"]]
        body["overrides"] = [{"rule": rule, "reason": reason} for rule, reason in pairs]
    if given["translations"]:
        pairs = [pair(entry, "--translation", "LANGUAGE=FILE") for entry in given["translations"]]
        body["translations"] = {language: _translation(file) for language, file in pairs}
    if given["clear_banner"]:
        body["clear_banner"] = True
    if given["sealed_until"]:
        body["sealed_until"] = _last_moment(given["sealed_until"])
    return body


def _last_moment(typed: str) -> str:
    """A time with its zone as it is, a day as the last second of it in UTC. Raises click's errors."""
    wrong = click.BadParameter("Write a day like 2027-03-01, or a time with its zone like 2027-03-01T12:00Z.", param_hint="--sealed-until")
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError as error:
        raise wrong from error
    if moment.tzinfo is None and len(typed) != len("2027-03-01"):
        raise wrong
    return typed if moment.tzinfo else f"{moment:%Y-%m-%d}T23:59:59Z"


def filled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without the answers and the correction that were given as "", which says that there is none."""
    return {name: value for name, value in body.items() if value != ""}


def _translation(file: str) -> dict[str, Any]:
    text = read(file, "the translation")
    if not file.endswith(".toml"):
        return {"text": text}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"{called(file)}: {one_line(error)}") from error


def pair(entry: str, option: str, form: str) -> tuple[str, str]:
    """The two sides of an option's `NAME=VALUE`. Raises click's errors."""
    name, equals, value = entry.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise click.BadParameter(f"Write {form}.", param_hint=option)
    return name.strip(), value.strip()


def _text(given: Mapping[str, Any]) -> str | None:
    sources = [source for source in (given["source"], given["file"]) if source]
    if len(sources) + (given["text"] is not None) > 1:
        raise click.UsageError("Give the text once: --text, --file or FILE.")
    if given["text"] is not None:
        return str(given["text"])
    return read(sources[0], "the text") if sources else None


def read(source: str, what: str, limit: int = 4 * MAX_TEXT) -> str:
    """The text of a file, or of stdin for `-`, at most `limit` bytes. Raises click's errors."""
    raw = read_bytes(source, what, limit)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{called(source)} is not text in UTF-8 (byte {error.start + 1}). Save it as UTF-8.") from error
    return text.replace("\r\n", "\n").rstrip()


def read_bytes(source: str, what: str, limit: int) -> bytes:
    """The bytes of a file, or of stdin for `-`. Raises click's errors."""
    try:
        if source == "-":
            if sys.stdin.isatty():
                say(f"Reading {what} from the terminal; end it with Ctrl-D.")
            raw = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(source).expanduser().open("rb") as file:
                raw = file.read(limit + 1)
    except (OSError, RuntimeError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise click.UsageError(f"{called(source)} cannot be read: {told}.") from error
    if len(raw) > limit:
        raise click.ClickException(f"{called(source)} is longer than {limit:,} bytes. Is this the right file?")
    return raw


def called(source: str) -> str:
    """A file's name as messages call it."""
    return "stdin" if source == "-" else one_line(source)
