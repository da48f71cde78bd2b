"""One case an adapter: what the shared contract suite needs to know of a platform beyond what the adapter declares itself.

A new adapter is one more `Case` here. `lacks` says, with a reason, which part of the suite cannot apply; the suite pins that list,
so an adapter cannot leave anything out silently. Credentials are those of `app.rehearsal.stand_ins.accounts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from typing import ClassVar, Literal

from aiohttp import web
from pydantic import SecretStr

from adapters.contract import AdapterError, Config, NeedsOperator, NotSent, OutcomeUnknown, Part, Receipt, Rejected, Role
from adapters.registry import load
from app.rehearsal.stand_ins import x_text
from app.rehearsal.stand_ins.accounts import DISCORD, REDDIT, SMTP, TELEGRAM
from app.rehearsal.stand_ins.accounts import X as ACCOUNTS_OF_X
from app.rehearsal.stand_ins.stand_in import Post, StandIn
from app.rehearsal.stand_ins.wire import HttpStandIn

Lack = Literal["posting", "credentials", "faults"]

NEVER = r"(?!)"
"""Matches no request: a platform that is sent nothing."""

HTTP_FAULTS: Mapping[str, type[AdapterError]] = {
    "refused": NotSent,
    "cut-before": OutcomeUnknown,
    "cut-after": OutcomeUnknown,
    "401": NeedsOperator,
    "429": NotSent,
    "500": OutcomeUnknown,
    "502-html": OutcomeUnknown,
    "junk": OutcomeUnknown,
    "truncated": OutcomeUnknown,
    "drip": OutcomeUnknown,
    "hang": OutcomeUnknown,
}
"""What each fault of an HTTP stand-in has to become."""


@dataclass(frozen=True)
class Case:
    """What the suite knows of one platform. `posting` matches "METHOD path" of a posting request in the stand-in's log."""

    platform: str
    account: str
    fields: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    role: Role = Role.PRIMARY
    stand_in: str = ""  # its name; "" means the platform's
    scheme: str = "http"
    hidden: tuple[str, ...] = ()  # what else must not show
    wrong: Mapping[str, str] = field(default_factory=dict)  # secrets that the platform refuses
    posting: str = NEVER
    faults: Mapping[str, type[AdapterError]] = field(default_factory=lambda: HTTP_FAULTS)
    length: Callable[[str], int] = len  # written from the platform's description, not taken from the adapter
    max_title: int = 0  # 0: no titles
    pings: str = "Ask @someone, @everyone, u/someone, r/help, <@1100000000000000001>, #help, $CASH or /start."
    pinged: Callable[[Post, bytes], bool] = lambda post, body: False  # whether the post, or the request that made it, would ping
    official: str = ""  # a permalink on the platform's own host, of this account; "" where posts have none
    foreign: tuple[str, ...] = ()  # permalinks of that platform, but of others
    home: str = ""  # base_url where even the real one needs it
    others: tuple[str, ...] = ()  # accounts of that platform's kind that the credentials do not open
    same: Callable[[Post, Part], bool] = lambda post, part: (post.title, post.text) == (part.title, part.text)
    reply_to: Callable[[Post, bytes], str] = lambda post, body: post.reply_to
    stranger: Mapping[str, str] = field(default_factory=dict)  # in a stand-in's post: makes it another account's
    shown: Callable[[StandIn, Part, Receipt], object] | None = None  # what the application does itself once it is published
    lacks: Mapping[Lack, str] = field(default_factory=dict)

    def config(self, base_url: str = "") -> Config:
        """The destination as configured, defaults filled in; `base_url` is a stand-in's."""
        defaults = {one.name: one.default for one in load(self.platform).fields if not one.secret}
        return Config(
            id=f"{self.platform}-main",
            platform=self.platform,
            role=self.role,
            account=self.account or base_url,
            base_url=base_url.replace("http:", f"{self.scheme}:", 1),
            fields=defaults | dict(self.fields),
            secrets={name: SecretStr(value) for name, value in self.secrets.items()},
        )

    def wrong_config(self, base_url: str) -> Config:
        """The same with credentials that the platform refuses."""
        right = self.config(base_url)
        return replace(right, secrets={**right.secrets, **{name: SecretStr(value) for name, value in self.wrong.items()}})


