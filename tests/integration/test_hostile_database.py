"""Whoever can write into the database can hold Tocsin up, but can neither make it post nor make it show what two people did not sign.

Each test writes with SQL of its own into the running server's file, as an intruder would, and tidies up after itself.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import rfc8785

from app.domain.approval import Decision
from app.domain.manifest import digest
from app.rehearsal import play
from app.rehearsal.play import stage
from app.store import migrate
from app.store.timeline import _APPEND_LOCK, Entry, first_broken
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import JSON, Desk

ANYONE = httpx.Client(trust_env=False)  # without a token; one, since each takes its time to be made


@pytest.fixture(autouse=True, scope="module")
def _closed_at_the_end() -> Iterator[None]:
    yield
    ANYONE.close()


BOTH = ("first-reviewer", "second-reviewer")
LONG_AGO = "2020-01-01T00:00:00.000000Z"


def sql(desk: Desk, query: str, *values: Any) -> list[Any]:
    path = desk.stage.house.folder / "data" / "tocsin.sqlite"
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
        return database.execute(query, values).fetchall()


@pytest.fixture(autouse=True)
def emptied(desk: Desk) -> None:
    """Stand-ins that hold nothing of the tests before, so that their record is short."""
    ANYONE.post(f"{desk.stage.stand_ins['main']}/reset").raise_for_status()


@pytest.fixture(autouse=True)
def tidy(desk: Desk) -> Iterator[None]:
    """No notice of one test's broken rows is left for the next."""
    yield
    sql(desk, "UPDATE notices SET sent_at = ? WHERE sent_at IS NULL", LONG_AGO)


def wake(desk: Desk, seconds: float = 0.4) -> None:
    """Lets the loop take a turn now: it wakes at each of the server's own writes."""
    desk.post("/v1/drill/clock", {"ahead_seconds": 0})
    time.sleep(seconds)


def soon(look: Callable[[], Any], seconds: float = 3.0) -> None:
    """Waits for what is expected, but no longer; the test looks itself."""
    until = time.monotonic() + seconds
    while not look() and time.monotonic() < until:
        time.sleep(0.05)


TRIED = "SELECT 1 FROM notices WHERE (sent_at IS NOT NULL OR tries > 0)"


def record(desk: Desk) -> dict[str, Any]:
    """What the stand-ins hold."""
    held: dict[str, Any] = ANYONE.get(f"{desk.stage.stand_ins['main']}/state.json").json()
    return held


def posts(desk: Desk) -> list[str]:
    """Every text that the public can see."""
    state = record(desk)
    return [post["text"] for platform in ("x", "reddit", "telegram", "discord") for post in state[platform]]


def banner(desk: Desk) -> dict[str, Any]:
    time.sleep(1.1)  # what is shown may be a second old
    answer = ANYONE.get(f"{desk.stage.house.url}/banner.json")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def sent(desk: Desk, *destinations: str) -> dict[str, Any]:
    accepted = desk.announce(destinations=list(destinations))
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def scheduled(desk: Desk, *destinations: str) -> dict[str, Any]:
    """An approved announcement whose window opens in an hour."""
    shown = sent(desk, *destinations)
    words = {"text": f"All is well again. ({secrets.token_hex(4)})"}
    desk.post(f"/v1/incidents/{shown['incident']['id']}/resolve", {"resolution": words})
    follow_ups = desk.http.get(f"/v1/incidents/{shown['incident']['id']}").json()["follow_ups"]
    later = next(one["announcement"] for one in follow_ups if one["kind"] == "resolution")
    assert desk.approve_by_both(later).json()["state"] == "approved"
    return desk.read(later)


def approve_by_sql(desk: Desk, accepted: dict[str, Any], person: str, approval: str) -> None:
    """Writes an approval as if the service had taken it."""
    columns = "announcement, digest, person, decision, key_kind, approval, at"
    query = f"INSERT INTO approvals ({columns}) VALUES (?, ?, ?, 'approve', 'ssh', ?, ?)"
    sql(desk, query, accepted["id"], accepted["digest"], person, approval, LONG_AGO)


