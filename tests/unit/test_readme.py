"""What the README states is so."""

from __future__ import annotations

from pathlib import Path

from app.web.pages import static_file


def test_the_stated_integrity_is_that_of_the_script() -> None:
    assert f'integrity="{static_file("banner.js").integrity}"' in Path("README.md").read_text(encoding="utf-8")
