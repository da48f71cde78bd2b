"""The wording checks: the labelled messages, each rule's own examples, and that names change no verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.domain.announcement import Answers, Kind, Override
from app.domain.incident import Facts
from app.domain.wording import RULE_IDS, RULES, Known, Rule, check, not_overridden
from app.domain.wording.cases import Case, CaseError, judge
from app.domain.wording.catalogue import as_markdown
from app.domain.wording.rule import Draft
from tests.support import labelled

KNOWN = Known(
    products=("Example Web", "Example Mobile"),
    affected_products=("Example Web",),
    own_domains=("example.com",),
    affected_domains=("app.example.com",),
    allowed_domains=("help.example.com",),
    started="2026-03-04T07:10:00+00:00",
    ended="2026-03-04T13:05:00+00:00",
)
SWAPPED = {
    "Quillbank": "Tarnowind",
    "QuillBank": "TarnoWind",
    "quillbank": "tarnowind",
    "quill\u200bbank": "tarno\u200bwind",
    "quillb\u0430nk": "t\u0430rnowind",
    "xn--quillbnk-66g": "xn--" + "t\u0430rnowind".encode("punycode").decode(),
    "quill-bank": "tarno-wind",
    "qui1lbank": "tarn0wind",
    "Parcelkit": "Zugfahre",
    "parcelkit": "zugfahre",
    "tidyjson": "lexipath",
}
"""Names that stand for others of their kind; a disguise stays the same disguise."""


def rules(text: str, kind: Kind = Kind.UPDATE, **changes: Any) -> set[str]:
    return {finding.rule for finding in check(text, KNOWN, kind, **changes)}


def blocks(text: str, kind: Kind = Kind.INITIAL) -> set[str]:
    return {finding.rule for finding in check(text, KNOWN, kind) if finding.severity == "block"}


def test_the_labelled_messages_come_out_as_labelled() -> None:
    verdicts = [judge(case) for case in labelled.cases()]
    assert len(verdicts) > 50
    assert [(v.case.id, v.missing, v.unexpected, v.blocked) for v in verdicts if not v.right] == []


def test_other_names_change_no_verdict() -> None:
    for raw in labelled.raw():
        written = json.dumps(raw, default=str, ensure_ascii=False)
        for name, other in SWAPPED.items():
            written = written.replace(name, other)
        one, two = judge(Case.parse(raw)), judge(Case.parse(json.loads(written)))
        assert (one.missing, one.unexpected, one.blocked) == (two.missing, two.unexpected, two.blocked), one.case.id


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_finds_its_bad_example_and_not_its_good_one(rule: Rule) -> None:
    kind = min(rule.kinds & {Kind.INITIAL, Kind.UPDATE} or rule.kinds)
    known = Known(sealed=True) if rule.sealed else KNOWN
    for example, found in ((rule.bad, True), (rule.good, False)):
        assert any(rule.findings(Draft(example, known, kind, canonical=rule.beside))) is found, example


def test_the_catalogue_is_current() -> None:
    kept = Path("docs/wording.md").read_text(encoding="utf-8")
    assert kept == as_markdown(), "run: .venv/bin/python -m app.domain.wording.catalogue > docs/wording.md"


def test_ids_are_unique() -> None:
    assert len(RULE_IDS) == len(RULES)


@pytest.mark.parametrize(
    "text",
    [
        "If you paid with Example Web today, freeze your card in the app and call your bank. If you have not, you are fine.",
        "Customers who signed in after 06:00 UTC: sign out everywhere and change your password. Everyone else can carry on as usual.",
        "Do you run the agent 2.3.0? Downgrade to 2.2.9 now and rotate your API tokens. 2.2.x is not affected.",
        "All users need to reset their API keys. Instructions: https://help.example.com/keys",
        "Versions 1.0 to 1.4 are affected. Upgrade to 1.5. Older ones are safe.",
        "It is too early to say which accounts are affected. To be safe, revoke any approvals that you gave to Example Web.",
        "No customers need to do anything. Example Web was offline from 07:10 to 07:40 UTC; payments are being retried.",
        "If you got our mail of this morning, do not open the attachment. If you already did, disconnect the computer from the network.",
        "People whose card ends in 4 may have been charged twice. We will refund you by Friday.",
        "Passwords of accounts created before 2024 should be changed now. You can check the date under Settings.",
        "Did someone call you today and say they were from us? Hang up. If you gave them a code, freeze your card in the app.",
        "We recommend that all customers rotate their credentials while we investigate.",
    ],
)
def test_a_good_first_message_is_never_held_up(text: str) -> None:
    assert blocks(text) == set()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Some users may be affected. Please reset your password.", "affected-missing"),
        ("Attackers got into one of our servers. Change your password now.", "affected-missing"),
        ("If you visited our website, do not enter your password. Do not click any links.", "action-missing"),
        ("Users of Example Web: stay away from the website. Our team is investigating.", "action-missing"),
        ("Versions 1.0 to 1.4 are affected. A fix is on the way.", "action-missing"),
    ],
)
def test_a_question_that_stays_open_is_told(text: str, rule: str) -> None:
    assert blocks(text) == {rule}


def test_where_an_answer_is_filled_its_rule_only_warns() -> None:
    answers = Answers("All who used it.", "Wait.", "Nothing.")
    found = check("Our website is down.", KNOWN, Kind.INITIAL, answers)
    assert {f.rule: f.severity for f in found if f.rule in ("affected-missing", "action-missing")} == {
        "affected-missing": "warn",
        "action-missing": "warn",
    }


def test_a_part_of_an_announcement_need_not_answer_everything() -> None:
    assert rules("The full update is on X.", Kind.INITIAL, whole=False) == set()


def test_a_language_that_the_rules_do_not_know_is_never_blocked_for_its_meaning() -> None:
    text = "Wer Example Web seit 07:10 UTC benutzt hat, ändert jetzt das Passwort. Neues nur hier."
    assert {f.severity for f in check(text, KNOWN, Kind.INITIAL)} <= {"info"}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Please verify your wallet: enter your seed phrase below.", True),
        ("Reply to this post with your private key.", True),
        ("Connect your wallet to claim your refund.", True),
        ("Bitte geben Sie Ihre Seed-Phrase auf unserer Seite ein.", True),
        ("请在此输入您的助记词", True),
        ("Log in to your account and change your password.", False),
        ("If a site asks you to connect your wallet, close it.", False),
        ("Anyone who asks you to confirm your card number is a thief.", False),
        ("It is safe to enter your password again.", False),
        ("If you typed your private key there, create a new wallet.", False),
        ("Bitte geben Sie Ihr Passwort niemals weiter.", False),
        ("シードフレーズを入力しないでください", False),
    ],
)
def test_an_ask_for_a_secret_is_told_from_a_warning(text: str, asked: bool) -> None:
    assert ("asks-secret" in rules(text)) is asked


@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        ("A word\u200b joiner", "hidden-characters", True),
        ("شركة\u200f آمنة", "hidden-characters", False),
        ("क्\u200dष", "hidden-characters", False),
        ("Keycap 1\ufe0f\u20e3 and \u2764\ufe0f", "hidden-characters", False),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "hidden-characters", False),
        ("Hidden \U000e0041\U000e0042 tags", "hidden-characters", True),
        ("日本語のAPIです", "hidden-characters", False),
        ("p\u0430ssword", "hidden-characters", True),
        ("soft\u00adhyphen", "hidden-characters", False),
        ("[RESOLVED] It works again.", "placeholder", False),
        ("It works again for [customer name].", "placeholder", True),
        ("Array [1, 2], note [sic], <b>bold</b>", "placeholder", False),
        ("TODO EL SERVICIO FUNCIONA", "placeholder", False),
        ("@all please read", "mass-mention", True),
        ("Write to us@all.example or to all of us", "mass-mention", False),
        ("Open http://grafana/d/1", "internal-host", True),
        ("See admin.internal.example.com", "internal-host", True),
        ("Upgrade to version 10.4.2.17", "internal-host", False),
        ("It listens on 192.168.0.12", "internal-host", True),
        ("ghp_0123456789abcdefghijABCDEFGHIJ0123456789", "secret-in-text", True),
        ("commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "secret-in-text", False),
        ("1. zoo 2. zone 3. zero 4. youth 5. young 6. you 7. yellow 8. year 9. yard 10. wrong 11. write 12. wrist", "secret-in-text", True),
        ("我们已经恢复了服务请大家放心使用我们会继续观察", "secret-in-text", False),
    ],
)
def test_characters_gaps_and_secrets(text: str, rule: str, found: bool) -> None:
    assert (rule in rules(text)) is found


@pytest.mark.parametrize(
    ("text", "kind", "severity"),
    [
        ("It began yesterday.", Kind.SUMMARY, "block"),
        ("It began two hours ago and it is over.", Kind.RESOLUTION, "warn"),
        ("It began last night, on 4 March 2026.", Kind.SUMMARY, None),
        ("It began yesterday.", Kind.UPDATE, None),
    ],
)
def test_a_relative_time(text: str, kind: Kind, severity: str | None) -> None:
    assert {f.severity for f in check(text, KNOWN, kind) if f.rule == "relative-time"} == ({severity} if severity else set())


def test_a_block_is_answered_by_an_override_that_gives_a_reason() -> None:
    found = check("Stay away from app.example.com.", Facts("", "", "", affected_domains=("app.example.com",)))
    assert [f.rule for f in not_overridden(found, ())] == ["live-link-affected"]
    assert not_overridden(found, (Override("live-link-affected", "It is ours again."),)) == ()
    assert not_overridden(found, (Override("live-link-affected", " "),)) != ()


def test_a_case_that_is_none_says_so() -> None:
    with pytest.raises(CaseError, match="odd"):
        Case.parse({"id": "odd", "kind": "letter"})


def tocsin(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def test_check_text_tells_what_it_found_and_whether_it_is_blocked() -> None:
    done = tocsin(
        "check-text", "-", "--affected-domain", "app.example.com", "--kind", "update", "--json", stdin="Not at app.example.com, please."
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["blocked"]) == (1, True)
    assert told["findings"][0]["mend"] == "app[.]example[.]com"
    assert tocsin("check-text", "--text", "x", "--cases", "y").returncode == 2


def test_check_text_runs_a_file_of_labelled_messages(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    case = {
        "id": "one",
        "kind": "update",
        "incident": {"affected_domains": ["bad.example"]},
        "text": "See bad.example",
        "blocked": True,
        "why": "",
    }
    file.write_text(json.dumps([case | {"expect": ["live-link-affected"]}, case | {"id": "two", "expect": [], "blocked": False}]))
    done = tocsin("check-text", "--cases", str(file), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["total"] == 2
    assert told["wrong"] == [{"id": "two", "missing": [], "unexpected": ["live-link-affected"], "blocked": True}]
    assert told["by_rule"]["live-link-affected"] == {"expected": 1, "missing": 0, "unexpected": 1}
    shown = tocsin("check-text", "--cases", str(file)).stdout
    assert "1 of 2 came out as labelled" in shown
    file.write_text("a: b")
    assert "not a list" in tocsin("check-text", "--cases", str(file)).stderr
