"""The pages as text: escaped data, a policy without holes, marks of a drill, integrity that fits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from app.domain.announcement import Answers, Kind
from app.domain.incident import Facts
from app.services.published import Post, Signed
from app.services.recognise import Found
from app.web import pages

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&\u2028\u2029<!--"
ASKED = {"environment": "live", "manifest": EVIL, "person": EVIL, "findings": [{"message": EVIL}], "passkeys": []}
ENROL = {"environment": "live", "person": EVIL, "person_name": EVIL, "options": {"challenge": EVIL}}
LOGIN = {"environment": "live", "challenge": EVIL, "person": EVIL, "rp_id": "localhost", "passkeys": []}
LISTED = {"id": "an_1", "name": EVIL, "kind": "initial", "state": "sent", "revision": 1, "created_at": "2026-11-24T07:20:00.000000Z"}
HOME: dict[str, Any] = {
    "environment": "live",
    "person_name": EVIL,
    "ends_at": "2026-11-24T07:50:00.000000Z",
    "csrf": EVIL,
    "groups": [
        {"heading": "Goes out", "empty": "", "items": [LISTED | {"standing": EVIL}]},
        {"heading": "Over", "empty": "Nothing.", "items": []},
    ],
}
NOTICE = {"active": True, "environment": "live", "incident": EVIL, "text": EVIL, "permalink": "https://x.example/1"}


AT = datetime(2026, 11, 24, 7, 20, tzinfo=UTC)


def post(environment: str = "live", kind: Kind = Kind.INITIAL, permalink: str = "https://x.example/1") -> Post:
    facts = Facts("in_1", EVIL, EVIL, affected_products=(EVIL,))
    answers = Answers(EVIL, EVIL, EVIL)
    signed = Signed("an_1", "sha256:0", environment, kind, facts, answers, "", "", (), frozenset())
    return Post(signed, EVIL, AT, permalink)


class _Reader(HTMLParser):
    """Collects tags, their attributes and the text of the data script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._in_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_data = tag == "script" and dict(attrs).get("id") == "request"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""


def _every_page(environment: str = "live") -> dict[str, str]:
    return {
        "approve": pages.approve_page(ASKED | {"environment": environment}),
        "enrol": pages.enrol_page(ENROL | {"environment": environment}),
        "login": pages.login_page(LOGIN | {"environment": environment}),
        "home": pages.home_page(HOME | {"environment": environment}),
        "closed": pages.link_closed_page(environment=environment, title=EVIL, detail=EVIL),
        "banner": pages.banner_page(NOTICE | {"environment": environment}),
        "incident": pages.incident_page([post(environment)], environment),
        "verify": pages.verify_page(EVIL, None, environment),
        "found": pages.verify_page(EVIL, Found(post(environment), "x", AT, "https://x.example/1", EVIL), environment),
        "nothing": pages.nothing_page(environment),
    }


PAGES = ["approve", "enrol", "login", "home", "closed", "banner", "incident", "verify", "found", "nothing"]


@pytest.mark.parametrize("name", PAGES)
def test_no_text_becomes_markup_and_nothing_is_inline(name: str) -> None:
    for tag, attributes in _Reader(_every_page()[name]).tags:
        assert tag not in {"img", "style", "iframe", "base"}
        assert tag != "form" or (name in {"verify", "found"} and attributes["action"] == "/verify")
        assert not any(key.startswith("on") or key == "style" for key in attributes)
        if tag == "script" and attributes.get("type") != "application/json":
            assert attributes["src"]
            assert attributes["integrity"]


def test_embedded_request_is_the_request() -> None:
    assert json.loads(_Reader(pages.approve_page(ASKED)).data) == ASKED
    assert json.loads(_Reader(pages.enrol_page(ENROL)).data) == ENROL


def test_what_is_signed_stands_in_the_data_only() -> None:
    page = pages.approve_page(ASKED | {"manifest": "WORDS OF THE MANIFEST", "person": "SOMEBODY"})
    outside = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.S)
    assert "WORDS OF THE MANIFEST" in page
    assert "WORDS OF THE MANIFEST" not in outside
    assert "SOMEBODY" not in outside


@pytest.mark.parametrize("name", PAGES)
def test_drill_is_marked_and_live_is_not(name: str) -> None:
    drill, live = _every_page("drill")[name], _every_page("live")[name]
    assert "<title>[DRILL] " in drill
    assert 'data-environment="drill"' in drill
    assert drill.count("DRILL") > live.count("DRILL") == 0


