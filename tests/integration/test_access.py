"""Every route of the table needs a machine token, but for the few that are public on purpose; a new one without a test fails here."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.api.access import Tokens
from app.main import application
from tests.support.desk import Desk

PUBLIC = {
    "/approve/{token}",
    "/approve/{token}/request",
    "/approve/{token}/exclude",  # the link is the key to it; tests/integration/test_exclude.py
    "/enrol/{token}",
    "/banner.json",
    "/banner.html",
    "/banner.js",
    "/static/{version}/{name}",
    "/healthz",
    "/readyz",
    "/v1/openapi.json",
}


def routes() -> list[tuple[str, str]]:
    app: Any = application(None, Tokens(""))  # type: ignore[arg-type]
    found = [(method, route.path) for route in _flat(app.routes) for method in sorted(getattr(route, "methods", None) or ())]
    assert len(found) > 25
    return found


def _flat(listed: Any) -> list[Any]:
    found: list[Any] = []
    for route in listed:
        router = getattr(route, "original_router", None)
        found += _flat(router.routes) if router else [route]
    return found


@pytest.mark.parametrize(("method", "path"), [r for r in routes() if r[1] not in PUBLIC])
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer " + "x" * 43}, {"Authorization": "Basic cmVoZWFyc2Fs"}])
def test_a_route_is_closed_without_a_token(desk: Desk, method: str, path: str, header: dict[str, str]) -> None:
    url = desk.stage.house.url + path.replace("{", "").replace("}", "")
    answer = httpx.request(method, url, headers=header, json={} if method == "POST" else None, trust_env=False)
    assert answer.status_code == 401, f"{method} {path}"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", sorted(p for p in PUBLIC if "{" not in p))
def test_a_public_route_answers_anyone(desk: Desk, path: str) -> None:
    assert httpx.get(desk.stage.house.url + path, trust_env=False).status_code == 200


def test_a_weak_token_stops_the_start() -> None:
    with pytest.raises(ValueError, match="at least 32 characters"):
        Tokens("ops:short")
