"""A good message at three in the morning is never held up, in whatever language; what can be told of every language is told of each."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from app.domain.announcement import Answers, Kind
from app.domain.wording import RULES, check
from app.domain.wording.cases import Case, judge
from tests.wording.stored import notices

NOTICES = notices()
FOREIGN = [case for case in NOTICES if not case.id.startswith("en-")]
OF_MEANING = {rule.id for rule in RULES if rule.severity == "block"} - {
    "live-link-affected", "lookalike-domain", "shortened-link", "link-not-allowed", "hidden-characters", "placeholder", "mass-mention", "secret-in-text",
    "internal-host", "asks-secret",
}  # fmt: skip
"""Rules that block and read what a sentence means: of English alone."""

SWAPPED = {
    "Harborline": "Zephyrgate", "harborline": "zephyrgate", "fastyaml": "rapidtoml", "Lagoon": "Cinder", "lagoon.fi": "cinder.xyz", "Notabel": "Quorax", "notabel.io": "quorax.app",
    "Wolkenpost": "Paketfuchs", "wolkenpost": "paketfuchs", "Lindenhof": "Birkental", "lindenhof": "birkental", "Fjordlink": "Hyttenett", "fjordlink": "hyttenett", "Embervale": "Duskmoor",
    "embervale": "duskmoor", "Klassenbuch": "Notenheft", "klassenbuch": "notenheft", "Mireille Kaur": "Tomasz Adebayo", "mireille_k": "tomasz.ade", "Mireille": "Tomasz",
}  # fmt: skip


def test_there_are_twenty_notices_in_each_of_five_languages() -> None:
    assert Counter(case.id.partition("-")[0] for case in NOTICES) == dict.fromkeys(("en", "de", "es", "fr", "ja"), 20)
    assert len({case.id for case in NOTICES}) == len({case.text for case in NOTICES}) == 100


@pytest.mark.parametrize("case", NOTICES, ids=lambda case: case.id)
def test_a_well_written_notice_is_not_blocked(case: Case) -> None:
    assert [(f.rule, f.excerpt) for f in check(case.text, case.known, case.kind) if f.severity == "block"] == []


@pytest.mark.parametrize("case", NOTICES, ids=lambda case: case.id)
def test_a_well_written_notice_has_no_spelling_mistake(case: Case) -> None:
    assert [f.excerpt for f in check(case.text, case.known, case.kind) if f.rule == "spelling"] == []


@pytest.mark.parametrize("case", NOTICES, ids=lambda case: case.id)
def test_other_names_change_no_verdict(case: Case) -> None:
    raw = {"id": case.id, "kind": case.kind, "text": case.text, "blocked": False, "expect": [], "incident": {name: list(getattr(case.known, name)) for name in ("products", "affected_products", "own_domains", "affected_domains", "allowed_domains")}}  # fmt: skip
    written = json.dumps(raw, ensure_ascii=False)
    for name, other in SWAPPED.items():
        written = written.replace(name, other)
    swapped = Case.parse(json.loads(written))
    assert swapped.text != case.text or not any(name in case.text for name in SWAPPED)
    before, after = ([(f.rule, f.severity) for f in check(c.text, c.known, c.kind)] for c in (case, swapped))
    assert judge(swapped).right
    assert Counter(before) == Counter(after)


SPOILED = {
    "live-link-affected": " https://{bad}/x",
    "lookalike-domain": " https://www.{own}.login-help.net/",
    "shortened-link": " https://bit.ly/3xYzQ12",
    "hidden-characters": " p\u0430ypal",
    "placeholder": " {{{{date}}}}",
    "mass-mention": " @everyone",
    "secret-in-text": " AKIAIOSFODNN7EXAMPLE",
    "internal-host": " http://jira.corp.internal/browse/SEC-1",
}


@pytest.mark.parametrize("rule", SPOILED)
def test_links_secrets_hidden_characters_and_gaps_are_found_in_every_language(rule: str) -> None:
    for case in NOTICES:
        known = case.known
        kind = Kind.UPDATE if case.kind in (Kind.RESOLUTION, Kind.SUMMARY, Kind.POSTMORTEM) else case.kind
        bad = (known.affected_domains or ("evil.example",))[0]
        text = case.text.rstrip() + SPOILED[rule].format(bad=bad, own=known.own_domains[-1])
        if rule != "live-link-affected" or known.affected_domains:
            assert rule in {f.rule for f in check(text, known, kind) if f.severity == "block"}, case.id


ASKS = {
    "de": "Bitte geben Sie Ihre Seed-Phrase auf unserer Seite ein.",
    "es": "Introduce tu frase semilla en nuestra página.",
    "fr": "Saisissez votre phrase de récupération sur notre page.",
    "ja": "シードフレーズを入力してください。",
    "en": "Enter your recovery phrase on our page.",
}


@pytest.mark.parametrize("case", NOTICES, ids=lambda case: case.id)
def test_an_ask_for_a_secret_is_found_in_every_one_of_these_languages(case: Case) -> None:
    asking = f"{case.text.rstrip()}\n{ASKS[case.id.partition('-')[0]]}"
    before, after = ({f.rule for f in check(text, case.known, Kind.UPDATE) if f.severity == "block"} for text in (case.text, asking))
    assert after - before == {"asks-secret"}


@pytest.mark.parametrize("case", FOREIGN, ids=lambda case: case.id)
@pytest.mark.parametrize("kind", [Kind.INITIAL, Kind.REPORT_ANSWER, Kind.SUMMARY, Kind.POSTMORTEM])
def test_rules_of_meaning_never_block_what_is_not_english(case: Case, kind: Kind) -> None:
    found = check(case.text, case.known, kind)
    assert not {f.rule for f in found if f.severity == "block"} & OF_MEANING


def test_outside_of_english_the_structured_answers_alone_are_looked_at() -> None:
    for case in FOREIGN:
        empty = {f.rule: f.severity for f in check(case.text, case.known, Kind.INITIAL)}
        filled = {f.rule for f in check(case.text, case.known, Kind.INITIAL, Answers("A.", "B.", "C."))}
        asked = {"affected-missing", "action-missing", "unaffected-missing"}
        assert dict.fromkeys(asked, "info").items() <= empty.items(), case.id
        assert not asked & filled, case.id
