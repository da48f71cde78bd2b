"""Filling a template: from values to a text, its answers, and what the values tell of the incident.

Every value is looked at in its place: whatever makes a link that was not meant as one is refused.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from app.domain.announcement import Answers
from app.domain.templates.template import GAP, Template, Type, Variable, gaps
from app.domain.templates.values import Hour, Unfit, items, moment, shown
from app.domain.wording.links import links, plain
from app.domain.wording.names import bare_host, is_bare_link
from app.domain.wording.rule import AFTERWARDS, Known

SAMPLE_INCIDENT = Known(
    products=("Example Web", "Example Mobile"),
    own_domains=("example.com",),
    allowed_domains=("status.example.net", "help.example.net", "blog.example.net"),
)
"""What is known of the incident of all samples before they tell more."""

SAMPLE_NOW = datetime(2026, 3, 4, 13, 30, tzinfo=UTC)
"""The hour of all samples."""


class NotFilled(ValueError):
    """Some values are missing or do not fit: `errors` are pairs of a variable's name and what to write."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {told}" for name, told in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Filled:
    """The words of a filled template; `facts` is what its values tell of the incident, as the API takes an incident's fields."""

    text: str
    answers: Answers
    facts: Mapping[str, str | list[str]]

    def learnt(self, known: Known) -> Known:
        """What is known once the values have told what they tell; a domain that was affected before still is."""
        domains = dict.fromkeys((*known.affected_domains, *self.facts.get("affected_domains", ())))
        products = tuple(self.facts.get("affected_products", known.affected_products))
        return replace(known, affected_domains=tuple(domains), affected_products=products)


def fill(template: Template, values: Mapping[str, str], known: Known, now: datetime) -> Filled:
    """Fills every gap from the values, the incident and the defaults. Raises `NotFilled` naming all that is wrong."""
    hour = _hour(template, known, now)
    errors = [(name, f"is none of {', '.join(v.name for v in template.variables)}") for name in values if not template.variable(name)]
    given = {variable.name: values.get(variable.name) or _known(variable, known) for variable in template.variables}
    words: dict[str, str] = {}
    for variable in template.variables:
        try:
            if given[variable.name]:
                words[variable.name] = shown(variable, given[variable.name], hour)
            elif not variable.optional:
                errors.append((variable.name, f"is missing. {variable.asks} For example: {variable.sample}"))
        except Unfit as error:
            errors.append((variable.name, f"{error}."))
    errors = errors or [(v.name, "makes a link; only a link's own gap may hold one.") for v in _linking(template, words)]
    if errors:
        raise NotFilled(errors)
    answers = Answers(**{f.name: _composed([getattr(template.answers, f.name)], words) for f in fields(Answers)})
    return Filled(_composed(template.text, words), answers, _facts(template, given, hour))


def draft(template: Template, values: Mapping[str, str], known: Known, now: datetime) -> Filled:
    """The same as far as values are known and fit: a gap says in square brackets what it asks, which the wording checks block.

    Answers that need a gap are left out. Never raises.
    """
    hour = _hour(template, known, now)
    words: dict[str, str] = {}
    for variable in template.variables:
        with contextlib.suppress(Unfit):
            if value := values.get(variable.name) or _known(variable, known):
                words[variable.name] = shown(variable, value, hour)
    asked = {v.name: f"[{v.asks.rstrip('.')}]" for v in template.variables if v.name not in words}
    answers = Answers(**{f.name: _composed([getattr(template.answers, f.name)], words) for f in fields(Answers)})
    return Filled(_composed(template.text, asked | words), answers, {})


def sample(template: Template) -> Filled:
    """The template with its samples, as the docs show it. Raises `NotFilled`."""
    return fill(template, {v.name: v.sample for v in template.variables}, SAMPLE_INCIDENT, SAMPLE_NOW)


def outline(sentences: Iterable[str]) -> str:
    """The words with their gaps."""
    return _composed(sentences, {})


def _hour(template: Template, known: Known, now: datetime) -> Hour:
    return Hour(now, known.time_zone, template.kind in AFTERWARDS, template.language == "en")


def _known(variable: Variable, known: Known) -> str:
    """What a variable is where nobody says it."""
    products = known.affected_products or (known.products if len(known.products) == 1 else ())
    told = {"affected_products": ", ".join(products), "affected_domains": ", ".join(known.affected_domains), "started": known.started}
    return told.get(variable.fact, "") or variable.default


def _composed(sentences: Iterable[str], words: Mapping[str, str]) -> str:
    """Paragraphs of those sentences whose gaps all have words."""
    paragraphs = itertools.groupby(sentences, key=bool)
    kept = [
        [_put(one, words) for one in group if not words or all(name in words for name in gaps(one))] for full, group in paragraphs if full
    ]
    return "\n\n".join(" ".join(paragraph) for paragraph in kept if paragraph)


def _put(sentence: str, words: Mapping[str, str]) -> str:
    return GAP.sub(lambda gap: words.get(gap[1], gap[0]), sentence)


def _linking(template: Template, words: Mapping[str, str]) -> list[Variable]:
    """The variables whose value changes which links there are, though it is none itself."""
    sentences = [*template.text, "", *filter(None, (getattr(template.answers, f.name) for f in fields(Answers)))]
    whole = _links(_composed(sentences, words))
    return [
        variable
        for variable in template.variables
        if variable.type is not Type.LINK
        and variable.name in words
        and _links(_composed(sentences, {**words, variable.name: "x"})) != whole
    ]


def _links(text: str) -> list[str]:
    found = links(plain(text))
    wanted = [link for link in found if link.script or not link.bare or is_bare_link(link.host, link.written)]
    return sorted(text[link.start : link.end] for link in wanted)


def _facts(template: Template, given: Mapping[str, str], hour: Hour) -> dict[str, str | list[str]]:
    """What the values tell of the incident."""
    told: dict[str, str | list[str]] = {}
    for variable in template.variables:
        value = given[variable.name]
        if value and variable.fact == "started":
            told["started"] = moment(value, hour).isoformat()
        elif value and variable.fact:
            told[variable.fact] = [bare_host(one) if variable.type is Type.DOMAIN else one for one in items(value)]
    return told
