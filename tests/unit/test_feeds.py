"""The feeds as bytes: whole and valid whatever a text holds, and stable where nothing changed."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.services.published import Post, Signed
from app.web import feeds

AT = datetime(2026, 11, 24, 7, 20, tzinfo=UTC)
A = f"{{{feeds.ATOM}}}"


def post(text: str = "Do not use our website.", *, announcement: str = "an_1", environment: str = "live", permalink: str = "") -> Post:
    facts = Facts("in_1", "Website & more", "website-more")
    return Post(Signed(announcement, "sha256:0", environment, Kind.UPDATE, facts, Answers(), "", "", (), frozenset()), text, AT, permalink)


@given(st.text())
def test_any_text_makes_a_feed_that_can_be_read(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()  # a signed text has no half characters
    feed = ElementTree.fromstring(feeds.atom((post(text),), "https://tocsin.example", "live"))
    content = feed.findtext(f"{A}entry/{A}content") or ""
    assert content.replace("\r", "\n") == feeds._NO_XML.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    assert json.loads(feeds.json_feed((post(text),), "https://tocsin.example", "live"))["items"][0]["content_text"] == text


def test_an_id_is_the_announcements_whatever_the_address() -> None:
    ids = set()
    for base in ("https://tocsin.example", "https://203.0.113.7:8400"):
        feed = ElementTree.fromstring(feeds.atom((post(),), base, "live"))
        ids.add(feed.findtext(f"{A}entry/{A}id"))
        ids.add(json.loads(feeds.json_feed((post(),), base, "live"))["items"][0]["id"])
    (only,) = ids
    assert only is not None
    assert uuid.UUID(only).version == 5
    assert ElementTree.fromstring(feeds.atom((post(announcement="an_2"),), base, "live")).findtext(f"{A}entry/{A}id") != only


def test_an_empty_feed_is_a_feed_and_does_not_change_by_itself() -> None:
    made = feeds.atom((), "https://tocsin.example", "live")
    feed = ElementTree.fromstring(made)
    assert [child.tag.removeprefix(A) for child in feed] == ["id", "title", "updated", "author", "link", "link"]
    feeds.atom.cache_clear()
    assert feeds.atom((), "https://tocsin.example", "live") == made
    assert json.loads(feeds.json_feed((), "https://tocsin.example", "live"))["items"] == []


def test_an_entry_has_all_that_the_standards_ask_for() -> None:
    given_ = (post(permalink="https://x.example/1"),)
    entry = ElementTree.fromstring(feeds.atom(given_, "https://tocsin.example", "live")).find(f"{A}entry")
    assert entry is not None
    assert entry.findtext(f"{A}title") == "Security update: Website & more"
    assert entry.findtext(f"{A}updated") == entry.findtext(f"{A}published") == "2026-11-24T07:20:00Z"
    links = {link.get("rel"): link.get("href") for link in entry.findall(f"{A}link")}
    assert links == {"alternate": "https://tocsin.example/incidents/website-more#an_1", "related": "https://x.example/1"}
    item = json.loads(feeds.json_feed(given_, "https://tocsin.example", "live"))["items"][0]
    assert (item["url"], item["external_url"]) == (links["alternate"], links["related"])
    assert item["date_published"] == "2026-11-24T07:20:00Z"


def test_a_drill_is_marked() -> None:
    feed = ElementTree.fromstring(feeds.atom((post(environment="drill"),), "https://tocsin.example", "drill"))
    assert feed.findtext(f"{A}title") == "[DRILL] Security notices of tocsin.example"
    assert feed.findtext(f"{A}entry/{A}title") == "[DRILL] Security update: Website & more"
