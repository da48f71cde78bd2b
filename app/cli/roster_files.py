"""The files of a roster on this machine (`roster.toml`, `destinations.toml`, `roster.signed`), and who signed what they say.

Nothing is fetched and no server is asked. What counts is decided in `app.domain.endorsement`; that the running Tocsin agrees shows in
`tocsin check`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.cli.output import one_line
from app.domain.endorsement import Endorsement, Standing
from app.domain.roster import Roster, RosterError
from app.domain.roster_document import RosterDocument
from app.domain.roster_history import RosterHistory, RosterRefused, Trusted, document_line

file_option = click.option(
    "--roster",
    "file",
    metavar="FILE",
    default=lambda: os.environ.get("TOCSIN_ROSTER") or "roster.toml",
    show_default="TOCSIN_ROSTER, or roster.toml",
    help="The roster's file.",
)
destinations_option = click.option(
    "--destinations",
    metavar="FILE",
    default=lambda: os.environ.get("TOCSIN_DESTINATIONS") or "destinations.toml",
    show_default="TOCSIN_DESTINATIONS, or destinations.toml",
    help="The destinations' file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def load(file: str | Path) -> Roster:
    """The roster in a file. Raises `click.ClickException`."""
    try:
        return Roster.parse(Path(file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.ClickException(f"There is no roster at {file}. `tocsin roster --help` tells how to write one.") from None
    except (OSError, ValueError) as error:
        raise click.ClickException(f"Roster {file}: {one_line(error)}") from error


@dataclass(frozen=True)
class RosterFiles:
    """The three files of one roster, and the version in force by them."""

    roster: Roster
    entries: list[dict[str, Any]]
    signed: Path
    history: RosterHistory
    trusted: Trusted | None

    @classmethod
    def of(cls, file: str, destinations: str) -> RosterFiles:
        """Raises `click.ClickException` where one of them cannot be read."""
        from app.bootstrap.configuration import ConfigurationError
        from app.bootstrap.destinations import public_entries
        from app.bootstrap.roster import signed_beside

        signed = signed_beside(Path(file))
        try:
            history = RosterHistory.parse(signed.read_text(encoding="utf-8")) if signed.exists() else RosterHistory()
            trusted = _in_force(history)
            return cls(load(file), public_entries(Path(destinations)), signed, history, trusted)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error
        except (OSError, UnicodeDecodeError, RosterRefused) as error:
            raise click.ClickException(f"{signed}: {one_line(error)}") from error

    def document(self, environment: str) -> RosterDocument:
        """What the files say, as the version after the one in force. Raises `click.ClickException` where it is not that."""
        due, previous = (self.trusted.document.version + 1, self.trusted.digest) if self.trusted else (1, "")
        try:
            if self.trusted and self.says(self.trusted.document):
                raise click.ClickException(f"Nothing to sign: version {due - 1} is in force, and the files say the same.")
            if self.roster.version != due:
                raise click.ClickException(f"The next version is {due}: write version = {due} into the roster's file.")
            return RosterDocument.of(environment, previous, self.roster, self.entries)
        except RosterError as error:
            raise click.ClickException(one_line(error)) from error

    def says(self, document: RosterDocument) -> bool:
        """Whether the files say the same as that document."""
        if self.roster.version != document.version:
            return False
        return RosterDocument.of(document.environment, document.previous, self.roster, self.entries).digest == document.digest

    def add(self, document: RosterDocument, endorsement: Endorsement) -> None:
        """Adds to the file what is not there, on disk when this returns."""
        lines = "" if document.digest in self.history.documents else document_line(document)
        with self.signed.open("a", encoding="utf-8") as file:
            file.write(lines + endorsement.to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())


def _in_force(history: RosterHistory) -> Trusted | None:
    """By the file alone; None where version 1 lacks signatures."""
    first = next(iter(history.documents.values()), None)
    if first is None or not any(history.stands(one, None).counts for one in history.documents.values() if one.version == 1):
        return None
    return history.in_force(first.environment)


def signatures(file: str, destinations: str) -> dict[str, Any] | None:
    """Who signed the roster of these files, as data; None where nobody did."""
    from app.bootstrap.roster import signed_beside

    if not signed_beside(Path(file)).exists():
        return None
    files = RosterFiles.of(file, destinations)
    waiting = [_standing(document, files, found) for document, found in files.history.waiting(files.trusted)]
    return {"in_force": _force(files, files.trusted) if files.trusted else None, "waiting": waiting}


def _force(files: RosterFiles, trusted: Trusted) -> dict[str, Any]:
    return {
        "environment": trusted.document.environment,
        "version": trusted.document.version,
        "digest": trusted.digest,
        "signers": list(trusted.standing.signers),
        "recovered": trusted.standing.recovered,
        "said_by_files": files.says(trusted.document),
    }


def _standing(document: RosterDocument, files: RosterFiles, found: Standing) -> dict[str, Any]:
    able = {person.id for person in document.roster.persons if person.counts and person.ssh_keys} - set(found.own)
    old = files.trusted.document.roster.persons if files.trusted else ()
    able_before = {person.id for person in old if person.counts and person.ssh_keys} - set(found.before)
    return {
        "environment": document.environment,
        "version": document.version,
        "digest": document.digest,
        "signers": list(found.signers),
        "missing": {"before": found.before_missing, "own": found.own_missing},
        "who_can": {"before": sorted(able_before), "own": sorted(able)},
        "said_by_files": files.says(document),
    }


def signatures_told(signed: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    """The same in lines, each with its colour."""
    if signed is None:
        yield "Nobody has signed it: a drill takes it so, a live Tocsin does not start with it. `tocsin roster init` begins.", "yellow"
        return
    force = signed["in_force"]
    if force:
        signers = ", ".join(force["signers"]) + (", by recovery" if force["recovered"] else "")
        yield f"Version {force['version']} is in force ({force['environment']}), signed by {signers}. {force['digest']}", "green"
    for one in signed["waiting"]:
        yield f"Version {one['version']} waits, signed by {', '.join(one['signers']) or 'nobody'}. {one['digest']}", "yellow"
        for whose, of in (("before", f"the people of version {one['version'] - 1}"), ("own", "its own people")):
            if one["missing"][whose]:
                yield f"  Missing: {one['missing'][whose]} of {of} ({', '.join(one['who_can'][whose]) or 'nobody can'}).", "yellow"
    if not any(one["said_by_files"] for one in (force, *signed["waiting"]) if one):
        yield "The files say something that nobody signed. `tocsin roster sign` shows what.", "red"
