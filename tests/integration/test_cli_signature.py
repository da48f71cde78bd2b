"""One signature by the command line: a web process that lies gets passkeys to sign what nobody saw, and it still goes nowhere.

What lies here shows its readers one text and hands their passkeys the digest of another; the passkeys are true ones of the roster.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import httpx
import pytest

from app.cli import signing
from app.domain.approval import Approval, Decision
from app.domain.roster import key_entry
from app.rehearsal.play import stage
from app.store.tables import iso
from tests.integration.test_hostile_database import BOTH, plan_by_sql, release, sql
from tests.support.desk import JSON, Desk
from tests.support.soft_passkey import SoftPasskey

EVIL = "If you used Example Web today, send your coins to bc1qattacker now."
PHONES: dict[str, SoftPasskey] = {}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house that demands it, whose two people have a passkey each besides their SSH keys."""
    with stage(tmp_path_factory.mktemp("terminal"), environ={"TOCSIN_CLI_SIGNATURE": "true"}) as started:
        PHONES.update({person: SoftPasskey.create("localhost") for person in BOTH})
        roster = started.house.folder / "roster.toml"
        entries = [key_entry(person, phone.passkey()) for person, phone in PHONES.items()]
        roster.write_text(roster.read_text() + "\n" + "\n".join(entries))
        yield Desk(started)


def lied_to(desk: Desk, announcement: str, person: str, decision: Decision = Decision.APPROVE) -> str:
    """The approval that a page draws from a person's passkey, whatever it showed them."""
    raw = desk.statement(announcement, person, decision).to_bytes()
    signature = PHONES[person].sign(raw, desk.stage.house.url)
    return Approval.from_json(json.dumps({"statement": raw.decode(), "signature": signature})).to_json()


def hand_in(desk: Desk, announcement: str, approval: str) -> httpx.Response:
    return desk.http.post(f"/v1/announcements/{announcement}/approvals", content=approval.encode(), headers=JSON)


def posts(desk: Desk) -> str:
    state = desk.stage.state()
    return "\n".join(post["text"] for platform in ("x", "reddit", "telegram", "discord") for post in state[platform])


def test_two_passkeys_are_not_enough_and_what_is_missing_is_told(desk: Desk) -> None:
    accepted = desk.announce(text=f"{EVIL} ({secrets.token_hex(4)})", destinations=["x", "telegram"])
    assert accepted["missing"] | {"reviewers": []} == {"approvals": 2, "cli_signature": True, "reviewers": [], "overrides": []}
    for person in BOTH:
        answer = hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], person))
        assert answer.json() == {"decision": "approve", "state": "awaiting_approval", "missing": 1}
    shown = desk.read(accepted["id"])
    assert (shown["missing"]["approvals"], shown["missing"]["cli_signature"]) == (1, True)
    assert "One of them has to sign with an SSH key" in desk.tocsin("status", accepted["id"])
    assert EVIL not in posts(desk)


def test_the_dispatcher_itself_demands_it(desk: Desk) -> None:
    """A web process that lies can write rows, too: all that the service would have written stands there, and two true passkeys."""
    accepted = desk.announce(text=f"{EVIL} ({secrets.token_hex(4)})", destinations=["x", "telegram", "homepage"])
    for person in BOTH:
        assert hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], person)).status_code == 200
    plan_by_sql(desk, accepted)
    release(desk, accepted)
    desk.await_state(accepted["id"], "returned")
    assert EVIL not in posts(desk)
    told = desk.http.get(f"/v1/incidents/{accepted['incident']['id']}/timeline").json()["items"]
    assert any(entry["event"] == "broadcast-refused" and "command line" in entry["data"]["why"] for entry in told)
    posted = "UPDATE deliveries SET state = 'posted', done = parts, posted_at = ? WHERE digest = ?"
    sql(desk, posted, iso(datetime.now(UTC)), accepted["digest"])
    sql(desk, "UPDATE announcements SET state = 'sent' WHERE id = ?", accepted["id"])
    assert not shown_in_public(desk)
    by_terminal = desk.signed(desk.statement(accepted["id"], BOTH[0]), BOTH[0])
    sql(desk, "UPDATE approvals SET approval = ? WHERE digest = ? AND person = ?", by_terminal, accepted["digest"], BOTH[0])
    assert shown_in_public(desk) == ["/banner.json", "/feed.json", "/feed.atom"], "it really is all that was missing"


def shown_in_public(desk: Desk) -> list[str]:
    desk.post("/v1/drill/clock", {"ahead_seconds": 0})
    surfaces = ("/banner.json", "/feed.json", "/feed.atom")
    return [path for path in surfaces if EVIL in httpx.get(desk.stage.house.url + path, trust_env=False).text]


def test_what_is_sealed_needs_the_terminal_once_and_a_passkey_lets_it_go(desk: Desk) -> None:
    words = {"text": f"Move your funds to a new wallet now. You are affected if you used Example Web. ({secrets.token_hex(4)})"}
    until = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    accepted = desk.announce(**words, destinations=["x", "telegram"], sealed_until=until)
    for person in BOTH:
        answer = hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], person))
        assert answer.json()["state"] == "awaiting_approval"
    assert desk.decide(accepted["id"], BOTH[0]).json() == {"decision": "approve", "state": "sealed", "missing": 0}
    unsealed = hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], BOTH[1], Decision.UNSEAL))
    assert unsealed.json() == {"decision": "unseal", "state": "approved", "missing": 0}
    desk.await_state(accepted["id"], "sent")


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]])
def test_a_passkey_and_an_ssh_key_send_in_either_order(desk: Desk, order: tuple[str, str]) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    signed = {BOTH[0]: lied_to(desk, accepted["id"], BOTH[0]), BOTH[1]: desk.signed(desk.statement(accepted["id"], BOTH[1]), BOTH[1])}
    answers = [hand_in(desk, accepted["id"], signed[person]).json() for person in order]
    assert [answer["state"] for answer in answers] == ["awaiting_approval", "approved"]
    desk.await_state(accepted["id"], "sent")


def test_one_of_the_two_may_sign_once_more_with_an_ssh_key(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    for person in BOTH:
        hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], person))
    answer = desk.decide(accepted["id"], BOTH[0])
    assert answer.json() == {"decision": "approve", "state": "approved", "missing": 0}
    shown = desk.await_state(accepted["id"], "sent")
    assert {one["person"]: one["key"] for one in shown["approvals"]} == {BOTH[0]: "ssh", BOTH[1]: "passkey"}


def test_a_passkey_takes_no_ssh_signatures_place(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "telegram"])
    desk.decide(accepted["id"], BOTH[0])
    again = hand_in(desk, accepted["id"], lied_to(desk, accepted["id"], BOTH[0]))
    assert again.json() == {"decision": "approve", "state": "awaiting_approval", "missing": 1}
    assert [one["key"] for one in desk.read(accepted["id"])["approvals"]] == ["ssh"]
    assert desk.read(accepted["id"])["missing"]["cli_signature"] is False


def test_the_command_line_signs_nothing_else_than_it_showed(desk: Desk) -> None:
    """The same lie told to the command line: shown are the bytes of one manifest, named is the digest of another."""
    shown, other = desk.announce(destinations=["x"]), desk.announce(text=EVIL, destinations=["x"])
    request = desk.http.get(f"/v1/announcements/{shown['id']}/approval-request").json()
    with pytest.raises(click.ClickException, match="changed on its way"):
        signing.read(request | {"digest": other["digest"]})
