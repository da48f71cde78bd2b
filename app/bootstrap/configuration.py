"""Reading the settings, with secrets from files; and the one error that names all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr, ValidationError

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
