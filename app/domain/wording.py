"""The wording checks: pure functions from a text and its incident to findings. A finding informs; only a `block` asks for an override.

Kept here: the rules that hold in every language and need no dictionary. Ids and severities are fixed names that overrides use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from app.domain.announcement import Override
from app.domain.incident import Facts

if TYPE_CHECKING:
    from linkify_it import LinkifyIt

Severity = Literal["block", "warn", "info"]
Rule = Callable[[str, Facts], "Iterator[Finding]"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: the words (`excerpt`), where they stand (`start`, `end` in characters) and what to do."""

    rule: str
    severity: Severity
    message: str
    excerpt: str
    start: int
    end: int


_HIDDEN = re.compile("[\u200b\u2060-\u2064\ufeff\u034f\u115f\u1160\u3164\uffa0\u202a-\u202e\u2066-\u2069\u200e\u200f\U000e0000-\U000e007f]")


@cache
def _linkify() -> LinkifyIt:
    from linkify_it import LinkifyIt  # its tables take a while to load

    return LinkifyIt(options={"fuzzy_email": False, "fuzzy_ip": True})


def _host(url: str) -> str:
    rest = re.sub(r"^[a-z][a-z0-9+.-]*://", "", url, flags=re.I)
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rsplit("@", 1)[-1]
    host = unicodedata.normalize("NFKC", host).split(":")[0].strip(".").lower()
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _within(host: str, domain: str) -> bool:
    domain = domain.strip(".").lower()
    return host == domain or host.endswith("." + domain)


def live_link_affected(text: str, facts: Facts) -> Iterator[Finding]:
    """A clickable name of an affected domain."""
    places = [place for place, character in enumerate(text) if not _HIDDEN.match(character)]
    for link in _linkify().match("".join(text[place] for place in places)) or ():
        if any(_within(_host(link.url), domain) for domain in facts.affected_domains):
            start, end = places[link.index], places[link.last_index - 1] + 1
            advice = f"Write “our website” or {link.text.replace('.', '[.]')}."
            message = f"Readers can click this and land on the affected site. {advice}"
            yield Finding("live-link-affected", "block", message, text[start:end], start, end)


def hidden_characters(text: str, facts: Facts) -> Iterator[Finding]:
    """Zero-width and bidirectional control characters."""
    for found in _HIDDEN.finditer(text):
        name = unicodedata.name(found[0], f"U+{ord(found[0]):04X}")
        yield Finding("hidden-characters", "block", f"A character that nobody sees ({name}). Delete it.", found[0], *found.span())


_PLACEHOLDER = re.compile(
    r"\{\{[^{}]*\}\}|\[[A-Za-z][^\[\]\n]{2,60}\](?!\()|<[A-Z][A-Z _-]{2,40}>|\b(?:TODO|TBD|XXX|FIXME)\b|lorem ipsum", re.I
)


def placeholder(text: str, facts: Facts) -> Iterator[Finding]:
    """A leftover of a template."""
    for found in _PLACEHOLDER.finditer(text):
        if found[0].lower() not in {"[dot]", "[drill]"}:
            yield Finding("placeholder", "block", "A gap of a template was left in. Fill it or take it out.", found[0], *found.span())


def mass_mention(text: str, facts: Facts) -> Iterator[Finding]:
    """A word that pings everyone."""
    for found in re.finditer(r"(?<!\w)@(?:everyone|here|channel|all)\b", text, re.I):
        yield Finding("mass-mention", "block", "This would ping every member. Take it out.", found[0], *found.span())


RULES: tuple[Rule, ...] = (live_link_affected, hidden_characters, placeholder, mass_mention)


RULE_IDS = frozenset({"live-link-affected", "hidden-characters", "placeholder", "mass-mention"})


def check(text: str, facts: Facts) -> tuple[Finding, ...]:
    """All findings of all rules, blocks first, then by place."""
    found = [finding for rule in RULES for finding in rule(text, facts)]
    return tuple(sorted(found, key=lambda finding: (finding.severity != "block", finding.start)))


def not_overridden(findings: tuple[Finding, ...], overrides: tuple[Override, ...]) -> tuple[Finding, ...]:
    """The blocks that no override names; while there are any, the revision cannot be approved."""
    return tuple(
        finding
        for finding in findings
        if finding.severity == "block"
        and not any(o.rule == finding.rule and o.excerpt in ("", finding.excerpt) and o.reason.strip() for o in overrides)
    )
