"""The threat model names tests that exist, and says of each attack how far what stands against it reaches."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs/threat-model.md").read_text()
ATTACKS = [[cell.strip() for cell in row.strip("|").split("|")] for row in PAGE.splitlines() if re.match(r"\| \d+ \| ", row)]
_TEST = re.compile(r"`(?P<file>tests/[a-z_/]+\.py)::(?P<name>test_\w+)`")


def test_attacks_are_numbered_and_at_least_thirty() -> None:
    assert [int(row[0]) for row in ATTACKS] == list(range(1, len(ATTACKS) + 1))
    assert len(ATTACKS) >= 30


@pytest.mark.parametrize("row", ATTACKS, ids=lambda row: row[0])
def test_every_attack_names_a_test_that_is_there(row: list[str]) -> None:
    named = list(_TEST.finditer(row[-1]))
    assert named, f"attack {row[0]} is shown by no test"
    assert not _TEST.sub("", row[-1]).strip(", "), "the last column holds tests alone"
    for test in named:
        assert re.search(rf"^(async )?def {test['name']}\(", (HOUSE / test["file"]).read_text(), re.MULTILINE), test[0]


def test_every_dependency_is_pinned_with_its_hash() -> None:
    locked = tomllib.loads((HOUSE / "uv.lock").read_text())["package"]
    fetched = [package for package in locked if "registry" in package["source"]]
    assert len(fetched) > 50
    for package in fetched:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    assert {package["name"] for package in locked if package not in fetched} == {"tocsin"}
