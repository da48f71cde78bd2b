"""The roster in force: read from its files, and read again whenever one of them has changed.

Live, only a version counts that enough people signed (`app.domain.roster_history`); the files that people edit have to say the same. In a
drill the file itself counts as long as nobody has begun to sign it: a rehearsal needs no ceremony.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from app.bootstrap.configuration import ConfigurationError
from app.domain.roster import Roster, RosterError
from app.domain.roster_document import RosterDocument
from app.domain.roster_history import RosterHistory, RosterRefused, Trusted
from app.settings import Settings
from app.store import trusted as memory

log = structlog.get_logger(__name__)

_Version = tuple[int, int, int, int]


def signed_beside(roster: Path) -> Path:
    """The file of versions and endorsements that belongs to a roster's file."""
    return roster.with_suffix(".signed")


class RosterFile:
    """The roster in force. Raises `ConfigurationError` where there is none at first, or where the files say more than was signed.

    What goes wrong later leaves the last good one in force, and `problem` says so: an editing slip in the worst hour silences nobody.
    `entries` are the destinations with which this process runs. It only looks, until `keep` is called.
    """

    def __init__(self, settings: Settings, entries: Sequence[Mapping[str, Any]]) -> None:
        self.path, self.signed = settings.roster, signed_beside(settings.roster)
        self.problem = ""
        self.trusted: Trusted | None = None  # None in a drill that nobody signed
        self._settings, self._entries, self._keeps = settings, _packed(entries), False
        self._one_at_a_time = threading.Lock()  # it is also read where signatures are verified in the database's thread
        self._seen: tuple[_Version | None, ...] = ()
        self._kept: Roster | None = None
        self._look()
        if self.problem:
            raise ConfigurationError([self.problem])

    def __call__(self) -> Roster:
        """The roster in force."""
        with self._one_at_a_time:
            before = self.problem
            self._look()
        if self.problem and self.problem != before:
            log.error("roster-problem", problem=self.problem)
        assert self._kept is not None
        return self._kept

    def keep(self) -> None:
        """From now on a version is remembered before it counts, so that no older one ever does. Raises `ConfigurationError`."""
        self._keeps = True
        if self.trusted:
            try:
                memory.remember(self._settings.data, self.trusted.known)
            except (RosterRefused, OSError) as error:
                raise ConfigurationError([f"The roster's version cannot be remembered: {error}"]) from error

    def _look(self) -> None:
        try:
            seen = _version(self.path), _version(self.signed)
            if seen != self._seen:
                self.problem = self._take()
                self._seen = seen
        except OSError as error:  # looked at again the next time
            self.problem = f"The roster cannot be read or remembered: {error}"

    def _take(self) -> str:
        """Puts the files' roster in force; what is wrong with them, or ""."""
        try:
            if self._settings.drill and not self.signed.exists() and memory.known(self._settings.data) is None:
                self._kept = Roster.parse(self.path.read_text(encoding="utf-8"))
                return ""
            self._trust(RosterHistory.parse(self.signed.read_text(encoding="utf-8")))
            return self._difference(Roster.parse(self.path.read_text(encoding="utf-8")))
        except RosterRefused as error:
            return f"Roster {self.signed}: {error}"
        except (UnicodeDecodeError, RosterError) as error:
            return f"Roster {self.path}: {error}"
        except FileNotFoundError as error:
            if error.filename == str(self.signed):
                return f"Nobody has signed the roster: there is no {self.signed}. `tocsin roster init` begins it, and two people sign."
            return f"There is no roster at {error.filename}. `tocsin roster --help` tells how to write one."

    def _trust(self, history: RosterHistory) -> None:
        known = memory.known(self._settings.data) or (self.trusted.known if self.trusted else None)
        found = history.in_force(self._settings.environment.value, known)
        if self._keeps:
            memory.remember(self._settings.data, found.known)
        if self.trusted is None or self.trusted.digest != found.digest:
            log.info("roster-trusted", version=found.document.version, digest=found.digest, signers=found.standing.signers)
        self.trusted, self._kept = found, found.document.roster

    def _difference(self, roster: Roster) -> str:
        """Whether the files say what was signed."""
        assert self.trusted is not None
        force = self.trusted.document
        if roster.data != force.roster.data:
            return f"{self.path} is not version {force.version}, which is signed and in force. `tocsin roster sign` shows what it changes."
        entries = self._entries if isinstance(self._entries, list) else json.loads(zlib.decompress(self._entries))
        said = RosterDocument.of(force.environment, force.previous, roster, entries)
        if said.destinations != force.destinations:
            return (
                f"The destinations are not those of version {force.version} of the roster, which is signed. Bring destinations.toml "
                "in line with it and start Tocsin anew, or have them signed: `tocsin roster sign` shows what they change."
            )
        return ""


def _packed(entries: Sequence[Mapping[str, Any]]) -> bytes | list[Mapping[str, Any]]:
    """As compressed text, a tenth of the memory and less, where JSON can say them; they are seldom looked at."""
    try:
        return zlib.compress(json.dumps(entries).encode())
    except (TypeError, ValueError, RecursionError):
        return list(entries)


def _version(path: Path) -> _Version | None:
    """By which a change of the file shows; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
