"""Links in disguise and texts that hold no link, made at random from a seed: what the link rules are measured on.

A disguise is whatever a browser resolves or a platform links, and leads to an affected domain (or, of `impostors`, looks as if it led to an
own one). What nothing makes clickable, such as `quillbank[.]com`, is innocent, in whatever language its dot is spelt out.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote

from app.domain.wording import Known

KNOWN = Known(
    products=("Quillbank",),
    own_domains=("quillbank.com", "quillbank.app", "kurva.co.uk"),
    affected_domains=("quillbank.com", "kurva.co.uk", "bücher.example", "203.0.113.7", "2001:db8::7"),
    allowed_domains=("support.quillbank.app", "github.com"),
)
HOSTS = ("quillbank.com", "www.quillbank.com", "login.eu.quillbank.com", "kurva.co.uk", "portal.kurva.co.uk", "xn--bcher-kva.example")
NUMBERS = (
    "203.0.113.7", "3405803783", "0xcb007107", "0xCB.0x0.0x71.0x7", "0313.0.0161.07", "203.0.28935", "203.28935", "203.0.0x71.07", "２０３.０.１１３.７",
    "[2001:db8::7]", "[2001:DB8:0:0:0:0:0:7]", "[2001:0db8::0.0.0.7]", "[::ffff:203.0.113.7]", "[::ffff:cb00:7107]",
)  # fmt: skip
FRAMES = (
    "Please do not open {} for now.", "{}", "Keep away from {}, please", "The attackers hold {}; we work on it.", "Bitte öffnen Sie {} vorerst nicht.",
    "No abras {} por ahora.", "N’ouvrez pas {} pour l’instant.", "Пока не открывайте {} .", "いまは {} を開かないでください。", "請勿開啟 {} 。", "لا تفتح {} الآن.", "1. Wait.\n2. Not {}\n3. Wait.",
    "(see {} )", "“{}”", "- {}\n- more", "Status: {} | 10:30 UTC",
)  # fmt: skip
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u034f\u2063\ufe0f"
_DOTS = "\u3002\uff0e\uff61\ufe52\u2024"

Change = Callable[[random.Random, str], str]


def _some(dice: random.Random, text: str, change: Callable[[str], str]) -> str:
    """Some of the letters changed, one at least."""
    places = [place for place, char in enumerate(text) if char.isascii() and char.isalnum()]
    if not places:
        return text
    chosen = set(dice.sample(places, dice.randint(1, min(4, len(places)))))
    return "".join(change(char) if place in chosen else char for place, char in enumerate(text))


def _font(first: int) -> Callable[[str], str]:
    return lambda char: chr(first + ord(char) - ord("a")) if "a" <= char <= "z" else char


def _hidden(dice: random.Random, host: str) -> str:
    place = dice.randint(1, len(host) - 1)
    return host[:place] + dice.choice(_INVISIBLE) * dice.randint(1, 3) + host[place:]


def _entity(dice: random.Random, char: str) -> str:
    number = ord(char)
    return dice.choice((f"&#{number};", f"&#x{number:x};", f"&#X{number:04X};", f"&#00{number};"))


_ANYWHERE: tuple[Change, ...] = (
    lambda dice, host: host.upper(),
    lambda dice, host: "".join(dice.choice((char.upper(), char)) for char in host),
    lambda dice, host: host.replace(".", dice.choice(_DOTS), dice.randint(1, 3)),
    lambda dice, host: _some(dice, host, lambda char: chr(ord(char) + 0xFEE0)),
    lambda dice, host: _some(dice, host, _font(0x1D41A)),
    lambda dice, host: _some(dice, host, _font(0x1D5BA)),
    lambda dice, host: _some(dice, host, _font(0x24D0)),
    _hidden,
    lambda dice, host: _some(dice, host, lambda char: _entity(dice, char)),
    lambda dice, host: host.replace(".", dice.choice(("&period;", "&#46;", "&#x2E;"))),
    lambda dice, host: host if ":" in host else host + ".",
    lambda dice, host: host if ":" in host else f"{host}:{dice.choice((80, 443, 8443))}",
)
_IN_A_URL: tuple[Change, ...] = (
    *_ANYWHERE,
    lambda dice, host: _some(dice, host, lambda char: f"%{ord(char):02x}"),
    lambda dice, host: host.replace(".", "%2E"),
    lambda dice, host: f"{dice.choice(('support.quillbank.app', 'github.com:443', 'user:pass', 'a%2Fb', 'help'))}@{host}",
)
_BARE = ("{}", "{}/login", "{}/?a=b#c", "**{}**", "_{}_", "see:{}", "help@{}", "请勿访问{}谢谢", "{}?ref=1", "({})")
_URLS = (
    "https://{}", "http://{}/login?a=b#c", "HTTPS://{}/", "hTTp://{}", "https:\\\\{}", "https:/{}", "https:{}/x", "https:////{}", "ftp://{}/x", "wss://{}/ws", "<https://{}>",
    "<https://{}/help|our help>", "[our help](https://{}/help)", "[our help](<https://{}/a b>)", "[quillbank[.]com](https://{})", "![logo](https://{}/logo.png)", "[1]: https://{}/help",
    "[url=https://{}]help[/url]", '<a href="https://{}/help">help</a>', "<a href=https://{}>help</a>", '<a href="//{}/help">help</a>', "<a\nhref='https:{}'>help</a>", '<img src="https://{}/x.png">',
    '<form action="https://{}/in">', "https://{},", "https://{}!", "请看https://{}/帮助", "view-source:https://{}/", "git+https://{}/x.git", "web+app://{}/x", "javascript:location='https://{}'",
)  # fmt: skip


def _sent_on(dice: random.Random, host: str) -> str:
    """A link to an allowed host that forwards to it."""
    url = dice.choice((f"https://{host}/help", f"http://{host}", f"//{host}/x"))
    packed = base64.urlsafe_b64encode(f"https://{host}/help?session=1".encode()).decode().rstrip("=")
    value = dice.choice((url, quote(url, safe=""), quote(quote(url, safe=""), safe=""), packed))
    own = dice.choice(("https://github.com", "https://support.quillbank.app", "support.quillbank.app"))
    return own + dice.choice(("/go?url={}", "/r/{}", "/x#to={}", "/?a=1&next={}", "/out;u={}")).format(value)


def disguises(count: int, seed: int = 11) -> list[str]:
    """Texts that lead to an affected domain, each in another disguise."""
    return _distinct(count, seed, _disguise)


def _disguise(dice: random.Random) -> str:
    if dice.random() < 0.1:
        return _sent_on(dice, dice.choice(HOSTS))
    if dice.random() < 0.12:
        number = dice.choice(NUMBERS)
        return dice.choice(("https://{}/", "http://{}:8080/x", "[here](http://{})", "https://help@{}")).format(number)
    host, bare = dice.choice(HOSTS), dice.random() < 0.4
    for change in dice.sample(_ANYWHERE if bare else _IN_A_URL, dice.randint(0, 2)):
        if not (host.startswith("xn--") and not _keeps_punycode(change)):
            host = change(dice, host) if "%" not in host and "&" not in host else host
    return dice.choice(_BARE if bare else _URLS).format(host)


def _keeps_punycode(change: Change) -> bool:
    return change in _ANYWHERE[-3:]


_TWINS = {
    "a": "а",
    "b": "Ь",
    "c": "с",
    "e": "е",
    "i": "і",
    "k": "κ",
    "l": "1",
    "m": "rn",
    "o": "о",
    "p": "р",
    "q": "ԛ",
    "u": "υ",
    "v": "ν",
    "w": "vv",
    "n": "ո",
    "r": "г",
}
_OURS = ("quillbank.app", "quillbank.com", "kurva.co.uk", "github.com")


def impostors(count: int, seed: int = 12) -> list[str]:
    """Texts with a link that looks as if it led to an own or allowed domain."""
    return _distinct(count, seed, _impostor)


def _impostor(dice: random.Random) -> str:
    ours = dice.choice(_OURS)
    name, _, ending = ours.partition(".")
    where = [place for place, char in enumerate(name) if char in _TWINS]
    place = dice.choice(where)
    twin = name[:place] + _TWINS[name[place]] + name[place + 1 :]
    between = dice.randint(1, len(name) - 1)
    made = [
        f"{twin}.{ending}",
        f"{name[:between]}-{name[between:]}.{ending}",
        f"{ours}.{dice.choice(('help-desk.net', 'login.xyz', 'safe-wallet.org'))}",
    ]
    made.append(f"{name}.{dice.choice([tld for tld in ('net', 'org', 'io', 'co', 'support') if tld != ending])}")
    if len(name) > 5:
        made.append(f"{name}-{dice.choice(('refund', 'help', 'secure', 'wallet'))}.{dice.choice(('net', 'com', 'info'))}")
        made.append(f"{name[:between]}{name[between + 1 :]}.{ending}")
        made.append(f"{name[:between]}{name[between - 1]}{name[between:]}.{ending}")
    host = dice.choice(made)
    if not host.isascii() and dice.random() < 0.4:
        host = ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in host.lower().split("."))
    return dice.choice(
        ("https://{}", "https://www.{}/help", "[help]({})".replace("{}", "https://{}/help"), "http://{}/?id=7", "<https://{}>")
    ).format(host)


_STEMS = (
    "setup",
    "build",
    "README",
    "src/net/resolve",
    "lib.core",
    "main_test",
    "app-2.1",
    "./run",
    "docs/index",
    "tests/test_io",
    "Dockerfile.prod",
    "C:\\tools\\fix",
)
_ENDINGS = (
    "py", "rs", "md", "sh", "pl", "js", "ts", "go", "json", "yaml", "toml", "lock", "txt", "html", "css", "zip", "so", "cc", "log", "exe", "tar.gz", "dll", "h", "cpp", "rb", "java", "sql", "env", "ini",
    "pdf", "docx", "xlsx", "csv", "png", "jpg", "svg", "dmg", "apk", "deb", "rpm", "whl", "bak", "pem", "key", "conf", "php", "jsx", "vue",
)  # fmt: skip
_WORDS = (
    "e.g.", "i.e.", "a.m.", "p.m.", "Ph.D.", "U.S.", "U.S.A.", "etc.", "vs.", "No.1", "approx.", "Inc.", "Ltd.", "J.R.R. Tolkien", "St.Gallen", "z.B.", "d.h.", "u.a.", "Nr.5", "p.ej.", "p. ej.", "c.-à-d.", "т.е.", "и т.д.",
    "Node.js", "Next.js", "Vue.js", "D3.js", "Three.js", "Nuxt.js", "ASP.NET", "VB.NET", "ML.NET", "Paint.NET", "Socket.IO", "3.5x", "fig.2", "§4.2.1", "1.000,50", "1.234.567", "CVE-2026-12345",
    "os.environ", "self.items.append(x)", "console.log()", "java.util.List", "System.out.println", "np.array([1.5])", "a.b.c", "foo.baz()", "window.location", "@types/node", "x.509", "802.11ax", "16.04LTS",
    "--config=app.yaml", "/etc/nginx/nginx.conf", "~/.ssh/config", "C:\\Windows\\System32\\drivers", ".gitignore", "...", "….", "10.30 Uhr", "4.3.2026", "04.03.26", "10.30pm", "$4.99/mo", "€1.99", "1.5GB/s", "v2", "3.11+",
)  # fmt: skip
_GLUED = (
    "We are back.We will report.", "It is over.Thank you.", "Done.It took an hour.", "fixed.The rest follows", "i.e.the part on caching", "closed.please wait", "wait.then restart", "Wir sind zurück.Danke.",
    "Terminado.Gracias.", "C'est fini.Merci.", "again.And again", "offline.everything", "sorry.that", "终于好了.谢谢", "Готово.Спасибо",
)  # fmt: skip
_BROKEN_DOTS = (
    "[.]", "(.)", "{.}", "[dot]", "(dot)", "[DOT]", " dot ", " (dot) ", " [.] ", " [dot] ", " Punkt ", " (Punkt) ", " punto ", " [punto] ", " point ", " (point) ", " точка ", " 点 ", "（ドット）", " ponto ", " kropka ",
    " . ", ". ", " .", ",", "[.", "·",
)  # fmt: skip
_FINE = (
    "https://support.quillbank.app/help", "quillbank.app", "www.quillbank.app/status", "https://github.com/quillbank/x/issues/9", "https://status.quillbank.app/incidents/quillbank.com", "chrome://extensions", "about:addons",
    "security@quillbank.app", "https://github.com/go?url=https%3A%2F%2Fsupport.quillbank.app%2Fx", "[help](https://support.quillbank.app/a_(b))", "https://support.quillbank.app/v1.2.3/setup.py", "our website", "our web-site",
)  # fmt: skip
_AROUND = (
    "See {} for more.", "The fix is in {}, as promised.", "We use {} here: it works.", "({})", "- {}\n- and so on", "Siehe {} dazu.", "Mira {} para más.", "{} を参照してください。", "“{}”", "`{}`", "{}", "Смотрите {} .",
)  # fmt: skip


def innocents(count: int, seed: int = 13) -> list[str]:
    """Texts without a link, and with links that are fine."""
    return _distinct(count, seed, _innocent)


def _innocent(dice: random.Random) -> str:
    return dice.choice(
        (_file, _version, _word, _broken, _money_or_time, lambda dice: dice.choice(_FINE), lambda dice: dice.choice(_GLUED))
    )(dice)


def _file(dice: random.Random) -> str:
    return f"{dice.choice(_STEMS)}.{dice.choice(_ENDINGS)}"


def _version(dice: random.Random) -> str:
    number = ".".join(str(dice.randint(0, 30)) for _ in range(dice.randint(2, 4)))
    return (
        dice.choice(("", "v", "version ", "release-", "fastyaml-", "fastyaml==", "python"))
        + number
        + dice.choice(("", "-rc.1", "-beta", "+build.5", "rc2", ".post1", ".dev0"))
    )


def _word(dice: random.Random) -> str:
    return dice.choice(_WORDS)


def _broken(dice: random.Random) -> str:
    host = dice.choice(("quillbank.com", "evil.example", "bad-site.net", "quillbank.com"))
    scheme = dice.choice(("", "", "hxxps://", "hxxp://"))
    return scheme + host.replace(".", dice.choice(_BROKEN_DOTS))


def _money_or_time(dice: random.Random) -> str:
    one, two = dice.randint(0, 23), dice.randint(10, 59)
    forms = (
        f"{one}.{two}",
        f"{one}.{two} h",
        f"{one}:{two}",
        f"${one}.{two}",
        f"{one}.{two}0,00 €",
        f"{one},{two}%",
        f"{one}.{two}.2026",
        f"1:{one}.{two}",
        f"{one}.{two}-{one + 1}.{two}",
    )
    return dice.choice((*forms, "".join(dice.choices(string.hexdigits.lower(), k=40))))


def _distinct(count: int, seed: int, make: Callable[[random.Random], str]) -> list[str]:
    return list(_drawn(count, random.Random(seed), make))


def _drawn(count: int, dice: random.Random, make: Callable[[random.Random], str]) -> Iterator[str]:
    seen: set[str] = set()
    for _ in range(50 * count):
        frames = FRAMES if make is not _innocent else _AROUND
        text = dice.choice(frames).format(make(dice))
        if text not in seen:
            seen.add(text)
            yield text
        if len(seen) == count:
            return
    raise ValueError(f"only {len(seen)} of {count} are different")
