"""The rules about what must not leave the house: keys and seed phrases, the inside of the network, private people's data."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from app.domain.wording.names import bare_host, within_any
from app.domain.wording.rule import Draft, Rule, Spot

SEED_WORDS = 12
"""The fewest words of a BIP-39 phrase."""

_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,4000}?(?:-----END [A-Z ]*-----|$|(?= and ))"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{22,}|glpat-[\w-]{20,}"
    r"|xox[abeoprs]-[\w-]{10,}|xapp-\d-[\w-]{10,}|https://hooks\.slack\.com/services/[\w/]{20,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{20,}|sk-[\w-]{20,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-AgEIcHlwaS[\w-]{40,}|hf_[A-Za-z0-9]{30,}|dop_v1_[0-9a-f]{64}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}|\d{8,10}:AA[\w-]{33}|[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{50,}|[xyz]prv[1-9A-HJ-NP-Za-km-z]{100,}|[5KL][1-9A-HJ-NP-Za-km-z]{50,51}"
    r")(?![A-Za-z0-9])"
    r"|(?i:private key|secret key|secret|seed)(?i:\s+is|\s+was)?\s*[:=]?\s*(?:0x)?[0-9a-fA-F]{64}\b"
    r"|(?i:\b(?:password|passwd|pwd|secret|api[ _-]?key|access[ _-]?token|auth[ _-]?token)\s*[:=]\s*)(?=\S{0,80}\d)(?=\S{0,80}[A-Za-z])(?!0x|https?:)[\w!#$%&*+./=@^~-]{10,}"
    r"|(?<=://)[\w.%+-]+:[^\s/@]{3,}(?=@)"
)
_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN = re.compile(r"[\s,;.:()\d#-]*")


def _secret_in_text(draft: Draft) -> Iterator[Spot]:
    for found in _SECRET.finditer(draft.text):
        yield Spot(*found.span(), "This looks like a key or a token. Take it out, also where it is revoked.", "")
    yield from _seed_phrases(draft.text)


def _seed_phrases(text: str) -> Iterator[Spot]:
    """Twelve or more words in a row of one official list. Chinese words count where something stands between them."""
    words = list(_WORD.finditer(text))
    if len(words) < SEED_WORDS:
        return
    known = [_lists_with(word[0].lower()) for word in words]
    start = 0
    while start < len(words):
        end, lists = start, known[start]
        while (
            lists and end < len(words) and lists & known[end] and (end == start or _follows(text, words[end - 1].end(), words[end].start()))
        ):
            lists, end = lists & known[end], end + 1
        if end - start >= SEED_WORDS and len({word[0] for word in words[start:end]}) > 1:
            place = words[start].start(), words[end - 1].end()
            yield Spot(*place, "These words are a seed phrase in a row: whoever reads them owns the wallet. Take them out.", "")
            start = end
        elif end - start >= SEED_WORDS:  # one word, again and again
            start = end - 1
        start += 1


def _follows(text: str, end: int, start: int) -> bool:
    return start - end < 12 and _BETWEEN.fullmatch(text, end, start) is not None


@cache
def _lists() -> dict[str, frozenset[str]]:
    from mnemonic import Mnemonic

    return {name: frozenset(unicodedata.normalize("NFKD", word) for word in Mnemonic(name).wordlist) for name in Mnemonic.list_languages()}


@lru_cache(maxsize=8192)
def _lists_with(word: str) -> frozenset[str]:
    word = unicodedata.normalize("NFKD", word)
    return frozenset(name for name, words in _lists().items() if word in words)


_INSIDE = ("internal", "intranet", "local", "localdomain", "localhost", "lan", "corp", "home.arpa", "priv")
_INSIDE_LABELS = frozenset(["internal", "intranet", "corp", "lan"])
_TOOLS = frozenset(["argocd", "confluence", "grafana", "jenkins", "jira", "kibana", "prometheus", "splunk"])
_WORKSPACES = re.compile(
    r"[\w-]+\.slack\.com/archives/|[\w-]+\.atlassian\.net/(?:browse|wiki|jira)|[\w-]+\.pagerduty\.com/incidents|app\.datadoghq\.(?:com|eu)/"
    r"|docs\.google\.com/\w+/d/[^/]+/edit|(?:www\.)?notion\.so/|linear\.app/[\w-]+/issue|[\w-]+\.sentry\.io/|teams\.microsoft\.com/l/"
)
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"))
) + tuple(map(ipaddress.ip_network, ("fc00::/7", "fe80::/10", "::1/128")))
_A_VERSION = re.compile(r"(?:\bv|version|versions|release|build|firmware|chrome|chromium|firefox|ios|android)\s*$", re.I)


@lru_cache(maxsize=1024)
def internal(host: str) -> bool:
    """Whether a host exists only inside a company's network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        return within_any(host, _INSIDE) or (len(labels) > 2 and bool(_INSIDE_LABELS & set(labels[:-2])))
    return any(address in network for network in _PRIVATE)


