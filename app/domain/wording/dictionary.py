"""Which words are English: those of Hunspell's American dictionary, their British forms, and words of the field.

Loaded with the first text that asks, some 50 ms of CPU and 10 MB.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hunspell import HunspellWrap

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
def known(word: str) -> bool:
    """Whether it is a word, in American or British English, or one of the field."""
    if not word.isascii():  # the dictionary knows no other letters
        return False
    spelt = _dictionary().spell
    stem = word.removesuffix("'s")
    return of_field(stem) or spelt(word) or spelt(stem) or any(spelt(p.sub(to, stem)) for p, to in _BRITISH if p.search(stem))


def listed(word: str) -> bool:
    """Whether it stands in the dictionary as it is, or is of the field."""
    return of_field(word) or bool(_dictionary().spell(word))


@lru_cache(maxsize=4096)
def may_be_verb(word: str) -> bool:
    """Whether a word in small letters may be a verb as it is used to ask for something: it stands there, and with -ing."""
    return listed(word) and any(map(listed, (f"{word}ing", f"{word.removesuffix('e')}ing", f"{word}{word[-1:]}ing")))


def of_field(word: str) -> bool:
    """Whether it is one of the words that the dictionary lacks, or many of one."""
    return word in FIELD or word.removesuffix("s") in FIELD


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
