"""What the API accepts. Unknown fields are refused, so that a misspelt one is never ignored; every text is checked to be text."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Discriminator, Field, Tag

from app.domain.announcement import MAX_TEXT, Answers, Kind, Override, Translation, Wording
from app.domain.incident import Facts
from app.domain.phrases import LANGUAGE
from app.settings import Settings, words
from app.store.tables import iso

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def _text(value: str) -> str:
    value = value.replace("\r\n", "\n")
    bad = _CONTROL.search(value)
    if bad:
        raise ValueError(f"holds a control character or half of one (U+{ord(bad[0]):04X}) at position {bad.start()}; delete it")
    if not value.strip():
        raise ValueError("is empty")
    return value


def _line(value: str) -> str:
    if "\n" in _text(value):
        raise ValueError("must be one line")
    return value.strip()


def _host(value: str) -> str:
    host = value.strip().strip(".").lower()
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise ValueError("must be a host name alone, like example.com, without https:// and path")
    return host


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is no IANA time zone; write one like Europe/Berlin or UTC") from error
    return value


def _language(value: str) -> str:
    if not LANGUAGE.fullmatch(value):
        raise ValueError("must be a language like de, pt-BR or zh-Hant")
    return value


def _near(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2100:
        raise ValueError("must lie between the years 2000 and 2100")
    return value


Text = Annotated[str, AfterValidator(_text), Field(max_length=MAX_TEXT)]
Line = Annotated[str, AfterValidator(_line), Field(max_length=200)]
Sentence = Annotated[str, AfterValidator(_line), Field(max_length=400)]
Host = Annotated[str, AfterValidator(_host)]
Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]


class Strict(BaseModel):
    """A body whose unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IncidentIn(Strict):
    """An incident inline; its name is all that is needed, the rest has defaults from the configuration."""

    name: Line = Field(description="What people call it, for example “Website compromised”")
    products: list[Line] | None = Field(None, max_length=100)
    affected_products: list[Line] = Field(default_factory=list, max_length=100)
    own_domains: list[Host] | None = Field(None, max_length=200)
    affected_domains: list[Host] = Field(default_factory=list, max_length=200, description="Never linked while it is open")
    safe_links: list[Line] | None = Field(None, max_length=100)
    time_zone: Zone | None = None
    started: Annotated[AwareDatetime, AfterValidator(_near)] | None = None

    @property
    def given(self) -> frozenset[str]:
        """The facts that the request itself names; of an incident that exists they replace what was known."""
        return frozenset(self.model_fields_set) - {"name"}

    def facts(self, settings: Settings) -> Facts:
        """With the configuration's defaults."""
        return Facts(
            id="",
            name=self.name,
            slug="",
            products=tuple(words(settings.products) if self.products is None else self.products),
            affected_products=tuple(self.affected_products),
            own_domains=tuple(words(settings.own_domains) if self.own_domains is None else self.own_domains),
            affected_domains=tuple(self.affected_domains),
            safe_links=tuple(words(settings.safe_links) if self.safe_links is None else self.safe_links),
            time_zone=self.time_zone or settings.time_zone,
            started=iso(self.started) if isinstance(self.started, datetime) else "",
        )


class OverrideIn(Strict):
    """A reason to send in spite of a `block` finding; part of the signed bytes."""

    rule: Line
    reason: Line
    excerpt: str = Field("", max_length=500)


class TranslationIn(Strict):
    """The same words in another language, for the destinations that speak it."""

    text: Text
    affected: Sentence | None = None
    if_affected: Sentence | None = None
    if_not_affected: Sentence | None = None
    correction: Text | None = Field(None, description="Its correction, where one is written in advance")


class WordingIn(Strict):
    """The words of one revision. The text alone is enough."""

    text: Text
    affected: Sentence | None = Field(None, description="Who is affected, in one sentence")
    if_affected: Sentence | None = Field(None, description="What they do now")
    if_not_affected: Sentence | None = Field(None, description="What the others do, or need not do")
    author: Line | None = Field(None, description="The person of the roster who wrote it")
    destinations: list[Line] | None = Field(
        None, description="Ids of those to use; all, where it is left out", min_length=1, max_length=20_000
    )
    texts: dict[str, Text] = Field(
        default_factory=dict, description="Own words for a destination, by its id; for one that is only ever a pointer, its line"
    )
    overrides: list[OverrideIn] = Field(default_factory=list, max_length=100)
    clear_banner: bool = Field(False, description="true: once this is out, the banner is empty")
    correction: Text | None = Field(None, description="A correction written in advance; it needs only approvals to go")
    language: Language | None = Field(None, description="Of the text, like en")
    translations: dict[Language, TranslationIn] = Field(
        default_factory=dict, max_length=50, description="By their language; for destinations whose `language` that is"
    )
    sealed_until: Annotated[AwareDatetime, AfterValidator(_near)] | None = Field(
        None,
        description="Seals it: signed by two now, sent when one person unseals it, not after this time; the correction is sealed with it",
    )

    def wording(self) -> Wording:
        """As the services take it."""
        return Wording(
            text=self.text,
            answers=_answers(self),
            author=self.author or "",
            destinations=tuple(self.destinations or ()),
            overrides=tuple(Override(o.rule, o.reason, o.excerpt) for o in self.overrides),
            texts=self.texts,
            clear_banner=self.clear_banner,
            correction=self.correction or "",
            language=self.language or "",
            translations=tuple(
                Translation(name, told.text, _answers(told), told.correction or "") for name, told in sorted(self.translations.items())
            ),
            sealed_until=iso(self.sealed_until) if self.sealed_until else "",
        )


def _answers(words: WordingIn | TranslationIn) -> Answers:
    return Answers(words.affected or "", words.if_affected or "", words.if_not_affected or "")


def _how_named(value: object) -> str:
    return "existing" if isinstance(value, str) else "inline"


class AnnouncementIn(WordingIn):
    """A new announcement. The least is the text and the incident's name, or the id of an incident that exists."""

    incident: Annotated[Annotated[IncidentIn, Tag("inline")] | Annotated[Line, Tag("existing")], Discriminator(_how_named)]
    kind: Kind = Kind.INITIAL


class ResolveIn(Strict):
    """Resolves an incident; `now` sends the resolution as soon as it is approved instead of an hour later."""

    now: bool = False
    resolution: WordingIn | None = None


class RetryIn(Strict):
    """`looked`: a person has looked at the destination, and the post is not there."""

    looked: bool = False


class MarkIn(Strict):
    """The URL of the post that a person found or made by hand; left out where a post has none (mail, private chats)."""

    url: Line | None = None


class ExcludeIn(Strict):
    """Why nothing may be sent to a destination any more; shown to everybody."""

    why: Sentence


class CorrectionIn(Strict):
    """Corrects what was sent: by the text that was written in advance, or by this one."""

    text: Text | None = None
    author: Line | None = None


class ClockIn(Strict):
    """How far the drill's clock runs ahead of the real one."""

    ahead_seconds: float = Field(ge=0, le=400 * 24 * 3600)


class EnrolmentIn(Strict):
    """Who is to make a passkey."""

    person: Line
