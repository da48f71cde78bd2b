"""`docs/renderings.md` is generated, and shows what every adapter makes of one text."""

from __future__ import annotations

from pathlib import Path

from adapters.registry import platforms
from app.bootstrap.renderings import ANSWERS, FACTS, TEXT, as_markdown
from app.domain.announcement import Kind
from app.domain.wording import check


def test_the_page_is_current_and_shows_every_platform() -> None:
    kept = Path("docs/renderings.md").read_text(encoding="utf-8")
    assert kept == as_markdown(), "run: .venv/bin/python -m app.bootstrap.renderings > docs/renderings.md"
    assert all(f": {platform}, " in kept for platform in platforms())


def test_its_text_is_one_that_nothing_holds_up() -> None:
    assert not [found for found in check(TEXT.strip(), FACTS, Kind.INITIAL, ANSWERS) if found.severity == "block"]
