"""The feeds, as pure functions: Atom (RFC 4287) and JSON Feed 1.1. They hold what was really posted, newest first; a drill is marked.

An entry's id is made from the announcement's alone, so it stays the same under another address, and no reader sees it twice.
"""

from __future__ import annotations

import json
import re
import uuid
from functools import lru_cache
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from adapters.contract import DRILL_MARK
from app.domain.announcement import TITLES
from app.services.published import Post

ENTRIES = 50
ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"
NEVER = "1970-01-01T00:00:00Z"  # when a feed without entries was updated: the field must be there, and must not change by itself

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any form; a reader would refuse the whole feed for it."""


@lru_cache(maxsize=2)
def atom(posts: tuple[Post, ...], base: str, environment: str) -> bytes:
    """`base` is Tocsin's public address. The text stands in `content`, the post itself is linked as `related`."""
    feed = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": "und"})
    _add(feed, "id", f"{base}/feed.atom")
    _add(feed, "title", _title(base, environment))
    _add(feed, "updated", _time(posts[0]) if posts else NEVER)
    _add(_add(feed, "author"), "name", urlsplit(base).hostname or "Tocsin")
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feed.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{base}/verify")
    for post in posts[:ENTRIES]:
        entry = _add(feed, "entry")
        _add(entry, "id", _id(post))
        _add(entry, "title", _headline(post))
        _add(entry, "published", _time(post))
        _add(entry, "updated", _time(post))
        _add(entry, "link", rel="alternate", type="text/html", href=_page(base, post))
        if post.permalink:
            _add(entry, "link", rel="related", href=post.permalink)
        _add(entry, "category", term=post.signed.kind.value)
        _add(entry, "content", post.text, type="text")
    made: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return made


@lru_cache(maxsize=2)
def json_feed(posts: tuple[Post, ...], base: str, environment: str) -> bytes:
    """The same as JSON. `_tocsin` holds what a program may want to know besides."""
    items = [
        {
            "id": _id(post),
            "url": _page(base, post),
            **({"external_url": post.permalink} if post.permalink else {}),
            "title": _headline(post),
            "content_text": post.text,
            "date_published": _time(post),
            "tags": [post.signed.kind.value],
            "_tocsin": {
                "announcement": post.signed.announcement,
                "digest": post.signed.digest,
                "environment": post.signed.environment,
                "incident": post.signed.incident.slug,
            },
        }
        for post in posts[:ENTRIES]
    ]
    feed = {"version": JSON_FEED, "title": _title(base, environment), "home_page_url": f"{base}/verify", "feed_url": f"{base}/feed.json"}
    return json.dumps(feed | {"authors": [{"name": urlsplit(base).hostname or "Tocsin"}], "items": items}, ensure_ascii=False).encode()


def _add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, name, attributes)
    child.text = _NO_XML.sub("\ufffd", text) or None
    return child


def _title(base: str, environment: str) -> str:
    return f"{DRILL_MARK if environment == 'drill' else ''}Security notices of {urlsplit(base).hostname or 'Tocsin'}"


def _headline(post: Post) -> str:
    mark = DRILL_MARK if post.signed.environment == "drill" else ""
    return f"{mark}{TITLES[post.signed.kind]}: {post.signed.incident.name}"


def _id(post: Post) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"tocsin:{post.signed.announcement}").urn


def _page(base: str, post: Post) -> str:
    return f"{base}/incidents/{quote(post.signed.incident.slug, safe='')}#{quote(post.signed.announcement, safe='')}"


def _time(post: Post) -> str:
    return f"{post.at:%Y-%m-%dT%H:%M:%SZ}"
