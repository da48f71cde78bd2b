"""How X counts a text and how it shows one: t.co links, entities, and the markup for logged-out readers.

Sourced: the weights (twitter-text, config v3); `&`, `<` and `>` come back as entities in `text` (docs, data-dictionary.mdx); links
come back as t.co with `expanded_url` and `display_url` beside them (same); oEmbed's markup (docs, oembed-api.mdx), its links as
t.co (j0k3r/f43.me#14). Unsourced, so guesses: that every posting gets t.co links of its own; that entity indices count code points
of the escaped text; `<br>` for a line break in oEmbed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from app.rehearsal.stand_ins.stand_in import Post

MAX_WEIGHT = 280
MAX_CASHTAGS = 1
Kind = Literal["urls", "mentions", "hashtags", "cashtags"]
_NAMES: dict[Kind, str] = {"mentions": "username", "hashtags": "tag", "cashtags": "tag"}


@dataclass(frozen=True, slots=True)
class Found:
    """A stretch of the raw text that X links. `value` is the URL, handle or tag."""

    kind: Kind
    start: int
    end: int
    value: str


@cache
def _tags() -> dict[Kind, re.Pattern[str]]:
    """What `twitter-text-parser` does not extract; measured against twitter-text's own `extract.yml`."""
    marks = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)).startswith("M"))
    of_tag = rf"[\w{marks}·־׳״་༌\u200c\u200d〃〜～]"
    return {
        "mentions": re.compile(
            r"(?:(?<![A-Za-z0-9_!#$%&*@＠])|(?<=[Rr][Tt])(?<![A-Za-z0-9_+~.-][Rr][Tt]))[@＠](?P<tag>[A-Za-z0-9_]{1,20}+)(?![@＠À-ɏ]|://)"
        ),
        "hashtags": re.compile(
            rf"(?<!&)(?:(?<!{of_tag})|(?<=[\ufe0e\ufe0f]))[#＃](?=[\d_]*[^\W\d_]|[\d_]*[{marks}])(?P<tag>{of_tag}++)(?![#＃]|://)"
        ),
        "cashtags": re.compile(r"(?<!\S)\$(?P<tag>[A-Za-z]{1,6}+(?:[._][A-Za-z]{1,2}(?![A-Za-z0-9]))?)(?=$|\s|_|[^\w\s])"),
    }


def weight(text: str) -> tuple[int, bool]:
    """The weighted length, and whether X would take the text (not empty, no forbidden character, not too long)."""
    from twitter_text import parse_tweet  # takes 0.4 s to load

    parsed = parse_tweet(text)
    return parsed.weightedLength, parsed.valid


def found(text: str) -> list[Found]:
    """All that X links in a text, in order; nothing inside of a URL."""
    from twitter_text import extract_urls_with_indices

    stretches = [Found("urls", url["indices"][0], url["indices"][1], url["url"]) for url in extract_urls_with_indices(text)]
    taken = [(one.start, one.end) for one in stretches]
    for kind, pattern in _tags().items():
        tags = (Found(kind, match.start(), match.end(), match["tag"]) for match in pattern.finditer(text))
        stretches += [tag for tag in tags if not any(start < tag.end and tag.start < end for start, end in taken)]
    return sorted(stretches, key=lambda one: one.start)


def short(post_id: str, url: str) -> str:
    """The t.co link of a URL in a post."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = int.from_bytes(hashlib.sha256(f"{post_id} {url}".encode()).digest()[:8])
    slug = ""
    while len(slug) < 10:
        number, index = divmod(number, len(digits))
        slug += digits[index]
    return f"https://t.co/{slug}"


def expanded(url: str) -> str:
    return url if re.match(r"https?://", url, re.IGNORECASE) else f"http://{url}"


def display(url: str) -> str:
    """As the sample in the docs is cut: the host, 15 characters of the rest, an ellipsis."""
    bare = re.sub(r"^https?://(www\.)?", "", url, flags=re.IGNORECASE)
    host, slash, rest = bare.partition("/")
    return f"{host}{slash}{rest[:14]}…" if len(rest) > 14 else bare.rstrip("/") if not rest else bare


def shown(post: Post) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """The `text` and the `entities` of an API answer."""
    text, entities = "", dict[str, list[dict[str, Any]]]()
    at = 0
    for one in found(post.text):
        text += _escape(post.text[at : one.start])
        raw = post.text[one.start : one.end]
        start, text = len(text), text + (short(post.id, one.value) if one.kind == "urls" else _escape(raw))
        where = {"start": start, "end": len(text)}
        if one.kind == "urls":
            url = expanded(one.value)
            where_to = {"url": short(post.id, one.value), "expanded_url": url, "display_url": display(one.value)}
            entities.setdefault("urls", []).append(where | where_to)
        else:
            entities.setdefault(one.kind, []).append(where | {_NAMES[one.kind]: one.value})
        at = one.end
    return text + _escape(post.text[at:]), entities


def embedded(post: Post, name: str, base: str) -> str:
    """oEmbed's `html` without its script."""
    body, at = "", 0
    for one in found(post.text):
        raw = post.text[one.start : one.end]
        links = {
            "urls": short(post.id, one.value),
            "mentions": f"{base}/{one.value}?ref_src=twsrc%5Etfw",
            "hashtags": f"{base}/hashtag/{one.value}?src=hash&ref_src=twsrc%5Etfw",
            "cashtags": f"{base}/search?q=%24{one.value}&src=ctag&ref_src=twsrc%5Etfw",
        }
        label = links["urls"] if one.kind == "urls" else raw
        body += markup(post.text[at : one.start]) + f'<a href="{markup(links[one.kind])}">{markup(label)}</a>'
        at = one.end
    body += markup(post.text[at:])
    day = datetime.fromtimestamp(post.at, UTC)
    return (
        f'<blockquote class="twitter-tweet"><p lang="en" dir="ltr">{body}</p>&mdash; {markup(name)} (@{post.account}) '
        f'<a href="{base}/{post.account}/status/{post.id}?ref_src=twsrc%5Etfw">{day:%B} {day.day}, {day.year}</a></blockquote>\n'
    )


def markup(text: str) -> str:
    """Escaped as the sample in the docs is (`&#39;`), line breaks as `<br>`."""
    return _escape(text).replace('"', "&quot;").replace("'", "&#39;").replace("\n", "<br>")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
