"""A text as it may be posted: what must not be clickable is broken, so that a reader sees it and no platform makes a link of it.

Broken is every link that breaks a link rule, unless a signed override names it; and where a platform makes links of bare names, every
name that nobody meant as a link and a stranger may own (`setup.zip`, `README.md`, `now.It`). The checks look at what was rendered
again (`app.domain.findings`), so a link that slipped through is found there. Whether a platform links bare names is told by its
adapter's `Limits.links_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from app.domain.announcement import Kind, Override
from app.domain.wording.link_rules import verdict
from app.domain.wording.links import DROPPED, Link, plain
from app.domain.wording.names import is_bare_link, public, within_any
from app.domain.wording.rule import Draft, Known

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+-]*:[/\\]+|[/\\]{2,})?", re.I)
_SCRIPT = re.compile(r"(javascript|data|file):", re.I)
_DISGUISED = re.compile(rf"[{DROPPED}\u3002\uff00-\uffef]|&\#")
"""In a link: some platforms drop or resolve it, others end the link there and begin another."""
_STICKS = re.compile(rf"[A-Za-z0-9_.。．｡~%+@:/\\{DROPPED}-]")
"""What could be a name together with the rest of a link that was broken."""
_DOT = re.compile(r"(?<![\[({])\.(?![\])}])")
_BROKEN = r"(?=[^\s/?#]{0,253}[\[({](?:\.|dot)[\])}])"
_SCHEME_OF_BROKEN = re.compile(rf"(?<![A-Za-z0-9])[a-z][a-z0-9+-]{{0,19}}:[/\\]+{_BROKEN}", re.I)
_WWW_OF_BROKEN = re.compile(rf"(?<![A-Za-z0-9])(www)\.{_BROKEN}", re.I)
"""Some platforms link whatever follows a scheme or `www.`."""


@lru_cache(maxsize=64)
def unlinked(text: str, known: Known, kind: Kind, overrides: tuple[Override, ...] = (), *, names: bool = True) -> str:
    """The text with what must not be clickable broken (`app[.]example[.]com`). `names`: the platform makes links of bare names."""
    draft, shown, at = Draft(text, known, kind), "", 0
    barred = sorted(_whole(text, link) for link in draft.links if not _may_stay(link, draft, overrides, names))
    for start, end in _together(barred):
        shown += text[at:start] + broken(plain(text[start:end]).text)
        at = end
    return _WWW_OF_BROKEN.sub(r"\1[.]", _SCHEME_OF_BROKEN.sub("", shown + text[at:]))


def _whole(text: str, link: Link) -> tuple[int, int]:
    """The span of a link with what sticks to it, in Latin letters."""
    start, end = link.start, link.end
    while start and _STICKS.match(text[start - 1]):
        start -= 1
    while end < len(text) and _STICKS.match(text[end]):
        end += 1
    while end > link.end and not text[end - 1].isalnum():  # the sentence's own punctuation
        end -= 1
    return start, end


def _together(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans by place, those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def broken(written: str) -> str:
    """The same to read and nothing to click: no scheme before it, none in it, and every dot in brackets."""
    bare = written[len(_SCHEME.match(written)[0]) :]  # type: ignore[index]  # it matches the empty string
    return _DOT.sub("[.]", _SCRIPT.sub(r"\1[:]", bare.replace("://", "[:]//")))


def _may_stay(link: Link, draft: Draft, overrides: Iterable[Override], names: bool) -> bool:
    if _DISGUISED.search(draft.text, link.start, link.end):
        return False
    if rule := verdict(link, draft):
        words = draft.text[link.start : link.end]
        return any(o.rule == rule and o.excerpt in ("", words) and o.reason.strip() for o in overrides)
    if not link.bare or link.mail or within_any(link.host, draft.fine) or is_bare_link(link.host, link.written):
        return True
    return not (link.host.startswith("www.") or (names and any(map(public, link.hosts))))
