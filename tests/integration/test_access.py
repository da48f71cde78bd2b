"""Who may call what: a line for each route and method that the application has; one without a line fails.

The lines are read beside the application's own table, so that a route which forgot to ask for a token, or asks for the smaller scope,
shows. Each closed route is tried without a token, with wrong ones, with one that expired, and with one of the other scope alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app.api.tokens import Scope, Tokens, make, today
from app.main import application
from app.rehearsal.play import stage
from app.settings import Settings
from tests.support.desk import LEAST, Desk

PUBLIC = {
    "GET HEAD /banner.json": "a homepage's readers ask for it; it holds what is out already",
    "GET HEAD /banner.html": "the same, as a page",
    "GET HEAD /banner.js": "a static file",
    "GET HEAD /feed.atom": "announcements that went out",
    "GET HEAD /feed.json": "the same, as JSON",
    "GET HEAD /incidents/{slug}": "the same, of one incident; what is not public is as unknown as what does not exist",
    "GET HEAD /verify": "whether a post is ours; it looks at what went out alone",
    "POST /verify": "the same for a text, from that page's form; it changes nothing",
    "GET HEAD /static/{version}/{name}": "static files",
    "GET HEAD /approve/{token}": "the link is the secret that opens it",
    "GET HEAD /approve/{token}/request": "the link opens it",
    "POST /approve/{token}": "the link opens it, and the signature of its person is what counts",
    "POST /approve/{token}/exclude": "the link opens it; to send to fewer needs nobody else (tests/integration/test_exclude.py)",
    "GET HEAD /enrol/{token}": "the link opens it",
    "POST /enrol/{token}": "the link opens it; it answers with an entry that counts once a person puts it into the roster",
    "GET HEAD /login": "whoever comes to log in; it tells nothing of anybody but the ids of a person's passkeys",
    "POST /login": "the passkey's signature over this browser's challenge is what opens (tests/integration/test_sessions.py)",
    "GET /healthz": "whether the process lives, for whoever watches it",
    "GET /readyz": "whether it can work, for whoever watches it",
    "GET HEAD /v1/openapi.json": "the description of the API, as it is published",
}
"""Open to anybody, and why."""

SESSION = {
    "GET HEAD /": "what waits for a person",
    "GET HEAD /announcements/{announcement_id}": "the approval page",
    "GET HEAD /announcements/{announcement_id}/request": "the same as data",
    "POST /announcements/{announcement_id}": "carries what the person signed",
    "POST /logout": "ends sessions",
}
"""Open to a person who is logged in, whose session decides nothing (tests/integration/test_sessions.py)."""

CLOSED = {
    "GET /v1/announcements": Scope.READ,
    "GET /v1/announcements/{announcement_id}": Scope.READ,
    "GET /v1/announcements/{announcement_id}/approval-request": Scope.READ,
    "GET /v1/announcements/{announcement_id}/approvals": Scope.READ,
    "POST /v1/announcements/{announcement_id}/approvals": Scope.READ,  # carries what a person signed
    "GET /v1/announcements/{announcement_id}/events": Scope.READ,
    "POST /v1/announcements": Scope.ANNOUNCE,
    "POST /v1/announcements/{announcement_id}/revisions": Scope.ANNOUNCE,
    "POST /v1/announcements/{announcement_id}/ask": Scope.ANNOUNCE,
    "POST /v1/announcements/{announcement_id}/correction": Scope.ANNOUNCE,
    "POST /v1/announcements/{announcement_id}/cancel": Scope.ANNOUNCE,
    "GET /v1/incidents": Scope.READ,
    "GET /v1/incidents/{incident_id}": Scope.READ,
    "GET /v1/incidents/{incident_id}/timeline": Scope.READ,
    "POST /v1/incidents/{incident_id}/resolve": Scope.ANNOUNCE,
    "GET /v1/timeline": Scope.READ,
    "GET /v1/timeline/checkpoint": Scope.READ,
    "GET /v1/follow-ups": Scope.READ,
    "POST /v1/deliveries/{delivery_id}/retry": Scope.ANNOUNCE,
    "POST /v1/deliveries/{delivery_id}/mark": Scope.ANNOUNCE,
    "POST /v1/deliveries/{delivery_id}/skip": Scope.ANNOUNCE,
    "POST /v1/checks": Scope.READ,  # changes nothing
    "GET /v1/templates": Scope.READ,
    "GET /v1/templates/{template_id}": Scope.READ,
    "POST /v1/templates/{template_id}/fill": Scope.READ,  # changes nothing
    "GET /v1/destinations": Scope.READ,
    "POST /v1/destinations/check": Scope.ANNOUNCE,
    "POST /v1/destinations/{destination_id}/exclude": Scope.ANNOUNCE,
    "POST /v1/destinations/{destination_id}/include": Scope.ANNOUNCE,
    "POST /v1/destinations/{destination_id}/resume": Scope.ANNOUNCE,
    "GET /v1/roster": Scope.READ,
    "POST /v1/roster/enrolments": Scope.ANNOUNCE,
    "POST /v1/drill/clock": Scope.ANNOUNCE,
}
"""The scope that opens each of the others."""


def _each(line: str) -> list[tuple[str, str]]:
    *methods, path = line.split()
    return [(method, path) for method in methods]


OPEN = [route for line in PUBLIC for route in _each(line)]
LOGGED_IN = [route for line in SESSION for route in _each(line)]
SCOPES = {route: scope for line, scope in CLOSED.items() for route in _each(line)}


def _flat(listed: Any) -> Iterator[Any]:
    for route in listed:
        router = getattr(route, "original_router", None)
        yield from _flat(router.routes) if router else [route]


def _table() -> set[tuple[str, str]]:
    """Every method and path of the application; what has no methods (a mount, a socket) counts as a method of its own kind."""
    app: Any = application(SimpleNamespace(settings=Settings()), Tokens(""))  # type: ignore[arg-type]
    return {(method, route.path) for route in _flat(app.routes) for method in getattr(route, "methods", None) or [type(route).__name__]}


ROUTES = sorted(_table())
OTHER = {Scope.READ: Scope.ANNOUNCE, Scope.ANNOUNCE: Scope.READ}


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[str, str]]:
    """Tokens by what they are for, each with its entry."""
    tomorrow, yesterday = (today() + timedelta(days=days) for days in (1, -1))
    made = {str(scope): make(f"only-{scope}", [scope], tomorrow) for scope in Scope}
    made |= {name: make("desk", Scope, tomorrow) for name in ("before", "after")}
    made["expired"] = make("old", Scope, yesterday)
    return {name: (token, known.entry) for name, (token, known) in made.items()}


@pytest.fixture(scope="module")
def house(keys: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house that knows them, written as in a file of theirs."""
    environ = {"TOCSIN_API_TOKENS": "\n".join(entry for _, entry in keys.values())}
    with stage(tmp_path_factory.mktemp("access"), environ=environ) as started:
        started.http.headers["Authorization"] = f"Bearer {keys['after'][0]}"
        yield Desk(started)


