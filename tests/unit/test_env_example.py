"""`.env.example` is generated, and current."""

from __future__ import annotations

from pathlib import Path

from app.bootstrap.example import env_example


def test_env_example_is_current() -> None:
    kept = Path(".env.example").read_text(encoding="utf-8")
    assert kept == env_example(), "run: .venv/bin/python -m app.bootstrap.example > .env.example"
