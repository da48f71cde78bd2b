"""What everybody may read: feeds, incident pages, verify. It is what went out, to the letter, and nothing that a row alone says."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.domain.approval import Decision
from app.rehearsal.play import stage
from app.services.stamp import Stamp
from app.store.tables import iso
from app.web.feeds import ATOM
from tests.integration.test_hostile_database import BOTH, MANIFEST, approve_by_sql, plan_by_sql, signed_by, sql, wake
from tests.support.cluster import demanded, fresh_database
from tests.support.desk import Desk, delivery

PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FUTURE = "2099-01-01T00:00:00.000000Z"
HOLDING = "We do not know yet who is affected. Do not use our website until we say here that it is safe; next update here within the hour."
CHARTER = "https://jsonfeed.org/version/1.1"


@pytest.fixture(scope="module")
def reader(desk: Desk) -> Iterator[httpx.Client]:
    """Somebody without a token."""
    with httpx.Client(base_url=desk.stage.house.url, trust_env=False) as client:
        yield client


class _Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.said = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.said += data


def text_of(answer: httpx.Response) -> str:
    """A page's words, white space as a reader sees it."""
    return " ".join(_Text(answer.text).said.split())


def public(desk: Desk, **changes: Any) -> dict[str, Any]:
    """An announcement that went out."""
    accepted = desk.announce(**{"destinations": ["x", "telegram", "homepage"]} | changes)
    desk.approve_by_both(accepted["id"])
    return desk.await_state(accepted["id"], "sent")


def everything(reader: httpx.Client, shown: dict[str, Any]) -> str:
    """All that the public surfaces tell, once what is kept is a second old; with each as a question to verify."""
    permalinks = [one["permalink"] for one in shown["deliveries"] if one["permalink"]]
    answers = [reader.get(path) for path in ("/feed.atom", "/feed.json", f"/incidents/{shown['incident']['slug']}")]
    answers += [reader.post("/verify", data={"q": asked}) for asked in (shown["text"], *permalinks)]
    assert {answer.status_code for answer in answers} <= {200, 404}
    return "\n".join(re.sub(r"<textarea.*?</textarea>", "", answer.text, flags=re.S) for answer in answers)


def fresh(desk: Desk) -> None:
    """Lets what is kept be worked out anew."""
    wake(desk, 0)


def entries(reader: httpx.Client) -> list[ElementTree.Element]:
    return ElementTree.fromstring(reader.get("/feed.atom").content).findall(f"{{{ATOM}}}entry")


def items(reader: httpx.Client) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = reader.get("/feed.json").json()["items"]
    return listed


