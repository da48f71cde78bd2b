"""The labelled messages, which are no part of the checkout.

`TOCSIN_WORDING_CASES` names their file, by default `../shared/wording/cases.yaml` beside the checkout. Without it a test is skipped, and
under `CI` it fails.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.domain.wording.cases import Case


def file() -> Path:
    """The file of the labelled messages. Skips the test where it is missing, fails it under `CI`."""
    named = os.environ.get("TOCSIN_WORDING_CASES")
    found = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "wording" / "cases.yaml"
    if not found.is_file():
        why = f"no labelled messages at {found}: set TOCSIN_WORDING_CASES"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def raw() -> list[dict[str, Any]]:
    """As they stand in the file."""
    listed: list[dict[str, Any]] = yaml.safe_load(file().read_text("utf-8"))
    return listed


def cases() -> list[Case]:
    """Every labelled message."""
    return [Case.parse(entry) for entry in raw()]
