"""The rules about links. A link breaks one rule: the first that holds of affected, look-alike, shortened, not allowed.

An affected domain beats an allowed one below it. Where neither own nor allowed domains are known, nothing can be told about any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from app.domain.wording.links import Link
from app.domain.wording.names import is_bare_link, registrable, resembles, within_any
from app.domain.wording.private import internal
from app.domain.wording.rule import Draft, Rule, Spot

_OPEN_REDIRECTORS = re.compile(
    r"(?:www\.)?google\.[a-z.]+/url\b|l[m]?\.facebook\.com/l\.php|(?:www\.)?facebook\.com/flx/warn|l\.instagram\.com/|(?:www\.)?youtube\.com/redirect"
    r"|steamcommunity\.com/linkfilter|out\.reddit\.com/|vk\.com/away|slack-redir\.net/link|duckduckgo\.com/l/|(?:www\.)?bing\.com/ck/"
    r"|(?:www\.)?linkedin\.com/(?:redir|safety/go)|t\.umblr\.com/redirect|href\.li/|web\.telegram\.org/redir|(?:[\w-]+\.)?safelinks\.protection\.outlook\.com/"
)
_A_PARAMETER_WITH_A_URL = re.compile(r"[?&#][^=&]*=(?:https?(?::|%3a)|//|%2f%2f)", re.I)


def _judged(draft: Draft, rule: str) -> Iterator[Link]:
    seen = set()
    for link in draft.links:
        if (link.start, link.end) not in seen and verdict(link, draft) == rule:
            seen.add((link.start, link.end))
            yield link


def verdict(link: Link, draft: Draft) -> str:
    """The id of the rule that a link breaks, or ""."""
    if any(within_any(host, draft.affected) for host in (*link.hosts, *link.forwarded)):
        return "live-link-affected"
    if link.mail:
        return ""
    aims = (link.host, *link.forwarded) if within_any(link.host, draft.fine) else (link.host,)
    others = [host for host in aims if host and not within_any(host, (*draft.fine, *draft.affected)) and not internal(host)]
    if any(resembles(host, _ours(draft)) for host in others if not link.bare or registrable(host)):
        return "lookalike-domain"
    if others and _shortened(link):
        return "shortened-link"
    wanted = link.script or (others and (not link.bare or is_bare_link(link.host, link.written)))
    return "link-not-allowed" if wanted and draft.fine else ""


def _ours(draft: Draft) -> tuple[str, ...]:
    own = {registrable(host) or host for host in draft.fine}
    return tuple(dict.fromkeys((*draft.fine, *sorted(own))))


def _shortened(link: Link) -> bool:
    if link.host.removeprefix("www.") in _shorteners() or _OPEN_REDIRECTORS.match(link.host + link.address):
        return not link.bare or is_bare_link(link.host, link.written)
    return not link.bare and bool(_A_PARAMETER_WITH_A_URL.search(link.address))


@cache
def _shorteners() -> frozenset[str]:
    """The hosts of the list; read as a file, because the package itself imports more than it needs."""
    found = find_spec("link_shorteners")
    assert found is not None
    assert found.submodule_search_locations
    listed = (Path(found.submodule_search_locations[0]) / "link-shorteners.txt").read_text("utf-8")
    return frozenset(line.strip().lower().rstrip("/").removeprefix("www.") for line in listed.splitlines() if line.strip())


def _broken(link: Link) -> str:
    """A host that nothing makes clickable, whatever part of it a platform would take for a name: every dot in brackets."""
    return link.host.replace(".", "[.]") if "." in link.host else "our website"


def _live_link_affected(draft: Draft) -> Iterator[Spot]:
    for link in _judged(draft, "live-link-affected"):
        mend = _broken(link) if within_any(link.host, draft.affected) else "our website"
        told = f"Readers can click this and land on the affected site. Write “our website” or {mend}."
        yield Spot(link.start, link.end, told, mend)


def _lookalike_domain(draft: Draft) -> Iterator[Spot]:
    for link in _judged(draft, "lookalike-domain"):
        hosts = (link.host, *link.forwarded)
        meant = next(filter(None, (resembles(host, _ours(draft)) for host in hosts if not within_any(host, draft.fine))), "")
        yield Spot(
            link.start, link.end, f"This looks like {meant} and is another site. Check every letter; if it is yours, add it to the domains."
        )


def _shortened_link(draft: Draft) -> Iterator[Spot]:
    for link in _judged(draft, "shortened-link"):
        yield Spot(link.start, link.end, "Nobody can see where this leads. Write the address that it leads to.")


def _link_not_allowed(draft: Draft) -> Iterator[Spot]:
    for link in _judged(draft, "link-not-allowed"):
        where = link.host or "This"
        told = f"{where} is neither one of your domains nor on the list of safe links. Take it out, or add it if you trust it."
        yield Spot(link.start, link.end, told)


LIVE_LINK_AFFECTED = Rule(
    "live-link-affected",
    "block",
    "The text leads to an affected domain or one below it, in any disguise.",
    "WHATWG URL, UTS 46: how a browser reads a host; the platforms' own rules of what becomes a link",
    "Do not visit https://app.example.com",
    "Do not visit app.example[.]com",
    _live_link_affected,
)
LOOKALIKE_DOMAIN = Rule(
    "lookalike-domain",
    "block",
    "A link leads to a domain that resembles an own or allowed one and is neither.",
    "UTS 39 confusables; the Public Suffix List",
    "Get help at https://exarnple.com",
    "Get help at https://help.example.com",
    _lookalike_domain,
)
SHORTENED_LINK = Rule(
    "shortened-link",
    "block",
    "A shortener or an open redirector hides where a link leads.",
    "the list of the package link-shorteners; CWE-601, open redirects",
    "Guide: https://bit.ly/3xYzQ12",
    "Guide: https://help.example.com/new-wallet",
    _shortened_link,
)
LINK_NOT_ALLOWED = Rule(
    "link-not-allowed",
    "block",
    "A link leads to a domain that is neither own nor allowed.",
    "a reader in a hurry clicks whatever the official account links",
    "Read https://news.invalid/story",
    "Read https://help.example.com/story",
    _link_not_allowed,
)
RULES = (LIVE_LINK_AFFECTED, LOOKALIKE_DOMAIN, SHORTENED_LINK, LINK_NOT_ALLOWED)
