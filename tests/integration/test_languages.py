"""One announcement in several languages: each text is signed, each destination is told in its own, from right to left too."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.announcement import Translation
from app.domain.approval import Decision
from app.domain.manifest import Manifest
from app.rehearsal.play import stage
from tests.support.desk import Desk, delivery, printed

ENGLISH = "If you used Example Web today, move your funds to a new wallet now."
GERMAN = "Wenn Sie heute Example Web benutzt haben, bringen Sie Ihr Guthaben jetzt in eine neue Wallet."
HEBREW = "אם השתמשתם היום באתר Example Web, העבירו עכשיו את הכספים לארנק חדש."
ARABIC = "إذا استخدمتم موقع Example Web اليوم فانقلوا أموالكم الآن إلى محفظة جديدة."
TRANSLATIONS = {
    "de": {
        "text": GERMAN,
        "affected": "Betroffen ist, wer heute Example Web benutzt hat.",
        "if_affected": "Bringen Sie Ihr Guthaben jetzt in eine neue Wallet.",
    },
    "he": {"text": HEBREW},
    "ar": {"text": ARABIC, "affected": "المتأثرون هم من استخدموا موقعنا اليوم.", "if_affected": "انقلوا أموالكم الآن إلى محفظة جديدة."},
}
SPEAKS = {"telegram": "de-AT", "discord": "ar", "homepage": "he", "team": "ar"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A house whose destinations speak several languages."""
    with stage(tmp_path_factory.mktemp("languages"), languages=SPEAKS) as started:
        yield Desk(started)


def said(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        r["destination"]: {"language": r["language"], "text": r["parts"][0]["text"], "title": r["parts"][0]["title"]}
        for r in shown["renderings"]
    }


def test_each_destination_is_told_in_its_own_language_and_all_of_it_is_signed(desk: Desk) -> None:
    unique = secrets.token_hex(4)
    translations = {name: told | {"text": f"{told['text']} ({unique})"} for name, told in TRANSLATIONS.items()}
    accepted = desk.announce(language="en", translations=translations)
    forms = said(accepted)
    english = dict.fromkeys(("x", "reddit", "forum", "discord-webhook"), "en")
    spoken = english | {"telegram": "de", "discord": "ar", "homepage": "he", "team": "ar"}
    assert {id_: form["language"] for id_, form in forms.items()} == spoken
    assert forms["homepage"]["text"] == f"[DRILL] {HEBREW} ({unique})"
    assert forms["team"]["text"] == f"[DRILL] {ARABIC} ({unique})"
    assert "Betroffen ist, wer heute Example Web benutzt hat. Bringen Sie" in forms["telegram"]["text"]
    assert "Der ganze Text und alles Weitere steht nur hier:" in forms["telegram"]["text"]
    assert "المتأثرون هم من استخدموا" in forms["discord"]["text"]
    assert "Full text and all further updates, only here:" in forms["discord"]["text"], "phrases that are not known are English"
    assert "Full text and all further updates, only here:" in forms["reddit"]["text"]

    raw = desk.http.get(f"/v1/announcements/{accepted['id']}/approvals").json()["manifest"]
    assert [t["language"] for t in json.loads(raw)["translations"]] == ["ar", "de", "he"]

    assert desk.approve_by_both(accepted["id"]).json()["state"] == "approved"
    sent = desk.await_state(accepted["id"], "sent", "incomplete")
    for place in ("x", "telegram", "discord", "homepage", "team"):
        assert delivery(sent, place)["state"] == "posted", delivery(sent, place)
    mail = next(m for m in desk.stage.state()["smtp"] if unique in m["text"] and "team@" in str(m))
    assert ARABIC in mail["text"]
    banner = httpx.get(f"{desk.stage.house.url}/banner.json", trust_env=False).json()
    assert (banner["language"], HEBREW in banner["text"]) == ("he", True)
    page = httpx.get(f"{desk.stage.house.url}/banner.html", trust_env=False).text
    assert f'<p class="text" dir="auto" lang="he">[DRILL] {HEBREW} ({unique})</p>' in page