def plan_by_sql(desk: Desk, accepted: dict[str, Any], state: str = "planned") -> None:
    """Writes every delivery that the approval would have planned."""
    columns = "id, announcement, digest, position, destination, platform, role, state, parts, updated_at, posted_at"
    for position, one in enumerate(accepted["renderings"]):
        row = (accepted["id"], accepted["digest"], position, one["destination"], one["platform"], one["role"], state, len(one["parts"]))
        query = f"INSERT INTO deliveries ({columns}) VALUES ({', '.join('?' * 11)})"
        sql(desk, query, f"de_{secrets.token_hex(8)}", *row, LONG_AGO, "2099-01-01T00:00:00.000000Z" if state == "posted" else None)


def release(desk: Desk, accepted: dict[str, Any], state: str = "approved") -> None:
    sql(desk, "UPDATE announcements SET state = ? WHERE id = ?", state, accepted["id"])
    wake(desk, 0)


def signed_by(desk: Desk, accepted: dict[str, Any], person: str, **changes: Any) -> str:
    return desk.signed(desk.statement(accepted["id"], person, **changes), person)


FORGERIES: dict[str, Callable[[Desk, dict[str, Any]], str]] = {
    "nothing": lambda desk, accepted: "",
    "junk": lambda desk, accepted: '{"statement":"{}","signature":{}}',
    "bytes": lambda desk, accepted: b"\xff\x00",  # type: ignore[dict-item, return-value]
    "another's key": lambda desk, accepted: desk.signed(desk.statement(accepted["id"], BOTH[1]), BOTH[0]),
    "the first one's again": lambda desk, accepted: signed_by(desk, accepted, BOTH[0]),
    "of another announcement": lambda desk, accepted: signed_by(desk, desk.announce(), BOTH[1]),
    "for the real thing": lambda desk, accepted: signed_by(desk, accepted, BOTH[1], environment="live"),
    "of another revision": lambda desk, accepted: signed_by(desk, accepted, BOTH[1], revision=2),
    "a rejection": lambda desk, accepted: signed_by(desk, accepted, BOTH[1], decision=Decision.REJECT, comment=""),
}


def test_a_forged_approval_sends_nothing(desk: Desk) -> None:
    forged = {}
    for forgery, made in FORGERIES.items():
        forged[forgery] = accepted = desk.announce(destinations=["x", "telegram", "homepage"])
        desk.decide(accepted["id"], BOTH[0])
        approve_by_sql(desk, accepted, BOTH[1], made(desk, accepted))
        plan_by_sql(desk, accepted)
        release(desk, accepted, "sending" if forgery == "junk" else "approved")
    for accepted in forged.values():
        desk.await_state(accepted["id"], "incomplete", "returned")
        assert banner(desk).get("id") != accepted["id"]
        events = desk.http.get(f"/v1/incidents/{accepted['incident']['id']}/timeline").json()["items"]
        assert "broadcast-refused" in {entry["event"] for entry in events}
    assert posts(desk) == []


def test_two_true_signatures_count_however_they_came_in(desk: Desk) -> None:
    """What the other tests forge really is all that is missing."""
    accepted = desk.announce(destinations=["x"])
    desk.decide(accepted["id"], BOTH[0])
    approve_by_sql(desk, accepted, BOTH[1], signed_by(desk, accepted, BOTH[1]))
    plan_by_sql(desk, accepted)
    release(desk, accepted)
    desk.await_state(accepted["id"], "sent")
    assert [accepted["text"] in text for text in posts(desk)].count(True) == 1


