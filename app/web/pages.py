"""The pages and static files that browsers get, as pure functions from plain values to text; the routes lie in `app.web.routes`.

Rules kept here: every value is escaped by the templates (autoescape), and a page holds no inline script or style, so the strict
policy below can stand on all of them. What a reviewer signs is not rendered here: the approval page carries the request as data, and
`static/approve.js` builds what is shown from the very bytes that it hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.domain.announcement import TITLES, Answers, Kind
from app.services.published import Post
from app.services.recognise import LONGEST, Found

_HERE = Path(__file__).parent
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_ENVIRONMENTS = frozenset({"drill", "live"})
_NAMES = {"x": "X", "reddit": "Reddit", "telegram": "Telegram", "discord": "Discord", "discord_webhook": "Discord"}
_PLACES = defaultdict(lambda: "", {"banner": "in the banner of our website", **{key: f"on {name}" for key, name in _NAMES.items()}})


class StaticFile(NamedTuple):
    """A file of `static/`: its bytes, its media type, and `sha384-…` for an `integrity` attribute."""

    content: bytes
    media_type: str
    integrity: str


def content_security_policy(frame_ancestors: str = "'none'", form_action: str = "'none'") -> str:
    """The policy of every page; only `/banner.html` may be framed (`*`), and only `/verify` holds a form (`'self'`)."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action {form_action}; "
        f"base-uri 'none'; frame-ancestors {frame_ancestors}; require-trusted-types-for 'script'; trusted-types 'none'"
    )


CONTENT_SECURITY_POLICY = content_security_policy()


def public_headers(*, form: bool = False) -> dict[str, str]:
    """The headers of a page for everybody. How long it may be kept, its route says."""
    return {
        "Content-Security-Policy": content_security_policy(form_action="'self'") if form else CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def page_headers(*, framed: bool = False) -> dict[str, str]:
    """The headers of a page. An approval link is a secret in a URL: it is neither kept in caches nor sent on as a referrer."""
    return {
        "Content-Security-Policy": content_security_policy("*") if framed else CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), geolocation=()",
    }


@cache
def _static_files() -> Mapping[str, StaticFile]:
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        if path.suffix in _MEDIA_TYPES:
            content = path.read_bytes()
            integrity = "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()
            found[path.name] = StaticFile(content, _MEDIA_TYPES[path.suffix], integrity)
    return found


def static_file(name: str) -> StaticFile:
    """The file of that name, read once; names of other folders are not known. Raises `LookupError`."""
    return _static_files()[name]


@cache
def static_version() -> str:
    """12 hexadecimal digits that change with any static file: `/static/{version}/{name}` may be cached for ever."""
    every = "".join(file.integrity for file in _static_files().values())
    return hashlib.sha256(every.encode()).hexdigest()[:12]


def approve_page(view: Mapping[str, Any]) -> str:
    """The page of an approval link. `view` is the approval request, JSON values only; `view["environment"]` is drill or live."""
    return _render("approve.html", view["environment"], request=dict(view))


def link_closed_page(*, environment: str, title: str, detail: str) -> str:
    """What a link that opens nothing shows: `title` says what is the matter, `detail` what to do now."""
    return _render("closed.html", environment, title=title, detail=detail)


def login_page(view: Mapping[str, Any]) -> str:
    """Where a person logs in. `view`: `environment`, `challenge`, `rp_id`, `person` and `passkeys` (both empty: the browser finds one)."""
    return _render("login.html", view["environment"], request=dict(view))


def home_page(view: Mapping[str, Any]) -> str:
    """What a person finds who is logged in. `view`: `environment`, `person_name`, `ends_at`, `csrf`, and `groups` of announcements."""
    return _render("home.html", view["environment"], view=dict(view))


def enrol_page(view: Mapping[str, Any]) -> str:
    """Where a person makes a passkey. `view`: `person`, `person_name`, `environment`, `options` (WebAuthn's creation options as JSON).

    The page POSTs `navigator.credentials.create()`'s `toJSON()` with a `label` to its own URL, and shows the `toml` of the answer.
    """
    return _render("enrol.html", view["environment"], request=dict(view))


def banner_page(banner: Mapping[str, Any]) -> str:
    """`/banner.html`, for frames and readers without scripts. `banner` is what `/banner.json` says; a script keeps it fresh."""
    permalink = str(banner.get("permalink") or "")
    return _render(
        "banner.html", banner.get("environment", "live"), banner=dict(banner), link=permalink if permalink.startswith("https://") else ""
    )


def incident_page(posts: Sequence[Post], environment: str) -> str:
    """`/incidents/{slug}`: what was said of one incident, at least one post, newest first."""
    facts, told = posts[0].signed.incident, [post.signed.answers for post in posts if any(astuple(post.signed.answers))]
    resolved = min((post.at for post in posts if post.signed.kind is Kind.RESOLUTION), default=None)
    answers = told[0] if told else Answers()
    return _render("incident.html", environment, incident=facts, posts=posts, answers=answers, resolved=resolved, titles=TITLES)


def verify_page(asked: str, found: Found | None, environment: str) -> str:
    """`/verify`: what a reader asked about ("": nothing yet), and what is known of it."""
    return _render("verify.html", environment, asked=asked, found=found, places=_PLACES, longest=LONGEST)


def nothing_page(environment: str) -> str:
    """Where there is nothing public: of what does not exist and of what is not published alike."""
    return _render("nothing.html", environment)


def utc(moment: datetime) -> str:
    """`24 Nov 2026, 07:20 UTC`."""
    return f"{moment.astimezone(UTC):%d %b %Y, %H:%M UTC}".removeprefix("0")


def opens(permalink: str, environment: str) -> bool:
    """Whether a page may link there: https, or in a drill a stand-in on this machine."""
    url = urlsplit(permalink)
    return url.scheme == "https" or (environment == "drill" and url.scheme == "http" and url.hostname in {"localhost", "127.0.0.1", "::1"})


def _render(template: str, environment: str, **values: Any) -> str:
    if environment not in _ENVIRONMENTS:
        raise ValueError(f"A page is of a drill or live, not of {environment!r}: it could not be marked.")
    return _templates().get_template(template).render(environment=environment, **values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters.update(utc=utc, opens=opens, iso=lambda moment: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    templates.globals.update(static=lambda name: f"/static/{static_version()}/{name}", integrity=lambda name: static_file(name).integrity)
    return templates
