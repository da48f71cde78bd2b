"""Answers to public reports: what turns a report away or threatens is found, what takes it on is not."""

from __future__ import annotations

import pytest

from app.domain.announcement import Kind
from app.domain.wording import Known, check

KNOWN = Known(("Example Web",), ("Example Web",), ("example.com",))


def found(text: str, kind: Kind = Kind.REPORT_ANSWER) -> set[str]:
    return {finding.rule for finding in check(text, KNOWN, kind)} & {
        "ownership-missing",
        "deflects",
        "belittles-reporter",
        "blame",
    }


@pytest.mark.parametrize(
    "text",
    [
        "Thank you to Ada Lovelace for the report. We are looking into it, and post here again at 15:00 UTC.",
        "Ada Lovelace is right, and this is our mistake. If you signed in before 4 March, change your password. Nobody else is affected.",
        "We have reproduced it. If you run Example Web 2.1, update to 2.2. Thank you for telling us.",
        "We looked at every login since 1 March and found none without its password. We may still be wrong: tell us if you see more.",
        "Thank you. We will fix this today, and will take no legal action against anybody who reports in good faith.",
        "Thank you for the report. It is ours to find out, and we never threaten anyone with our lawyers for telling us.",
        "A few minutes ago we closed the hole. Thank you to the two researchers who showed it to us.",
    ],
)
def test_an_answer_that_takes_it_on_is_fine(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Thank you for the report. More here at 15:00 UTC.", "ownership-missing"),
        ("We are aware of a post about our website. Thank you for your patience.", "ownership-missing"),
        ("We looked at it: it works as intended.", "deflects"),
        ("We are looking at it, but it is not a real vulnerability.", "deflects"),
        ("Only a handful of users were hit, and we are sorry.", "deflects"),
        ("We investigated. All other exchanges have the same problem.", "deflects"),
        ("We have checked it: please read our terms of service.", "deflects"),
        ("The report is wildly exaggerated. We are on it.", "deflects"),
        ("We are sorry. Our lawyers have written to the author.", "belittles-reporter"),
        ("We are checking it, and we will sue for defamation.", "belittles-reporter"),
        ("We have reported him to the police for this.", "belittles-reporter"),
        ("The researcher violated our terms. We are looking into it.", "belittles-reporter"),
        ("The so-called researcher wants attention. We are looking into it.", "belittles-reporter"),
        ("We are sorry, but users should have read the documentation.", "blame"),
    ],
)
def test_what_turns_away_blames_or_threatens_is_found(text: str, rule: str) -> None:
    assert rule in found(text)


def test_these_are_asked_of_answers_alone() -> None:
    text = "Our lawyers say that it works as designed."
    assert found(text, Kind.INITIAL) == found(text, Kind.POSTMORTEM) == set()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("We reported the theft to the police, and our lawyers take legal action against the thieves.", set()),
        ("Our lawyers will take legal action against the researcher.", {"belittles-reporter"}),
    ],
)
def test_after_an_incident_an_attacker_may_be_sued_and_a_reporter_not(text: str, rules: set[str]) -> None:
    assert found(text, Kind.POSTMORTEM) == rules


def test_a_threat_blocks_and_the_rest_warns() -> None:
    severities = {f.rule: f.severity for f in check("It works as designed. Our lawyers know. Thank you.", KNOWN, Kind.REPORT_ANSWER)}
    assert (severities["belittles-reporter"], severities["deflects"], severities["ownership-missing"]) == ("block", "warn", "warn")
