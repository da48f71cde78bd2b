"""The outer surface under attack: links, races, repeated and misshapen requests, words that lie, secrets. An attack a test."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.tokens import Tokens
from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.destinations import load_destinations
from app.domain.approval import Decision
from app.rehearsal import play
from app.rehearsal.house import _person
from app.rehearsal.play import stage
from app.rehearsal.stand_ins import accounts
from app.settings import Environment, Settings
from tests.support.desk import JSON, LEAST, Desk

ANYONE = httpx.Client(trust_env=False)  # without a token; one, since each takes its time to be made


@pytest.fixture(autouse=True, scope="module")
def _closed_at_the_end() -> Iterator[None]:
    yield
    ANYONE.close()


BOTH = ("first-reviewer", "second-reviewer")
DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def emptied(desk: Desk) -> None:
    """Stand-ins that hold nothing of the tests before, so that their record is short."""
    ANYONE.post(f"{desk.stage.stand_ins['main']}/reset").raise_for_status()


def at_once(*works: Callable[[], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


def deciding(desk: Desk, id_: str, person: str, decision: Decision = Decision.APPROVE) -> Callable[[], httpx.Response]:
    """A decision that is signed already and only has to be sent."""
    signed = desk.signed(desk.statement(id_, person, decision), person).encode()
    return lambda: desk.http.post(f"/v1/announcements/{id_}/approvals", content=signed, headers=JSON)


def record(desk: Desk) -> dict[str, Any]:
    """What the stand-ins hold."""
    held: dict[str, Any] = ANYONE.get(f"{desk.stage.stand_ins['main']}/state.json").json()
    return held


def links_to(desk: Desk, accepted: dict[str, Any]) -> dict[str, str]:
    """Each reviewer's link, once it was mailed."""

    def mailed() -> dict[str, str] | None:
        mails = [mail for mail in record(desk)["smtp"] if accepted["digest"] in mail["text"]]
        links = {person: mail["text"] for person in BOTH for mail in mails if mail["extra"]["to"][0].startswith(person)}
        return {person: re.findall(r"http://\S+/approve/\S+", text)[0] for person, text in links.items()} if len(links) == 2 else None

    found: dict[str, str] = play._until(mailed, "the mails")
    return found


def submit(desk: Desk, **changes: Any) -> httpx.Response:
    unique = secrets.token_hex(4)
    return desk.post("/v1/announcements", {"text": f"{LEAST['text']} ({unique})", "incident": {"name": f"Incident {unique}"}} | changes)


def on_x(desk: Desk) -> list[str]:
    return [post["text"] for post in record(desk)["x"]]


