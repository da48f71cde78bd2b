"""Each part of Tocsin starts with what it needs, and refuses what it does not, by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.destinations import load_destinations
from app.bootstrap.parts import Part, refuse_sqlite, refuse_too_much
from app.settings import Environment, Settings
from tests.unit.test_configuration import ALL, TELEGRAM, X

POSTGRES = SecretStr("postgresql://tocsin@localhost/tocsin")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "destinations.toml"
    path.write_text(X + TELEGRAM)
    return Settings(destinations=path, database_url=POSTGRES)


def refused(part: Part, settings: Settings, environ: dict[str, str]) -> tuple[str, ...]:
    destinations = load_destinations(settings, ALL, credentials=part is not Part.WEB)
    try:
        refuse_too_much(part, settings, destinations, environ)
    except ConfigurationError as error:
        return error.problems
    return ()


def test_the_web_process_needs_no_secret_and_knows_none(settings: Settings) -> None:
    class Unread(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise AssertionError(f"{name} was looked at")

    assert list(load_destinations(settings, {}, credentials=False)) == ["x-main", "telegram"]
    assert list(load_destinations(settings, Unread(ALL), credentials=False)) == ["x-main", "telegram"]
    with pytest.raises(AssertionError, match="TOCSIN_X_MAIN"):
        load_destinations(settings, Unread(ALL))


@pytest.mark.parametrize("variable", [*ALL, "TOCSIN_SMTP_PASSWORD"])
def test_the_web_process_refuses_each_secret_of_a_destination_and_of_the_mail(variable: str, settings: Settings) -> None:
    for name in (variable, f"{variable}_FILE"):
        told = refused(Part.WEB, settings, {name: "hunter2", "TOCSIN_API_TOKENS": "x"})
        assert len(told) == 1
        assert told[0].startswith(f"{name} is set")
        assert "hunter2" not in told[0]


def test_the_worker_refuses_the_tokens_of_callers_and_the_banners_key(settings: Settings) -> None:
    assert refused(Part.WORKER, settings, dict(ALL)) == ()
    for name in ("TOCSIN_API_TOKENS", "TOCSIN_API_TOKENS_FILE", "TOCSIN_PUBLISHING_KEY", "TOCSIN_PUBLISHING_KEY_FILE"):
        assert refused(Part.WORKER, settings, ALL | {name: "x"})[0].startswith(f"{name} is set")


def test_all_that_is_too_much_is_named_at_once(settings: Settings) -> None:
    assert len(refused(Part.WEB, settings, dict(ALL))) == len(ALL)


def test_the_whole_holds_everything_and_a_drill_refuses_nothing(settings: Settings, tmp_path: Path) -> None:
    everything = ALL | {"TOCSIN_API_TOKENS": "x", "TOCSIN_SMTP_PASSWORD": "x"}
    assert refused(Part.WHOLE, settings, everything) == ()
    path = tmp_path / "drill.toml"
    path.write_text((X + TELEGRAM).replace('role = "p', 'base_url = "http://127.0.0.1:9"\nrole = "p'))
    drill = Settings(environment=Environment.DRILL, destinations=path, database_url=POSTGRES)
    assert refused(Part.WEB, drill, everything) == refused(Part.WORKER, drill, everything) == ()


def test_apart_they_need_postgres() -> None:
    refuse_sqlite(Part.WHOLE, Settings())
    for part, command in ((Part.WEB, "tocsin serve --no-worker"), (Part.WORKER, "tocsin worker")):
        refuse_sqlite(part, Settings(database_url=POSTGRES))
        with pytest.raises(ConfigurationError, match=f"`{command}` needs TOCSIN_DATABASE_URL"):
            refuse_sqlite(part, Settings())