def utf16(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def longer(text: str) -> int:
    """Code points or UTF-16 code units, whichever is more, where the platform's unit has no source."""
    return max(len(text), utf16(text))


class BannerStandIn(HttpStandIn):
    """Tocsin's public banner endpoint, which shows the newest post."""

    name: ClassVar[str] = "banner"

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.get("/banner.json", self._shown)]

    def publishes(self, request: web.Request) -> bool:
        return False

    async def _shown(self, request: web.Request) -> web.Response:
        shown = {"active": True, "text": self.posts[-1].text} if self.posts else {"active": False}
        return web.Response(text=json.dumps(shown), content_type="application/json")


def _banner_is_served(stand_in: StandIn, part: Part, receipt: Receipt) -> None:
    stand_in.posts.append(Post(id=receipt.remote_id, account="", text=part.text, permalink=receipt.permalink))


CASES: Mapping[str, Case] = {
    case.platform: case
    for case in (
        Case(
            platform="banner",
            account="",
            role=Role.BANNER,
            home="https://alerts.company.example",
            official="https://alerts.company.example/banner.html",
            foreign=("https://alerts.company.example/banner.html?next=1", "https://alerts.company.example/banner.html/"),
            shown=_banner_is_served,
            lacks={"credentials": "reads a public page", "faults": "publishing makes no request"},
        ),
        Case(
            platform="discord",
            account=DISCORD["bot_id"],
            role=Role.POINTER,
            fields={"guild": DISCORD["guild_id"], "channel": DISCORD["channel_id"]},
            secrets={"token": DISCORD["bot_token"]},
            wrong={"token": "not.the.token"},
            others=("1100000000000000009",),
            posting=r"POST /api(/v10)?/channels/\d+/messages",
            faults={**HTTP_FAULTS, "no-permission": NeedsOperator, "automod": Rejected},
            length=longer,
            pinged=lambda post, body: any(post.extra["pings"].values()) or post.extra["preview"],
            stranger={"author_id": "1"},
            official=f"https://discord.com/channels/{DISCORD['guild_id']}/{DISCORD['channel_id']}/1100000000000000077",
            foreign=(
                f"https://discord.com/channels/1/{DISCORD['channel_id']}/1100000000000000077",
                f"https://discord.com/channels/{DISCORD['guild_id']}/{DISCORD['webhook_channel_id']}/1100000000000000077",
            ),
        ),
        Case(
            platform="discord_webhook",
            account=DISCORD["webhook_id"],
            role=Role.POINTER,
            stand_in="discord",
            fields={"guild": DISCORD["guild_id"], "channel": DISCORD["webhook_channel_id"]},
            secrets={"url": f"https://discord.com/api/webhooks/{DISCORD['webhook_id']}/{DISCORD['webhook_token']}"},
            hidden=(DISCORD["webhook_token"],),
            wrong={"url": f"https://discord.com/api/webhooks/{DISCORD['webhook_id']}/not-the-token"},
            others=("1100000000000000009",),
            posting=r"POST /api(/v10)?/webhooks/\d+/[^/?]+(\?|$)",
            faults={**HTTP_FAULTS, "automod": Rejected},
            length=longer,
            pinged=lambda post, body: any(post.extra["pings"].values()) or post.extra["preview"],
            official=f"https://discord.com/channels/{DISCORD['guild_id']}/{DISCORD['webhook_channel_id']}/1100000000000000077",
            foreign=(f"https://discord.com/channels/{DISCORD['guild_id']}/{DISCORD['channel_id']}/1100000000000000077",),
        ),
        Case(
            platform="email",
            account="alerts@rehearsal.example",
            role=Role.INTERNAL,
            stand_in="smtp",
            scheme="smtp",
            fields={
                "host": "127.0.0.1",
                "security": "none",
                "from_address": "alerts@rehearsal.example",
                "to": "team@rehearsal.example, partner@rehearsal.example",
                "username": SMTP["username"],
            },
            secrets={"password": SMTP["password"]},
            wrong={"password": "not-the-password"},
            posting=r"MAIL ",
            faults={
                "refused": NotSent,
                "cut-before": NotSent,
                "cut-after": OutcomeUnknown,
                "401": NeedsOperator,
                "450": NotSent,
                "550": NeedsOperator,
                "hang": OutcomeUnknown,
            },
            max_title=200,
            same=lambda post, part: (post.title, post.text.removesuffix("\n")) == (part.title, part.text),
            others=("other@rehearsal.example",),
            reply_to=lambda post, body: str(message_from_bytes(body)["In-Reply-To"] or ""),
        ),
        Case(
            platform="manual",
            account="our-company",
            fields={"site": "www.social.example", "path_prefix": "/posts/our-company_", "public": "true", "max_length": "3000"},
            pinged=lambda post, body: "@s" in post.text or "@e" in post.text or "#h" in post.text,
            official="https://www.social.example/posts/our-company_an-update-123",
            foreign=(
                "https://www.social.example/posts/other-company_an-update-123",
                "https://www.social.example/posts/our-company_/../other-company_1",
                "https://www.social.example/posts/our-company_1?next=https://evil.example",
                "https://www.social.example/posts/our-company_1#fragment",
                "http://www.social.example/posts/our-company_1",
            ),
            lacks={"posting": "a person posts", "credentials": "a person logs in", "faults": "sends nothing"},
        ),
        Case(
            platform="reddit",
            account=REDDIT["account_id"],
            fields={"subreddit": REDDIT["subreddit"], "username": REDDIT["username"], "client_id": REDDIT["client_id"]},
            secrets={"client_secret": REDDIT["client_secret"], "password": REDDIT["password"]},
            wrong={"password": "not-the-password"},
            others=("9tocsin2",),
            posting=r"POST /api/(submit|comment)\b",
            max_title=300,
            pinged=lambda post, body: re.search(r"(?<![\w/\\])/?[ur]/\w", post.text) is not None or post.extra["sendreplies"],
            reply_to=lambda post, body: post.reply_to.partition("_")[2],
            stranger={"author": "somebody"},
            official="https://www.reddit.com/r/tocsin_drill/comments/rka5j5x/security_incident/",
            foreign=(
                "https://www.reddit.com/r/tocsin/comments/rka5j5x/security_incident/",
                "https://www.reddit.com/user/tocsin_drill/comments/rka5j5x/security_incident/",
                "https://old.reddit.com/r/tocsin_drill/comments/rka5j5x/security_incident/",
            ),
        ),
        Case(
            platform="telegram",
            account=str(TELEGRAM["channels"]["tocsin_drill"]),
            fields={"chat": "@tocsin_drill"},
            secrets={"token": TELEGRAM["token"]},
            wrong={"token": "7000000001:not_the_token"},
            others=(str(TELEGRAM["channels"]["tocsin_drill_b"]), str(TELEGRAM["bot_id"])),
            posting=r"(?i)\w+ /bot[^/]*/sendMessage",
            faults={**HTTP_FAULTS, "not-a-member": NeedsOperator, "kicked": NeedsOperator, "no-rights": NeedsOperator},
            length=utf16,
            pinged=lambda post, body: any(one["type"] not in {"url", "email"} for one in post.extra["entities"]) or post.extra["preview"],
            official="https://t.me/tocsin_drill/17",
            foreign=("https://t.me/tocsin_drill_b/17", "https://t.me/s/tocsin_drill/17", "https://t.me/tocsin_drill/017"),
        ),
        Case(
            platform="x",
            account=ACCOUNTS_OF_X["accounts"][0]["user_id"],
            fields={"handle": ACCOUNTS_OF_X["accounts"][0]["handle"]},
            secrets={
                "consumer_key": ACCOUNTS_OF_X["consumer_key"],
                "consumer_secret": ACCOUNTS_OF_X["consumer_secret"],
                "access_token": ACCOUNTS_OF_X["accounts"][0]["access_token"],
                "access_token_secret": ACCOUNTS_OF_X["accounts"][0]["access_token_secret"],
            },
            wrong={"access_token_secret": "not-the-secret"},
            others=(ACCOUNTS_OF_X["accounts"][1]["user_id"],),
            posting=r"POST /2/tweets$",
            length=lambda text: x_text.weight(text)[0],
            pinged=lambda post, body: any(one.kind != "urls" for one in x_text.found(post.text)),
            stranger={"author_id": "1"},
            official="https://x.com/tocsin_drill/status/1700000000000000001",
            foreign=("https://x.com/tocsin_drill_b/status/1700000000000000001", "https://x.com/tocsin_drill/status/1/photo/1"),
        ),
    )
}
