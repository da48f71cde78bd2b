"""A text that a destination has for itself: other words for the same are fine, another substance is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.contract import Part, Rendering, Role
from app.domain import findings
from app.domain.announcement import Kind, OwnText
from app.domain.manifest import Planned
from app.domain.wording import Finding, compared
from tests.bench import words
from tests.browser import samples

TEXT = (
    "If you entered your recovery phrase on Harbour Web after 07:10 UTC on 4 March 2026, move your funds to a new wallet: https://docs.harbour.help/new-wallet\n"
    "Harbour Mobile 4.2.1 is not affected. Do not open our website. Updates only here, next at 09:30 UTC."
)


def told(text: str, canonical: str = TEXT) -> list[Finding]:
    return list(compared(text, canonical, words.FACTS, Kind.INITIAL))


def warned(text: str) -> list[str]:
    return [finding.excerpt for finding in told(text) if finding.severity == "warn"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("move your funds to", "please transfer everything into"),
        "Typed your recovery phrase on Harbour Web since 7:10 UTC on March 4? Transfer your funds to a new wallet now: https://docs.harbour.help/new-wallet/ — next update 9:30 a.m. UTC.",
        "[DRILL] " + TEXT.replace("\n", "\n\n2/2 "),
        "Wer nach 07:10 UTC am 4. März seine Phrase auf Harbour Web eingab: Guthaben jetzt übertragen, https://docs.harbour.help/new-wallet. Neues um 09:30 UTC.",
    ],
)
def test_other_words_for_the_same_are_no_difference(text: str) -> None:
    assert warned(text) == []


@pytest.mark.parametrize(
    ("this", "other", "excerpt"),
    [
        ("09:30 UTC", "10:30 UTC", "10:30"),
        ("07:10", "7 pm", "7 pm"),
        ("4 March", "5 March", "5 March 2026"),
        ("4.2.1", "v4.2.0", "v4.2.0"),
        ("docs.harbour.help/new-wallet", "docs.harbour.help/wallets", "https://docs.harbour.help/wallets"),
        ("move your funds to a new wallet", "change your password", "change"),
        ("move your funds", "do not move your funds", "move"),
    ],
)
def test_another_substance_is_told_with_both_places(this: str, other: str, excerpt: str) -> None:
    text = TEXT.replace(this, other)
    assert text != TEXT
    assert excerpt in warned(text)
    (first, *_) = (finding for finding in told(text) if finding.excerpt == excerpt)
    assert text[first.start : first.end] == excerpt
    assert excerpt in first.message or "move" in first.message


def test_who_and_what_to_do_are_not_left_out_silently() -> None:
    assert any(
        "who is affected" in f.message and f.severity == "warn"
        for f in told("Move your funds to a new wallet now. It is what we would do.")
    )
    assert any(
        "what to do" in f.message and f.severity == "warn"
        for f in told("If you used Harbour Web, you are affected. We are sorry for this.")
    )


def test_what_a_shorter_text_leaves_out_is_a_hint() -> None:
    (hint,) = told(
        "If you entered your recovery phrase on Harbour Web after 07:10 UTC on 4 March, move your funds: https://docs.harbour.help/new-wallet"
    )
    assert hint.severity == "info"
    assert "“4.2.1”" in hint.message
    assert "“09:30”" in hint.message


def test_renderings_of_one_text_by_all_platforms_differ_in_nothing() -> None:
    manifest = words.manifest(7)
    same = tuple(
        replace(entry, full=manifest.destinations[7].full) if entry.id.endswith("-9") else entry for entry in manifest.destinations
    )
    assert [f for _, f in findings.of_manifest(replace(manifest, destinations=same)) if f.rule == "says-otherwise"] == []


def test_the_finding_names_the_destination_whose_text_it_is() -> None:
    other = samples.TEXT.replace("07:10", "08:10")
    assert other != samples.TEXT
    team = Planned("team", "discord_webhook", Role.INTERNAL, "1", full=Rendering((Part(other, ""),)))
    manifest = samples.manifest(destinations=(*samples.destinations(), team), texts=(OwnText("team", other),))
    assert [(d, f.excerpt) for d, f in findings.of_manifest(manifest) if f.rule == "says-otherwise" and f.severity == "warn"] == [
        ("team", "08:10")
    ]


def test_a_part_is_looked_at_unless_its_very_words_were() -> None:
    text = "Stay away from un-harbour.example for now. If you used it, move your funds. Others are fine."
    cut = Planned("team", "discord_webhook", Role.INTERNAL, "1", full=Rendering((Part("harbour.example for now.", ""),)))
    whole = Planned("room", "discord_webhook", Role.INTERNAL, "2", full=Rendering((Part("If you used it, move your funds.", ""),)))
    facts = replace(samples.FACTS, affected_domains=("harbour.example",), own_domains=("un-harbour.example",))
    manifest = samples.manifest(text=text, incident=facts, destinations=(cut, whole))
    assert [(d, f.rule) for d, f in findings.of_manifest(manifest) if f.severity == "block"] == [("team", "live-link-affected")]