def _internal_host(draft: Draft) -> Iterator[Spot]:
    allowed = {bare_host(host) for host in draft.known.allowed_domains}
    for link in draft.links:
        before = draft.text[max(0, link.start - 12) : link.start]
        a_name = internal(link.host) and not (link.bare and (before.endswith((".", "/", "@")) or _A_VERSION.search(before)))
        a_tool = link.host.partition(".")[0] in _TOOLS and within_any(link.host, draft.fine) and not link.bare
        alone = not link.bare and not link.script and not re.search(r"[.:]", link.host)
        if (a_name or a_tool or alone or _WORKSPACES.match(link.host + link.address)) and link.host not in allowed:
            told = "This is a name or a tool of the inside: readers cannot open it, and attackers learn from it. Take it out."
            yield Spot(link.start, link.end, told)


_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
_IN_A_LINK = re.compile(r"[:/]/\S*$")
_PHONE = re.compile(r"(?<![\w+])(?:\+\d[\d\s().-]{7,18}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])")
_HOME = re.compile(
    r"\b(?:lives|living|resides|home address)\b[^.\n]{0,30}\d+[^.\n]{0,40}\b(?:street|st|road|rd|avenue|ave|lane|drive)\b", re.I
)


def _personal_data(draft: Draft) -> Iterator[Spot]:
    for found in _MAIL.finditer(draft.text):
        host = bare_host(found[1])
        in_a_link = _IN_A_LINK.search(draft.text[max(0, found.start() - 300) : found.start()])
        if not in_a_link and not within_any(host, draft.fine + draft.affected):
            yield Spot(*found.span(), "A mailbox outside your own domains: give a shared one of yours, and nobody's own.")
    for found in _PHONE.finditer(draft.text):
        yield Spot(*found.span(), "A telephone number: attackers and press will use it. Give one only if it is a public line of yours.")
    for found in _HOME.finditer(draft.text):
        yield Spot(*found.span(), "Where a private person lives is nobody's business. Take it out.", "")


SECRET_IN_TEXT = Rule(
    "secret-in-text",
    "block",
    "An API key, a token, a private key, or twelve or more words of a seed phrase in a row.",
    "the issuers' published forms of their keys; the word lists of BIP-39",
    "The leaked key was AKIAIOSFODNN7EXAMPLE.",
    "The leaked key is revoked.",
    _secret_in_text,
)
INTERNAL_HOST = Rule(
    "internal-host",
    "block",
    "An internal host name, a private address or a link to an internal tool.",
    "RFC 1918, RFC 6762, RFC 8375, ICANN's reservation of .internal",
    "Tracked as http://jira.corp.internal/SEC-1",
    "We track this and report here.",
    _internal_host,
)
PERSONAL_DATA = Rule(
    "personal-data",
    "warn",
    "A mailbox outside the own domains, a telephone number, or where a private person lives.",
    "GDPR, article 5: no more personal data than needed",
    "Ask our engineer at dana@mail.invalid",
    "Ask us at security@example.com",
    _personal_data,
)
RULES = (SECRET_IN_TEXT, INTERNAL_HOST, PERSONAL_DATA)
