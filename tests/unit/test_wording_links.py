"""Links in disguise are found, and what is no link is left alone. Both lists are generated, more than a thousand of each."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from app.domain.announcement import Kind
from app.domain.wording import Finding, Known, check

LINK_RULES = {"live-link-affected", "lookalike-domain", "shortened-link", "link-not-allowed"}
HOSTS = ("quillbank.com", "www.quillbank.com", "login.quillbank.com", "portal.kurva.co.uk", "kurva.co.uk", "xn--bcher-kva.example")
KNOWN = Known(
    products=("Quillbank",),
    own_domains=("quillbank.com", "quillbank.app", "kurva.co.uk"),
    affected_domains=("quillbank.com", "kurva.co.uk", "bücher.example", "203.0.113.7", "2001:db8::7"),
    allowed_domains=("support.quillbank.app", "github.com"),
)


def wide(host: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isalnum() else char for char in host)


def mathematical(host: str) -> str:
    return "".join(chr(0x1D41A + ord(char) - ord("a")) if char.isalpha() else char for char in host)


def spellings(host: str) -> Iterator[str]:
    """The same host, written so that a browser or a platform still gets there."""
    yield from (host, host.upper(), host.title(), host + ".", host + ":8443")
    yield from (host.replace(".", dot) for dot in "\u3002\uff0e\uff61")
    yield from (host[:3] + hidden + host[3:] for hidden in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e")
    if not host.startswith("xn--"):
        yield from (wide(host), mathematical(host), host.replace(".", "&#46;"), host.replace(".", "&period;"), host.replace("k", "&#x6b;"))


def shapes(host: str) -> Iterator[str]:
    """Where a link may stand."""
    yield from (host, f"https://{host}", f"HTTP://{host}/login?a=b#c", f"({host})", f"“{host}”", f"see:{host}/path,")
    yield from (f"https://support.quillbank.app@{host}/help", f"[our help](https://{host}/help)", f"[quillbank[.]com](https://{host})")
    yield from (
        f'<a href="//{host}/help">help</a>',
        f"<a href='https:{host}'>help</a>",
        f"<https://{host}>",
        f"请勿访问{host}谢谢",
        f"**{host}**",
        f"ftp://{host}/x",
    )


def forwards(host: str) -> Iterator[str]:
    """Where an allowed host sends a reader on."""
    url = f"https://{host}/help"
    whole = f"{url}?session=1"
    packed = base64.urlsafe_b64encode(whole.encode()).decode().rstrip("=")
    for value in (url, quote(url, safe=""), quote(quote(url, safe=""), safe=""), f"//{host}", packed):
        yield from (f"https://github.com/go?url={value}", f"https://support.quillbank.app/r/{value}", f"https://github.com/x#to={value}")


def disguises() -> list[str]:
    plain = (shape for host in HOSTS for written in spellings(host) for shape in shapes(written))
    sent_on = (url for host in HOSTS for url in forwards(host))
    numbers = (
        "203.0.113.7",
        "http://203.0.113.7/x",
        "http://3405803783/",
        "http://0xcb007107/",
        "http://0313.0.0161.07/",
        "https://[2001:db8::7]/",
    )
    return [f"Please do not open {link} for now." for link in itertools.chain(plain, sent_on, numbers)]


def innocents() -> list[str]:
    files = (f"{name}.{ending}" for name in ("setup", "src/net/resolve", "README", "build", "lib.core", "main_test") for ending in
             ["py", "rs", "md", "sh", "pl", "js", "ts", "go", "json", "yaml", "toml", "lock", "txt", "html", "css", "zip", "so", "cc", "log", "exe"])  # fmt: skip
    versions = (f"{mark}{a}.{b}.{c}" for mark in ("", "v", "version ") for a in range(5) for b in range(5) for c in range(6))
    words = [
        "e.g.",
        "i.e.",
        "a.m.",
        "p.m.",
        "Ph.D.",
        "U.S.",
        "etc.",
        "vs.",
        "No.1",
        "Node.js",
        "Next.js",
        "Vue.js",
        "ASP.NET",
        "Socket.IO",
        "VB.NET",
        "3.5x",
        "10.30",
        "1.000,50",
        "fig.2",
        "$4.99",
        "back.We",
        "now.It",
        "here.The",
    ]
    broken = (
        f"{host.replace('.', dot)}"
        for host in ("quillbank.com", "evil.example")
        for dot in ("[.]", "(.)", "{.}", "[dot]", "(dot)", " dot ", " (dot) ", " [.] ")
    )
    named = itertools.chain(broken, ("login.quillbank[.]com", "hxxps://quillbank[.]com", "our website", "portal.kurva[.]co.uk"))
    fine = ("https://support.quillbank.app/help", "quillbank.app", "https://github.com/quillbank/x/issues/9", "https://status.quillbank.app/incidents/quillbank.com", "chrome://extensions",
            "about:addons", "security@quillbank.app", "https://github.com/go?url=https%3A%2F%2Fsupport.quillbank.app%2Fx")  # fmt: skip
    places = ("See {} for more.", "The fix is in {}, as promised.", "We use {} here: it works.")
    every = itertools.chain(files, versions, words, named, fine)
    return [place.format(thing) for thing in every for place in places]


def rules(text: str, kind: Kind = Kind.UPDATE) -> set[str]:
    return {finding.rule for finding in check(text, KNOWN, kind)} & LINK_RULES


def test_every_disguise_of_an_affected_domain_is_found() -> None:
    texts = disguises()
    missed = [text for text in texts if rules(text) != {"live-link-affected"}]
    assert len(texts) > 1_000
    assert not missed, f"{len(missed)} of {len(texts)}: {missed[:20]}"


def test_what_is_no_link_is_left_alone() -> None:
    texts = innocents()
    wrong = [text for text in texts if rules(text)]
    assert len(texts) > 1_000
    assert not wrong, f"{len(wrong)} of {len(texts)}: {wrong[:20]}"


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("https://quillb\u0430nk.app/x", "lookalike-domain"),
        ("https://xn--quillbnk-66g.com", "lookalike-domain"),
        ("quill-bank.app", "lookalike-domain"),
        ("https://quillbank.net", "lookalike-domain"),
        ("https://quilbank.app", "lookalike-domain"),
        ("https://quillbank.app.help-desk.net/", "lookalike-domain"),
        ("https://quillbank-refunds.net/", "lookalike-domain"),
        ("https://g\u0456thub.com/quillbank", "lookalike-domain"),
        ("https://tinyurl.com/abc", "shortened-link"),
        ("https://www.google.com/url?q=https://support.quillbank.app/", "shortened-link"),
        ("https://click.example.org/?to=https%3A%2F%2Fquillbank.app", "shortened-link"),
        ("https://cryptodaily.net/story", "link-not-allowed"),
        ("cryptodaily.net", "link-not-allowed"),
        ("javascript:alert(1)", "link-not-allowed"),
        ("https://198.51.100.9/x", "link-not-allowed"),
        ("https://github.com/go?url=https://cryptodaily.net/", "shortened-link"),
    ],
)
def test_one_link_breaks_one_rule(link: str, rule: str) -> None:
    assert rules(f"Get help at {link} now.") == {rule}


def test_after_the_incident_an_own_domain_may_be_linked_and_a_foreign_one_may_not() -> None:
    assert rules("It is safe again: https://quillbank.com", Kind.RESOLUTION) == set()
    assert rules("It is safe again: https://quillbank.com", Kind.UPDATE) == {"live-link-affected"}
    assert rules("The false site bücher.example is down.", Kind.SUMMARY) == {"live-link-affected"}


def test_where_no_domain_is_known_nothing_is_said_of_any_other() -> None:
    assert not {f.rule for f in check("See https://status.example.org/x", Known())} & LINK_RULES


def test_the_mend_of_a_live_link_is_no_link() -> None:
    text = "Keep away from https://login.quillbank.com/x for now."
    (found,) = (finding for finding in check(text, KNOWN) if finding.rule == "live-link-affected")
    assert found.excerpt == "https://login.quillbank.com/x"
    assert rules(mended(text, found)) == set()


def mended(text: str, found: Finding) -> str:
    assert found.mend is not None
    return text[: found.start] + found.mend + text[found.end :]
