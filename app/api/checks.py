"""The wording checks by themselves: what they would find in a text. Nothing is kept."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AfterValidator, AwareDatetime, Field

from app.api.access import Ctx, Reader, whole
from app.api.models import Line, Sentence, Strict, Text, Zone
from app.api.problems import DOCUMENTED
from app.domain import wording
from app.domain.announcement import Answers, Kind
from app.domain.wording import Known
from app.domain.wording.names import bare_host
from app.settings import Settings, words
from app.store.tables import iso

router = APIRouter(prefix="/v1/checks", tags=["checks"], responses=DOCUMENTED)


def _place(value: str) -> str:
    host = bare_host(value)
    if not host or any(char.isspace() for char in host):
        raise ValueError("must be a host name or an address, like example.com or 203.0.113.7")
    return host


Place = Annotated[str, AfterValidator(_place), Field(max_length=260)]


class KnownIn(Strict):
    """What is known of the incident; what is left out has its default from the configuration, where it has one."""

    products: list[Line] | None = Field(None, max_length=100)
    affected_products: list[Line] = Field(default_factory=list, max_length=100)
    own_domains: list[Place] | None = Field(None, max_length=200)
    affected_domains: list[Place] = Field(default_factory=list, max_length=200, description="Host names or addresses")
    allowed_domains: list[Place] | None = Field(None, max_length=200, description="Those of the safe links, where it is left out")
    time_zone: Zone | None = None
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None

    def known(self, settings: Settings) -> Known:
        """With the configuration's defaults."""
        return Known(
            products=tuple(words(settings.products) if self.products is None else self.products),
            affected_products=tuple(self.affected_products),
            own_domains=tuple(words(settings.own_domains) if self.own_domains is None else self.own_domains),
            affected_domains=tuple(self.affected_domains),
            allowed_domains=tuple(words(settings.safe_links) if self.allowed_domains is None else self.allowed_domains),
            time_zone=self.time_zone or settings.time_zone,
            started=_iso(self.started),
            ended=_iso(self.ended),
        )


class CheckIn(Strict):
    """A text, what it is, what is known of the incident, and the structured answers beside it."""

    text: Text
    kind: Kind = Kind.INITIAL
    incident: KnownIn = Field(default_factory=KnownIn)
    affected: Sentence | None = None
    if_affected: Sentence | None = None
    if_not_affected: Sentence | None = None


@router.post("")
async def check(body: CheckIn, ctx: Ctx, caller: Reader) -> Response:
    """What the wording checks find in a text: `findings`, blocks first, and whether it is `blocked`. Nothing is kept or sent."""
    answers = Answers(body.affected or "", body.if_affected or "", body.if_not_affected or "")
    findings = wording.check(body.text, body.incident.known(ctx.settings), body.kind, answers)
    listed: list[dict[str, Any]] = [dataclasses.asdict(finding) for finding in findings]
    return whole({"blocked": any(finding.severity == "block" for finding in findings), "findings": listed})


def _iso(moment: datetime | None) -> str:
    return iso(moment) if moment else ""
