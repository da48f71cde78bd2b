"""What all tests share: hypothesis without a deadline (machines differ), and no setting of the developer's own environment."""

from __future__ import annotations

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("tocsin", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=60)
hypothesis.settings.load_profile("tocsin")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> None:
    for name in list(os.environ):
        if name.startswith("TOCSIN_") and not name.startswith(("TOCSIN_TEST_", "TOCSIN_PLATFORM_", "TOCSIN_REQUIRE_", "TOCSIN_PEERS_")):
            del os.environ[name]
