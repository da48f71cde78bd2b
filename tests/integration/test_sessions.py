"""Sessions, against whoever steals one, makes one or rides on one: what a person reads who is logged in, and that it decides nothing."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from app.domain.approval import Decision
from tests.support.desk import Desk
from tests.support.soft_passkey import SoftPasskey
from tests.support.visitor import Visitor, enrolled

PERSON, OTHER = "first-reviewer", "second-reviewer"
ELSEWHERE = {
    "another site": {"Origin": "https://attacker.example"},
    "no origin": {"Origin": ""},
    "a sibling": {"Sec-Fetch-Site": "same-site"},
    "a link": {"Sec-Fetch-Site": "none"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
}
"""What a browser says of requests that no page of ours made."""


@pytest.fixture(scope="module")
def passkey(desk: Desk) -> SoftPasskey:
    return enrolled(desk, PERSON)


@pytest.fixture
def visitor(desk: Desk, passkey: SoftPasskey) -> Iterator[Visitor]:
    with Visitor(desk, PERSON, passkey) as browser:
        yield browser


def items(page: str, heading: str) -> list[str]:
    """The names that the home page lists under a heading."""
    section = re.search(rf"<h2[^>]*>{heading}</h2>(.*?)</section>", page, re.S)
    return re.findall(r'<a class="whole"[^>]*>(.*?)</a>', section[1]) if section else []


def rows(desk: Desk, query: str, *values: object) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(desk.stage.house.folder / "data" / "tocsin.sqlite", timeout=10)) as database, database:
        return database.execute(query, values).fetchall()


def test_whoever_logs_in_finds_what_waits_and_signs_it_there(desk: Desk, visitor: Visitor) -> None:
    accepted = desk.announce(destinations=["team"])
    name = accepted["incident"]["name"]
    assert visitor.log_in().json() == {"next": "/"}
    assert name in items(visitor.http.get("/").text, "Waits for your signature")
    request = visitor.asked(f"/announcements/{accepted['id']}")
    assert (request["usable"], request["person"], request["passkeys"]) == (True, PERSON, [visitor.passkey.credential_id])
    answer = visitor.post(f"/announcements/{accepted['id']}", visitor.signed(request), **{"X-CSRF-Token": request["csrf"]})
    assert answer.json() == {"decision": "approve", "state": "awaiting_approval", "missing": 1}
    assert name in items(visitor.http.get("/").text, "Waits for others")
    closed = visitor.http.get(f"/announcements/{accepted['id']}/request").json()
    assert (closed["usable"], closed["why_not"]) == (False, "You have already decided on this revision.")
    desk.decide(accepted["id"], OTHER)
    desk.await_state(accepted["id"], "sent")
    assert name in items(visitor.http.get("/").text, "Over")


def test_a_rejection_is_a_signature_too(desk: Desk, visitor: Visitor) -> None:
    accepted = desk.announce(destinations=["team"])
    visitor.log_in()
    request = visitor.asked(f"/announcements/{accepted['id']}")
    rejected = visitor.signed(request, Decision.REJECT)
    assert visitor.post(f"/announcements/{accepted['id']}", rejected, **{"X-CSRF-Token": request["csrf"]}).json()["state"] == "returned"


def test_a_session_decides_nothing_by_itself(desk: Desk, visitor: Visitor) -> None:
    accepted = desk.announce(destinations=["x", "team"])
    before = desk.read(accepted["id"])
    visitor.log_in()
    path, request = f"/announcements/{accepted['id']}", visitor.asked(f"/announcements/{accepted['id']}")
    csrf = {"X-CSRF-Token": request["csrf"]}
    own = desk.signed(desk.statement(accepted["id"], OTHER), OTHER)
    unsigned = desk.signed(desk.statement(accepted["id"], PERSON), OTHER)
    for body, status in ((own, 403), (unsigned, 403), ("{}", 422), ('{"decision": "approve"}', 422)):
        assert visitor.post(path, body, **csrf).status_code == status
    assert visitor.post(f"{path}/exclude", {"destination": "x", "why": "I hold a session."}, **csrf).status_code in {404, 405}
    for closed in (f"/v1{path}/cancel", "/v1/destinations/x/exclude", f"/v1{path}/revisions", "/v1/roster/enrolments"):
        assert visitor.post(closed, {"why": "I hold a session.", "person": PERSON}, **csrf).status_code == 401
    assert visitor.http.get(f"/v1{path}").status_code == 401
    assert desk.read(accepted["id"]) == before


def test_a_challenge_is_used_once_and_by_its_own_browser(desk: Desk, visitor: Visitor, passkey: SoftPasskey) -> None:
    challenge = visitor.asked()["challenge"]
    answer = visitor.answer(challenge)
    with Visitor(desk, PERSON, passkey) as elsewhere:
        elsewhere.asked()
        assert elsewhere.post("/login", answer).json()["title"] == "This login is over."
    assert visitor.post("/login", answer).status_code == 200
    again = visitor.post("/login", answer)
    assert (again.status_code, again.json()["title"]) == (403, "This login is over.")
    for made_up in ("A" * 75, "A" * 43, "", challenge[:-2] + "AA"):
        body = answer | {"challenge": made_up}
        assert visitor.post("/login", body).status_code in {403, 422}


def test_who_was_not_verified_or_is_not_in_the_roster_stays_out(desk: Desk, visitor: Visitor, passkey: SoftPasskey) -> None:
    challenge = visitor.asked()["challenge"]
    for wrong in ({"user_verified": False}, {"origin": "https://attacker.example"}, {"crossOrigin": True}, {"type": "webauthn.create"}):
        assert visitor.post("/login", visitor.answer(challenge, **wrong)).status_code == 403
    with Visitor(desk, PERSON, SoftPasskey.create("localhost")) as stranger:
        assert stranger.log_in().json()["title"] == "This passkey is not in the roster."
        stolen_id = Visitor(desk, PERSON, SoftPasskey("localhost", passkey.credential_id, stranger.passkey.private))
        with stolen_id:
            assert stolen_id.log_in().json()["title"] == "This passkey does not log in."
            assert not stolen_id.logged_in()
    for body in ("[]", "{", '{"challenge": 1}', "null", '{"challenge": "AAAA", "credential_id": ["x"]}'):
        assert visitor.post("/login", body).status_code == 422
    assert not visitor.logged_in()
    assert visitor.post("/login", visitor.answer(challenge)).status_code == 200, "a failure uses nothing up"


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_other_page_logs_anybody_in_or_out_or_sends_a_decision(desk: Desk, visitor: Visitor, headers: dict[str, str]) -> None:
    answer = visitor.answer(visitor.asked()["challenge"])
    assert visitor.post("/login", answer, **headers).json()["title"] == "This did not come from Tocsin's own page."
    assert not visitor.logged_in()
    visitor.log_in()
    accepted = desk.announce(destinations=["team"])
    request = visitor.asked(f"/announcements/{accepted['id']}")
    csrf = {"X-CSRF-Token": request["csrf"]}
    for path, body in (("/logout", "{}"), (f"/announcements/{accepted['id']}", visitor.signed(request))):
        assert visitor.post(path, body, **csrf, **headers).status_code == 403
        for token in ("", "0" * 64, request["csrf"][:-1]):
            assert visitor.post(path, body, **{"X-CSRF-Token": token}).status_code == 403
    assert visitor.logged_in()
    assert desk.read(accepted["id"])["approvals"] == []


def test_the_cookie_is_closed_to_scripts_and_other_sites_and_only_its_hash_is_kept(desk: Desk, visitor: Visitor) -> None:
    kept = visitor.log_in().headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(kept.split("; "))
    token = visitor.http.cookies["tocsin-session"]
    hashed = hashlib.sha256(token.encode()).hexdigest()
    assert rows(desk, "SELECT person FROM sessions WHERE token_hash = ?", hashed) == [(PERSON,)]
    folder = desk.stage.house.folder
    held = b"".join(path.read_bytes() for path in [*(folder / "data").iterdir(), folder / "server.log"])
    assert token.encode() not in held
    for path in ("/", "/login"):
        headers = visitor.http.get(path).headers
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert "script-src 'self'" in headers["content-security-policy"]


def test_a_login_makes_a_new_session_in_place_of_the_old_one(visitor: Visitor) -> None:
    visitor.log_in()
    old = visitor.http.cookies["tocsin-session"]
    visitor.log_in()
    assert visitor.http.cookies["tocsin-session"] != old
    with httpx.Client(base_url=visitor.origin, cookies={"tocsin-session": old}, trust_env=False) as thief:
        assert thief.get("/").status_code == 303


def test_one_logs_out_here_or_everywhere(desk: Desk, visitor: Visitor, passkey: SoftPasskey) -> None:
    with Visitor(desk, PERSON, passkey) as phone:
        phone.log_in()
        visitor.log_in()
        csrf = {"X-CSRF-Token": visitor.asked("/")["csrf"]}
        assert visitor.post("/logout", {"everywhere": False}, **csrf).json() == {"next": "/login"}
        assert (visitor.logged_in(), phone.logged_in()) == (False, True)
        visitor.log_in()
        assert visitor.post("/logout", {"everywhere": True}, **{"X-CSRF-Token": visitor.asked("/")["csrf"]}).status_code == 200
        assert (visitor.logged_in(), phone.logged_in()) == (False, False)
    told = desk.http.get("/v1/timeline", params={"limit": 200}).json()["items"]
    assert {entry["event"] for entry in told if entry["actor"] == PERSON} >= {"logged-in", "logged-out"}


def test_whose_key_leaves_the_roster_is_out_at_once(desk: Desk) -> None:
    roster = desk.stage.house.folder / "roster.toml"
    before = roster.read_text()
    with Visitor(desk, OTHER, enrolled(desk, OTHER)) as visitor:
        visitor.log_in()
        assert visitor.logged_in()
        kept = roster.read_text()
        roster.write_text(before)
        assert not visitor.logged_in()
        assert visitor.log_in().status_code == 403
        roster.write_text(kept)
        assert visitor.logged_in(), "it is the roster that says so, each time"
    roster.write_text(before)


def test_a_session_ends_when_nobody_is_there_and_after_eight_hours(desk: Desk, visitor: Visitor) -> None:
    try:
        visitor.log_in()
        for minutes in range(29, 8 * 60, 29):
            desk.post("/v1/drill/clock", {"ahead_seconds": minutes * 60})
            assert visitor.logged_in(), minutes
        desk.post("/v1/drill/clock", {"ahead_seconds": 8 * 3600 + 1})
        assert not visitor.logged_in()
        visitor.log_in()
        desk.post("/v1/drill/clock", {"ahead_seconds": 8 * 3600 + 25 * 60})
        accepted = desk.announce(destinations=["team"])
        asking = f"/announcements/{accepted['id']}/request"
        assert visitor.http.get(asking).status_code == 200
        desk.post("/v1/drill/clock", {"ahead_seconds": 8 * 3600 + 32 * 60})
        assert visitor.http.get(asking).status_code == 401, "what a page asks by itself is no visit"
    finally:
        desk.post("/v1/drill/clock", {"ahead_seconds": 0})


def test_a_stranger_locks_nobody_out(desk: Desk, visitor: Visitor) -> None:
    there = {"X-Forwarded-For": "203.0.113.77"}
    with Visitor(desk, PERSON, SoftPasskey.create("localhost")) as stranger:
        answers = {stranger.post("/login", stranger.answer("A" * 75), **there).status_code for _ in range(150)}
        assert answers == {403, 429}
    assert visitor.log_in().status_code == 200


def test_a_person_without_a_passkey_here_is_told_of_by_nobody(visitor: Visitor) -> None:
    assert visitor.asked(f"/login?person={PERSON}")["passkeys"] == [visitor.passkey.credential_id]
    assert visitor.asked("/login?person=nobody-here")["passkeys"] == []
    assert visitor.asked("/login?person=%3Cscript%3E")["person"] == "<script>"


def test_words_of_others_are_only_words_on_the_list(desk: Desk, visitor: Visitor) -> None:
    name = "<img src=x onerror=alert(1)>\"'&"
    desk.announce(incident={"name": name}, destinations=["team"])
    visitor.log_in()
    page = visitor.http.get("/").text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&#34;&#39;&amp;" in page


@pytest.mark.parametrize(
    ("column", "value", "status"),
    [
        ("person", "nobody-here", 303),
        ("person", OTHER, 303),  # whose passkey it is not
        ("credential_id", "AAAA", 303),
        ("opened_at", "2099-01-01T00:00:00.000000Z", 303),
        ("opened_at", "2020-01-01T00:00:00.000000Z", 303),
        ("seen_at", "2020-01-01T00:00:00.000000Z", 303),
        ("opened_at", "whenever", 409),
        ("token_hash", "0" * 64, 303),
    ],
)
def test_a_changed_row_opens_nothing(desk: Desk, visitor: Visitor, column: str, value: str, status: int) -> None:
    visitor.log_in()
    hashed = hashlib.sha256(visitor.http.cookies["tocsin-session"].encode()).hexdigest()
    rows(desk, f"UPDATE sessions SET {column} = ? WHERE token_hash = ?", value, hashed)
    assert visitor.http.get("/").status_code == status
    rows(desk, "DELETE FROM sessions WHERE token_hash IN (?, ?)", hashed, value)
    assert desk.http.get("/readyz").status_code == 200


def test_a_forged_approval_hides_nothing_that_waits(desk: Desk, visitor: Visitor) -> None:
    accepted = desk.announce(destinations=["team"])
    forged = desk.signed(desk.statement(accepted["id"], PERSON), OTHER)
    columns = "announcement, digest, person, decision, key_kind, approval, at"
    values = (accepted["id"], accepted["digest"], PERSON, "approve", "ssh", forged, "2026-11-24T07:20:00.000000Z")
    rows(desk, f"INSERT INTO approvals ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", *values)
    visitor.log_in()
    assert accepted["incident"]["name"] in items(visitor.http.get("/").text, "Waits for your signature")
