"""Templates: the built-in ones say what they must, in one post, and no value leaves its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.x.text import weight
from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.templates import load_templates
from app.domain import wording
from app.domain.announcement import Kind
from app.domain.templates import catalogue
from app.domain.templates.filling import SAMPLE_INCIDENT, SAMPLE_NOW, NotFilled, draft, fill, sample
from app.domain.templates.template import Template, TemplateError, Type, Variable
from app.domain.templates.values import Hour, Unfit, shown
from app.domain.wording import Known
from app.domain.wording.links import links, plain

BUILT_IN = load_templates()
EACH = pytest.mark.parametrize("template", BUILT_IN.values(), ids=list(BUILT_IN))
POST = 280


def samples(template: Template, **changes: str) -> dict[str, str]:
    return {v.name: v.sample for v in template.variables} | changes


def written(text: str) -> list[str]:
    """The links of a text."""
    return [link.written for link in links(plain(text))]


def test_there_is_one_for_each_usual_incident() -> None:
    assert {id_: t.kind for id_, t in BUILT_IN.items()} == {
        "website-compromised": Kind.INITIAL,
        "dns-hijacked": Kind.INITIAL,
        "funds-at-risk": Kind.INITIAL,
        "phishing-mail": Kind.INITIAL,
        "support-compromised": Kind.INITIAL,
        "third-party-extension": Kind.INITIAL,
        "news-article": Kind.INITIAL,
        "unknown-yet": Kind.INITIAL,
        "report-received": Kind.REPORT_ANSWER,
        "report-true": Kind.REPORT_ANSWER,
        "report-unfounded": Kind.REPORT_ANSWER,
        "false-alarm": Kind.RESOLUTION,
        "resolved": Kind.RESOLUTION,
        "summary": Kind.SUMMARY,
        "post-mortem": Kind.POSTMORTEM,
        "help": Kind.HELP,
    }


@EACH
def test_the_wording_checks_find_nothing_in_it(template: Template) -> None:
    filled = sample(template)
    found = wording.check(filled.text, filled.learnt(SAMPLE_INCIDENT), template.kind)  # without the answers: the text alone has to say it
    assert [(f.rule, f.excerpt or f.message) for f in found if f.severity != "info"] == []


@EACH
def test_it_fits_one_post_or_says_why_not(template: Template) -> None:
    assert (weight(sample(template).text) > POST) == bool(template.longer), weight(sample(template).text)


@EACH
def test_it_stands_without_what_may_be_left_out(template: Template) -> None:
    needed = {v.name: v.sample for v in template.variables if not v.optional and not v.default}
    filled = fill(template, needed, SAMPLE_INCIDENT, SAMPLE_NOW)
    assert "{" not in filled.text + filled.answers.affected + filled.answers.if_affected + filled.answers.if_not_affected
    assert [f.rule for f in wording.check(filled.text, filled.learnt(SAMPLE_INCIDENT), template.kind) if f.severity != "info"] == []
    assert weight(filled.text) <= POST or template.longer


@EACH
def test_other_names_change_no_verdict(template: Template) -> None:
    other = Known(("Kurva", "Kurva Pro"), ("Kurva",), ("kurva.fi",), ("kurva.fi",), ("hjalp.kurva.se",), "Europe/Helsinki")
    named = {Type.PRODUCT: "Kurva", Type.DOMAIN: "kurva.fi", Type.LINK: "https://hjalp.kurva.se/nu", Type.PEOPLE: "Åke Öst, J. Doe"}
    values = {v.name: named.get(v.type, v.sample) for v in template.variables if v.name != "safe"}
    filled = fill(template, values, other, SAMPLE_NOW)
    assert [f.rule for f in wording.check(filled.text, other, template.kind) if f.severity == "block"] == []


def test_two_words_make_the_right_message() -> None:
    known = Known(products=("Example Web",), allowed_domains=("status.example.net",))
    values = {"since": "14:10 Europe/Berlin", "action": "change your password"}
    filled = fill(BUILT_IN["website-compromised"], values, known, SAMPLE_NOW)
    assert filled.text == (
        "If you used Example Web since 13:10 UTC on 4 March, change your password now.\n\n"
        "If you did not, you are not affected. Please stay off our website until we say here that it is safe.\n\n"
        "Updates only here, next at 14:30 UTC."
    )
    assert filled.answers.if_affected == "Please change your password now."
    assert filled.facts == {"affected_products": ["Example Web"], "started": "2026-03-04T13:10:00+00:00"}


def test_a_value_tells_the_incident_a_domain_that_nobody_may_link() -> None:
    template = BUILT_IN["phishing-mail"]
    filled = fill(template, samples(template, copy="https://evil.example-login.net/x?y"), SAMPLE_INCIDENT, SAMPLE_NOW)
    assert filled.facts == {"affected_domains": ["evil.example-login.net"]}
    assert "The link leads to evil[.]example-login[.]net." in filled.text


@EACH
def test_a_draft_of_nothing_is_gaps_that_all_block(template: Template) -> None:
    """Follow-ups are drafted so: what nobody filled must never be signed."""
    text = draft(template, {"window": "ever", "title": "x" * 999}, Known(), SAMPLE_NOW).text
    asked = [f"[{v.asks.rstrip('.')}]" for v in template.variables if not v.default]
    found = {f.excerpt for f in wording.check(text, Known(), template.kind) if f.rule == "placeholder"}
    assert found == set(asked)
    assert all(gap in text for gap in asked)


def test_a_follow_up_is_drafted_from_what_is_known() -> None:
    known = Known(affected_products=("Example Web",))
    values = {"window": "2026-03-04T07:10:00+00:00 to 2026-03-04T13:05:00+00:00", "safe_since": "2026-03-04T13:05:00+00:00"}
    drafted = draft(BUILT_IN["summary"], values, known, SAMPLE_NOW)
    assert drafted.text.startswith(
        "Summary: if you used Example Web between 07:10 and 13:05 UTC on 4 March 2026, please [What do those have"
    )
    assert drafted.answers.affected == "You were affected if you used Example Web between 07:10 and 13:05 UTC on 4 March 2026."
    assert drafted.answers.if_affected == "", "an answer with a gap is none"


HOSTILE = [
    "https://evil.com",
    "evil.com",
    "us at evil.com",
    "x\n\nSend your seed phrase to us",
    "x\u2028Send it",
    "x\u202emoc.live",
    "it. Send us your seed phrase",
    "it! Send us your seed phrase",
    "{product}",
    "{{permalink}}",
    "[a link](https://evil.com)",
    "[a gap of the template]",
    "<a href=//evil.com>x</a>",
    "mailto:a@evil.com",
    "javascript:alert(1)",
    "a@evil.com",
    "ｅｖｉｌ。com",
    "y" * 2000,
    "\x00",
    "\ud800",
]


@EACH
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_leaves_its_place_or_adds_a_link(template: Template, hostile: str) -> None:
    """In every gap: it is refused, or the text has just the paragraphs, sentences and links that it has with the sample."""
    for variable in template.variables:
        try:
            filled = fill(template, samples(template, **{variable.name: hostile}), SAMPLE_INCIDENT, SAMPLE_NOW)
        except NotFilled as error:
            refused = {name for name, _ in error.errors}
        else:
            refused = set()
        if refused:
            assert refused == {variable.name}
            continue
        assert variable.type in {Type.DOMAIN, Type.LINK}, f"{variable.name} took {hostile!r}: {filled.text}"
        if variable.type is Type.DOMAIN:
            assert written(filled.text) == written(sample(template).text)
        else:
            assert hostile == "https://evil.com"
            found = wording.check(filled.text, SAMPLE_INCIDENT, template.kind, filled.answers)
            assert "link-not-allowed" in {f.rule for f in found if f.severity == "block"}


@given(st.text(max_size=60))
def test_whatever_is_typed_is_refused_or_stays_within_its_sentence(typed: str) -> None:
    template = BUILT_IN["website-compromised"]
    whole = sample(template).text
    try:
        filled = fill(template, samples(template, action=typed), SAMPLE_INCIDENT, SAMPLE_NOW)
    except NotFilled:
        return
    start, end = whole.split(template.variable("action").sample)  # type: ignore[union-attr]
    assert filled.text.startswith(start)
    assert filled.text.endswith(end)
    assert filled.text.count("\n") == whole.count("\n")
    assert written(filled.text) == written(whole)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(NotFilled) as refused:
        fill(BUILT_IN["website-compromised"], {"since": "25:00", "colour": "red"}, Known(), SAMPLE_NOW)
    told = dict(refused.value.errors)
    assert set(told) == {"colour", "product", "since", "action"}
    assert told["product"] == "is missing. Which product? For example: Example Web"


BERLIN = Hour(datetime(2026, 3, 29, 6, 0, tzinfo=UTC), "Europe/Berlin")  # the night in which clocks went from 02:00 to 03:00


@pytest.mark.parametrize(
    ("type_", "given_", "words"),
    [
        ("time", "07:10", "05:10 UTC on 29 March"),
        ("time", "01:30", "00:30 UTC on 29 March"),
        ("time", "23:50", "22:50 UTC on 28 March"),  # the last such time, not the next
        ("time", "07:10 UTC", "07:10 UTC on 28 March"),
        ("time", "2026-03-01 09:00", "08:00 UTC on 1 March"),
        ("time", "2026-03-01T09:00:00+02:00", "07:00 UTC on 1 March"),
        ("time", "now", "06:00 UTC on 29 March"),
        ("window", "23:50 to 00:30", "between 22:50 and 23:30 UTC on 28 March"),
        ("window", "01:30 to 03:30", "between 00:30 and 01:30 UTC on 29 March"),
        ("duration", "90m", "90 minutes"),
        ("duration", "1 hour", "1 hour"),
        ("duration", "2 weeks", "2 weeks"),
        ("product", "Web, Mobile,CLI", "Web, Mobile and CLI"),
        ("people", "J. Doe, Ada Lovelace", "J. Doe and Ada Lovelace"),
        ("domain", "HTTPS://App.Example.com/login", "app[.]example[.]com"),
        ("domain", "203.0.113.7", "203[.]0[.]113[.]7"),
        ("words", "change  your password.", "change your password"),
    ],
)
def test_values_as_people_write_them(type_: str, given_: str, words: str) -> None:
    assert shown(Variable("x", Type(type_), "?", "s"), given_, BERLIN) == words


def test_a_time_that_lies_ahead_is_the_next_one() -> None:
    ahead = Variable("x", Type.TIME, "?", "s", ahead=True)
    assert shown(ahead, "+60m", Hour(datetime(2026, 3, 4, 8, 1, tzinfo=UTC))) == "09:05 UTC"
    assert shown(ahead, "07:10", BERLIN) == "05:10 UTC on 30 March"
    assert shown(ahead, "09:30", BERLIN) == "07:30 UTC"


@pytest.mark.parametrize(
    ("type_", "given_"),
    [
        ("time", "soon"),
        ("time", "2030-01-01 10:00"),
        ("time", "07:10 Mars/Olympus"),
        ("window", "07:10"),
        ("duration", "a while"),
        ("domain", "nowhere"),
        ("link", "http://example.com"),
        ("link", "https://a.example and https://b.example"),
        ("people", ","),
        ("words", "z" * 81),
    ],
)
def test_what_is_no_such_value_is_refused(type_: str, given_: str) -> None:
    with pytest.raises(Unfit):
        shown(Variable("x", Type(type_), "?", "s"), given_, BERLIN)


MINE = """
version = 2
kind = "initial"
title = "Website compromised"
when = "Immer."
language = "de"
text = ["Wer seit {since} auf unserer Website war, {action} jetzt."]
[[variable]]
name = "since"
type = "time"
asks = "Seit wann?"
sample = "07:10"
[[variable]]
name = "action"
type = "words"
asks = "Was tun?"
sample = "ändert das Passwort"
"""


def test_a_teams_own_template_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "website-compromised.toml").write_text(MINE, encoding="utf-8")
    loaded = load_templates(str(tmp_path))
    assert set(loaded) == set(BUILT_IN)
    assert sample(loaded["website-compromised"]).text == "Wer seit 2026-03-04 07:10 UTC auf unserer Website war, ändert das Passwort jetzt."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("version = 2", "verson = 2"), "unknown verson"),
        (("{since}", "{seit}"), "each needs the other"),
        (('kind = "initial"', 'kind = "first"'), "'first' is not a valid Kind"),
        (('sample = "07:10"', 'sample = "bald"'), "is no time"),
        (('type = "words"', 'type = "word"'), "'word' is not a valid Type"),
        (('title = "Website compromised"', ""), "title"),
        (("version = 2", "version ="), "Template website-compromised"),
        (("{action} jetzt", "{action} {Jetzt}"), "a gap is written {name}"),
        (('type = "time"', 'type = "time"\nfact = "affected_domains"'), "its type has to fit"),
    ],
)
def test_a_mistake_in_a_file_is_named_at_start_up(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in MINE
    (tmp_path / "website-compromised.toml").write_text(MINE.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        load_templates(str(tmp_path))


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="/nowhere is no folder"):
        load_templates("/nowhere")


def test_no_file_is_a_template_under_any_name() -> None:
    with pytest.raises(TemplateError, match="lower-case letters"):
        Template.parse("Website Compromised", MINE)


def test_the_catalogue_is_current() -> None:
    kept = Path("docs/templates.md").read_text(encoding="utf-8")
    assert kept == catalogue.as_markdown(BUILT_IN.values()), "run: .venv/bin/python -m app.bootstrap.templates > docs/templates.md"
