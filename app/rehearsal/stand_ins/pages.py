"""The pages that a browser sees, rendered from `templates/` and marked as rehearsal, each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from app.rehearsal.stand_ins.stand_in import Post

_URL = re.compile(r"https?://[^\s<>\"')\]]+")


def linked(text: str) -> Markup:
    """The text, escaped, with its http(s) URLs as links."""
    parts, at = [], 0
    for match in _URL.finditer(text):
        url = match[0].rstrip(".,;:!?")
        parts += [escape(text[at : match.start()]), Markup('<a href="{0}" rel="nofollow noopener">{0}</a>').format(url)]
        at = match.start() + len(url)
    return Markup("").join([*parts, escape(text[at:])])


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.filters["linked"] = linked
_TEMPLATES.filters["iso"] = lambda at: datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
_TEMPLATES.filters["clock"] = lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def html(template: str, status: int = 200, **values: Any) -> web.Response:
    """A page from `templates/`."""
    text = _TEMPLATES.get_template(template).render(**values)
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


def reader(platform: str, heading: str, current: str, posts: Sequence[Post], status: int = 200) -> web.Response:
    """A post in its thread as a logged-out reader sees it; without posts, a page that says so."""
    return html("reader.html", status, platform=platform, heading=heading, current=current, posts=posts)
