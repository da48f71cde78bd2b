"""Own words for single destinations: taken, checked, broken and measured like the canonical text, and named to whoever signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.cli import signing
from tests.support.desk import LEAST, Desk

OWN = "If you used Example Web today, move your funds to a new wallet now. This forum stays open for questions."
LINE = "Did you use Example Web today? Move your funds now."


def parts(shown: dict[str, Any], destination: str, form: str = "") -> str:
    rendering = next(one for one in shown["renderings"] if one["destination"] == destination)
    said = "\n".join(part["text"] for part in (rendering[form] if form else rendering)["parts"])
    return said.replace("\\", "").replace("[DRILL] ", "")


def test_each_gets_its_own_words_and_all_others_the_canonical_ones(desk: Desk) -> None:
    shown = desk.announce(texts={"team": OWN, "discord": LINE, "telegram": OWN}, affected="All who used it.", if_affected="Wait.")
    assert OWN in parts(shown, "team")
    assert parts(shown, "discord").startswith(f"{LINE}\n\nFull text")
    assert "{{permalink}}" in parts(shown, "discord"), "a pointer's line is its author's, and the rest stays"
    assert parts(shown, "telegram", "otherwise") == OWN, "a fallback's is the text with which it would lead"
    assert parts(shown, "telegram").startswith("All who used it. Wait.")
    assert parts(shown, "x").startswith(LEAST["text"])
    assert {one["destination"] for one in shown["renderings"] if one["own_text"]} == {"team", "discord", "telegram"}
    manifest = signing.read(desk.http.get(f"/v1/announcements/{shown['id']}/approval-request").json())
    assert {own.destination: own.text for own in manifest.texts} == {"team": OWN, "discord": LINE, "telegram": OWN}


def test_own_words_are_checked_and_broken_like_all_others(desk: Desk) -> None:
    incident = {"name": "Own words", "own_domains": ["example.com"], "affected_domains": ["app.example.com"]}
    shown = desk.announce(incident=incident, texts={"x": "Our website app.example.com was attacked.", "team": "See app.example.com/x."})
    found = {(one["destination"], one["rule"]) for one in shown["findings"] if one["severity"] == "block"}
    missing = {("x", "affected-missing"), ("x", "action-missing")}  # of the team nobody asks that
    assert found == {("x", "live-link-affected"), ("team", "live-link-affected"), *missing}
    assert "Our website app[.]example[.]com was attacked." in parts(shown, "x")
    assert "See app[.]example[.]com/x." in parts(shown, "team")
    assert desk.decide(shown["id"], "first-reviewer").status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"texts": {"nowhere": "Hello."}}, "texts.nowhere"),
        ({"texts": {"reddit": "Hello."}, "destinations": ["x", "team"]}, "texts.reddit"),
        ({"texts": {"discord": "word " * 200}}, "texts.discord"),
        ({"texts": {"homepage": "word " * 3000, "x": "word " * 3000}}, "destinations.x"),
        ({"texts": {"team": " "}}, "texts.team"),
    ],
)
def test_own_words_that_cannot_be_used_are_named(desk: Desk, changes: dict[str, Any], field: str) -> None:
    answer = desk.post("/v1/announcements", LEAST | {"incident": {"name": "Own words, wrong"}} | changes)
    assert answer.status_code == 422, answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_the_command_line_takes_them_from_files_keeps_them_and_shows_that_they_are_others(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "forum.txt"
    file.write_text(f"{OWN}\n", "utf-8")
    said = desk.tocsin(
        "announce",
        "--incident",
        "Own words by CLI",
        "--text",
        LEAST["text"],
        "--text-for",
        f"team=@{file}",
        "--text-for",
        f"discord={LINE}",
    )
    assert said.count("OTHER WORDS than the announcement's") == 2
    listed = desk.http.get("/v1/announcements").json()["items"]
    id_ = listed[0]["id"]
    desk.tocsin("revise", id_, "--affected", "All who used it.")
    assert desk.read(id_)["wording"]["texts"] == {"team": OWN, "discord": LINE}
    desk.tocsin("revise", id_, "--destination", "x", "--destination", "team")
    assert desk.read(id_)["wording"]["texts"] == {"team": OWN}
    desk.tocsin("revise", id_, "--text-for", "x=If you used Example Web today, move your funds now.")
    assert set(desk.read(id_)["wording"]["texts"]) == {"x"}