def test_an_incidents_page_tells_what_was_said_where_and_when(desk: Desk, reader: httpx.Client) -> None:
    facts = {"name": f"Wallet drained {secrets.token_hex(4)}", "affected_products": ["Example Web"]}
    answers = {"affected": "You are if you used it today.", "if_affected": "Move your funds.", "if_not_affected": "Do nothing."}
    first = public(desk, incident=facts, **answers)
    second = public(desk, incident=first["incident"]["id"], kind="update", text=f"Use it again. ({secrets.token_hex(4)})")
    answer = reader.get(f"/incidents/{first['incident']['slug']}")
    said = text_of(answer)
    assert said.index(second["text"]) < said.index(first["text"])
    for words in (str(facts["name"]), "Not resolved yet.", "Example Web", *answers.values(), "DRILL"):
        assert words in said
    for one in (first, second):
        posted = delivery(one, "x")
        assert f'<a href="{posted["permalink"]}"' in answer.text
        assert f'<time datetime="{posted["posted_at"][:19]}Z">' in answer.text
    assert re.search(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC", said)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "x-robots-tag" not in answer.headers


def test_an_incident_is_resolved_once_its_resolution_is_out(desk: Desk, reader: httpx.Client) -> None:
    first = public(desk)
    page = f"/incidents/{first['incident']['slug']}"
    words = {"text": f"All is well again. ({secrets.token_hex(4)})"}
    desk.post(f"/v1/incidents/{first['incident']['id']}/resolve", {"resolution": words, "now": True})
    assert "Not resolved yet." in text_of(reader.get(page)), "that a row says so is not enough"
    follow_ups = desk.http.get(f"/v1/incidents/{first['incident']['id']}").json()["follow_ups"]
    later = next(one["announcement"] for one in follow_ups if one["kind"] == "resolution")
    desk.approve_by_both(later)
    desk.await_state(later, "sent")
    assert "Resolved. We said so on" in text_of(reader.get(page))


def test_the_feeds_hold_each_announcement_once_newest_first(desk: Desk, reader: httpx.Client) -> None:
    older, newer = public(desk), public(desk)
    fresh(desk)
    answer = reader.get("/feed.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.content)
    for required in ("id", "title", "updated", "author"):
        assert len(feed.findall(f"{{{ATOM}}}{required}")) == 1
    told = [(e.findtext(f"{{{ATOM}}}id"), e.findtext(f"{{{ATOM}}}content"), e.findtext(f"{{{ATOM}}}title")) for e in entries(reader)]
    assert [content for _, content, _ in told[:2]] == [
        newer["renderings"][0]["parts"][0]["text"],
        older["renderings"][0]["parts"][0]["text"],
    ]
    assert all(title and title.startswith("[DRILL] ") for _, _, title in told)
    assert told[0][2] == f"[DRILL] Security notice: {newer['incident']['name']}"
    ids = [id_ for id_, _, _ in told]
    assert len(set(ids)) == len(ids)
    for entry in entries(reader):
        assert entry.findtext(f"{{{ATOM}}}updated") == entry.findtext(f"{{{ATOM}}}published")
        assert {link.get("rel") for link in entry.findall(f"{{{ATOM}}}link")} == {"alternate", "related"}
    document = reader.get("/feed.json")
    assert document.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert document.json()["version"] == CHARTER
    assert [item["id"] for item in items(reader)] == ids
    assert items(reader)[0]["external_url"] == delivery(newer, "x")["permalink"]
    assert items(reader)[0]["_tocsin"]["digest"] == newer["digest"]
    page = reader.get(items(reader)[0]["url"])
    assert f'id="{newer["id"]}"' in page.text


def test_who_has_it_already_gets_304(desk: Desk, reader: httpx.Client) -> None:
    shown = public(desk)
    for path in ("/feed.atom", "/feed.json", f"/incidents/{shown['incident']['slug']}"):
        answer = reader.get(path)
        assert "max-age=15" in answer.headers["cache-control"]
        again = reader.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert reader.head(path).headers["etag"] == answer.headers["etag"]


def test_what_the_public_did_not_get_is_told_to_nobody(desk: Desk, reader: httpx.Client) -> None:
    waiting, team = desk.announce(), desk.announce(destinations=["team"])
    desk.approve_by_both(team["id"])
    inside = desk.await_state(team["id"], "sent")
    own = f"Only the team is told the door code. ({secrets.token_hex(4)})"
    both = public(desk, destinations=["x", "team"], texts={"team": own})
    fresh(desk)
    for shown in (waiting, inside):
        told = everything(reader, shown | {"deliveries": []})
        assert shown["text"] not in told
        assert "treat it as fake" in told
        missing, unknown = reader.get(f"/incidents/{shown['incident']['slug']}"), reader.get("/incidents/never-was")
        assert (missing.status_code, missing.text) == (unknown.status_code, unknown.text) == (404, unknown.text)
    assert own not in everything(reader, both)
    assert "treat it as fake" in text_of(reader.post("/verify", data={"q": own}))


def test_verify_knows_our_posts_by_address_and_by_text(desk: Desk, reader: httpx.Client) -> None:
    shown = public(desk, text=f"If you used Example Web today, move your funds now. ({secrets.token_hex(4)})\n\nNext update at 10:00 UTC.")
    fresh(desk)
    x, telegram = delivery(shown, "x")["permalink"], delivery(shown, "telegram")["permalink"]
    pointer = next(r for r in shown["renderings"] if r["destination"] == "telegram")["parts"][0]["text"].replace("{{permalink}}", x)
    full = next(r for r in shown["renderings"] if r["destination"] == "x")["parts"][0]["text"]
    for asked in (x, f" {x}?s=20#top\n", f"{x}/", telegram, full, "  " + full.replace("\n\n", "\n") + "\n", pointer):
        answer = reader.post("/verify", data={"q": asked})
        said = text_of(answer)
        assert "Yes: we published this" in said, asked
        assert shown["incident"]["name"] in said
        assert f"/incidents/{shown['incident']['slug']}" in answer.text
    assert "Yes: we published this on" not in text_of(reader.get("/verify"))
    assert "We published this text on X on" in text_of(reader.get("/verify", params={"q": x}))
    assert "We published this text on Telegram on" in text_of(reader.post("/verify", data={"q": pointer}))


def test_verify_knows_each_part_of_a_thread(desk: Desk, reader: httpx.Client) -> None:
    parts = [f"If you used Example Web today, move your funds now. {n} ({secrets.token_hex(4)}) " + "Wait for us. " * 12 for n in range(3)]
    shown = public(desk, text="\n\n".join(part.strip() for part in parts))
    fresh(desk)
    posted = delivery(shown, "x")
    said = [part["text"] for part in next(r for r in shown["renderings"] if r["destination"] == "x")["parts"]]
    assert len(said) >= 3
    for attempt in posted["attempts"]:
        answer = text_of(reader.post("/verify", data={"q": attempt["permalink"]}))
        assert "Yes: we published this" in answer
        assert " ".join(said[attempt["part"]].split()) in answer
        assert " ".join(said[attempt["part"] - 1].split()) not in answer
    for asked in (said[1], "\n\n".join(said)):
        assert "Yes: we published this" in text_of(reader.post("/verify", data={"q": asked}))


@pytest.mark.parametrize(
    "asked",
    [
        "Send your coins to our new address.",
        "https://x.example/tocsin/status/1",
        "' OR 1=1 --",
        "{{permalink}}",
        "%",
        "x" * 200_000,
        "[DRILL]",
        "\ud83d",
    ],
)
def test_verify_calls_everything_else_fake(reader: httpx.Client, asked: str) -> None:
    answer = reader.post(
        "/verify", content=b"q=" + httpx.QueryParams({"q": asked.encode("utf-8", "replace").decode()}).__str__()[2:].encode()
    )
    assert answer.status_code == 200
    assert "treat it as fake" in text_of(answer)


def test_verify_takes_no_part_of_a_text_for_the_whole(desk: Desk, reader: httpx.Client) -> None:
    shown = public(desk)
    fresh(desk)
    full = shown["renderings"][0]["parts"][0]["text"]
    for asked in (full[:40], full + " Then send it to bc1qxyz.", full.replace("move", "send")):
        assert "treat it as fake" in text_of(reader.post("/verify", data={"q": asked}))


@pytest.mark.parametrize("body", [b"", b"{}", b"q", b"q=&q=", b"\xff\xfe", b"&" * 5000, b"a=1&" * 2000])
def test_verify_bears_any_body(reader: httpx.Client, body: bytes) -> None:
    answer = reader.post("/verify", content=body)
    assert answer.status_code == 200
    assert "Is this from us?" in answer.text


def test_markup_in_every_text_is_only_text(desk: Desk, reader: httpx.Client) -> None:
    evil = "<script>alert(1)</script>\"'&]]><img src=x onerror=alert(2)>"
    shown = public(
        desk,
        incident={"name": f"{evil} {secrets.token_hex(4)}", "affected_products": [evil], "products": [evil]},
        text=f"{evil} ({secrets.token_hex(4)})",
        affected=evil,
        if_affected=evil,
        if_not_affected=evil,
    )
    fresh(desk)
    page = reader.get(f"/incidents/{shown['incident']['slug']}")
    assert evil in text_of(page)
    asked = [
        reader.post("/verify", data={"q": q}) for q in (evil, shown["renderings"][0]["parts"][0]["text"], delivery(shown, "x")["permalink"])
    ]
    for answer in (page, *asked):
        assert "<img" not in answer.text
        assert len(re.findall(r"<script", answer.text)) == 1, "the page's own"
    assert any(evil in (entry.findtext(f"{{{ATOM}}}content") or "") for entry in entries(reader))
    assert any(evil in item["title"] for item in items(reader))


# What waits, sealed


def waiting(desk: Desk) -> dict[str, Any]:
    """An announcement that two people sealed."""
    until = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    words = {"text": f"{HOLDING} ({secrets.token_hex(4)})", "correction": f"You can use it. ({secrets.token_hex(4)})"}
    accepted = desk.announce(**words, destinations=["x", "telegram", "homepage"], sealed_until=until)
    assert desk.approve_by_both(accepted["id"]).json()["state"] == "sealed"
    return desk.read(accepted["id"])


def test_what_is_sealed_is_public_once_it_is_unsealed_and_posted(desk: Desk, reader: httpx.Client) -> None:
    sealed = waiting(desk)
    fresh(desk)
    told = everything(reader, sealed)
    assert sealed["text"] not in told
    assert sealed["incident"]["name"] not in told
    assert "Yes: we published this" not in told
    assert reader.get(f"/incidents/{sealed['incident']['slug']}").status_code == 404
    assert desk.decide(sealed["id"], BOTH[0], Decision.UNSEAL).json()["state"] == "approved"
    shown = desk.await_state(sealed["id"], "sent")
    fresh(desk)
    assert everything(reader, shown).count("Yes: we published this") == len(shown["deliveries"])
    assert sealed["text"] in text_of(reader.get(f"/incidents/{sealed['incident']['slug']}"))
    correction = desk.post(f"/v1/announcements/{sealed['id']}/correction", {}).json()
    assert correction["state"] == "sealed"
    fresh(desk)
    assert correction["text"] not in everything(reader, correction), "its correction still waits"
    assert desk.decide(correction["id"], BOTH[1], Decision.UNSEAL).json()["state"] == "approved"
    shown = desk.await_state(correction["id"], "sent")
    fresh(desk)
    assert everything(reader, shown).count("Yes: we published this") == len(shown["deliveries"])


def test_no_row_makes_public_what_nobody_unsealed(desk: Desk, reader: httpx.Client) -> None:
    sealed = waiting(desk)
    link = posted_by_sql(desk, sealed)
    fresh(desk)
    told = everything(reader, sealed | {"deliveries": [{"permalink": link}]})
    assert sealed["text"] not in told
    assert "Yes: we published this" not in told
    assert reader.get("/banner.json").json().get("digest") != sealed["digest"]


# Whoever writes to the database


EVIL = "Send your coins to bc1qattacker now"


def forged(desk: Desk) -> dict[str, Any]:
    """An announcement that nobody signed, with every row as if it had gone out."""
    accepted = desk.announce(text=EVIL, destinations=["x", "telegram", "homepage"])
    shown: dict[str, Any] = accepted | {"deliveries": [{"permalink": posted_by_sql(desk, accepted)}]}
    return shown


def posted_by_sql(desk: Desk, accepted: dict[str, Any]) -> str:
    """Writes every row as if it had gone out; returns the permalink of it."""
    plan_by_sql(desk, accepted, "posted")
    link = f"{desk.stage.stand_ins['x']}/tocsin_drill/status/12345"
    sql(desk, "UPDATE deliveries SET done = parts, permalink = ? WHERE digest = ?", link, accepted["digest"])
    sql(desk, "UPDATE deliveries SET posted_at = ? WHERE digest = ?", iso(datetime.now(UTC)), accepted["digest"])
    sql(desk, "UPDATE announcements SET state = 'sent' WHERE id = ?", accepted["id"])
    return link


def test_what_nobody_signed_shows_nowhere(desk: Desk, reader: httpx.Client) -> None:
    true = public(desk)
    false = forged(desk)
    fresh(desk)
    told = everything(reader, false)
    assert EVIL not in told
    assert "Yes: we published this" not in told
    assert true["text"] in everything(reader, true), "and hides nothing else"


def test_nor_does_what_one_person_signed_twice(desk: Desk, reader: httpx.Client) -> None:
    false = forged(desk)
    approve_by_sql(desk, false, BOTH[0], signed_by(desk, false, BOTH[0]))
    approve_by_sql(desk, false, BOTH[1], signed_by(desk, false, BOTH[0]))
    fresh(desk)
    assert EVIL not in everything(reader, false)
    approve_by_sql(desk, false, "somebody", signed_by(desk, false, BOTH[1]))
    fresh(desk)
    assert EVIL in everything(reader, false), "what the rest of the rows forge really is all that was missing"
    sql(desk, "UPDATE deliveries SET posted_at = NULL WHERE digest = ?", false["digest"])


INCIDENT = "WHERE id = (SELECT incident FROM announcements WHERE digest = ?)"
ATTEMPTS = "WHERE delivery IN (SELECT id FROM deliveries WHERE digest = ?)"
CHANGES = {
    "the manifest": MANIFEST.format(f"replace(manifest, 'move your funds', '{EVIL}')"),
    "its environment": MANIFEST.format("replace(manifest, '\"drill\"', '\"live\"')"),
    "another revision's bytes": MANIFEST.format("(SELECT manifest FROM revisions ORDER BY created_at LIMIT 1)"),
    "the incident's name": f"UPDATE incidents SET name = '{EVIL}', facts = replace(facts, 'Incident', '{EVIL}') {INCIDENT}",
    "the wording": f"UPDATE revisions SET wording = replace(wording, 'move your funds', '{EVIL}') WHERE digest = ?",
    "the kind": f"UPDATE announcements SET kind = '{EVIL[:20]}' WHERE digest = ?",
    "who leads": "UPDATE announcements SET leads = 'homepage' WHERE digest = ?",
    "the permalink": "UPDATE deliveries SET permalink = 'https://bc1qattacker.example/status/1' WHERE digest = ?",
    "a part's permalink": f"UPDATE attempts SET permalink = 'https://bc1qattacker.example/status/1' {ATTEMPTS}",
    "the destination": "UPDATE deliveries SET destination = 'bc1qattacker' WHERE role = 'primary' AND digest = ?",
    "the platform": "UPDATE deliveries SET platform = 'bc1qattacker' WHERE digest = ?",
    "the role": "UPDATE deliveries SET role = 'primary' WHERE destination = 'homepage' AND digest = ?",
    "how much": "UPDATE deliveries SET done = 'bc1qattacker' WHERE digest = ?",
    "when, in a time to come": f"UPDATE deliveries SET posted_at = '{FUTURE}' WHERE digest = ?",
    "when, long ago": "UPDATE deliveries SET posted_at = '2001-01-01T00:00:00.000000Z' WHERE digest = ?",
    "when, in no time": "UPDATE deliveries SET posted_at = 'bc1qattacker' WHERE digest = ?",
    "the approvals": "UPDATE approvals SET approval = 'bc1qattacker' WHERE digest = ?",
    "the slug": f"UPDATE incidents SET slug = 'bc1qattacker-' || id {INCIDENT}",
}


@pytest.fixture(scope="module")
def sent(desk: Desk) -> dict[str, dict[str, Any]]:
    """An announcement that went out for each change, and one that stays as it is; all at once, which takes no longer than one."""
    accepted = {change: desk.announce(destinations=["x", "telegram", "homepage"]) for change in [*CHANGES, ""]}
    for one in accepted.values():
        desk.approve_by_both(one["id"])
    return {change: desk.await_state(one["id"], "sent") for change, one in accepted.items()}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_row_shows_nothing_unsigned(desk: Desk, reader: httpx.Client, sent: dict[str, dict[str, Any]], change: str) -> None:
    shown, other = sent[change], sent[""]
    sql(desk, CHANGES[change], shown["digest"])
    fresh(desk)
    try:
        told = everything(reader, shown)
        assert "bc1qattacker" not in told
        assert not re.search(r"\b2099\b", told), "and an id may hold these digits"
        assert "2001-01-01" not in told
        assert other["text"] in everything(reader, other), "one bad row hides no other"
    finally:
        sql(desk, "UPDATE deliveries SET posted_at = NULL, done = 0, role = 'banner' WHERE digest = ?", shown["digest"])


def test_an_account_that_is_not_ours_any_more_is_linked_to_nowhere(desk: Desk, reader: httpx.Client) -> None:
    shown = public(desk)
    link = delivery(shown, "x")["permalink"]
    assert link in everything(reader, shown)
    assert desk.post("/v1/destinations/x/exclude", {"why": "It posts of a giveaway."}).status_code == 200
    try:
        answer = reader.get(f"/incidents/{shown['incident']['slug']}")
        assert shown["text"] in text_of(answer)
        assert link not in answer.text
        assert "treat it as fake" in text_of(reader.post("/verify", data={"q": link}))
        assert link not in json.dumps(items(reader))
        assert reader.get("/banner.json").json()["permalink"] != link
    finally:
        assert desk.post("/v1/destinations/x/include", {}).status_code == 200


def test_a_damaged_row_of_what_is_excluded_hides_nothing(desk: Desk, reader: httpx.Client) -> None:
    shown = public(desk)
    sql(desk, "INSERT INTO holds (destination, kind, why, by, at) VALUES ('reddit', 'paused', '', '', 'no time')")
    fresh(desk)
    try:
        assert shown["text"] in everything(reader, shown)
        assert reader.get("/banner.json").json()["digest"] == shown["digest"]
    finally:
        sql(desk, "DELETE FROM holds WHERE at = 'no time'")


# On Postgres, and stamped


@pytest.fixture(scope="module")
def other_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One on Postgres, with a key of its own for what homepages embed."""
    environ = {"TOCSIN_PUBLISHING_KEY": PEM}
    with (
        fresh_database(demanded()) as url,
        stage(tmp_path_factory.mktemp("stamped"), environ=environ | {"TOCSIN_DATABASE_URL": url}) as started,
    ):
        yield Desk(started)


def test_the_same_is_public_on_postgres(other_house: Desk) -> None:
    shown, waiting = public(other_house), other_house.announce()
    fresh(other_house)
    with httpx.Client(base_url=other_house.stage.house.url, trust_env=False) as reader:
        assert everything(reader, shown).count("Yes: we published this") == len(shown["deliveries"])
        assert waiting["text"] not in everything(reader, waiting | {"deliveries": []})


def test_the_banner_is_stamped_and_its_stamp_is_of_what_it_shows(other_house: Desk) -> None:
    shown = public(other_house)
    fresh(other_house)
    answer = other_house.http.get("/banner.json")
    banner = answer.json()
    assert banner["digest"] == shown["digest"]
    assert json.loads(banner["signed"]["bytes"]) == {key: banner[key] for key in banner if key != "signed"} | {"format": "tocsin-banner/1"}
    assert banner["signed"] == Stamp(PEM).over("tocsin-banner/1", {key: banner[key] for key in banner if key != "signed"})
    fresh(other_house)
    assert other_house.http.get("/banner.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    log = (other_house.stage.house.folder / "server.log").read_text()
    assert PEM.splitlines()[1] not in log + answer.text
