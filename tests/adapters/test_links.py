"""Nothing is clickable that must not be: renderings of texts that name affected, unknown and look-alike sites, in any writing.

What a platform makes clickable is told by its own rules (`tests/adapters/clickable.py`), not by the wording checks' idea of a link.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.contract import PERMALINK_SLOT, Part, Role, Unsupported
from app.domain import rendering
from app.domain.announcement import Answers, Kind, Override
from app.domain.incident import Facts
from app.domain.wording import Known, check
from app.domain.wording.names import within_any
from app.domain.wording.unlinked import unlinked
from tests.adapters import clickable
from tests.adapters.cases import CASES, Case
from tests.adapters.test_contract import pure

AFFECTED = ("quillbank.com", "kurva.co.uk", "xn--bcher-kva.example", "203.0.113.7", "cdn.safe-place.org")
FACTS = Facts(
    id="in_1",
    name="app.quillbank.com compromised",
    slug="s",
    own_domains=("quillbank.com", "quillbank.app", "kurva.co.uk", "safe-place.org"),
    affected_domains=AFFECTED,
    safe_links=("https://quillbank.net",),
)
FINE = ("quillbank.app", "safe-place.org", "quillbank.net")
BARRED = [
    "quillbank.com", "www.quillbank.com", "app.quillbank.com", "kurva.co.uk", "login.kurva.co.uk", "bücher.example", "203.0.113.7", "cdn.safe-place.org",
    "quillbank.zip", "my.site", "readme.md", "setup.py", "quillbank-help.com", "github.io", "co.uk", "bit.ly", "news-of-today.info", "аррӏе.com", "now.It", "t.me",
]  # fmt: skip
"""Hosts that are affected, unknown, look-alikes, or nothing but a file's name."""

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def _wide(host: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in host)


def _packed(host: str) -> str:
    return base64.urlsafe_b64encode(f"https://{host}/a?b=c".encode()).decode().rstrip("=")


SPELLINGS = [
    str, str.upper, str.title, lambda h: f"{h}.", lambda h: f"{h}:8443", lambda h: f"{h}/login?a=b#c", _wide,
    lambda h: h.replace(".", "\u3002"), lambda h: h.replace(".", "\uff0e"), lambda h: h.replace(".", "&#46;"), lambda h: f"{h[:3]}\u200b{h[3:]}",
    lambda h: f"{h[:3]}\u00ad{h[3:]}", lambda h: f"{h[:2]}\u2060{h[2:]}", lambda h: f"{h}\u202e", lambda h: f"{h[:1]}\u0333{h[1:]}", lambda h: h.replace(".", "[.]"),
    lambda h: h.replace(".", "[.]", 1), lambda h: h.replace(".", "(.)", 1), lambda h: h.replace(".", " (dot) "), lambda h: "[.]".join(h.rsplit(".", 1)),
    lambda h: f"sub.{h}", lambda h: f"{h}.", lambda h: h.replace("a", "%61"),
]  # fmt: skip
SHAPES = [
    "{}", "https://{}", "HTTP://{}/x", "hxxps://{}", "ftp://{}", "//{}", "https:\\\\{}", "https://help.quillbank.net@{}/help", "user:pass@{}", "security@{}",
    "@{}", "#{}", "${}", "/{}", "({})", "[{}]", "<{}>", "<https://{}>", "“{}”", "**{}**", "_{}_", "`{}`", "~~{}~~", "||{}||", "[help](https://{}/a)", "[help](//{})",
    "[{0}](https://{0})", "<a href='https://{}'>x</a>", '<a href="//{}">x</a>', "![x](https://{}/a.png)", "请勿访问{}谢谢", "see:{},", "a,{},b", "x/{}/y", "{}…", "{}’s",
    "https://help.quillbank.net/go?url=https://{}/", "https://help.quillbank.net/{}", "https://web.archive.org/web/2026/https://{}/", "mailto:x@{}", "tg://resolve?domain={}",
    "javascript:location='https://{}'", "{0} {0}", "{0}/{0}", "{0}|{0}", "{0}@{0}", "-{}-", "http://www.{}", "www.{}",
]  # fmt: skip
WORDS = ["Do not open ", "", " for now. ", ", please", "\n", "\n- ", "\n\n", "\nIt is ", "1. ", " and ", "？", "> ", "# "]
MENTIONED = st.builds(
    lambda host, spell, shape: shape.format(spell(host)), st.sampled_from(BARRED), st.sampled_from(SPELLINGS), st.sampled_from(SHAPES)
)
FORWARDED = st.sampled_from(BARRED[:8]).flatmap(
    lambda host: st.sampled_from(
        [
            f"https://help.quillbank.net/r?u={quote(f'https://{host}/', safe='')}",
            f"https://help.quillbank.net/r/{_packed(host)}",
            f"https://help.quillbank.net/r?u=//{host}",
        ]
    )
)
TEXTS = st.lists(MENTIONED | FORWARDED | st.sampled_from(WORDS), min_size=1, max_size=5).map("".join).filter(lambda text: text.strip(" \n"))


