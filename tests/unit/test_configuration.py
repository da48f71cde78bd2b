"""What is wrong in the configuration is found before anything is opened, and all of it is named at once, with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.configuration import ConfigurationError, load_settings
from app.bootstrap.destinations import load_destinations
from app.settings import Settings

X = """
[[destination]]
id = "x-main"
platform = "x"
role = "primary"
account = "2244994945"
handle = "example"
"""
X_SECRETS = {f"TOCSIN_X_MAIN_{name}": "s" for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")}
TELEGRAM = """
[[destination]]
id = "telegram"
platform = "telegram"
role = "pointer"
account = "-1001700000001"
chat = "@example"
"""
ALL = X_SECRETS | {"TOCSIN_TELEGRAM_TOKEN": "1:a"}


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    path = tmp_path / "destinations.toml"
    path.write_text(text)
    return dict(load_destinations(Settings(destinations=path, **settings), ALL if environ is None else environ))


def refusal(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, environ, **settings)
    return str(caught.value)


def test_a_right_file_gives_every_destination_in_order(tmp_path: Path) -> None:
    assert list(load(tmp_path, X + TELEGRAM)) == ["x-main", "telegram"]


def test_no_primary_and_two_primaries(tmp_path: Path) -> None:
    assert "exactly one destination with role primary; there are 0" in refusal(tmp_path, TELEGRAM)
    assert "there are 2" in refusal(tmp_path, X + X.replace("x-main", "x-two"), ALL | {k.replace("MAIN", "TWO"): "s" for k in X_SECRETS})


def test_a_primary_that_not_everyone_can_read(tmp_path: Path) -> None:
    closed = TELEGRAM.replace("pointer", "primary").replace("@example", "-1001700000001")
    assert "Destination telegram: a primary must be readable without login" in refusal(tmp_path, closed)


def test_a_destination_names_the_language_of_its_readers(tmp_path: Path) -> None:
    loaded = load(tmp_path, X + TELEGRAM + 'language = "pt-BR"\n')
    assert [destination.language for destination in loaded.values()] == ["", "pt-BR"]
    assert """language is written like "de" or "pt-BR", not 'german'""" in refusal(tmp_path, X + TELEGRAM + 'language = "german"\n')


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    text = X.replace("handle", "handel") + TELEGRAM.replace('"telegram"', '"telegramm"') + '[[destination]]\nid = "Bad Id"\n'
    told = refusal(tmp_path, text, {})
    assert "unknown `handel`" in told
    assert "`handle` is missing" in told
    assert "There is no platform 'telegramm'; did you mean 'telegram'?" in told
    assert "not 'Bad Id'" in told
    for name in X_SECRETS:
        assert f"the secret {name} (or {name}_FILE) is missing" in told


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    told = refusal(tmp_path, X + 'consumer_key = "hunter2hunter2"\n')
    assert "put it into TOCSIN_X_MAIN_CONSUMER_KEY" in told
    assert "hunter2" not in told


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("1:from-a-file\n")
    environ = X_SECRETS | {"TOCSIN_TELEGRAM_TOKEN_FILE": str(secret)}
    found = load(tmp_path, X + TELEGRAM, environ)
    assert "1:from-a-file" in vars(found["telegram"].adapter).values()
    assert "from-a-file" not in repr(found)
    missing = X_SECRETS | {"TOCSIN_TELEGRAM_TOKEN_FILE": str(tmp_path / "nowhere")}
    assert "nowhere cannot be read" in refusal(tmp_path, X + TELEGRAM, missing)


def test_a_drill_reaches_nothing_beyond_this_machine(tmp_path: Path) -> None:
    told = refusal(tmp_path, X + TELEGRAM, environment="drill")
    assert told.count("a drill reaches stand-ins on this machine only") == 2
    away = X.replace("handle", 'base_url = "https://api.x.com"\nhandle')
    assert "a drill reaches stand-ins" in refusal(tmp_path, away, environment="drill")
    here = X.replace("handle", 'base_url = "http://127.0.0.1:9"\nhandle')
    assert list(load(tmp_path, here, environment="drill")) == ["x-main"]


def test_fallbacks_are_ordered_by_number_and_readable_by_everyone(tmp_path: Path) -> None:
    found = load(tmp_path, X + TELEGRAM + "fallback = 1\n")
    assert [found[id_].fallback for id_ in ("x-main", "telegram")] == [0, 1]
    closed = TELEGRAM.replace("@example", "-1001700000001") + "fallback = 1\n"
    assert "Destination telegram: a primary must be readable without login" in refusal(tmp_path, X + closed)
    for wrong in ("-1", "true", '"first"', "1.5"):
        assert "Destination telegram: fallback is a whole number" in refusal(tmp_path, X + TELEGRAM + f"fallback = {wrong}\n")


def test_what_happens_where_nobody_can_tell_is_a_wish_of_pointers_with_a_time(tmp_path: Path) -> None:
    def wish(text: str) -> tuple[str, int]:
        found = load(tmp_path, X + TELEGRAM + text)["telegram"]
        return found.on_unknown, found.resend_after

    assert wish("") == ("ask", 0)
    assert wish('on_unknown = "ask"\nresend_after = 300\n') == ("ask", 0)
    assert wish('on_unknown = "resend"\n') == ("resend", 120)
    assert wish('on_unknown = "resend"\nresend_after = 300\n') == ("resend", 300)
    for wrong in ("29", "86401", "true", '"soon"'):
        told = refusal(tmp_path, X + TELEGRAM + f'on_unknown = "resend"\nresend_after = {wrong}\n')
        assert "resend_after is a number of seconds from 30 to 86400" in told
    for wrong in (X + 'on_unknown = "resend"\n' + TELEGRAM, X + TELEGRAM + 'on_unknown = "send-again"\n'):
        assert 'on_unknown is "ask" or, for a pointer alone, "resend"' in refusal(tmp_path, wrong)


@pytest.mark.parametrize("text", ["", "not toml = [", "[[destinations]]\nid = 'x'\n", "destination = 3\n", "destination = ['x']\n"])
def test_what_is_no_list_of_destinations(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"TOCSIN_PORT": "80000", "TOCSIN_PUBLIC_URL": "tocsin.example", "TOCSIN_ENVIRONMENT": "test"})
    assert {line.split(":")[0] for line in caught.value.problems} == {"TOCSIN_PORT", "TOCSIN_PUBLIC_URL", "TOCSIN_ENVIRONMENT"}
    secret = tmp_path / "tokens"
    secret.write_text("ops:" + "x" * 40 + "\n")
    settings = load_settings({"TOCSIN_API_TOKENS_FILE": str(secret)})
    assert settings.api_tokens.get_secret_value() == "ops:" + "x" * 40
    assert "xxx" not in repr(settings)
