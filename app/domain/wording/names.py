"""Host names: their one canonical form, what lies within what, and which names are made to be taken for another.

Data: Unicode's look-alikes (confusable-homoglyphs), the Public Suffix List (publicsuffixlist), IDNA (idna).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

ENOUGH = 5
"""Letters that a name must have before one changed letter is no accident."""


@lru_cache(maxsize=1024)
def canonical(host: str) -> str:
    """A host as a browser would look it up: lower case, IDNA in ASCII, an address in its usual form; "" for nothing."""
    host = unicodedata.normalize("NFKC", unquote(host)).replace("\u00ad", "").strip().strip("[]").strip(".").lower()
    if not host:
        return ""
    if address := _address(host):
        return address
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return host


def bare_host(given: str) -> str:
    """The host of a domain, an address or a URL that a person configured."""
    rest = given.strip().rpartition("://")[2]
    if rest.count(":") > 1 and not rest.startswith("["):
        return canonical(rest)
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return canonical(re.sub(r":\d*$", "", host))


def _address(host: str) -> str:
    """An IPv4 or IPv6 address in any form that a browser takes (decimal, hexadecimal, octal, short), else ""."""
    try:
        address = ipaddress.ip_address(host)
        return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        parts = host.split(".")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch(r"0x[0-9a-f]*|\d+", part) for part in parts):
        return ""
    try:
        numbers = [int(part[2:] or "0", 16) if part[:2] == "0x" else int(part, 8 if part[0] == "0" else 10) for part in parts]
        *first, last = numbers
        value = sum(number << 8 * (3 - place) for place, number in enumerate(first)) + last
        fits = all(number < 256 for number in first) and last < 256 ** (5 - len(parts))
        return str(ipaddress.IPv4Address(value)) if fits else ""
    except ValueError:
        return ""


def within(host: str, domain: str) -> bool:
    """Whether a canonical host is that domain or lies below it."""
    return host == domain or host.endswith("." + domain)


def within_any(host: str, domains: Iterable[str]) -> bool:
    """Whether it lies within one of them."""
    return any(within(host, domain) for domain in domains)


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


@lru_cache(maxsize=1024)
def registrable(host: str) -> str:
    """The part of a host that somebody registered (`a.b.co.uk`: `b.co.uk`), or "" where its ending is on no public list."""
    return str(_suffixes().privatesuffix(host) or "")


def public(host: str) -> bool:
    """Whether its ending is on the public list, so that anybody's browser may find something there."""
    return "." in host and bool(_suffixes().publicsuffix(host))


def resembles(host: str, domains: Iterable[str]) -> str:
    """The one of the domains for which a host could be taken, though it lies within none, or ""."""
    return next((domain for domain in domains if _resembles(host, domain)), "")


@lru_cache(maxsize=4096)
def _resembles(host: str, domain: str) -> bool:
    ours = registrable(domain) or domain
    theirs = registrable(host) or host
    if theirs == ours or not re.search(r"[^\d.:]", domain):
        return False
    name = _skeleton(ours.partition(".")[0])
    first = _skeleton(theirs.partition(".")[0])
    if first.replace("-", "") == name.replace("-", "") or _skeleton(theirs) == _skeleton(ours):
        return True
    if f".{domain}." in f".{host}" or f".{ours}." in f".{host}":
        return True
    if len(name) >= ENOUGH and _apart(first, name) <= (2 if len(name) > 2 * ENOUGH else 1):
        return True
    return any(_borrows(_skeleton(label), name) for label in host.split("."))


def _borrows(label: str, name: str) -> bool:
    """Whether a label is made around a name: `name-help`, `securename`."""
    if len(name) < ENOUGH:
        return False
    return name in label.split("-") or (len(name) > ENOUGH and name.replace("-", "") in label.replace("-", ""))


@lru_cache(maxsize=1024)
def _skeleton(name: str) -> str:
    """The name as an eye takes it, after UTS 39: every look-alike as one and the same letter, no marks."""
    shown = ".".join(_shown(label) for label in name.split("."))
    letters = "".join(_prototype(char) for char in unicodedata.normalize("NFKD", shown) if not unicodedata.combining(char))
    return letters.lower().translate({ord("1"): "l", ord("0"): "o", ord("i"): "l"}).replace("rn", "m").replace("vv", "w")


def _shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


def _prototype(char: str) -> str:
    if char.isascii():
        return char
    found = (entry["c"].strip("\u200e") for entry in _confusables().get(char, ()))
    return next((other for other in found if other.isascii() and other.isalnum()), char)


@cache
def _confusables() -> dict[str, list[dict[str, str]]]:
    from confusable_homoglyphs.confusables import confusables_data

    return confusables_data  # type: ignore[no-any-return]


def _apart(one: str, other: str) -> int:
    """Letters added, lost, changed or swapped between two names (optimal string alignment); at most 3 is told exactly."""
    if abs(len(one) - len(other)) > 2:
        return 3
    rows: list[list[int]] = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def is_bare_link(host: str, written: str) -> bool:
    """Whether a name without a scheme is one that somebody means as a link, not a file, a sentence's end or a technology."""
    *labels, ending = host.split(".")
    if not registrable(host) or ending in FILE_ENDINGS or host in TECHNOLOGIES or re.search(r"\.[A-Z]", written):
        return False
    return not all(len(label) == 1 for label in labels) and not labels[-1].isdigit()


FILE_ENDINGS = frozenset([
    "ad", "ai", "am", "as", "cab", "cc", "cfd", "gd", "hm", "java", "la", "md", "mk", "ml", "mm", "mo", "mov", "pid", "pl", "pm", "properties", "ps", "pub", "py",
    "rs", "sc", "sh", "so", "st", "sv", "target", "tf", "zip",
])  # fmt: skip
"""Endings of files that are top-level domains too; where a name is meant as a link, people write it with a scheme."""

TECHNOLOGIES = frozenset(
    ["asp.net", "ado.net", "vb.net", "ml.net", "paint.net", "socket.io", "engine.io", "java.io", "java.net", "draw.io"]
)
"""Names of software that end like a domain."""


def labels_of(host: str) -> Iterator[str]:
    """The labels of a host, from the left."""
    yield from host.split(".")
