"""Fixed phrases, which translation serves whom, and manifests that carry languages."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters.contract import PERMALINK_SLOT, Role
from app.domain import findings, rendering
from app.domain.announcement import Answers, Kind, Translation
from app.domain.manifest import Manifest
from app.domain.phrases import LANGUAGE, fitting, phrases
from tests.browser.samples import FACTS, manifest

ARABIC = Translation("ar", "إذا استخدمتم موقعنا اليوم فانقلوا أموالكم الآن.", Answers("المتأثرون هم من استخدموا موقعنا اليوم."))


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_every_kind_has_its_title_in_every_language_that_is_known(language: str) -> None:
    known = phrases(language)
    assert set(known.titles) == set(Kind)
    assert language == "en" or known.full_text != phrases("en").full_text
    assert phrases(f"{language}-XX") is known


def test_a_pointer_speaks_its_language_and_english_where_it_is_not_known() -> None:
    said = {one: rendering.pointer_text(Kind.INITIAL, FACTS, Answers("Alle."), language=one) for one in ("", "de-CH", "ja")}
    assert (
        said["de-CH"]
        == f"Alle.\n\nDer ganze Text und alles Weitere steht nur hier: {PERMALINK_SLOT}\n\nDieser Kanal wird zurzeit nicht betreut."
    )
    assert said["ja"] == said[""]
    titled = rendering.message(Role.POINTER, Kind.RESOLUTION, FACTS, Answers(), "", drill=True, language="fr")
    assert titled.title == f"[DRILL] Résolu: {FACTS.name}"


@pytest.mark.parametrize(
    ("speaks", "offered", "gets"),
    [
        ("de", ["de"], "de"),
        ("DE", ["de"], "de"),
        ("de-AT", ["en", "de"], "de"),
        ("de", ["de-CH"], "de-CH"),
        ("pt-BR", ["pt-PT", "pt-BR"], "pt-BR"),
        ("de", ["en"], ""),
        ("fil", ["fi"], ""),
    ],
)
def test_a_destination_gets_its_own_language_or_one_of_another_region(speaks: str, offered: list[str], gets: str) -> None:
    assert fitting(speaks, offered) == gets


@pytest.mark.parametrize("tag", ["", "d", "german", "de_DE", "de-", "de\n", 'de"', "de-" + "x" * 9])
def test_what_is_no_language(tag: str) -> None:
    assert not LANGUAGE.fullmatch(tag)


def test_a_manifest_tells_languages_only_where_there_are_any() -> None:
    plain = manifest()
    told = json.loads(plain.to_bytes())
    assert {"language", "translations"}.isdisjoint(told)
    assert all("language" not in entry for entry in told["destinations"])
    assert Manifest.parse(plain.to_bytes()) == plain


def test_every_language_is_part_of_what_is_signed() -> None:
    first, *others = manifest().destinations
    several = manifest(language="en", translations=(ARABIC,), destinations=(replace(first, language="ar"), *others))
    assert Manifest.parse(several.to_bytes()) == several
    other = replace(several, translations=(replace(ARABIC, text=ARABIC.text + "!"),))
    assert other.to_bytes() != several.to_bytes()


def test_the_checks_read_a_translation_with_its_own_answers() -> None:
    lacking = manifest(translations=(replace(ARABIC, answers=Answers()),))
    found = {(place, f.rule, f.severity) for place, f in findings.of_manifest(lacking) if place == "text in ar"}
    assert ("text in ar", "affected-missing", "info") in found, "the rules of meaning do not know it: a hint, never a block"
    linked = manifest(translations=(replace(ARABIC, text=f"{ARABIC.text} https://harbour.example"),))
    assert any(f.rule == "live-link-affected" for place, f in findings.of_manifest(linked) if place == "text in ar")
