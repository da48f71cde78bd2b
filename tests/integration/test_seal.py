"""When the second person sleeps: what two people sealed on a quiet day goes out by one signature, once, and in no other way."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.approval import Decision
from app.domain.manifest import Manifest
from app.rehearsal import play
from app.rehearsal.play import stage
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import JSON, Desk, delivery

BOTH = ("first-reviewer", "second-reviewer")
TEXT = (
    "We are looking into a problem with our website. We do not know yet who is affected. "
    "Do not use the website until we say here that it is safe; next update here within the hour."
)
WRONG = "Our warning was wrong: you can use our website."
DAY = 24 * 3600.0


def ahead(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def submitted(desk: Desk, **changes: Any) -> dict[str, Any]:
    unique = secrets.token_hex(4)  # X refuses a text that it has seen before
    words = {"text": f"{TEXT} ({unique})", "correction": f"{WRONG} ({unique})", "destinations": ["x", "telegram", "homepage"]}
    return desk.announce(**words | {"sealed_until": ahead(90)} | changes)


def sealed(desk: Desk, **changes: Any) -> dict[str, Any]:
    """A sealed announcement."""
    accepted = submitted(desk, **changes)
    answer = desk.approve_by_both(accepted["id"])
    assert answer.json() == {"decision": "approve", "state": "sealed", "missing": 0}
    return desk.read(accepted["id"])


def posts(desk: Desk, text: str) -> list[dict[str, Any]]:
    state = desk.stage.state()
    return [post for platform in ("x", "telegram") for post in state[platform] if text in post["text"]]


def mails(desk: Desk, subject: str, *holding: str) -> list[dict[str, Any]]:
    found = [mail for mail in desk.stage.state()["smtp"] if subject in mail["title"]]
    return [mail for mail in found if all(words in mail["text"] for words in holding)]


def unseal(desk: Desk, announcement: str, person: str = "first-reviewer", **changes: Any) -> httpx.Response:
    return desk.decide(announcement, person, Decision.UNSEAL, **changes)


def test_one_person_sends_what_two_sealed_and_everyone_is_told(desk: Desk) -> None:
    shown = sealed(desk)
    assert (shown["state"], shown["deliveries"], shown["approved_at"]) == ("sealed", [], None)
    assert (shown["seal"]["holds"], shown["seal"]["with_correction"], shown["seal"]["unsealed_by"]) == (True, True, [])
    assert posts(desk, shown["text"]) == [], "it waits"
    before = datetime.now(UTC)
    answer = unseal(desk, shown["id"])
    assert answer.json() == {"decision": "unseal", "state": "approved", "missing": 0}
    sent = desk.await_state(shown["id"], "sent")
    assert len(posts(desk, shown["text"])) == 1, "in full on X; Telegram points there"
    assert delivery(sent, "telegram")["state"] == "posted"
    assert [by["person"] for by in sent["seal"]["unsealed_by"]] == ["first-reviewer"]
    play._until(lambda: len(mails(desk, "Unsealed, going out now", shown["text"])) == 3, "both reviewers and the team to be told")
    [told] = {mail["text"].split("\n")[0] for mail in mails(desk, "Unsealed", shown["text"])}
    assert re.fullmatch(r"Unsealed by first-reviewer at \S+Z\. It was signed before by first-reviewer and second-reviewer, .*", told)
    banner = desk.http.get("/banner.json").json()
    assert banner["id"] == shown["id"]
    hours = (datetime.fromisoformat(banner["expires_at"]) - before) / timedelta(hours=1)
    assert 71.9 < hours < 72.1, "the banner counts from the unsealing"
    follow_ups = desk.http.get(f"/v1/incidents/{shown['incident']['id']}").json()["follow_ups"]
    summary = next(one for one in follow_ups if one["kind"] == "summary")
    assert 7.9 < (datetime.fromisoformat(summary["opens"]) - before) / timedelta(hours=1) < 8.1, "so do the follow-ups"


def test_its_correction_is_sealed_with_it_and_goes_by_one_signature_too(desk: Desk) -> None:
    shown = sealed(desk)
    signed = Manifest.parse(desk.http.get(f"/v1/announcements/{shown['id']}/approvals").json()["manifest"].encode())
    assert signed.seal
    its = Manifest.parse(signed.seal.correction.encode())
    assert {entry.id for entry in its.destinations} == {"x", "telegram", "homepage"}
    early = desk.post(f"/v1/announcements/{shown['id']}/correction", {})
    assert early.status_code == 409, "nothing is out that could be corrected"
    unseal(desk, shown["id"])
    desk.await_state(shown["id"], "sent")
    waiting = desk.post(f"/v1/announcements/{shown['id']}/correction", {}).json()
    assert (waiting["id"], waiting["kind"], waiting["state"]) == (f"{shown['id']}-correction", "correction", "sealed")
    assert waiting["seal"] | {"until": ""} == {
        "until": "",
        "holds": True,
        "with_correction": False,
        "corrects": shown["id"],
        "unsealed_by": [],
    }
    assert desk.post(f"/v1/announcements/{shown['id']}/correction", {}).json()["id"] == waiting["id"], "there is one"
    assert posts(desk, shown["correction"]) == []
    assert unseal(desk, waiting["id"], "second-reviewer").json()["state"] == "approved"
    sent = desk.await_state(waiting["id"], "sent")
    assert [approval["decision"] for approval in sent["approvals"]] == ["approve", "approve", "unseal"]
    [post] = posts(desk, shown["correction"])
    assert post["permalink"] == delivery(sent, "x")["permalink"]
    assert unseal(desk, waiting["id"], "second-reviewer").status_code == 200, "the same signature again changes nothing"
    assert len(posts(desk, shown["correction"])) == 1


def test_who_revokes_the_announcement_revokes_its_correction(desk: Desk) -> None:
    shown = sealed(desk)
    unseal(desk, shown["id"])
    desk.await_state(shown["id"], "sent")
    waiting = desk.post(f"/v1/announcements/{shown['id']}/correction", {}).json()["id"]
    assert desk.decide(waiting, "second-reviewer", Decision.REJECT).json()["state"] == "returned"
    assert unseal(desk, waiting).status_code == 409
    again = desk.post(f"/v1/announcements/{waiting}/revisions", {"text": "Other words.", "sealed_until": ahead(9)})
    assert (again.status_code, again.json()["detail"]) == (409, "Send other words by `tocsin correct`.")
    other = desk.post(f"/v1/announcements/{shown['id']}/correction", {"text": "Other words."})
    assert (other.json()["state"], other.json()["seal"]) == ("awaiting_approval", None)


@pytest.mark.parametrize("who", [*BOTH])
def test_either_signer_revokes_it_by_a_signature_and_then_nobody_unseals_it(desk: Desk, who: str) -> None:
    shown = sealed(desk)
    assert desk.decide(shown["id"], who, Decision.REJECT).json()["state"] == "returned"
    answer = unseal(desk, shown["id"])
    assert (answer.status_code, answer.json()["title"]) == (409, "The announcement is returned.")
    assert posts(desk, shown["text"]) == []


def test_a_token_ends_no_seal_and_opens_none(desk: Desk) -> None:
    shown = sealed(desk)
    path = f"/v1/announcements/{shown['id']}"
    cancelled = desk.post(f"{path}/cancel")
    assert (cancelled.status_code, "by a signature" in cancelled.json()["detail"]) == (409, True)
    assert desk.post(f"{path}/revisions", {"text": "Other words.", "sealed_until": ahead(9)}).status_code == 409
    forged = desk.signed(desk.statement(shown["id"], "second-reviewer", Decision.UNSEAL), "first-reviewer")
    assert desk.http.post(f"{path}/approvals", content=forged.encode(), headers=JSON).status_code == 403
    assert desk.read(shown["id"])["state"] == "sealed"


def test_an_unseal_is_fresh_and_of_the_right_thing(desk: Desk) -> None:
    shown, other = sealed(desk), sealed(desk)
    old, coming = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (-11, 3))
    for moment in (old, coming):
        answer = unseal(desk, shown["id"], at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert (answer.status_code, answer.json()["title"]) == (409, "The signature is not fresh.")
    for wrong in ({"environment": "live"}, {"digest": other["digest"]}, {"revision": 2}):
        assert unseal(desk, shown["id"], **wrong).status_code == 409
    awaiting = submitted(desk)
    assert unseal(desk, awaiting["id"]).status_code == 409
    desk.decide(awaiting["id"], "first-reviewer")
    assert unseal(desk, awaiting["id"], "second-reviewer").status_code == 409, "an unseal is no second signature"
    assert desk.read(awaiting["id"])["missing"]["approvals"] == 1
    assert posts(desk, shown["text"]) == posts(desk, other["text"]) == posts(desk, awaiting["text"]) == []


def at_once(works: list[Any]) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(work) for work in works]]


def sending(desk: Desk, announcement: str, person: str, decision: Decision) -> Any:
    raw = desk.signed(desk.statement(announcement, person, decision), person).encode()
    return lambda: desk.http.post(f"/v1/announcements/{announcement}/approvals", content=raw, headers=JSON)


def test_two_who_unseal_at_once_send_it_once(desk: Desk) -> None:
    shown = sealed(desk)
    answers = at_once([sending(desk, shown["id"], person, Decision.UNSEAL) for person in BOTH for _ in range(3)])
    assert {answer.status_code for answer in answers} == {200, 409}
    sent = desk.await_state(shown["id"], "sent")
    assert len(posts(desk, shown["text"])) == 1
    assert len(sent["seal"]["unsealed_by"]) == 1


def test_who_revokes_while_another_unseals_either_stops_it_or_is_told_no(desk: Desk) -> None:
    for _ in range(4):
        shown = sealed(desk)
        works = [
            sending(desk, shown["id"], "first-reviewer", Decision.UNSEAL),
            sending(desk, shown["id"], "second-reviewer", Decision.REJECT),
        ]
        unsealed, revoked = at_once(works)
        assert sorted((unsealed.status_code, revoked.status_code)) == [200, 409]
        if unsealed.status_code == 200:
            desk.await_state(shown["id"], "sent")
        else:
            assert desk.read(shown["id"])["state"] == "returned"
        assert len(posts(desk, shown["text"])) == (1 if unsealed.status_code == 200 else 0)


def test_dates_and_times_are_a_finding(desk: Desk) -> None:
    accepted = submitted(desk, text="Our website has a problem since 07:10 UTC. Next update here on Monday.", correction=WRONG)
    found = {one["excerpt"] for one in accepted["findings"] if one["rule"] == "sealed-time"}
    assert found == {"07:10", "Monday"}
    assert "sealed-time" in accepted["missing"]["overrides"]
    assert desk.decide(accepted["id"], "first-reviewer").status_code == 409
    began = submitted(desk, incident={"name": f"Began {secrets.token_hex(4)}", "started": "2026-11-03T07:10:00Z"})
    assert "sealed-time" in began["missing"]["overrides"], "what it is for has not begun"


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_a_date_that_no_seal_can_have_is_refused(desk: Desk, until: str) -> None:
    body = {"incident": {"name": "Never"}, "text": TEXT, "sealed_until": until}
    answer = desk.post("/v1/announcements", body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "sealed_until")
    assert desk.post("/v1/announcements", body | {"sealed_until": "2027-01-01T00:00:00"}).status_code == 422, "a time without its zone"


def test_a_revision_stays_sealed_and_one_that_is_not_stays_so(desk: Desk) -> None:
    accepted, plain = submitted(desk), desk.announce()
    assert desk.post(f"/v1/announcements/{accepted['id']}/revisions", {"text": TEXT}).status_code == 422
    assert desk.post(f"/v1/announcements/{plain['id']}/revisions", {"text": TEXT, "sealed_until": ahead(9)}).status_code == 422
    again = desk.post(f"/v1/announcements/{accepted['id']}/revisions", {"text": TEXT, "sealed_until": ahead(9)})
    assert (again.status_code, again.json()["seal"]["with_correction"]) == (202, False)


def test_by_the_command_line(desk: Desk) -> None:
    key = str(desk.stage.house.key("first-reviewer"))
    name = f"Our website {secrets.token_hex(4)}"
    words = ["--incident", name, "--sealed-until", "2027-03-01", "--destination", "x", "--destination", "team", "--correction", WRONG]
    assert "Say until when" in desk.tocsin("seal", "--incident", name, "--text", TEXT, code=2)
    assert "Write a day like" in desk.tocsin("seal", "--incident", name, "--sealed-until", "soon", "--text", TEXT, code=2)
    told = desk.tocsin("seal", *words, "--text", f"{TEXT} {name}", "--key", key, "--person", "first-reviewer", "--yes")
    assert "TO BE SEALED. Nothing is sent now." in told
    assert "Sealed with it: the correction." in told
    [id_] = re.findall(r"Accepted as (an_\w+)", told)
    second = ("--key", str(desk.stage.house.key("second-reviewer")), "--person", "second-reviewer")
    assert "The announcement is sealed." in desk.tocsin("approve", id_, *second, "--yes")
    listed = json.loads(desk.tocsin("sealed", "--json"))["items"]
    mine = next(item for item in listed if item["id"] == id_)
    assert (mine["until"], mine["holds"], mine["destinations"]) == ("2027-03-01T23:59:59.000000Z", True, ["x", "team"])
    assert mine["signed_by"] == [*BOTH]
    assert name in desk.tocsin("sealed")
    assert f"tocsin unseal {id_}" in desk.tocsin("status", id_)
    assert name not in desk.tocsin("status"), "what waits for another day is not under way"
    refused = desk.tocsin("unseal", id_, "--key", key, "--person", "first-reviewer", code=1)
    assert "SEALED. Two people have signed this. ONE person alone can send it" in refused
    assert "nothing was signed" in refused
    told = desk.tocsin("unseal", id_, "--key", key, "--person", "first-reviewer", "--yes", "--comment", "Reports of a fake site")
    assert "Unsealed. The announcement is approved; every signer and reviewer is told." in told
    desk.await_state(id_, "sent")
    assert "UNSEALED by first-reviewer" in desk.tocsin("watch", id_)
    assert "Unsealed  by first-reviewer" in desk.tocsin("status", id_)
    assert "The announcement is sent." in desk.tocsin("unseal", id_, *second, "--yes", code=1)
    told = desk.tocsin("correct", id_)
    assert f"tocsin unseal {id_}-correction" in told
    desk.tocsin("unseal", f"{id_}-correction", *second, "--yes")
    desk.await_state(f"{id_}-correction", "sent")


def test_anyone_verifies_offline_that_it_was_unsealed(desk: Desk, tmp_path: Path) -> None:
    shown, house = sealed(desk), desk.stage.house

    def verified(announcement: str) -> str:
        evidence = desk.http.get(f"/v1/announcements/{announcement}/approvals").json()
        (tmp_path / "manifest.json").write_text(evidence["manifest"])
        files = [tmp_path / f"{number}.json" for number, _ in enumerate(evidence["approvals"])]
        for file, approval in zip(files, evidence["approvals"], strict=True):
            file.write_text(json.dumps(approval))
        about = ("--manifest", str(tmp_path / "manifest.json"), "--roster", str(house.folder / "roster.toml"), "--origin", house.url)
        return desk.tocsin("verify", *map(str, files), *about)

    told = verified(shown["id"])
    assert "Enough people stand behind it." in told
    assert "It is sealed, and nobody of the roster has unsealed it" in told
    unseal(desk, shown["id"])
    assert "It was sealed, and unsealed at" in verified(shown["id"])
    desk.await_state(shown["id"], "sent")
    its = desk.post(f"/v1/announcements/{shown['id']}/correction", {}).json()["id"]
    unseal(desk, its)
    assert f"It was signed inside the manifest of {shown['id']}: verify that one." in verified(its)


def test_a_revoked_one_by_the_command_line_and_its_expiry_by_a_new_date(desk: Desk) -> None:
    shown = sealed(desk)
    who = ("--key", str(desk.stage.house.key("second-reviewer")), "--person", "second-reviewer")
    desk.tocsin("reject", shown["id"], *who, "--yes", "--comment", "The domain is another now.")
    assert desk.read(shown["id"])["state"] == "returned"
    desk.tocsin("revise", shown["id"], "--sealed-until", "2027-03-01")
    again = desk.read(shown["id"])
    assert (again["state"], again["revision"], again["text"], again["correction"]) == (
        "awaiting_approval",
        2,
        shown["text"],
        shown["correction"],
    )
    assert desk.approve_by_both(shown["id"]).json()["state"] == "sealed"


def test_links_to_unseal_it_are_mailed_to_who_asks_for_them(desk: Desk) -> None:
    shown = sealed(desk)
    assert desk.post(f"/v1/announcements/{shown['id']}/ask").status_code == 200
    play._until(lambda: len(mails(desk, "Sealed, and yours to unseal", shown["digest"])) == 3, "the links")
    [mail] = [mail for mail in mails(desk, "yours to unseal", shown["digest"]) if "second-reviewer@" in str(mail)]
    link = re.search(r"http://\S+/approve/\S+", mail["text"])
    assert link
    request = desk.http.get(f"{link[0]}/request").json()
    assert (request["usable"], request["state"]) == (True, "sealed")
    signed = desk.signed(desk.statement(shown["id"], "second-reviewer", Decision.UNSEAL, nonce=request["nonce"]), "second-reviewer")
    assert desk.http.post(link[0], content=signed.encode()).status_code == 200
    desk.await_state(shown["id"], "sent")


# On Postgres, where several transactions run at once


def test_on_postgres_it_goes_out_once_or_is_revoked(tmp_path: Path) -> None:
    with fresh_database(demanded()) as url, stage(tmp_path, environ={"TOCSIN_DATABASE_URL": url}) as started:
        desk = Desk(started)
        for second in (Decision.UNSEAL, Decision.REJECT, Decision.REJECT):
            shown = sealed(desk)
            works = [sending(desk, shown["id"], person, said) for person, said in zip(BOTH, (Decision.UNSEAL, second), strict=True)]
            answers = at_once(works * 2)
            assert {answer.status_code for answer in answers} == {200, 409}
            state = desk.await_state(shown["id"], "sent", "returned")["state"]
            assert len(posts(desk, shown["text"])) == (1 if state == "sent" else 0)


# With a clock of their own


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Desk]:
    """A rehearsal of its own, since its clock is moved or its server restarted."""
    with stage(tmp_path) as started:
        yield Desk(started)


def move(desk: Desk, seconds: float) -> None:
    assert desk.post("/v1/drill/clock", {"ahead_seconds": seconds}).status_code == 200


def test_its_end_is_told_and_then_it_is_over(own: Desk) -> None:
    shown, other = sealed(own), sealed(own)
    move(own, 75 * DAY)
    assert mails(own, "A seal ends soon") == []
    move(own, 76.5 * DAY)
    play._until(lambda: len(mails(own, "A seal ends soon", shown["id"])) == 3, "the warning, to both reviewers and the team")
    assert unseal(own, other["id"]).status_code == 200, "two weeks are left"
    own.await_state(other["id"], "sent")
    move(own, 90.1 * DAY)
    own.await_state(shown["id"], "expired")
    assert unseal(own, shown["id"]).status_code == 409
    assert posts(own, shown["text"]) == []


def test_a_restart_in_between_loses_no_seal(own: Desk) -> None:
    shown = sealed(own)
    own.stage.processes[1].kill()
    own.stage.processes[1].wait()
    with play.serving(own.stage.house) as server:
        assert own.read(shown["id"])["state"] == "sealed"
        raw = own.signed(own.statement(shown["id"], "first-reviewer", Decision.UNSEAL), "first-reviewer")
        assert own.http.post(f"/v1/announcements/{shown['id']}/approvals", content=raw.encode(), headers=JSON).status_code == 200
        server.kill()
        server.wait()
    with play.serving(own.stage.house):
        own.await_state(shown["id"], "sent")
        assert len(posts(own, shown["text"])) == 1
        again = own.http.post(f"/v1/announcements/{shown['id']}/approvals", content=raw.encode(), headers=JSON)
        assert again.json() == {"decision": "unseal", "state": "sent", "missing": 0}
        assert len(posts(own, shown["text"])) == 1


def test_a_signer_who_left_the_roster_takes_the_seal_along(own: Desk) -> None:
    shown = sealed(own)
    roster = own.stage.house.folder / "roster.toml"
    kept = roster.read_text()
    roster.write_text(kept.replace("[person.second-reviewer", "[person.third-reviewer").replace("second-reviewer@", "third-reviewer@"))
    assert own.read(shown["id"])["seal"]["holds"] is False
    assert "DOES NOT HOLD any more" in own.tocsin("sealed", code=1)
    answer = unseal(own, shown["id"])
    assert (answer.status_code, answer.json()["title"]) == (409, "The seal does not hold any more.")
    roster.write_text(kept)
    assert unseal(own, shown["id"]).status_code == 200
    own.await_state(shown["id"], "sent")
