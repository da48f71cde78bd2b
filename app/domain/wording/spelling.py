"""The rule about spelling. Of English texts, American or British.

A word counts as misspelt where no dictionary knows it and a known word is one slip of the fingers away: a letter too many, missing, wrong or
swapped. A word that resembles nothing is jargon or a name. What is no prose is left alone: names, handles, hosts, files, code, words with
capitals or digits, and the words beside a hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from app.domain.wording.rule import Draft, Rule, Spot

if TYPE_CHECKING:
    from hunspell import HunspellWrap

MOST = 20
"""Unknown words that are looked at in one text: whoever has so many reads the text again."""

_WORD = re.compile(r"(?<![\w@#/\\$%&=<>{}'.:+*~^|`-])[A-Za-z]?[a-z]+(?:'[a-z]+)?(?![\w@/\\&=<>{}+~^|`-]|[.:'*]\w|\(\))")
_CODE = re.compile(r"`[^`\n]*`|<[^<>\n]{1,200}>|^(?: {4}|\t|[$>] ).*$", re.M)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BRITISH = (
    (re.compile("our"), "or"),
    (re.compile("is(?=e|a|i)"), "iz"),
    (re.compile("ys(?=e|i)"), "yz"),
    (re.compile("ll(?=ed$|ing$|er)"), "l"),
    (re.compile("(cent|theat|fib|lit|met|calib|meag|somb|spect)re(?=s?$)"), r"\1er"),
    (re.compile("(fulfi|enro|insta|ski|wi|disti)l(?=ment|ful|s?$)"), r"\1ll"),
    (re.compile("(def|off|pret|lic)ence(?=s?$)"), r"\1ense"),
    (re.compile("programme(?=s?$)"), "program"),
    (re.compile("dge(?=ment)"), "dg"),
    (re.compile("ogue"), "og"),
    (re.compile("ae|oe"), "e"),
)
"""How British words become American ones, which the dictionary has."""


@cache
def _dictionary() -> HunspellWrap:
    from hunspell import Hunspell

    return Hunspell("en_US")


@lru_cache(maxsize=16384)
def _known(word: str) -> bool:
    """Whether it is a word, in American or British English, or one of the field."""
    spelt = _dictionary().spell
    stem = word.removesuffix("'s")
    return _of_field(stem) or spelt(word) or spelt(stem) or any(spelt(p.sub(to, stem)) for p, to in _BRITISH if p.search(stem))


def _of_field(word: str) -> bool:
    return word in FIELD or word.removesuffix("s") in FIELD


@lru_cache(maxsize=4096)
def _meant(word: str) -> str:
    """The known word that is one slip away, the likeliest slip first; "" where there is none."""
    spelt = _dictionary().spell
    return next((meant for meant in _slips(word) if meant != word and (_of_field(meant) or spelt(meant))), "")


def _slips(word: str) -> Iterator[str]:
    """What may have been meant: letters swapped, doubled or not, one missing, too many or wrong. The first letter is seldom the wrong one."""
    cuts = [(word[:place], word[place:]) for place in range(1, len(word) + 1)]
    yield from (one + two[1] + two[0] + two[2:] for one, two in cuts if len(two) > 1)
    yield from (one + one[-1] + two for one, two in cuts)
    yield from (one + two[1:] for one, two in cuts if two[:1] == one[-1])
    yield from (one + letter + two for one, two in cuts for letter in _LETTERS)
    if len(word) > 3:
        yield from (one + two[1:] for one, two in cuts if two)
    if len(word) > 4:
        yield from (one + letter + two[1:] for one, two in cuts if two for letter in _LETTERS)
        yield from (
            word[1] + word[0] + word[2:],
            word[1:],
            *(letter + word for letter in _LETTERS),
            *(letter + word[1:] for letter in _LETTERS),
        )


def _spelling(draft: Draft) -> Iterator[Spot]:
    if draft.english is None:
        return
    prose = _CODE.sub(lambda found: "_" * len(found[0]), draft.english.prose)
    names = {name.lower() for given in (*draft.known.products, *draft.fine, *draft.affected) for name in re.findall(r"[^\W\d_]+", given)}
    starts = {sentence.start for sentence in draft.english.sentences}
    unknown = (
        word for word in _WORD.finditer(prose) if _is_prose(word, starts) and word[0].lower() not in names and not _known(word[0].lower())
    )
    for word in islice(unknown, MOST):
        if meant := _meant(word[0].lower()):
            mend = meant.capitalize() if word[0][0].isupper() else meant
            yield Spot(*word.span(), f"“{word[0]}” is no word that the dictionary knows; did you mean “{mend}”?", mend)


def _is_prose(word: re.Match[str], starts: set[int]) -> bool:
    """Whether it is a word like any other: no blanked link; a capital within a sentence makes it a name."""
    return (word[0][0].islower() or word.start() in starts) and set(word[0]) != {"x"}


FIELD = frozenset([
    "admin", "allowlist", "altcoin", "aml", "app", "async", "atm", "auth", "backend", "bgp", "bitcoin", "blackhat", "blockchain", "blocklist", "blog", "botnet",
    "btc", "bugfix", "cardholder", "cashback", "cdn", "ceo", "changelog", "chargeback", "chatbot", "ciso", "cname", "codebase", "conda", "config", "cron", "crypto",
    "cryptocurrencies", "cryptocurrency", "csrf", "cto", "cve", "cvss", "cvv", "cybersecurity", "dao", "dapp", "dataflow", "ddos", "debug", "defang", "defanged",
    "defi", "delist", "delisted", "denylist", "deserialization", "deserialize", "dev", "dex", "dkim", "dm", "dmarc", "dns", "dnssec", "dogecoin", "downgrade",
    "downloader", "downtime", "doxed", "doxes", "doxing", "dropdown", "ebook", "edr", "esim", "eth", "ethereum", "exfiltrate", "exfiltrated", "exfiltration",
    "failover", "fallback", "faq", "filesystem", "filetype", "firewalled", "frontend", "fsync", "gdpr", "geolocation", "grapheme", "gwei", "hardcode", "hardcoded",
    "hardfork", "hashrate", "hashtag", "hodl", "honeypot", "hostname", "hotfix", "hotline", "hotspot", "http", "iban", "iframe", "inbox", "infosec", "internet",
    "ios", "json", "keychain", "keylogger", "keypair", "keyserver", "keystore", "kubernetes", "kyc", "lifecycle", "livestream", "localhost", "lockfile", "mainnet",
    "malware", "memecoin", "mempool", "metadata", "mfa", "microservice", "middleware", "misconfigured", "mitm", "monorepo", "multifactor", "multisig", "nameserver",
    "namespace", "nft", "nodejs", "npm", "oauth", "offchain", "offline", "onboarding", "onchain", "online", "otp", "parachain", "param", "passcode", "passphrase",
    "paywall", "pentest", "permissionless", "phish", "phished", "phisher", "phishing", "plaintext", "plugin", "poc", "podcast", "popup", "praw", "preimage",
    "preprod", "presale", "proxied", "pubkey", "pushback", "pydantic", "ransomware", "ratelimit", "rce", "readme", "reauthenticate", "reboot", "recertify",
    "reddit", "redis", "redownload", "refactor", "regex", "relayer", "relist", "reorg", "repo", "reportable", "requeue", "requeued", "rescan", "resync", "resynced",
    "reupload", "revalidate", "rollout", "rollup", "rootkit", "rpc", "runbook", "runner", "saas", "sandboxed", "sat", "satoshi", "scammer", "screenshot", "sdk",
    "serializer", "serverless", "sharded", "sharding", "shortener", "sidechain", "siem", "signup", "sim", "smartphone", "smishing", "sms", "softfork", "solana",
    "sourcemap", "spam", "spammer", "spf", "spyware", "sql", "sso", "ssrf", "stablecoin", "staker", "stateful", "stdout", "strace", "subdomain", "subreddit",
    "sudo", "symlink", "sysadmin", "systemd", "tarball", "tcp", "telco", "telehealth", "testnet", "timeframe", "timeline", "timelock", "timestamp", "tls",
    "tokenize", "tokenomics", "toolchain", "tooltip", "totp", "trojan", "txid", "txt", "typosquat", "typosquatted", "typosquatting", "uncheck", "unfollow",
    "uninstall", "unpatched", "unpause", "unpaused", "unpublish", "unstake", "unstaked", "untick", "untrusted", "uploader", "upsert", "uptime", "url", "usd",
    "usdc", "usdt", "userbase", "username", "userspace", "uvicorn", "validator", "vishing", "vm", "vpn", "waf", "walkthrough", "webapp", "webhook", "webmail",
    "webpage", "whitehat", "whitelist", "whitelisted", "whitepaper", "whois", "wifi", "worktree", "xss", "yaml", "zeroday",
    "ageing", "aluminium", "anonymised", "pseudonymised", "cheque", "cosy", "counsellor", "grey", "learnt", "manoeuvre", "marvellous", "misspelt", "mould",
    "practise", "pyjamas", "sceptical", "skilful", "spelt", "storey", "tyre",
])  # fmt: skip
"""Words of the field, and British ones, that the dictionary lacks; without the s of many."""

SPELLING = Rule(
    "spelling", "warn", "A misspelt word. Of English texts; names, handles, hosts, code and words of the field are none.",
    "the American dictionary of Hunspell; a mistake costs trust and is the mark of a fraud",
    "We are investigatting the probelm.", "We are investigating the problem.",
    _spelling,
)  # fmt: skip
RULES = (SPELLING,)