MANIFEST = "UPDATE revisions SET manifest = {} WHERE digest = ?"
SWAPS = {
    "the words": MANIFEST.format("replace(manifest, 'move your funds', 'send your funds')"),
    "the account": MANIFEST.format("replace(manifest, '1700000000000000001', '1700000000000000002')"),
    "the environment": MANIFEST.format("replace(manifest, '\"drill\"', '\"live\"')"),
    "the window": MANIFEST.format('replace(manifest, \'"not_before":""\', \'"not_before":"2020"\')'),
    "a space": MANIFEST.format("manifest || ' '"),
    "nothing left": MANIFEST.format("''"),
    "the role": "UPDATE deliveries SET role = 'banner' WHERE digest = ?",
    "the place": "UPDATE deliveries SET position = 1 - position WHERE digest = ?",
    "out of bounds": "UPDATE deliveries SET position = -1 WHERE digest = ?",
    "the parts": "UPDATE deliveries SET parts = 2 WHERE digest = ?",
    "the destination": "UPDATE deliveries SET destination = 'reddit', platform = 'reddit' WHERE destination = 'x' AND digest = ?",
}


def test_a_row_that_is_not_as_it_was_signed_sends_nothing(desk: Desk) -> None:
    for swap in SWAPS.values():
        accepted = desk.announce(destinations=["x", "telegram"])
        for person in BOTH:
            approve_by_sql(desk, accepted, person, signed_by(desk, accepted, person))
        plan_by_sql(desk, accepted)
        sql(desk, swap, accepted["digest"])
        release(desk, accepted)
    play._until(lambda: not sql(desk, "SELECT 1 FROM announcements WHERE state IN ('approved', 'sending')"), "the sweep")
    assert posts(desk) == []


