"""Challenges of a login: made here, for one browser, lately, used once; and asking for them takes no memory."""

from __future__ import annotations

from app.domain.passkey import decode
from app.services.sessions import CHALLENGE_SECONDS, Door


class _Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(door: Door, browser: str) -> bytes:
    return decode(door.challenge(browser), "client_data_json")


def test_it_opens_for_its_browser_until_it_is_used() -> None:
    door = Door()
    challenge = made(door, "browser")
    assert door.opens(challenge, "browser")
    assert not door.opens(challenge, "another")
    assert not door.opens(challenge, "")
    assert not made(door, "") or not door.opens(made(door, ""), "")
    door.use(challenge)
    assert not door.opens(challenge, "browser")


def test_it_lasts_five_minutes() -> None:
    clock = _Hand()
    door = Door(clock)
    challenge = made(door, "browser")
    clock.now += CHALLENGE_SECONDS - 1
    assert door.opens(challenge, "browser")
    clock.now += 1
    assert not door.opens(challenge, "browser")


def test_what_another_process_or_nobody_made_opens_nothing() -> None:
    door, other = Door(), Door()
    challenge = made(door, "browser")
    for wrong in (made(other, "browser"), b"", challenge[:24], challenge[:-1], challenge + b"x", bytes(56)):
        assert not door.opens(wrong, "browser")
    for at in range(len(challenge)):
        changed = challenge[:at] + bytes([challenge[at] ^ 1]) + challenge[at + 1 :]
        assert not door.opens(changed, "browser")


def test_no_challenge_has_the_length_of_an_approvals() -> None:
    assert len(made(Door(), "browser")) == 56, "an approval's has 32 bytes, so no login is ever taken for one"


def test_only_used_ones_are_remembered_and_not_for_ever() -> None:
    clock = _Hand()
    door = Door(clock)
    for _ in range(1000):
        door.challenge("browser")
    assert door._used == {}
    used = [made(door, "browser") for _ in range(3)]
    for challenge in used:
        door.use(challenge)
    clock.now += CHALLENGE_SECONDS + 1
    door.use(made(door, "browser"))
    assert len(door._used) == 1