def test_without_translations_or_a_seal_a_manifest_has_no_word_of_them(desk: Desk) -> None:
    accepted = desk.announce(destinations=["x", "reddit"])
    manifest = json.loads(desk.http.get(f"/v1/announcements/{accepted['id']}/approvals").json()["manifest"])
    assert "translations" not in manifest
    assert "language" not in manifest
    assert "seal" not in manifest
    assert all("language" not in entry for entry in manifest["destinations"])


def test_a_translation_that_nobody_gets_is_refused_and_so_is_what_is_no_language(desk: Desk) -> None:
    body = {"text": ENGLISH, "incident": {"name": "Which languages"}}
    refused = desk.post("/v1/announcements", body | {"translations": {"fr": {"text": "Bonjour."}}})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "translations.fr")
    assert "ar, de-AT, he" in refused.json()["detail"]
    for hostile in ("", "english", 'de" onload="x', "de\n", "../de"):
        assert desk.post("/v1/announcements", body | {"translations": {hostile: {"text": "Hallo."}}}).status_code == 422
        assert desk.post("/v1/announcements", body | {"language": hostile}).status_code == 422
    assert desk.post("/v1/announcements", body | {"translations": {"de": {"text": "Hallo.", "colour": "red"}}}).status_code == 422


def test_a_correction_speaks_the_languages_in_which_it_was_written_in_advance(desk: Desk) -> None:
    unique = secrets.token_hex(4)
    german = {"text": f"{GERMAN} ({unique})", "correction": f"Das war falsch: Ihr Guthaben ist sicher. ({unique})"}
    told = {"language": "en", "translations": {"de": german}, "destinations": ["x", "telegram"]}
    refused = desk.post("/v1/announcements", {"text": ENGLISH, "incident": {"name": "Half a correction"}} | told)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "translations.de.correction")
    accepted = desk.announce(correction=f"This was wrong. ({unique})", **told)
    desk.approve_by_both(accepted["id"])
    desk.await_state(accepted["id"], "sent")
    proposed = desk.post(f"/v1/announcements/{accepted['id']}/correction").json()
    otherwise = next(r for r in proposed["renderings"] if r["destination"] == "telegram")
    assert (otherwise["language"], otherwise["otherwise"]["parts"][0]["text"]) == ("de", f"[DRILL] {german['correction']}")
    assert said(proposed)["x"]["text"] == f"[DRILL] This was wrong. ({unique})"
    by_hand = desk.post(f"/v1/announcements/{accepted['id']}/correction", {"text": "It was Example Mobile."}).json()
    assert {form["language"] for form in said(by_hand).values()} == {"en"}


def test_what_is_sealed_and_its_correction_speak_every_language(desk: Desk) -> None:
    unique = secrets.token_hex(4)
    german = {"text": f"{GERMAN} ({unique})", "correction": f"Das war falsch: Ihr Guthaben ist sicher. ({unique})"}
    english = {
        "text": f"If you used our website today, move your funds to a new wallet now. ({unique})",
        "correction": f"This was wrong. ({unique})",
    }
    places = {"language": "en", "destinations": ["x", "telegram"]}
    until = {"sealed_until": (datetime.now(UTC) + timedelta(days=90)).isoformat()}
    dated = desk.announce(
        **english, **places, **until, translations={"de": german | {"text": f"{GERMAN} 2026-11-24, 07:10 UTC ({unique})"}}
    )
    assert {"sealed-time"} <= set(dated["missing"]["overrides"]), "a time in a translation stops it, too"
    accepted = desk.announce(**english, **places, **until, translations={"de": german})
    assert desk.approve_by_both(accepted["id"]).json()["state"] == "sealed"
    outer = Manifest.parse(desk.http.get(f"/v1/announcements/{accepted['id']}/approvals").json()["manifest"].encode())
    assert outer.seal
    inner = Manifest.parse(outer.seal.correction.encode())
    assert inner.translations == (Translation("de", german["correction"]),)
    for id_, words in ((accepted["id"], german["text"]), (f"{accepted['id']}-correction", german["correction"])):
        assert desk.decide(id_, "second-reviewer", Decision.UNSEAL).json()["state"] == "approved"
        sent = desk.await_state(id_, "sent")
        assert {one["language"] for one in sent["renderings"]} == {"en", "de"}
        otherwise = next(one for one in sent["renderings"] if one["destination"] == "telegram")
        assert otherwise["otherwise"]["parts"][0]["text"] == f"[DRILL] {words}"
        desk.post(f"/v1/announcements/{accepted['id']}/correction", {})