def told(desk: Desk, **changes: Any) -> dict[str, Any]:
    """An announcement that is out."""
    accepted = desk.announce(**{"destinations": ["x"]} | changes)
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def follow_ups(desk: Desk, shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    incident = desk.http.get(f"/v1/incidents/{shown['incident']['id']}").json()
    return {one["kind"]: one for one in incident["follow_ups"]}


# Links and nonces


def test_a_preview_of_a_link_changes_nothing(desk: Desk) -> None:
    accepted = desk.announce(destinations=["team"])
    link = links_to(desk, accepted)["first-reviewer"]
    for agent in ("Slackbot-LinkExpanding 1.0", "TelegramBot (like TwitterBot)", "Mozilla/5.0"):
        headers = {"User-Agent": agent, "Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}
        for method, path in (("GET", ""), ("HEAD", ""), ("GET", "/request"), ("HEAD", "/request")):
            assert ANYONE.request(method, link + path, headers=headers).status_code == 200
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            assert ANYONE.request(method, link, headers=headers).status_code == 405
    assert desk.read(accepted["id"]) | {"asked": []} == accepted | {"asked": []}, "all but that their mails were sent meanwhile"


def test_a_link_takes_only_its_persons_signature_over_its_own_nonce(desk: Desk) -> None:
    accepted = desk.announce()
    links = links_to(desk, accepted)
    nonces = {person: desk.http.get(f"{links[person]}/request").json()["nonce"] for person in BOTH}
    assert len(set(nonces.values())) == 2
    for link, person, nonce in (
        ("first-reviewer", "second-reviewer", "first-reviewer"),
        ("first-reviewer", "second-reviewer", "second-reviewer"),
        ("first-reviewer", "first-reviewer", "second-reviewer"),
    ):
        signed = desk.signed(desk.statement(accepted["id"], person, nonce=nonces[nonce]), person)
        assert ANYONE.post(links[link], content=signed.encode()).status_code == 403
    assert desk.read(accepted["id"])["approvals"] == []


def test_a_link_closes_with_time(desk: Desk) -> None:
    accepted = desk.announce()
    link = links_to(desk, accepted)["first-reviewer"]
    nonce = desk.http.get(f"{link}/request").json()["nonce"]
    signed = desk.signed(desk.statement(accepted["id"], "first-reviewer", nonce=nonce), "first-reviewer").encode()
    desk.post("/v1/drill/clock", {"ahead_seconds": DAY + 60})
    try:
        assert "expired" in desk.http.get(f"{link}/request").json()["why_not"]
        assert ANYONE.post(link, content=signed).status_code == 409
    finally:
        desk.post("/v1/drill/clock", {"ahead_seconds": 0})
    assert desk.read(accepted["id"])["approvals"] == []


def test_anybody_of_the_roster_can_stop_it(desk: Desk) -> None:
    with (desk.stage.house.folder / "roster.toml").open("a") as roster:
        roster.write(_person(desk.stage.house, "third-author").replace('["author", "reviewer"]', '["author"]'))
    accepted = desk.announce(destinations=["team"])
    assert desk.decide(accepted["id"], "third-author", Decision.REJECT).json()["state"] == "returned"


def test_names_that_lie_or_collide_get_slugs_and_mails_of_their_own(desk: Desk) -> None:
    unique = secrets.token_hex(3)
    names = ["{}!", "\u202e<script>{}</script>", '"{}" <a@b.example>,\u2028c\x85']
    accepted = [submit(desk, incident={"name": name.format(unique)}, destinations=["x", "team"]).json() for name in names]
    slugs = [one["incident"]["slug"] for one in accepted]
    assert len(set(slugs)) == len(names)
    assert all(slug.isascii() and "<" not in slug for slug in slugs)
    for one in accepted:
        assert set(links_to(desk, one)) == set(BOTH)


# Races


def test_the_same_two_decisions_sixteen_times_at_once_send_once(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    works = [deciding(desk, accepted["id"], person) for person in BOTH]
    assert {answer.status_code for answer in at_once(*works * 8)} == {200}
    shown = desk.await_state(accepted["id"], "sent")
    assert [len(delivery["attempts"]) for delivery in shown["deliveries"]] == [1, 1]
    assert sum(accepted["text"] in text for text in on_x(desk)) == 1


def test_every_decision_of_both_at_once_ends_in_one_of_them(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    works = [deciding(desk, accepted["id"], person, decision) for decision in reversed(Decision) for person in BOTH]
    assert {answer.status_code for answer in at_once(*works * 2, *works[:4])} <= {200, 409}
    shown = desk.read(accepted["id"])
    said = {approval["decision"] for approval in shown["approvals"]}
    assert (shown["state"] == "returned") == (said != {"approve"})
    time.sleep(0.3)
    assert any(accepted["text"] in text for text in on_x(desk)) == (said == {"approve"})


@pytest.mark.parametrize("verb", ["cancel", "revisions"])
def test_who_stops_while_the_last_one_approves_either_stops_it_or_is_told_no(desk: Desk, verb: str) -> None:
    stopped = []
    for _ in range(3):
        accepted = desk.announce(destinations=["x", "telegram"])
        desk.decide(accepted["id"], "first-reviewer")
        last, stop = deciding(desk, accepted["id"], "second-reviewer"), f"/v1/announcements/{accepted['id']}/{verb}"
        approved, ended = at_once(last, partial(desk.post, stop, LEAST if verb != "cancel" else None))
        assert {approved.status_code, ended.status_code} <= {200, 202, 409}
        if ended.status_code != 409:
            stopped.append(accepted)
        else:
            desk.await_state(accepted["id"], "sent")
    time.sleep(0.3)
    assert not [a for a in stopped if any(a["text"] in text for text in on_x(desk))]


def test_revisions_at_once_are_all_kept_and_only_the_last_can_be_signed(desk: Desk) -> None:
    accepted = desk.announce()
    desk.decide(accepted["id"], "first-reviewer")
    path = f"/v1/announcements/{accepted['id']}/revisions"
    answers = at_once(*[partial(desk.post, path, {"text": f"Version {n}."}) for n in range(8)])
    assert sorted(answer.json()["revision"] for answer in answers) == list(range(2, 10))
    assert desk.read(accepted["id"])["missing"]["approvals"] == 2


def test_resolving_many_times_at_once_resolves_once(desk: Desk) -> None:
    shown = told(desk)
    answers = at_once(*[lambda: desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve")] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert set(follow_ups(desk, shown)) == {"resolution", "summary", "postmortem"}


# What is cancelled or not yet due stays so


def test_nothing_revives_a_cancelled_announcement(desk: Desk) -> None:
    shown = told(desk)
    words = {"text": f"All is well again. ({secrets.token_hex(4)})"}
    desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve", {"resolution": words})
    later = follow_ups(desk, shown)["resolution"]["announcement"]
    desk.approve_by_both(later)
    assert desk.post(f"/v1/announcements/{later}/cancel").status_code == 200
    delivery = desk.read(later)["deliveries"][0]["id"]
    answers = [desk.post(f"/v1/deliveries/{delivery}/{verb}") for verb in ("retry", "skip")]
    assert desk.read(later)["state"] == "cancelled"
    assert {answer.status_code for answer in answers} == {409}


def test_an_incident_that_was_resolved_before_its_first_post_is_followed_up(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    assert desk.post(f"/v1/incidents/{accepted['incident']['id']}/resolve").status_code == 200
    desk.approve_by_both(accepted["id"])
    shown = desk.await_state(accepted["id"], "sent")
    assert all(one["announcement"] for one in follow_ups(desk, shown).values())
    assert "resolution" in follow_ups(desk, shown)


# Repeated requests


@pytest.mark.parametrize(("path", "body"), [("/v1/announcements/an_none/cancel", {}), ("/v1/destinations/check", {})])
def test_a_key_is_no_use_elsewhere(desk: Desk, path: str, body: dict[str, Any]) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    assert desk.post("/v1/announcements", LEAST | {"incident": {"name": f"Key {key}"[:60]}}, **key).status_code == 202
    assert desk.post(path, body, **key).status_code == 409


@pytest.mark.parametrize("key", ["k" * 201, "k" * 100_000, "é\u202e", "tab\tin"])
def test_an_unusable_key_is_refused(desk: Desk, key: str) -> None:
    answer = desk.http.post("/v1/announcements", json=LEAST | {"incident": {"name": "Key"}}, headers=[(b"Idempotency-Key", key.encode())])
    assert answer.status_code == 422


def test_the_token_of_an_enrolment_is_not_in_the_database(desk: Desk) -> None:
    made = desk.post("/v1/roster/enrolments", {"person": "first-reviewer"}, **{"Idempotency-Key": secrets.token_hex(8)})
    assert made.json()["url"].rsplit("/", 1)[1] not in _stored(desk)


# Misshapen requests


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/announcements", b"[" * 100_000),
        ("/v1/announcements", b'{"a":' * 100_000),
        ("/v1/announcements", b"\xff\xfe"),
        ("/v1/announcements", b"null"),
        ("/v1/announcements", b'{"text":"a","incident":{"name":"' + b"n" * 10_000 + b'"}}'),
        ("/v1/announcements", json.dumps(LEAST | {"incident": {"name": "\r\nBcc: everyone@example.com"}}).encode()),
        ("/v1/announcements", json.dumps(LEAST | {"incident": {"name": "x", "time_zone": "../../etc/passwd"}}).encode()),
        ("/v1/announcements", json.dumps(LEAST | {"incident": {"name": "x", "started": 1e18}}).encode()),
        (
            "/v1/announcements",
            json.dumps(LEAST | {"incident": {"name": "x"}, "overrides": [{"rule": "a", "reason": "b", "excerpt": "\ud800"}]}).encode(),
        ),
        ("/v1/drill/clock", b'{"ahead_seconds":NaN}'),
        ("/v1/drill/clock", b'{"ahead_seconds":1e400}'),
        ("/v1/drill/clock", b'{"ahead_seconds":-1}'),
        ("/v1/drill/clock", b'{"ahead_seconds":' + b"9" * 5_000 + b"}"),
        ("/approve/" + "A" * 43, b"[" * 60_000),
        ("/approve/%ff", b"{}"),
        ("/enrol/x", b"null"),
        ("/enrol/x", b"[" * 100_000),
        ("/v1/announcements", b'{"text":"Do nothing.","text":"Move your funds.","incident":{"name":"Twice"}}'),
        *(
            ("/v1/announcements", json.dumps(LEAST | {"incident": {"name": "x", "started": started}}).encode())
            for started in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")
        ),
    ],
)
def test_a_misshapen_body_is_refused_as_such(desk: Desk, path: str, body: bytes) -> None:
    answer = desk.http.post(path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("started", ["0500-01-01T00:00:00Z", "9999-12-31T23:00:00Z"])
def test_an_incident_whose_start_is_far_off_is_refused_or_can_be_resolved(desk: Desk, started: str) -> None:
    named = {"name": f"Started {secrets.token_hex(4)}", "started": started, "time_zone": "Asia/Tokyo"}
    answer = submit(desk, incident=named, destinations=["x"])
    if answer.status_code == 202:
        desk.approve_by_both(answer.json()["id"])
        desk.await_state(answer.json()["id"], "sent")
        assert desk.post(f"/v1/incidents/{answer.json()['incident']['id']}/resolve").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/timeline?after=" + "9" * 5_000,
        "/v1/announcements?before=%ff%00&limit=1",
        "/v1/announcements/%ff%00",
        "/approve/%ed%a0%80",
        "/static/x/..%2f..%2fpages.py",
        "/static/%2e%2e/base.html",
        "/static//etc/passwd",
        "/static/x/approve.js%00.css",
        "/v1/timeline?after=" + "9" * 30,
        "/v1/incidents/{incident}/timeline?after=-" + "9" * 30,
    ],
)
def test_a_misshapen_address_is_refused_as_such(desk: Desk, path: str) -> None:
    incident = desk.http.get("/v1/incidents?limit=1").json()["items"][0]["id"] if "{" in path else ""
    answer = desk.http.get(path.replace("{incident}", incident))
    assert answer.status_code in {200, 404, 422}, answer.text
    assert "import" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize("last", ["abc", "-1", "1e3", "9" * 30])
def test_a_junk_last_event_id_is_refused(desk: Desk, last: str) -> None:
    shown = told(desk, destinations=["team"])
    assert desk.http.get(f"/v1/announcements/{shown['id']}/events", headers={"Last-Event-ID": last}).status_code == 422


def _connect(desk: Desk) -> socket.socket:
    host, port = desk.stage.house.url.split("//")[1].split(":")
    return socket.create_connection((host, int(port)), timeout=1)


def test_a_body_without_a_length_is_refused_over_http2_too(desk: Desk) -> None:
    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload

    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/approve/x"), (b":authority", b"localhost")]
    headers = b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
    with _connect(desk) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 0, 1, b"{" * 16_000)
        )
        try:
            answered = connection.recv(65_536)
        except ConnectionResetError:
            return  # HTTP/2 is not spoken at all
        with contextlib.suppress(TimeoutError):
            while answered and frame(4, 1, 0, b"")[:4] and b"problem+json" not in answered:
                more = connection.recv(65_536)
                answered = answered + more if more else b""
    assert not answered or answered.startswith(b"HTTP/1.1 4") or b"problem+json" in answered


def test_bodies_that_never_come_do_not_hold_everything_up(desk: Desk) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            slow = stack.enter_context(_connect(desk))
            slow.sendall(b"POST /approve/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert ANYONE.get(f"{desk.stage.house.url}/healthz", timeout=1).status_code == 200


# Words


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "The text {{permalink}} here."},
        {"affected": "Look at {{permalink}} now."},
        {"if_affected": "{{permalink}}"},
        {"incident": {"name": "Name {{permalink}}"}},
        {"texts": {"x": "Full {{permalink}}"}},
        {"texts": {"x": "a " * 200 + "{{permalink}}"}},
    ],
)
def test_nobody_writes_a_slot(desk: Desk, changes: dict[str, Any]) -> None:
    assert submit(desk, **changes).status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": {"nowhere": "Its own."}},
        {"texts": {"x": "Its own."}, "destinations": ["team"]},
        {"destinations": []},
        {"overrides": [{"rule": "no-such", "reason": "r"}]},
        {"author": "nobody-at-all"},
    ],
)
def test_what_would_be_ignored_is_refused(desk: Desk, changes: dict[str, Any]) -> None:
    assert submit(desk, **changes).status_code == 422


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"text": "Go to app.example.com now."}, "live-link-affected"),
        ({"texts": {"x": "TODO: say something."}}, "placeholder"),
        ({"incident": {"name": "Name \u202egnp.exe"}, "affected": "All."}, "hidden-characters"),
        ({"text": "Go to https://bücher.example/ now."}, "live-link-affected"),
    ],
)
def test_a_lie_in_the_words_is_found(desk: Desk, changes: dict[str, Any], rule: str) -> None:
    incident = {"name": f"Lies {secrets.token_hex(4)}", "affected_domains": ["app.example.com", "bücher.example"]}
    accepted = submit(desk, **changes | {"incident": incident | changes.get("incident", {})}).json()
    assert rule in {finding["rule"] for finding in accepted["findings"]}


