"""The rule about a text that one destination has for itself: where it says something else than the announcement's own text.

Links, clock times, dates, versions and products are compared in every language; who is meant, and what readers are asked to do or to leave,
where both texts are English. Other words for the same are fine. What is left out is a hint; what is said otherwise, or in addition, a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.wording.acts import Ask, asks
from app.domain.wording.english import English, clauses
from app.domain.wording.names import is_bare_link
from app.domain.wording.readers import says_who
from app.domain.wording.rule import Draft, Rule, Spot
from app.domain.wording.times import dates

_TIME = re.compile(r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3])(?:[:h](?P<minute>[0-5]\d))?(?: ?(?P<half>am|pm|a\.m\.|p\.m\.))?(?![\d:\w])", re.I)
_VERSION = re.compile(r"(?<![\w./:-])v?\d+(?:\.\d+)+(?![\w:-]|\.\w)", re.I)
_ALIKE = (
    frozenset(["move", "transfer", "withdraw", "send", "sweep", "migrate"]),
    frozenset(["update", "upgrade", "install", "patch", "apply", "run", "download"]),
    frozenset(
        ["change", "reset", "rotate", "replace", "renew", "regenerate", "re-generate", "reissue", "roll", "create", "choose", "set", "pick"]
    ),
    frozenset(["remove", "uninstall", "delete", "disable", "discard", "erase", "destroy", "wipe", "clear"]),
    frozenset(["visit", "open", "use", "enter", "go", "log", "sign"]),
    frozenset(["revoke", "cancel", "invalidate", "terminate", "end", "expire"]),
    frozenset(["call", "contact", "tell", "inform", "ask", "write", "e-mail", "email", "report"]),
    frozenset(["check", "verify", "review", "audit", "compare", "look", "see", "scan", "monitor", "watch"]),
    frozenset(["stop", "pause", "shut", "quit", "close", "exit", "disconnect", "unplug", "isolate"]),
)
"""Verbs that authors take for one another."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One thing that a text says: its sort, its one form, and where it stands."""

    sort: str
    form: str
    start: int
    end: int


def _says_otherwise(draft: Draft) -> Iterator[Spot]:
    if draft.canonical.split() in ([], draft.text.split()):
        return
    other = Draft(draft.canonical, draft.known, draft.kind)
    here, there = _all_said(draft), _all_said(other)
    lacking = [said for key, said in there.items() if key not in here]
    for said in (said for key, said in here.items() if key not in there):
        instead = next((one for one in lacking if one.sort == said.sort), None)
        if instead:
            lacking.remove(instead)
        yield Spot(said.start, said.end, _told(said, instead, draft, other))
    yield from _asks_otherwise(draft, other)
    if lacking:
        left = ", ".join(f"“{other.text[said.start : said.end]}”" for said in sorted(lacking, key=lambda said: said.start))
        yield Spot(len(draft.text), len(draft.text), f"The announcement's text also says {left}; this one does not.", severity="info")


def _asks_otherwise(draft: Draft, other: Draft) -> Iterator[Spot]:
    """Where who is meant or what to do is said there alone, or is another thing here."""
    if not draft.english or not other.english:
        return
    end = len(draft.text)
    if (who := _who(other.english)) and not _who(draft.english):
        yield Spot(end, end, f"This does not say who is affected. The announcement's text says: “{who}”")
    here, there = _asked(draft.english), _asked(other.english)
    for verb, ask in here.items():
        opposite = there.get((verb[0], not ask.denied))
        if opposite and verb not in there and (verb[0], not ask.denied) not in here:
            told = _told(ask, opposite, draft, other)
            yield Spot(ask.start, ask.end, told)
    todo, meant = ([ask for ask in asked.values() if not ask.denied] for asked in (here, there))
    if meant and not any(ask for (verb, denied), ask in here.items() if not denied and (verb, denied) in there):
        first = todo[0] if todo else Ask("", end, end, denied=False)
        told = "what to do" if not todo else f"to {meant[0].verb}"
        yield Spot(first.start, first.end, f"This does not say {told}, as the announcement's text does. Readers see both: mend one.")


def _who(english: English) -> str:
    return next((sentence.text for sentence in english.sentences if says_who(english, sentence.text)), "")


def _asked(english: English) -> dict[tuple[str, bool], Ask]:
    """What is asked of readers, by the one word for it and whether it is a warning not to."""
    found = [ask for sentence in english.sentences for clause in clauses(sentence) for ask in asks(clause)]
    return {(_one_word(ask.verb), ask.denied): ask for ask in reversed(found)}


def _told(said: _Said | Ask, instead: _Said | Ask | None, draft: Draft, other: Draft) -> str:
    words = draft.text[said.start : said.end]
    if instead:
        return f"Here it is {_around(draft, said)}, in the announcement's text {_around(other, instead)}. Readers see both: mend one."
    return f"The announcement's text does not say “{words}”. Readers see both: mend one."


def _all_said(draft: Draft) -> dict[tuple[str, str], _Said]:
    """What a text says, each once, by place."""
    return {(said.sort, said.form): said for said in sorted(_said(draft), key=lambda said: -said.start)}


def _said(draft: Draft) -> Iterator[_Said]:
    for link in draft.links:
        if not link.bare or is_bare_link(link.host, link.written):
            yield _Said("link", link.host.removeprefix("www.") + link.address.rstrip("/"), link.start, link.end)
    for found in _TIME.finditer(draft.prose):
        if found["minute"] or found["half"]:
            late = (found["half"] or "").lower().startswith("p")
            hour = int(found["hour"]) % 12 + 12 * late if found["half"] else int(found["hour"])
            yield _Said("time", f"{hour}:{found['minute'] or '00'}", *found.span())
    for date, start, end in dates(draft.prose):
        yield _Said("date", date, start, end)
    for found in _VERSION.finditer(draft.text):
        if not any(link.start <= found.start() < link.end for link in draft.links if not link.bare):
            yield _Said("version", found[0].lower().removeprefix("v"), *found.span())
    for product in draft.known.products:
        place = draft.prose.casefold().find(product.casefold())
        if product and place >= 0:
            yield _Said("product", product, place, min(place + len(product), len(draft.text)))


def _around(draft: Draft, said: _Said | Ask) -> str:
    """The words themselves; of an ask the clause around them, for its verb alone tells nothing."""
    if isinstance(said, _Said):
        return f"“{draft.text[said.start : said.end]}”"
    sentences = draft.english.sentences if draft.english else ()
    return next((f"“{sentence.text}”" for sentence in sentences if sentence.start <= said.start < sentence.end), f"“{said.verb}”")


def _one_word(verb: str) -> str:
    return next((min(group) for group in _ALIKE if verb in group), verb)


SAYS_OTHERWISE = Rule(
    "says-otherwise", "warn", "A destination's own text says something else than the announcement's: a link, a time, a version, who is affected, what to do.",
    "readers follow a company in several places and compare; a difference is taken for a fraud",
    "If you used Example Web, move your funds by 10:30 UTC.", "If you used Example Web, please transfer your funds by 09:30 UTC.",
    _says_otherwise, beside="If you used Example Web, move your funds to a new wallet by 09:30 UTC.",
)  # fmt: skip
RULES = (SAYS_OTHERWISE,)
