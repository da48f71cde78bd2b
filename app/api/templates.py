"""Templates: what there is, and one filled with values. Nothing is kept; a filled one is submitted like any other text."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Discriminator, Field, Tag

from app.api.access import Ctx, Reader
from app.api.checks import KnownIn
from app.api.models import Line, Sentence, Strict
from app.api.problems import DOCUMENTED
from app.domain import wording
from app.domain.incident import Facts
from app.domain.templates.filling import SAMPLE_INCIDENT, Filled, NotFilled, fill, outline, sample
from app.domain.templates.template import Template
from app.domain.wording import Known
from app.services.context import Context, Refused
from app.store import announcements as store

router = APIRouter(prefix="/v1/templates", tags=["templates"], responses=DOCUMENTED)


def _how_named(value: object) -> str:
    return "existing" if isinstance(value, str) else "inline"


class FillIn(Strict):
    """Values by the variables' names; and what is known of the incident, or the id or slug of one that exists."""

    values: dict[Line, Sentence] = Field(default_factory=dict, max_length=100)
    incident: Annotated[Annotated[KnownIn, Tag("inline")] | Annotated[Line, Tag("existing")], Discriminator(_how_named)] = Field(
        default_factory=KnownIn
    )


@router.get("")
async def listed(ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """All templates, in the order of their ids."""
    return {"items": [_named(ctx.templates[id_]) for id_ in sorted(ctx.templates)]}


@router.get("/{template_id}")
async def read(template_id: str, ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """One template with its gaps and variables, filled with its samples, and what the wording checks find in those."""
    template = _existing(ctx, template_id)
    variables = [dataclasses.asdict(variable) | {"limit": variable.most} for variable in template.variables]
    words = {"text": outline(template.text)} | dataclasses.asdict(template.answers)
    told = _named(template) | {"language": template.language, "longer": template.longer}
    return told | words | {"variables": variables, "sample": _filled(template, sample(template), SAMPLE_INCIDENT)}


@router.post("/{template_id}/fill")
async def fill_it(template_id: str, body: FillIn, ctx: Ctx, caller: Reader) -> dict[str, Any]:
    """The words of a template with these values, what the wording checks find, and which facts of the incident the values tell."""
    template = _existing(ctx, template_id)
    known = await _known(ctx, body)
    try:
        filled = fill(template, body.values, known, ctx.now)
    except NotFilled as error:
        errors = tuple({"field": f"values.{name}", "message": told} for name, told in error.errors)
        raise Refused(422, "The template is not filled yet.", "Give or mend every value listed in `errors`.", errors) from error
    return _named(template) | _filled(template, filled, known)


def _existing(ctx: Context, id_: str) -> Template:
    if id_ not in ctx.templates:
        raise Refused(404, "There is no such template.", f"There are: {', '.join(sorted(ctx.templates))}.")
    return ctx.templates[id_]


async def _known(ctx: Context, body: FillIn) -> Known:
    if isinstance(body.incident, KnownIn):
        return body.incident.known(ctx.settings)
    async with ctx.database.read() as tx:
        row = await store.incident(tx, body.incident)
    if row is None:
        raise Refused(404, "There is no such incident.", "Give its id or slug, or what is known of a new one.")
    return Known.of(Facts.parse(row.facts))


def _named(template: Template) -> dict[str, Any]:
    told = {"id": template.id, "version": template.version, "kind": template.kind.value}
    return told | {"title": template.title, "when": template.when}


def _filled(template: Template, filled: Filled, known: Known) -> dict[str, Any]:
    found = wording.check(filled.text, filled.learnt(known), template.kind, filled.answers)
    findings = [dataclasses.asdict(finding) for finding in found]
    blocked = any(finding.severity == "block" for finding in found)
    words = {"text": filled.text} | dataclasses.asdict(filled.answers)
    return words | {"facts": dict(filled.facts), "blocked": blocked, "findings": findings}