def test_what_a_second_request_says_of_the_incident_is_not_dropped(desk: Desk) -> None:
    name = f"Shared {secrets.token_hex(4)}"
    submit(desk, incident={"name": name})
    again = submit(desk, incident={"name": name, "affected_domains": ["evil.example"]}, text="Go to https://evil.example/ now.")
    assert "live-link-affected" in {finding["rule"] for finding in again.json()["findings"]}


def test_a_second_request_takes_no_affected_domain_away(desk: Desk) -> None:
    name = f"Shared {secrets.token_hex(4)}"
    submit(desk, incident={"name": name, "affected_domains": ["evil.example"]})
    submit(desk, incident={"name": name, "affected_domains": ["other.example"]})
    third = submit(desk, incident={"name": name}, text="Go to https://evil.example/ now.")
    assert "live-link-affected" in {finding["rule"] for finding in third.json()["findings"]}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"text": "a " * 10_000, "destinations": ["team"]}, 202),
        ({"text": "a " * 10_000 + "a", "destinations": ["team"]}, 422),
        ({"incident": {"name": "n" * 175}}, 202),
        ({"incident": {"name": "n" * 201}}, 422),
        ({"affected": "a" * 400}, 202),
        ({"affected": "a" * 401}, 422),
    ],
)
def test_a_limit_is_where_it_is_said_to_be(desk: Desk, changes: dict[str, Any], status: int) -> None:
    if "incident" in changes:
        changes = {"incident": {"name": secrets.token_hex(4) + changes["incident"]["name"][8:]}}
    assert submit(desk, **changes).status_code == status


