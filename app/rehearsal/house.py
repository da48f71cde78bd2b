"""A whole Tocsin for a rehearsal, in a folder of its own: keys, roster, destinations at the stand-ins, and the environment to start it.

Everything here is made anew and opens nothing elsewhere. Two persons, each with a key, so that one newcomer can play both.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.rehearsal.stand_ins import accounts

PERSONS = ("first-reviewer", "second-reviewer")


@dataclass(frozen=True, slots=True)
class RehearsalHouse:
    """Where it lies, how it is reached, and with what environment `tocsin serve` starts."""

    folder: Path
    url: str
    token: str
    environ: dict[str, str]

    def key(self, person: str) -> Path:
        """A person's private key file."""
        return self.folder / f"{person}.key"


_NO_LANGUAGES: Mapping[str, str] = {}


def furnish(
    folder: Path, stand_ins: dict[str, Any], *, port: int = 0, pointers: int = 0, languages: Mapping[str, str] = _NO_LANGUAGES
) -> RehearsalHouse:
    """Writes all files. `stand_ins` are the addresses that `python -m app.rehearsal` printed; `pointers` adds Telegram channels.

    `languages` are those of destinations, by their ids.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port, token = port or _free_port(), secrets.token_urlsafe(32)
    house = RehearsalHouse(folder, f"http://localhost:{port}", token, {})
    (folder / "roster.toml").write_text("version = 1\n" + "".join(_person(house, person) for person in PERSONS))
    listed = _destinations(stand_ins, pointers, house.url)
    spoken = [d | ({"language": languages[d["id"]]} if d["id"] in languages else {}) for d in listed]
    (folder / "destinations.toml").write_text(_toml(spoken))
    house.environ.update(_environ(house, stand_ins, port, pointers))
    return house


def _person(house: RehearsalHouse, person: str) -> str:
    private = Ed25519PrivateKey.generate()
    with open(house.key(person), "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    name = person.replace("-", " ").title()
    return (
        f'\n[person.{person}]\nname = "{name}"\nemail = "{person}@rehearsal.example"\nroles = ["author", "reviewer"]\n'
        f'\n[[person.{person}.ssh]]\npublic = "{public} rehearsal"\n'
    )


def _destinations(at: dict[str, Any], pointers: int, url: str) -> list[dict[str, Any]]:
    x, reddit, telegram, discord = accounts.X["accounts"][0], accounts.REDDIT, accounts.TELEGRAM, accounts.DISCORD
    channel = next(iter(telegram["channels"]))
    mail = {"host": at["smtp"]["host"], "port": at["smtp"]["port"], "security": "none", "from_address": "tocsin@rehearsal.example"}
    listed: list[dict[str, Any]] = [
        {"id": "x", "platform": "x", "role": "primary", "account": x["user_id"], "handle": x["handle"], "base_url": at["x"]},
        {
            "id": "reddit",
            "platform": "reddit",
            "role": "pointer",
            "account": reddit["account_id"],
            "base_url": at["reddit"],
            "client_id": reddit["client_id"],
            "username": reddit["username"],
            "subreddit": reddit["subreddit"],
        },
        _telegram("telegram", f"@{channel}", telegram["channels"][channel], at) | {"fallback": 1},
        *(
            _telegram(f"telegram-{n:02d}", f"@{telegram['pointer_prefix']}{n:02d}", telegram["pointer_id_base"] - n, at)
            for n in range(1, pointers + 1)
        ),
        {
            "id": "discord",
            "platform": "discord",
            "role": "pointer",
            "account": discord["bot_id"],
            "base_url": at["discord"],
            "guild": discord["guild_id"],
            "channel": discord["channel_id"],
        },
        {
            "id": "discord-webhook",
            "platform": "discord_webhook",
            "role": "pointer",
            "account": discord["webhook_id"],
            "base_url": at["discord"],
            "guild": discord["guild_id"],
            "channel": discord["webhook_channel_id"],
        },
        {
            "id": "forum",
            "platform": "manual",
            "role": "pointer",
            "account": "tocsin-drill",
            "site": "forum.rehearsal.example",
            "path_prefix": "/tocsin-drill/",
            "name": "the forum",
        },
        {"id": "homepage", "platform": "banner", "role": "banner", "account": url, "base_url": url},
        {"id": "team", "platform": "email", "role": "internal", "account": mail["from_address"], "to": "team@rehearsal.example"} | mail,
    ]
    return listed


def _telegram(id_: str, chat: str, account: int, at: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "platform": "telegram", "role": "pointer", "account": str(account), "chat": chat, "base_url": at["telegram"]}


def _environ(house: RehearsalHouse, at: dict[str, Any], port: int, pointers: int) -> dict[str, str]:
    x, account = accounts.X, accounts.X["accounts"][0]
    discord = accounts.DISCORD
    names = ["TELEGRAM", *(f"TELEGRAM_{n:02d}" for n in range(1, pointers + 1))]
    return {
        "TOCSIN_ENVIRONMENT": "drill",
        "TOCSIN_PUBLIC_URL": house.url,
        "TOCSIN_PORT": str(port),
        "TOCSIN_DATA": str(house.folder / "data"),
        "TOCSIN_DESTINATIONS": str(house.folder / "destinations.toml"),
        "TOCSIN_ROSTER": str(house.folder / "roster.toml"),
        "TOCSIN_API_TOKENS": f"rehearsal:{house.token}",
        "TOCSIN_TOKEN_RATE": "5000",  # what plays the people here asks without a pause
        "TOCSIN_SMTP_HOST": at["smtp"]["host"],
        "TOCSIN_SMTP_PORT": str(at["smtp"]["port"]),
        "TOCSIN_SMTP_SECURITY": "none",
        "TOCSIN_SMTP_FROM": "tocsin@rehearsal.example",
        "TOCSIN_X_CONSUMER_KEY": x["consumer_key"],
        "TOCSIN_X_CONSUMER_SECRET": x["consumer_secret"],
        "TOCSIN_X_ACCESS_TOKEN": account["access_token"],
        "TOCSIN_X_ACCESS_TOKEN_SECRET": account["access_token_secret"],
        "TOCSIN_REDDIT_CLIENT_SECRET": accounts.REDDIT["client_secret"],
        "TOCSIN_REDDIT_PASSWORD": accounts.REDDIT["password"],
        "TOCSIN_DISCORD_TOKEN": discord["bot_token"],
        "TOCSIN_DISCORD_WEBHOOK_URL": f"{at['discord']}/api/webhooks/{discord['webhook_id']}/{discord['webhook_token']}",
    } | {f"TOCSIN_{name}_TOKEN": accounts.TELEGRAM["token"] for name in names}


def _toml(destinations: list[dict[str, Any]]) -> str:
    return "\n".join("[[destination]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in d.items()) for d in destinations)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
