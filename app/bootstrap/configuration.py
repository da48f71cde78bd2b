"""Reading what is configured outside the settings: secrets from files, the roster; and the one error that names all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr, ValidationError

from app.domain.roster import Roster, RosterError
from app.settings import Settings


class ConfigurationError(Exception):
    """Start-up is refused; `problems` names each thing that is wrong and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("Tocsin is not configured rightly:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = tuple(problems)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings from the environment; a secret may stand in a file that `TOCSIN_<NAME>_FILE` names. Raises `ConfigurationError`."""
    problems: list[str] = []
    given: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        variable = f"TOCSIN_{name.upper()}"
        if variable in environ:
            given[name] = environ[variable]
        elif field.annotation is SecretStr and f"{variable}_FILE" in environ:
            given[name] = read_secret_file(variable, environ, problems)
    if not problems:
        try:
            return Settings.model_validate(given)
        except ValidationError as error:
            problems = [f"TOCSIN_{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
    raise ConfigurationError(problems)


def read_secret_file(variable: str, environ: Mapping[str, str], problems: list[str]) -> str:
    """The content of the file that `<variable>_FILE` names, without the newline at its end."""
    path = Path(environ[f"{variable}_FILE"])
    try:
        return path.read_text().rstrip("\n")
    except OSError as error:
        problems.append(f"{variable}_FILE: {path} cannot be read ({error.strerror}).")
        return ""


class RosterFile:
    """The roster, read again whenever its file has changed. Raises `ConfigurationError` if it cannot be read at first.

    A file that cannot be read later leaves the last good roster in force, and `problem` says so: an editing slip in the worst hour
    silences nobody.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.problem = path, ""
        self._stamp = (0, 0, 0, 0)
        self._kept: Roster | None = None
        if self.read() is None:
            raise ConfigurationError([self.problem])

    def __call__(self) -> Roster:
        """The roster in force."""
        roster = self.read()
        assert roster is not None
        return roster

    def read(self) -> Roster | None:
        """Looks at the file; None only where there never was a good one."""
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._kept, self._stamp = Roster.parse(self.path.read_text()), stamp
            self.problem = ""
        except FileNotFoundError:
            self.problem = f"There is no roster at {self.path}. `tocsin roster --help` tells how to write one."
        except (OSError, UnicodeDecodeError, RosterError) as error:
            self.problem = f"Roster {self.path}: {error}"
        return self._kept
