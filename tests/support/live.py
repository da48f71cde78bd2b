"""A live house at stand-ins, and the people who sign its roster at their own command lines."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.api.tokens import Scope, make, today
from app.cli import tocsin
from app.rehearsal import play
from app.rehearsal.house import RehearsalHouse, furnish


class Signers:
    """The people of a roster at their own command lines, over files that they hand on."""

    def __init__(self, folder: Path, entries: str | None = None) -> None:
        self.folder = folder
        if entries:
            (folder / "destinations.toml").write_text(entries)

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        files = ("--roster", str(self.folder / "roster.toml"), "--destinations", str(self.folder / "destinations.toml"))
        return CliRunner().invoke(tocsin, ["roster", *arguments, *files], input=stdin, env={"TOCSIN_ENVIRONMENT": "live"})

    def done(self, *arguments: str, stdin: str | None = None) -> str:
        found = self.run(*arguments, stdin=stdin)
        assert found.exit_code == 0, found.output
        return found.output

    def signatures(self) -> dict[str, Any]:
        found = self.run("show", "--json")
        assert found.exit_code == 0, found.output
        told: dict[str, Any] = json.loads(found.stdout)["signatures"]
        return told

    def write(self, text: str) -> None:
        (self.folder / "roster.toml").write_text(text)


@contextlib.contextmanager
def live(folder: Path) -> Iterator[RehearsalHouse]:
    """A house that is live, at stand-ins, whose roster nobody has signed yet."""
    with play._process([sys.executable, "-m", "app.rehearsal", "--die-with-parent"], {}) as stand_ins:
        assert stand_ins.stdout is not None
        house = furnish(folder, json.loads(stand_ins.stdout.readline()))
        token, known = make("desk", Scope, today() + timedelta(days=1))
        house = RehearsalHouse(house.folder, house.url, token, house.environ)
        house.environ.update({"TOCSIN_ENVIRONMENT": "live", "TOCSIN_API_TOKENS": known.entry})
        yield house


def sign_as(house: RehearsalHouse, command: str, *persons: str) -> None:
    signers = Signers(house.folder)
    for at, person in enumerate(persons):
        signers.done(command if at == 0 else "sign", "--person", person, "--key", str(house.key(person)), "--yes")