def test_a_translation_is_checked_like_the_text(desk: Desk) -> None:
    incident = {"name": f"Incident {secrets.token_hex(4)}", "own_domains": ["example.com"], "affected_domains": ["example.com"]}
    accepted = desk.announce(incident=incident, translations={"de": {"text": "Bitte nicht https://example.com öffnen."}})
    blocks = [f for f in accepted["findings"] if f["severity"] == "block" and f["rule"] == "live-link-affected"]
    assert blocks[0]["excerpt"] == "https://example.com"
    assert accepted["missing"]["overrides"] == ["live-link-affected"]
    hidden = desk.announce(translations={"ar": {"text": ARABIC + "\u202e"}})
    assert "hidden-characters" in hidden["missing"]["overrides"]


def test_an_own_text_is_compared_with_the_text_that_it_stands_for(desk: Desk) -> None:
    arabic = f"{ARABIC} 10:45 UTC."
    accepted = desk.announce(
        language="en",
        text=f"{ENGLISH} The next update is here at 10:30 UTC.",
        translations={"ar": {"text": arabic}},
        texts={"team": f"{arabic} {ARABIC}", "x": f"{ENGLISH} Look here again at 10:45 UTC."},
        destinations=["x", "discord", "team"],
    )
    assert said(accepted)["team"] == said(accepted)["team"] | {"text": f"[DRILL] {arabic} {ARABIC}", "language": "ar"}
    otherwise = [(f["destination"], f["excerpt"]) for f in accepted["findings"] if f["rule"] == "says-otherwise" and f["excerpt"]]
    assert otherwise == [("text in ar", "10:45"), ("x", "10:45")], "the team's says what the Arabic text says"
    told = [(f["rule"], f["excerpt"] or f["message"]) for f in accepted["findings"] if f["rule"] != "says-otherwise"]
    assert len(told) == len(set(told)), "what stands in several texts is told once"


def test_the_command_line_takes_translations_and_keeps_them_on_revising(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text(f'text = "{GERMAN}"\naffected = "Wer heute Example Web benutzt hat."\n', encoding="utf-8")
    (tmp_path / "he.txt").write_text(HEBREW, encoding="utf-8")
    given = (
        "--language",
        "en",
        "--translation",
        f"de={tmp_path / 'de.toml'}",
        "--translation",
        f"he={tmp_path / 'he.txt'}",
        "--text-for",
        f"team={ARABIC}",
    )
    told = desk.tocsin("announce", "--incident", f"Incident {secrets.token_hex(4)}", "--text", ENGLISH, *given, "--json")
    accepted = printed(told)
    assert said(accepted)["homepage"]["language"] == "he"
    told = desk.tocsin("revise", accepted["id"], "--text", ENGLISH + " Thank you.")
    assert "translations" in told
    shown = desk.read(accepted["id"])
    assert (shown["revision"], shown["wording"]["texts"]) == (2, {"team": ARABIC})
    assert (said(shown)["homepage"]["language"], said(shown)["telegram"]["language"]) == ("he", "de")
    assert "Wer heute Example Web benutzt hat." in said(shown)["telegram"]["text"]
    (tmp_path / "bad.toml").write_text("text = ", encoding="utf-8")
    assert "bad.toml" in desk.tocsin("announce", "--incident", "x", "--text", "x", "--translation", f"de={tmp_path / 'bad.toml'}", code=1)
    assert "Write LANGUAGE=FILE" in desk.tocsin("announce", "--incident", "x", "--text", "x", "--translation", "de", code=2)