@pytest.mark.parametrize("environment", ["", "Live", "production", None])
def test_page_that_cannot_be_marked_is_not_made(environment: Any) -> None:
    with pytest.raises(ValueError, match="drill or live"):
        pages.approve_page(ASKED | {"environment": environment})


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_served_with_that_integrity(name: str) -> None:
    named = [
        (str(attributes.get("src") or attributes.get("href")), attributes.get("integrity"))
        for tag, attributes in _Reader(_every_page()[name]).tags
        if tag in {"script", "link"} and (attributes.get("src") or attributes.get("href")) and attributes.get("rel") != "alternate"
    ]
    assert len(named) >= 2
    for url, integrity in named:
        assert url == "/banner.js" or url.startswith(f"/static/{pages.static_version()}/")
        file = pages.static_file(url.rsplit("/", 1)[1])
        assert integrity in {None, file.integrity}


@pytest.mark.parametrize(
    ("page", "script"),
    [("approve", "approve.js"), ("enrol", "enrol.js"), ("login", "login.js"), ("home", "home.js"), ("incident", "times.js")],
)
def test_modules_preload_all_that_they_import(page: str, script: str) -> None:
    preloaded = {
        str(attributes["href"]).rsplit("/", 1)[1]
        for tag, attributes in _Reader(_every_page()[page]).tags
        if attributes.get("rel") == "modulepreload"
    }
    imported = set()
    for name in {script, *preloaded}:
        imported |= set(re.findall(r'from "\./([a-z]+\.js)"', pages.static_file(name).content.decode()))
    assert imported == preloaded


def test_integrity_is_of_the_bytes_and_types_are_exact() -> None:
    file = pages.static_file("banner.js")
    assert file.integrity == "sha384-" + base64.b64encode(hashlib.sha384(file.content).digest()).decode()
    assert file.media_type == "text/javascript; charset=utf-8"
    assert pages.static_file("style.css").media_type == "text/css; charset=utf-8"
    assert pages.static_file("bell.svg").media_type == "image/svg+xml"


@pytest.mark.parametrize("name", ["", ".", "../pages.py", "..%2fpages.py", "/etc/passwd", "style.css/", "STYLE.CSS"])
def test_nothing_else_is_served(name: str) -> None:
    with pytest.raises(LookupError):
        pages.static_file(name)


def test_policy_allows_our_own_files_and_nothing_inline() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in pages.CONTENT_SECURITY_POLICY.split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert "frame-ancestors *" in pages.page_headers(framed=True)["Content-Security-Policy"]
    assert "form-action 'self'" in pages.public_headers(form=True)["Content-Security-Policy"]
    assert "form-action 'none'" in pages.public_headers()["Content-Security-Policy"]
    assert pages.page_headers()["Referrer-Policy"] == "no-referrer"
    assert pages.page_headers()["Cache-Control"] == "no-store"


@pytest.mark.parametrize("permalink", ["javascript:alert(1)", "http://x.example", "", None, "data:,x"])
def test_banner_links_https_only(permalink: str | None) -> None:
    assert "<a " not in pages.banner_page(NOTICE | {"permalink": permalink})
    assert '<a href="https://x.example/1" target="_blank" rel="noopener noreferrer">' in pages.banner_page(NOTICE)


def test_banner_without_a_notice_says_so() -> None:
    assert "No security notice at the moment." in pages.banner_page({"active": False})


def test_banner_script_changes_only_on_purpose() -> None:
    # Homepages name this hash in their tag: a browser refuses any other script, and their banner is gone until they change the tag.
    assert pages.static_file("banner.js").integrity == "sha384-DhH6l2fEhtPqu2MTCCRcSpHpOXDm1rLd4z5cKNLGDXgXglw9WsDCd33sd6n8qxyf"


@pytest.mark.parametrize("permalink", ["javascript:alert(1)", "http://x.example/1", "http://127.0.0.1/1", "", "data:,x", "//x.example"])
def test_an_incidents_page_links_https_only(permalink: str) -> None:
    assert "The post itself" not in pages.incident_page([post(permalink=permalink)], "live")
    assert '<a href="https://x.example/1" rel="noopener noreferrer">' in pages.incident_page([post()], "live")


def test_an_incident_is_resolved_where_a_resolution_was_posted_and_tells_when() -> None:
    later = Post(post(kind=Kind.RESOLUTION).signed, "All is well.", AT + timedelta(hours=3), "")
    page = pages.incident_page([later, post()], "live")
    assert 'Resolved. We said so on <time datetime="2026-11-24T10:20:00Z">24 Nov 2026, 10:20 UTC</time>' in page
    assert "Not resolved yet." in pages.incident_page([post()], "live")