def ask(house: Desk, route: tuple[str, str], authorization: str | None) -> httpx.Response:
    """One request without a cookie or a body that anything could come of."""
    url = house.stage.house.url + re.sub(r"\{\w+\}", "none", route[1])
    headers = {} if authorization is None else {"Authorization": authorization}
    return httpx.request(route[0], url, headers=headers, json={} if route[0] == "POST" else None, trust_env=False, timeout=30)


def test_every_route_has_its_line_and_every_line_its_route() -> None:
    lines = [*OPEN, *LOGGED_IN, *SCOPES]
    assert len(lines) == len(set(lines))
    assert sorted(lines) == ROUTES, "give a new route its line above: the scope that it needs, or why it is open"


@pytest.mark.parametrize("route", SCOPES, ids=" ".join)
def test_a_closed_route_opens_to_its_scope_alone(house: Desk, keys: dict[str, tuple[str, str]], route: tuple[str, str]) -> None:
    needed = SCOPES[route]
    right, small = keys[needed][0], keys[OTHER[needed]][0]
    for wrong in (None, "", "Bearer", "Bearer " + "x" * 43, f"Basic {right}", f"Bearer {keys[needed][1]}", f"Bearer {right}x"):
        answer = ask(house, route, wrong)
        assert (answer.status_code, answer.json()["title"]) == (401, "A valid machine token is needed.")
        assert answer.headers["www-authenticate"] == "Bearer"
    late = ask(house, route, f"Bearer {keys['expired'][0]}")
    assert (late.status_code, late.json()["title"]) == (401, "This machine token has expired.")
    less = ask(house, route, f"Bearer {small}")
    assert (less.status_code, less.headers["content-type"]) == (403, "application/problem+json")
    assert f"and {needed} is needed here" in less.json()["detail"]
    assert f'scope="{needed}"' in less.headers["www-authenticate"]
    assert ask(house, route, f"Bearer {right}").status_code not in {401, 403}


