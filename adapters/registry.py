"""Which platforms there are: one line each, imported only when one is used (their client libraries are slow to import).

`app.bootstrap` alone reaches this file. A line here without a case in `tests/adapters/cases.py` fails the contract suite.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

from adapters.contract import Adapter, Config, Field

ADAPTERS: Mapping[str, str] = MappingProxyType(
    {
        "banner": "adapters.banner:BannerAdapter",
        "discord": "adapters.discord.bot:DiscordAdapter",
        "discord_webhook": "adapters.discord.webhook:DiscordWebhookAdapter",
        "email": "adapters.email:EmailAdapter",
        "manual": "adapters.manual:ManualAdapter",
        "reddit": "adapters.reddit.adapter:RedditAdapter",
        "telegram": "adapters.telegram:TelegramAdapter",
        "x": "adapters.x.adapter:XAdapter",
    }
)
"""Platform → `module:class`."""


class UnknownPlatform(ValueError):
    """No adapter of that name; the message lists those there are and the likeliest one meant."""


class AdapterClass(Protocol):
    """An adapter's class: what it declares, and the call that makes one of it."""

    @property
    def platform(self) -> str: ...
    @property
    def fields(self) -> tuple[Field, ...]: ...

    def __call__(self, config: Config, /) -> Adapter:
        """One configured destination. Raises `ValueError`, naming the setting, where the configuration cannot be right."""
        ...


def platforms() -> tuple[str, ...]:
    """Every known platform, in alphabetical order; imports nothing."""
    return tuple(sorted(ADAPTERS))


def load(platform: str) -> AdapterClass:
    """The adapter's class, imported now. Raises `UnknownPlatform`."""
    try:
        module, name = ADAPTERS[platform].split(":")
    except KeyError:
        near = difflib.get_close_matches(platform.lower(), ADAPTERS, n=1)
        hint = f"did you mean {near[0]!r}? Known" if near else "known"
        raise UnknownPlatform(f"There is no platform {platform!r}; {hint} are: {', '.join(platforms())}.") from None
    adapter: AdapterClass = getattr(import_module(module), name)
    return adapter
