"""What each platform itself makes clickable in a text that it is sent: written from the platforms' own rules, not taken from ours.

Where a rule has no source, the wider reading is taken, so that what comes out as not clickable is so on either. Sources: twitter-text
(`extract.yml`) for X, tdlib's `MessageEntity.cpp` for Telegram, snudown's `autolink.c` for Reddit, discord.py's and the client's URL
pattern for Discord (unsourced officially), linkify-it with everything fuzzy for mail clients. The banner escapes and links nothing;
a place that a person posts to may do whatever any other does.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from urllib.parse import unquote

from linkify_it import LinkifyIt
from linkify_it.tlds import TLDS
from twitter_text import extract_urls_with_indices

from app.domain.wording.names import canonical
from app.rehearsal.stand_ins import telegram_text

_SCHEMES = "https?|ftp|mailto|git|steam|irc|ircs|news|mumble|ssh|ts3server|discord|tg|ton|tonsite"
_URL = re.compile(rf"(?<![A-Za-z0-9])(?:{_SCHEMES}):(?://)?[^\s<>]+", re.IGNORECASE)
_WWW = re.compile(r"(?<![A-Za-z0-9])www\.[^\s<>]+", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4 = re.compile(r"(?<![\w./])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")


def x(text: str) -> Iterator[str]:
    yield from (found["url"] for found in extract_urls_with_indices(unicodedata.normalize("NFC", text)))


def telegram(text: str) -> Iterator[str]:
    encoded = text.encode("utf-16-le")
    for one in telegram_text.entities(text):
        if one["type"] in {"url", "email"}:
            yield encoded[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
    yield from _IPV4.findall(text)


def discord(text: str) -> Iterator[str]:
    """As sent, and without the backslashes, whichever a client looks at first."""
    for seen in (text, re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text)):
        yield from _URL.findall(seen)


def reddit(text: str) -> Iterator[str]:
    for seen in (text, html.unescape(re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text))):
        yield from _URL.findall(seen)
        for pattern in (_WWW, _MAIL):
            yield from pattern.findall(_URL.sub(" ", seen))


@cache
def _mail_client() -> LinkifyIt:
    return LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": True}).tlds([name.lower() for name in TLDS])


def mail(text: str) -> Iterator[str]:
    yield from (found.url for found in _mail_client().match(text) or [])
    yield from _WWW.findall(_URL.sub(" ", text))


def nothing(text: str) -> Iterator[str]:
    yield from ()


def anything(text: str) -> Iterator[str]:
    for rules in (x, telegram, discord, reddit, mail):
        yield from rules(text)


RULES: Mapping[str, Callable[[str], Iterator[str]]] = {
    "banner": nothing,
    "discord": discord,
    "discord_webhook": discord,
    "email": mail,
    "manual": anything,
    "reddit": reddit,
    "telegram": telegram,
    "x": x,
}
"""Platform → the URLs, names and addresses that it would make clickable."""


def hosts(platform: str, text: str, *, mails: bool = True) -> set[str]:
    """The hosts to which a reader would get by a tap, as a browser looks them up; without those of mail addresses unless `mails`."""
    found = set[str]()
    for url in RULES[platform](text):
        rest = re.sub(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)", "", url, flags=re.IGNORECASE)
        mail = "@" in rest.partition("/")[0] and ("mailto:" in url.lower() or "://" not in url)
        place = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
        if (host := canonical(re.sub(r":\d*$", "", unquote(place)).strip("~"))) and "." in host and (mails or not mail):
            found.add(host)
    return found