@pytest.mark.parametrize("route", LOGGED_IN, ids=" ".join)
def test_a_person_who_is_not_logged_in_is_sent_to_the_login_and_a_token_is_no_person(
    house: Desk, keys: dict[str, tuple[str, str]], route: tuple[str, str]
) -> None:
    for authorization in (None, f"Bearer {keys['after'][0]}"):
        answer = ask(house, route, authorization)
        sent_away = (answer.status_code, answer.headers.get("location")) == (303, "/login")
        page = route[0] != "POST" and not route[1].endswith("/request")
        assert sent_away if page else answer.status_code == 401


@pytest.mark.parametrize("route", OPEN, ids=" ".join)
def test_an_open_route_asks_nobody_who_they_are(house: Desk, route: tuple[str, str]) -> None:
    for authorization in (None, "Bearer " + "x" * 43):
        answer = ask(house, route, authorization)
        assert answer.status_code not in {401, 500}
        assert answer.status_code == 200 or "{" in route[1] or route == ("POST", "/login")


def test_two_tokens_of_one_name_are_one_caller(house: Desk, keys: dict[str, tuple[str, str]]) -> None:
    key = {"Idempotency-Key": "while the token is replaced"}
    body = LEAST | {"incident": {"name": "While the token is replaced"}}
    first, second = (house.post("/v1/announcements", body, Authorization=f"Bearer {keys[at][0]}", **key) for at in ("before", "after"))
    assert (first.status_code, second.json()["id"]) == (202, first.json()["id"])
    assert second.headers["idempotent-replayed"] == "true"


def test_a_read_token_carries_signatures_and_changes_nothing_else(house: Desk, keys: dict[str, tuple[str, str]]) -> None:
    accepted = house.announce(destinations=["team"])
    signed = house.signed(house.statement(accepted["id"], "first-reviewer"), "first-reviewer")
    path, reader = f"/v1/announcements/{accepted['id']}", {"Authorization": f"Bearer {keys['read'][0]}"}
    unsigned = signed.replace("first-reviewer", "second-reviewer")
    assert house.http.post(f"{path}/approvals", content=unsigned.encode(), headers=reader).status_code == 403
    assert house.http.post(f"{path}/approvals", content=signed.encode(), headers=reader).status_code == 200
    assert house.post(f"{path}/cancel", **reader).status_code == 403
    shown = house.read(accepted["id"])
    assert (shown["state"], shown["missing"]["approvals"]) == ("awaiting_approval", 1)


def test_a_token_that_ends_soon_is_told_when_it_starts(house: Desk) -> None:
    log = (house.stage.house.folder / "server.log").read_text()
    assert sorted(re.findall(r'"name": ?"([\w-]+)"[^\n]*machine-token-ends', log)) == sorted(
        ["only-announce", "only-read", "old", "desk", "desk"]
    )