def test_a_text_that_one_destination_cannot_carry_names_that_one(desk: Desk) -> None:
    answer = submit(desk, text="a" + "\u0301" * 300, destinations=["x", "telegram", "team"])
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["destinations.x"]


def test_a_link_in_the_old_thread_that_cannot_be_rendered_is_refused_as_such(desk: Desk) -> None:
    shown = told(desk)
    words = {"kind": "summary", "incident": shown["incident"]["id"], "destinations": ["x"], "affected": "a" + "\u0301" * 390}
    assert submit(desk, **words).status_code == 422


def test_every_part_of_a_drill_is_marked(desk: Desk) -> None:
    accepted = desk.announce(text="Move your funds now. " * 40, destinations=["x"])
    parts = accepted["renderings"][0]["parts"]
    assert len(parts) > 1
    assert all("DRILL" in part["text"] for part in parts)


# Accounts and secrets


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house whose credentials for X open another account than the approved one, and that two tokens may call."""
    other, tokens = accounts.X["accounts"][1], [secrets.token_urlsafe(32) for _ in range(2)]
    environ = {f"TOCSIN_X_{name.upper()}": other[name] for name in ("access_token", "access_token_secret")}
    environ["TOCSIN_API_TOKENS"] = ",".join(f"{name}:{token}" for name, token in zip(("ops", "other"), tokens, strict=True))
    with stage(tmp_path_factory.mktemp("elsewhere"), environ=environ) as started:
        started.http.headers["Authorization"] = f"Bearer {tokens[0]}"
        yield Desk(started)


def test_nothing_is_posted_on_an_account_that_was_not_approved(elsewhere: Desk) -> None:
    play._until(lambda: [item for item in elsewhere.http.get("/v1/destinations").json()["items"] if item["check"]], "the first check")
    accepted = elsewhere.announce(destinations=["x", "telegram"])
    elsewhere.approve_by_both(accepted["id"])
    elsewhere.await_state(accepted["id"], "sent", "incomplete")
    assert on_x(elsewhere) == []


def test_a_key_belongs_to_its_token(elsewhere: Desk) -> None:
    body, key = LEAST | {"incident": {"name": "Whose key"}}, {"Idempotency-Key": "whose"}
    first = elsewhere.post("/v1/announcements", body, **key)
    token = elsewhere.stage.house.environ["TOCSIN_API_TOKENS"].rsplit(":", 1)[1]
    second = elsewhere.post("/v1/announcements", body, **key, Authorization=f"Bearer {token}")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.telegram.org",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://2130706433",
        "http://[::ffff:8.8.8.8]",
    ],
)
def test_a_drill_takes_no_address_but_this_machines(tmp_path: Path, url: str) -> None:
    listed = '[[destination]]\nid = "t"\nplatform = "telegram"\nrole = "primary"\naccount = "-1001"\nchat = "@example"\n'
    listed += f"base_url = {json.dumps(url)}\n"
    (tmp_path / "destinations.toml").write_text(listed)
    settings = Settings(environment=Environment.DRILL, destinations=tmp_path / "destinations.toml")
    with pytest.raises(ConfigurationError, match=r"stand-ins on this machine|base_url"):
        load_destinations(settings, {"TOCSIN_T_TOKEN": "1:a"})


@pytest.mark.parametrize("drill", [False, True])
def test_a_token_is_not_told_when_it_is_written_wrongly(drill: bool) -> None:
    token = secrets.token_urlsafe(32)
    wrong = [token, f"{token}:ops", f":{token}", f"ops:sha256:{token}", f"{token}:sha256:{token}"]
    for written in wrong if drill else [*wrong, f"ops:{token}"]:
        with pytest.raises(ValueError) as caught:
            Tokens(written, drill=drill)
        assert token not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_security": "tsl"},
        {"time_zone": "Mars/Olympus"},
        {"public_url": "https://"},
        {"trusted_proxies": "all"},
        {"address_rate": "0"},
    ],
)
def test_a_wrong_setting_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_roster_that_cannot_be_read_is_told_and_not_a_failure(desk: Desk) -> None:
    path = desk.stage.house.folder / "roster.toml"
    good = path.read_text()
    path.write_text(good + "\n[")
    try:
        answers = [desk.http.get("/banner.json"), desk.http.get("/v1/roster"), submit(desk)]
    finally:
        path.write_text(good)
    assert not [answer.text for answer in answers if answer.status_code == 500]


def _stored(desk: Desk) -> str:
    return b"".join(path.read_bytes() for path in (desk.stage.house.folder / "data").iterdir()).decode("latin-1")


def test_no_secret_is_in_the_log_the_database_or_an_answer(desk: Desk) -> None:
    main = desk.stage.stand_ins["main"]
    for platform, fault in (("telegram", "junk"), ("discord", "502-html"), ("reddit", "401"), ("x", "500")):
        ANYONE.post(f"{main}/faults", json={"platform": platform, "fault": fault, "match": "any"}).raise_for_status()
    accepted = desk.announce(destinations=["x", "reddit", "telegram", "discord", "discord-webhook"])
    tokens = [link.rsplit("/", 1)[1] for link in links_to(desk, accepted).values()]
    desk.approve_by_both(accepted["id"])
    desk.post("/v1/destinations/check")
    time.sleep(1.0)
    ANYONE.delete(f"{main}/faults").raise_for_status()
    paths = ("/v1/timeline", "/v1/destinations", "/v1/roster", "/v1/openapi.json", f"/v1/announcements/{accepted['id']}")
    shown = "".join(desk.http.get(path).text for path in paths)
    log = (desk.stage.house.folder / "server.log").read_text()
    marks = ("_TOKEN", "SECRET", "PASSWORD", "_KEY", "_URL")
    environ = {name: value for name, value in desk.stage.house.environ.items() if name.endswith(marks) and name != "TOCSIN_PUBLIC_URL"}
    assert len(environ) > 7
    for secret in [*tokens, *environ.values(), desk.stage.house.token]:
        for where in (log, _stored(desk), shown):
            assert secret not in where


def test_a_failure_does_not_log_an_enrolment_link(desk: Desk) -> None:
    token = desk.post("/v1/roster/enrolments", {"person": "first-reviewer"}).json()["url"].rsplit("/", 1)[1]
    desk.http.post(f"/enrol/{token}", content=b"[" * 100_000)
    assert token not in (desk.stage.house.folder / "server.log").read_text()
