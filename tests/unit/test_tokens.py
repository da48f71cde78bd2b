"""Machine tokens as they are configured: hashes, scopes, a last day, two at once for one name; and the command that makes them."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.api.tokens import Scope, Tokens, make, today
from app.cli import tocsin

DAY = date(2030, 6, 15)
HASH = "0" * 64


def test_only_the_hash_is_configured_and_only_the_token_opens() -> None:
    made, known = make("desk", [Scope.READ], DAY)
    tokens = Tokens(known.entry)
    assert tokens.find(made) == known
    assert made not in known.entry + repr(known)
    assert known.digest.hex() not in repr(known)
    for other in ("", made[:-1], made + "x", made.upper(), known.entry, known.digest.hex(), f"sha256:{known.digest.hex()}", "\ud800"):
        assert tokens.find(other) is None


def test_a_token_is_long_and_never_the_same() -> None:
    made = {make("desk", Scope, DAY)[0] for _ in range(50)}
    assert len(made) == 50
    assert all(len(token) == len("tocsin_") + 43 for token in made)


def test_a_token_works_through_its_last_day() -> None:
    _, known = make("desk", Scope, DAY)
    assert not known.expired(DAY)
    assert known.expired(DAY + timedelta(days=1))
    assert Tokens(known.entry).ending(DAY) == (known,)
    assert Tokens(known.entry).ending(DAY - timedelta(days=1)) == ()


def test_two_tokens_of_one_name_work_at_once_and_a_third_is_refused() -> None:
    made = [make("desk", Scope, DAY + timedelta(days=n)) for n in range(3)]
    tokens = Tokens("\n".join(known.entry for _, known in made[:2]) + "\n")
    assert [tokens.find(token) for token, _ in made] == [made[0][1], made[1][1], None]
    with pytest.raises(ValueError, match="desk has more than 2 tokens"):
        Tokens(",".join(known.entry for _, known in made))


def test_one_token_under_two_names_is_refused() -> None:
    _, known = make("desk", Scope, DAY)
    with pytest.raises(ValueError, match="twice"):
        Tokens(f"{known.entry},{known.entry.replace('desk', 'other')}")


def test_a_drill_takes_tokens_themselves_and_a_live_house_does_not() -> None:
    token = "x" * 43
    found = Tokens(f"rehearsal:{token}", drill=True).find(token)
    assert found is not None
    assert (found.name, found.scopes, found.last_day) == ("rehearsal", frozenset(Scope), None)
    assert not found.expired(date.max)
    with pytest.raises(ValueError, match="`tocsin token` makes one") as caught:
        Tokens(f"rehearsal:{token}")
    assert token not in str(caught.value)


@pytest.mark.parametrize("drill", [False, True])
@pytest.mark.parametrize(
    "entry",
    [
        "desk",
        "desk:",
        "desk:short",
        f":sha256:{HASH}:read:2030-06-15",
        f"de sk:sha256:{HASH}:read:2030-06-15",
        f"{'d' * 65}:sha256:{HASH}:read:2030-06-15",
        f"desk:sha256:{HASH[1:]}:read:2030-06-15",
        f"desk:sha256:{HASH[1:]}A:read:2030-06-15",
        f"desk:sha256:{HASH}::2030-06-15",
        f"desk:sha256:{HASH}:approve:2030-06-15",
        f"desk:sha256:{HASH}:read+approve:2030-06-15",
        f"desk:sha256:{HASH}:read",
        f"desk:sha256:{HASH}:read:",
        f"desk:sha256:{HASH}:read:never",
        f"desk:sha256:{HASH}:read:2030-13-01",
        f"desk:sha256:{HASH}:read:2030-06-15:more",
        f"sha256:{HASH}:read:2030-06-15:" + "desk",
    ],
)
def test_an_entry_of_another_form_stops_the_start(entry: str, drill: bool) -> None:
    good = make("good", Scope, DAY)[1].entry
    if drill and entry.startswith("sha256:"):
        return  # a token itself, of a drill whose name is odd
    with pytest.raises(ValueError, match="TOCSIN_API_TOKENS: entry 2: "):
        Tokens(f"{good},{entry}", drill=drill)


@given(st.text(), st.booleans())
def test_no_text_raises_anything_else(listed: str, drill: bool) -> None:
    with suppress(ValueError):
        assert Tokens(listed, drill=drill).find(listed) is None


def test_the_command_prints_the_entry_for_the_file_and_the_token_beside_it() -> None:
    done = CliRunner().invoke(tocsin, ["token", "desk", "--scope", "read", "--days", "30"])
    assert done.exit_code == 0
    token = next(word for word in done.stderr.split() if word.startswith("tocsin_"))
    found = Tokens(done.stdout).find(token)
    assert found is not None
    assert (found.name, found.scopes) == ("desk", frozenset({Scope.READ}))
    assert found.last_day is not None
    assert timedelta(days=29) <= found.last_day - today() <= timedelta(days=30)
    assert token not in done.stdout


def test_the_command_tells_both_as_json() -> None:
    told = json.loads(CliRunner().invoke(tocsin, ["token", "desk", "--json"]).stdout)
    found = Tokens(told["entry"]).find(told["token"])
    assert found is not None
    assert sorted(found.scopes) == told["scopes"] == ["announce", "read"]
    assert str(found.last_day) == told["last_day"]


@pytest.mark.parametrize(
    "arguments", [["a:b"], ["a,b"], [""], ["desk", "--scope", "approve"], ["desk", "--days", "0"], ["desk", "--days", "367"]]
)
def test_the_command_makes_nothing_that_would_be_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(tocsin, ["token", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
