"""The API as it describes itself: whatever is asked, rightly or wrongly, with a token or without, the answer is one that is described.

schemathesis makes the requests from the OpenAPI document. Half of them name what is really there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.tokens import Tokens
from app.main import application
from app.rehearsal.play import stage
from app.settings import Settings
from tests.support.desk import LEAST, Desk

DESCRIBED: dict[str, Any] = application(SimpleNamespace(settings=Settings()), Tokens("")).openapi()  # type: ignore[arg-type]
OPERATIONS: list[Any] = [found.ok() for found in openapi.from_dict(DESCRIBED).get_all_operations() if isinstance(found, Ok)]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
few = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

LEAST_OF = {"POST /v1/announcements": LEAST | {"incident": "described", "destinations": ["team"]}}
"""Bodies that are taken, where those that are made seldom are."""

Ask = Callable[[Any, dict[str, str]], Any]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house that does not count what a stranger asks."""
    with stage(tmp_path_factory.mktemp("openapi"), environ={"TOCSIN_ADDRESS_RATE": "5000"}) as started:
        yield Desk(started)


@pytest.fixture(scope="module")
def there(desk: Desk) -> dict[str, str]:
    """What path parameters may really name. The announcement is over, so that its events come to an end."""
    accepted = desk.announce(destinations=["x"], incident={"name": "Described"})
    desk.approve_by_both(accepted["id"])
    sent = desk.await_state(accepted["id"], "sent")
    names = {"announcement_id": sent["id"], "incident_id": sent["incident"]["id"], "delivery_id": sent["deliveries"][0]["id"]}
    return names | {"destination_id": "telegram", "template_id": "website-compromised"}


@pytest.fixture(scope="module")
def ask(desk: Desk) -> Iterator[Ask]:
    """Sends one request, and holds its answer against the description."""
    with requests.Session() as session:
        session.trust_env = False

        def asked(case: Any, headers: dict[str, str]) -> Any:
            answer = case.call(base_url=desk.stage.house.url, session=session, headers=headers)
            case.validate_response(answer, checks=CHECKS)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == ["application/problem+json"]
                assert answer.json()["title"]
            return answer

        yield asked


@each
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_is_as_described(desk: Desk, ask: Ask, there: dict[str, str], operation: Any, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    @few
    def asked(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {name: there[name] for name in case.path_parameters or {}}
            case.body = LEAST_OF.get(operation.label, case.body)
        ask(case, {"Authorization": f"Bearer {desk.stage.house.token}"})

    asked()


@each
def test_without_a_token_nothing_is_done_or_told(ask: Ask, there: dict[str, str], operation: Any) -> None:
    @given(case=operation.as_strategy())
    @few
    def asked(case: Any) -> None:
        case.path_parameters = {name: there[name] for name in case.path_parameters or {}}
        assert ask(case, {"Authorization": "Bearer none"}).status_code == 401

    asked()


def test_the_description_says_how_to_be_let_in() -> None:
    assert DESCRIBED["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert len(OPERATIONS) == sum(map(len, DESCRIBED["paths"].values())), "each of them is tried"
    for path, methods in DESCRIBED["paths"].items():
        for method, operation in methods.items():
            assert [list(one) for one in operation["security"]] == [["token"]], (method, path)
            assert {"4XX", "5XX"} <= operation["responses"].keys(), (method, path)