def rendered(case: Case, text: str, role: Role = Role.PRIMARY, overrides: tuple[Override, ...] = ()) -> list[Part]:
    """What the destination would be sent: the whole way from the author's words, as `app.services.renderings` goes it."""
    adapter = pure(case.platform)
    said = rendering.message(
        role, Kind.INITIAL, FACTS, Answers(text), text, drill=False, overrides=overrides, names=adapter.limits.links_names
    )
    return [part.filled("https://x.com/quillbank/status/1") for part in adapter.render(said).parts]


def reached(case: Case, parts: list[Part], **how: bool) -> set[str]:
    found = {host for part in parts for text in (part.text, part.standalone) for host in clickable.hosts(case.platform, text, **how)}
    titles = {host for part in parts for host in clickable.hosts("email" if case.platform == "email" else "banner", part.title)}
    return (found | titles) - {"x.com"}


@EVERY
@pytest.mark.parametrize("role", [Role.PRIMARY, Role.POINTER])
@settings(max_examples=250, deadline=None, derandomize=True)
@given(text=TEXTS)
@example(text="Do not open kurva[.]co.uk.")
@example(text="https://my.site[.]quillbank[.]com")
@example(text="@quillbank.com")
@example(text="Run setup.py, then read README.md.")
def test_nothing_barred_is_clickable_where_it_is_sent(case: Case, role: Role, text: str) -> None:
    try:
        parts = rendered(case, text, role)
    except Unsupported:
        return
    assert not {host for host in reached(case, parts) if within_any(host, AFFECTED)}, parts
    others = {host for host in reached(case, parts, mails=False) if not within_any(host, FINE) and not host[-1].isdigit()}
    assert not others, parts


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=TEXTS)
def test_what_was_broken_is_seen_by_the_checks_as_broken(text: str) -> None:
    once = unlinked(text, Known.of(FACTS), Kind.INITIAL)
    assert not [found for found in check(once, FACTS, Kind.INITIAL, whole=False) if found.rule == "live-link-affected"], once
    assert unlinked(once, Known.of(FACTS), Kind.INITIAL) == once


@EVERY
def test_what_is_fine_stays_as_it_was_written(case: Case) -> None:
    text = "See https://help.quillbank.net/a_b?c=1 and write to help@quillbank.app."
    (part,) = rendered(case, text)
    assert "https://help.quillbank.net/a_b?c=1" in part.text
    expected = set() if case.platform == "banner" else {"help.quillbank.net"}
    assert reached(case, [part], mails=False) == expected, "or else the platform's rules find nothing at all"


@EVERY
def test_an_override_keeps_its_link(case: Case) -> None:
    text, reason = "The page https://app.quillbank.com is ours again.", "We own it again, and say so."
    (part,) = rendered(case, text, overrides=(Override("live-link-affected", reason, "https://app.quillbank.com"),))
    assert "https://app.quillbank.com" in part.text
    (part,) = rendered(case, text, overrides=(Override("live-link-affected", reason, "another.quillbank.com"),))
    assert "https://app" not in part.text


@EVERY
def test_a_files_name_is_broken_only_where_it_would_become_a_link(case: Case) -> None:
    (part,) = rendered(case, "Whoever ran harbour-setup.zip or read NOTES.md, wait. Node.js is not touched.")
    names = pure(case.platform).limits.links_names
    assert ("harbour-setup[.]zip" in part.text, "NOTES[.]md" in part.text) == (names, names)
    assert "Node.js" in part.text


@EVERY
def test_the_incidents_name_is_no_link_in_a_title(case: Case) -> None:
    assert all("quillbank.com" not in part.title for part in rendered(case, "Wait."))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://app.quillbank.com/login", "app[.]quillbank[.]com/login"),
        ("kurva[.]co.uk", "kurva[.]co[.]uk"),
        ("See app.quillbank.com/x. It is off.", "See app[.]quillbank[.]com/x. It is off."),
        ("Off: app.quillbank.com, kurva.co.uk: wait.", "Off: app[.]quillbank[.]com, kurva[.]co[.]uk: wait."),
        ("https://quillbank[.]com/x", "quillbank[.]com/x"),
        ("[help](https://evil-quillbank.com)", "[help](evil-quillbank[.]com)"),
        ("quill\u200bbank.com", "quillbank[.]com"),
        ("security@quillbank.com", "security@quillbank[.]com"),
        ("now.It is", "now[.]It is"),
        ("请勿访问quillbank.com谢谢？app.quillbank.com也是", "请勿访问quillbank[.]com谢谢？app[.]quillbank[.]com也是"),
        (f"All news: {PERMALINK_SLOT}", f"All news: {PERMALINK_SLOT}"),
        ("Version 1.2.3, e.g. Node.js at 10.30 a.m.", "Version 1.2.3, e.g. Node.js at 10.30 a.m."),
    ],
)
def test_how_it_is_broken(written: str, shown: str) -> None:
    assert unlinked(written, Known.of(FACTS), Kind.INITIAL) == shown