def test_a_whole_revision_with_approvals_moved_to_it_sends_nothing(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x"])
    for person in BOTH:
        approve_by_sql(desk, accepted, person, signed_by(desk, accepted, person))
    [(manifest,)] = sql(desk, "SELECT manifest FROM revisions WHERE digest = ?", accepted["digest"])
    evil = manifest.replace("move your funds", "send your funds")
    forged = digest(evil.encode())
    same = "announcement, wording, created_at"
    query = f"INSERT INTO revisions (digest, manifest, revision, {same}) SELECT ?, ?, 2, {same} FROM revisions WHERE digest = ?"
    sql(desk, query, forged, evil, accepted["digest"])
    sql(desk, "UPDATE approvals SET digest = ? WHERE digest = ?", forged, accepted["digest"])
    sql(desk, "UPDATE announcements SET digest = ?, revision = 2 WHERE id = ?", forged, accepted["id"])
    plan_by_sql(desk, accepted | {"digest": forged})
    release(desk, accepted)
    desk.await_state(accepted["id"], "incomplete", "returned")
    assert not [text for text in posts(desk) if "send your funds" in text]


def test_what_was_posted_is_not_posted_again_for_a_changed_row(desk: Desk) -> None:
    shown = sent(desk, "x", "telegram")
    sql(desk, "UPDATE deliveries SET state = 'planned', done = 0, posted_at = NULL WHERE digest = ?", shown["digest"])
    release(desk, shown)
    desk.await_state(shown["id"], "incomplete", "sent")
    assert [shown["text"] in text for text in posts(desk)].count(True) == 1


def test_an_approved_one_does_not_go_out_before_its_time_for_a_changed_row(desk: Desk) -> None:
    later = scheduled(desk, "x")
    sql(desk, "UPDATE announcements SET not_before = ? WHERE id = ?", LONG_AGO, later["id"])
    sql(desk, "UPDATE follow_ups SET opens = ?, state = 'due' WHERE announcement = ?", LONG_AGO, later["id"])
    release(desk, later, "sending")
    wake(desk)
    assert not [text for text in posts(desk) if later["text"] in text]


def test_a_changed_permalink_is_pointed_to_by_nobody(desk: Desk) -> None:
    order = {"platform": "telegram", "fault": "401", "match": "publish"}
    ANYONE.post(f"{desk.stage.stand_ins['main']}/faults", json=order).raise_for_status()
    accepted = desk.announce(destinations=["x", "telegram", "homepage"])
    desk.approve_by_both(accepted["id"])
    pointer = next(one["id"] for one in desk.await_state(accepted["id"], "incomplete")["deliveries"] if one["destination"] == "telegram")
    assert banner(desk)["permalink"]
    x = desk.stage.stand_ins["x"]
    for link in (f"{x}/someone_else/status/1", f"{x}@evil.example/tocsin_drill/status/1", "https://evil.example/tocsin_drill/status/1"):
        sql(desk, "UPDATE deliveries SET permalink = ? WHERE destination = 'x' AND digest = ?", link, accepted["digest"])
        assert banner(desk)["permalink"] == ""
        desk.post(f"/v1/deliveries/{pointer}/retry")
        desk.await_state(accepted["id"], "incomplete")
    assert len(posts(desk)) == 1


# The banner


def test_the_banner_shows_nothing_that_is_not_signed(desk: Desk) -> None:
    shown = sent(desk, "x", "homepage")
    assert banner(desk)["digest"] == shown["digest"]
    unsigned = desk.announce(destinations=["x", "homepage"])
    plan_by_sql(desk, unsigned, "posted")
    assert banner(desk)["digest"] == shown["digest"], "an unsigned one takes nobody's place"
    sql(desk, MANIFEST.format("replace(manifest, 'move your funds', 'send your funds')"), shown["digest"])
    assert banner(desk) == {"active": False} or banner(desk)["digest"] not in {shown["digest"], unsigned["digest"]}


def test_a_delivery_that_became_a_banner_by_a_row_shows_nothing(desk: Desk) -> None:
    shown = sent(desk, "x", "team")
    sql(desk, "UPDATE deliveries SET role = 'banner', posted_at = '2098-01-01T00:00:00.000000Z' WHERE digest = ?", shown["digest"])
    try:
        assert banner(desk).get("digest") != shown["digest"]
    finally:
        sql(desk, "UPDATE deliveries SET state = 'skipped' WHERE digest = ?", shown["digest"])


def test_the_banner_shows_nothing_before_its_time(desk: Desk) -> None:
    later = scheduled(desk, "x", "homepage")
    sql(desk, "UPDATE deliveries SET state = 'posted', posted_at = '2097-01-01T00:00:00.000000Z' WHERE digest = ?", later["digest"])
    try:
        assert banner(desk).get("digest") != later["digest"]
    finally:
        sql(desk, "UPDATE deliveries SET state = 'skipped' WHERE digest = ?", later["digest"])


# Sealed announcements


def sealed(desk: Desk, seconds: float = 90 * 86_400) -> dict[str, Any]:
    """One that two people signed, and that waits."""
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    text = f"We do not know yet who is affected. Do not use our website until we say here that it is safe. ({secrets.token_hex(4)})"
    accepted = desk.announce(destinations=["x", "telegram", "homepage"], text=text, sealed_until=until)
    assert desk.approve_by_both(accepted["id"]).json()["state"] == "sealed"
    return desk.read(accepted["id"])


def unsealing(desk: Desk, shown: dict[str, Any], person: str = BOTH[0], **changes: Any) -> str:
    return signed_by(desk, shown, person, decision=Decision.UNSEAL, **changes)


def unseal_by_sql(desk: Desk, shown: dict[str, Any], unseal: str) -> None:
    """Writes an unseal, and all that the service would have made of it."""
    columns = "announcement, digest, person, decision, key_kind, approval, at"
    query = f"INSERT INTO approvals ({columns}) VALUES (?, ?, ?, 'unseal', 'ssh', ?, ?)"
    sql(desk, query, shown["id"], shown["digest"], BOTH[0], unseal, LONG_AGO)
    plan_by_sql(desk, shown)
    sql(desk, "UPDATE announcements SET not_after = NULL, approved_at = ? WHERE id = ?", LONG_AGO, shown["id"])
    release(desk, shown)


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


UNSEALS: dict[str, Callable[[Desk, dict[str, Any]], str]] = {
    "nothing": lambda desk, shown: "",
    "junk": lambda desk, shown: "{}",
    "another's key": lambda desk, shown: desk.signed(desk.statement(shown["id"], BOTH[1], Decision.UNSEAL), BOTH[0]),
    "of another announcement": lambda desk, shown: unsealing(desk, sealed(desk)),
    "for the real thing": lambda desk, shown: unsealing(desk, shown, environment="live"),
    "of another revision": lambda desk, shown: unsealing(desk, shown, revision=2),
    "an approval": lambda desk, shown: signed_by(desk, shown, BOTH[0]),
    "one that was kept back for a day": lambda desk, shown: unsealing(desk, shown, at=at(-25)),
    "one for after its end": lambda desk, shown: unsealing(desk, shown, at=at(91 * 24)),
    "one for tomorrow": lambda desk, shown: unsealing(desk, shown, at=at(24)),
}


def unsent(desk: Desk, *all_shown: dict[str, Any]) -> None:
    """Nothing of them goes out or is on the banner, for as long as anything would have taken; and no row of them is left to be tried."""
    wake(desk, 2.0)
    assert posts(desk) == []
    assert banner(desk).get("id") not in {shown["id"] for shown in all_shown}
    for shown in all_shown:
        sql(desk, "UPDATE announcements SET state = 'cancelled', worker = '' WHERE id = ?", shown["id"])


def test_a_forged_unseal_sends_nothing(desk: Desk) -> None:
    forged = []
    for made in UNSEALS.values():
        shown = sealed(desk)
        unseal_by_sql(desk, shown, made(desk, shown))
        forged.append(shown)
    unsent(desk, *forged)


def test_a_true_unseal_sends_it_however_it_came_in(desk: Desk) -> None:
    """What the other tests forge really is all that is missing."""
    shown = sealed(desk)
    unseal_by_sql(desk, shown, unsealing(desk, shown))
    desk.await_state(shown["id"], "sent")
    assert [shown["text"] in text for text in posts(desk)].count(True) == 1


def test_a_revoked_seal_sends_nothing_whatever_the_rows_say(desk: Desk) -> None:
    shown = sealed(desk)
    kept_back = unsealing(desk, shown)
    assert desk.decide(shown["id"], BOTH[1], Decision.REJECT).json()["state"] == "returned"
    unseal_by_sql(desk, shown, kept_back)
    desk.await_state(shown["id"], "incomplete", "returned")
    unsent(desk, shown)


def test_an_expired_seal_sends_nothing_whatever_the_rows_say(desk: Desk) -> None:
    shown = sealed(desk, seconds=3)
    in_time = unsealing(desk, shown)
    time.sleep(3.2)
    unseal_by_sql(desk, shown, in_time)
    unsent(desk, shown)


def test_a_correction_that_no_one_sealed_sends_nothing(desk: Desk) -> None:
    """Its manifest lies in that of its announcement; one that a row puts in its place does not."""
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    text = f"We do not know yet who is affected. Do not use our website. ({secrets.token_hex(4)})"
    wrong = desk.announce(destinations=["x"], text=text, correction="It was safe to move your funds.", sealed_until=until)
    desk.approve_by_both(wrong["id"])
    desk.decide(wrong["id"], BOTH[0], Decision.UNSEAL)
    desk.await_state(wrong["id"], "sent")
    waiting = desk.post(f"/v1/announcements/{wrong['id']}/correction", {}).json()
    [(manifest,)] = sql(desk, "SELECT manifest FROM revisions WHERE digest = ?", waiting["digest"])
    evil = manifest.replace("move your funds", "send your funds")
    forged = digest(evil.encode())
    same = "announcement, wording, created_at"
    query = f"INSERT INTO revisions (digest, manifest, revision, {same}) SELECT ?, ?, 2, {same} FROM revisions WHERE digest = ?"
    sql(desk, query, forged, evil, waiting["digest"])
    sql(desk, "UPDATE announcements SET digest = ? WHERE id = ?", forged, waiting["id"])
    unseal_by_sql(desk, waiting | {"digest": forged}, unsealing(desk, waiting, digest=forged))
    desk.await_state(waiting["id"], "incomplete", "returned")
    assert not [text for text in posts(desk) if "send your funds" in text]
    sql(desk, "UPDATE announcements SET state = 'cancelled' WHERE id = ?", waiting["id"])


# Notices


@contextlib.contextmanager
def notice(desk: Desk, kind: str, recipient: str) -> Iterator[None]:
    accepted = desk.announce(destinations=["team"])
    values = (kind, accepted["id"], accepted["digest"], recipient, LONG_AGO)
    sql(desk, "INSERT INTO notices (kind, announcement, digest, recipient, due_at) VALUES (?, ?, ?, ?, ?)", *values)
    mine = "kind = ? AND digest = ? AND recipient = ?"
    try:
        soon(lambda: kind == "no-such-kind" or sql(desk, f"{TRIED} AND {mine}", kind, accepted["digest"], recipient))
        yield
    finally:
        sql(desk, f"DELETE FROM notices WHERE {mine}", kind, accepted["digest"], recipient)


@pytest.mark.parametrize("kind", ["alarm", "approve", "overdue"])
def test_a_notice_goes_to_no_public_destination(desk: Desk, kind: str) -> None:
    before = posts(desk)
    with notice(desk, kind, "destination:x"):
        assert posts(desk) == before


def test_one_bad_notice_holds_up_no_other(desk: Desk) -> None:
    with notice(desk, "no-such-kind", "first-reviewer"):
        accepted = desk.announce(destinations=["team"])
        soon(lambda: json.dumps(record(desk)["smtp"]).count(accepted["digest"]) == 3, 8)  # a broadcast before may have hurried
        assert json.dumps(record(desk)["smtp"]).count(accepted["digest"]) == 3, "two reviewers and the team"


# Rows that make no sense


def test_one_bad_follow_up_holds_up_no_other(desk: Desk) -> None:
    bad, good = scheduled(desk, "x"), scheduled(desk, "x")

    def state() -> list[Any]:
        return sql(desk, "SELECT state FROM follow_ups WHERE announcement = ?", good["id"])

    due = "UPDATE follow_ups SET state = 'scheduled', opens = ?, announcement = ? WHERE announcement = ?"
    sql(desk, due, LONG_AGO, "an_none", bad["id"])
    sql(desk, due, LONG_AGO, good["id"], good["id"])
    try:
        soon(lambda: state() == [("due",)], 8)
        assert state() == [("due",)]
    finally:
        sql(desk, "UPDATE follow_ups SET state = 'cancelled' WHERE announcement = 'an_none'")


def test_a_row_that_makes_no_sense_makes_nothing_spin(desk: Desk) -> None:
    accepted = desk.announce(destinations=["team"])
    log = desk.stage.house.folder / "server.log"
    before = log.read_text().count('"loop-failed"')
    sql(desk, "UPDATE announcements SET state = 'approved', not_after = 'junk' WHERE id = ?", accepted["id"])
    try:
        time.sleep(2)
        assert log.read_text().count('"loop-failed"') - before <= 6
        assert desk.stage.processes[1].poll() is None
    finally:
        sql(desk, "UPDATE announcements SET state = 'cancelled', not_after = NULL WHERE id = ?", accepted["id"])


@pytest.fixture(scope="module")
def shown(desk: Desk) -> dict[str, Any]:
    """What is out and on the banner."""
    return sent(desk, "x", "homepage")


DAMAGES = {
    "UPDATE revisions SET manifest = '{' WHERE digest = ?": "SELECT manifest FROM revisions WHERE digest = ?",
    "UPDATE revisions SET manifest = X'ff00' WHERE digest = ?": "SELECT manifest FROM revisions WHERE digest = ?",
    "UPDATE deliveries SET posted_at = 'zzz' WHERE digest = ?": "SELECT posted_at FROM deliveries WHERE digest = ?",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_told_and_not_a_failure(desk: Desk, shown: dict[str, Any], damage: str) -> None:
    [(good,), *_] = sql(desk, DAMAGES[damage], shown["digest"])
    sql(desk, damage, shown["digest"])
    paths = [f"/v1/announcements/{shown['id']}{more}" for more in ("", "/approval-request")]
    try:
        answers = [desk.http.get(path) for path in ["/banner.json", "/banner.html", *paths]]
    finally:
        column = damage.split()[3]
        sql(desk, f"UPDATE {damage.split()[1]} SET {column} = ? WHERE digest = ?", good, shown["digest"])
    assert not [answer.url for answer in answers if answer.status_code == 500]


def test_an_announcement_that_was_refused_can_be_revised(desk: Desk) -> None:
    """It happens without an intruder too: when a key is changed between the approval and the window."""
    accepted = desk.announce(destinations=["team"])
    release(desk, accepted)
    desk.await_state(accepted["id"], "incomplete", "returned")
    assert desk.post(f"/v1/announcements/{accepted['id']}/revisions", {"text": "Again."}).status_code == 202


def test_a_forged_approval_is_not_shown_to_those_who_sign(desk: Desk) -> None:
    accepted = desk.announce(destinations=["team"])
    approve_by_sql(desk, accepted, BOTH[1], "{}")
    assert desk.http.get(f"/v1/announcements/{accepted['id']}/approval-request").json()["approvals"] == []


def test_a_forged_approval_does_not_shut_the_true_one_out(desk: Desk) -> None:
    accepted = desk.announce(destinations=["team"])
    approve_by_sql(desk, accepted, BOTH[0], "{}")
    assert desk.decide(accepted["id"], BOTH[0]).json()["missing"] == 1


def test_a_changed_entry_of_the_record_shows(desk: Desk) -> None:
    desk.announce(destinations=["team"])

    def broken() -> int | None:
        items = desk.http.get("/v1/timeline", params={"limit": 50}).json()["items"]
        return first_broken(Entry(**i | {"at": datetime.fromisoformat(i["at"]), "data": rfc8785.dumps(i["data"]).decode()}) for i in items)

    assert broken() is None
    for verb in ("update", "delete"):  # which would stop a slip, not whoever can write there
        with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
            sql(desk, "UPDATE timeline SET actor = ''" if verb == "update" else "DELETE FROM timeline")
        sql(desk, f"DROP TRIGGER timeline_{verb}")
    [(actor,)] = sql(desk, "SELECT actor FROM timeline WHERE seq = 2")
    sql(desk, "UPDATE timeline SET actor = 'first-reviewer' WHERE seq = 2")
    try:
        assert broken() == 2
    finally:
        sql(desk, "UPDATE timeline SET actor = ? WHERE seq = 2", actor)


async def test_a_junk_clock_in_the_house_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.sqlite"
    await migrate.upgrade(f"sqlite:///{path}", "live")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE house SET clock_ahead = 1e300")
    with contextlib.suppress(migrate.WrongDatabase):
        await migrate.upgrade(f"sqlite:///{path}", "live")


# On Postgres, where several transactions run at once


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A rehearsal on a fresh Postgres database, and its URL; only where TOCSIN_TEST_POSTGRES names a server."""
    folder = tmp_path_factory.mktemp("hostile-postgres")
    with fresh_database(demanded()) as url, stage(folder, environ={"TOCSIN_DATABASE_URL": url}) as started:
        yield Desk(started), url


def test_on_postgres_a_cancelled_one_stays_so_though_the_last_one_approves_meanwhile(on_postgres: tuple[Desk, str]) -> None:
    desk, url = on_postgres
    accepted = desk.announce(destinations=["team"])
    desk.decide(accepted["id"], BOTH[0])
    path, raw = f"/v1/announcements/{accepted['id']}", signed_by(desk, accepted, BOTH[1]).encode()
    with ThreadPoolExecutor(2) as pool, psycopg.connect(url) as connection:
        # Under this lock the record is written, so whatever is begun meanwhile meets in the middle.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_APPEND_LOCK,))
        cancelled = pool.submit(lambda: desk.post(f"{path}/cancel"))
        time.sleep(0.3)
        approved = pool.submit(lambda: desk.http.post(f"{path}/approvals", content=raw, headers=JSON))
        time.sleep(0.3)
        connection.rollback()
        assert cancelled.result().status_code == 200
        assert approved.result().status_code == 409
    assert desk.read(accepted["id"])["state"] == "cancelled"
