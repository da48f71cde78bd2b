"""Whole messages in `voices/`, written and labelled before anybody had seen what the checks say of them: plain and chatty ones that are good, and
ones that are wanting beside twins that are not, and ones that lack an answer.

Each file was a measure once, for rules that were made without it; what came out otherwise was mended by what it means.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app.domain.announcement import Kind
from app.domain.wording import Known, check
from app.domain.wording.cases import Case, judge

VOICES = Path(__file__).parent / "voices"
CASES = [Case.parse(raw) for file in sorted(VOICES.glob("*.yaml")) for raw in yaml.safe_load(file.read_text())]

STILL_OTHERWISE = {
    "pytoolbelt-lowercase": "“and put up a release” is taken for an act of the reader's, since who put it up stands before an “and”",
    "wexcombe-guest-wifi": "names the product by other words: “guest accounts” for Guest Wi-Fi",
    "chatty-campconf-wifi": "the act itself is misspelt, “chnage that password”",
    "bad-looking-into-it": "“give us some room” is taken for something to do; it is blocked for the other answer",
    "fin-mossrunner-mod": "what happened and whom it concerns stand in one sentence, for an emoji ends none",
    "lack-act-hacker-plea": "what is asked of the attacker is taken for something to do",
    "lack-act-church-list": "“please hold the treasurer in your prayers” is taken for something to do",
    "lack-aff-cloud-host": "“those which are not in use” is taken for people",
    "lack-aff-hw-wallet": "“give it to friends who …” is taken for people",
    "lack-aff-summary-circular": "the customers who are thanked are taken for those who are affected",
}
"""What comes out otherwise than labelled, and why."""


def _case(case: Case) -> object:
    why = STILL_OTHERWISE.get(case.id)
    return pytest.param(case, id=case.id, marks=pytest.mark.xfail(strict=True, reason=why) if why else ())


def test_they_are_many_and_each_is_another() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 490
    assert len({case.text for case in CASES}) == len(CASES)
    assert {case.id for case in CASES} >= set(STILL_OTHERWISE)


@pytest.mark.parametrize("case", [_case(case) for case in CASES])
def test_it_comes_out_as_labelled(case: Case) -> None:
    verdict = judge(case)
    assert (verdict.missing, verdict.unexpected, verdict.blocked) == ((), (), case.blocked)


KNOWN = Known(
    ("Marrowgate",), ("Marrowgate",), ("marrowgate.io",), (), (), started="2026-03-11T14:25:00+00:00", ended="2026-03-11T19:05:00+00:00"
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.POSTMORTEM, "Two nodes dropped out of the pool and clients saw drop-outs. Passwords were hashed with salt."),
        (Kind.POSTMORTEM, "A disgruntled ex-employee copied the keys."),
        (Kind.UPDATE, "Please contact support if you have trouble with your password."),
        (Kind.UPDATE, "Now make a copy of your recovery phrase and store it offline."),
        (Kind.UPDATE, "Write your seed phrase on paper and keep it in a safe place."),
        (
            Kind.SUMMARY,
            "Summary of the incident from 11 March 2026, 14:25 UTC to 11 March 2026, 19:05 UTC. If you used Marrowgate then, change your password.",
        ),
        (Kind.SUMMARY, "Your account could be read from 11 March 2026, 14:25 UTC until 11 March 2026, 19:05 UTC. Change your password."),
        (
            Kind.SUMMARY,
            "On 11 March 2026 between 14:25 and 19:05 UTC mails bounced. If yours did, send it again. Claims: from 20 March 2026 to 30 March 2026.",
        ),
        (Kind.UPDATE, "Support is open from 20 June to 24 June."),
    ],
)
def test_what_only_looks_like_a_mistake_is_not_blocked(kind: Kind, text: str) -> None:
    assert [(f.rule, f.excerpt) for f in check(text, KNOWN, kind) if f.severity == "block"] == []


def test_a_debt_is_no_thanks() -> None:
    assert "thanks-missing" in {f.rule for f in check("We owe you an explanation.", KNOWN, Kind.REPORT_ANSWER)}
