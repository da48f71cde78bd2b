"""The drill “your domain is gone”: with it its mail, every login by it, and Tocsin's own name, which here lies inside it.

Two people send all the same, by the command line and an address. What it proves: a name that nobody can look up is never asked for, no mail
is needed and no link to the lost name is written anywhere, no page signs, and every post goes out once, as two SSH keys signed it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx

from app.rehearsal.house import PERSONS
from app.rehearsal.play import RehearsalFailed, Say, Stage, await_end

LOST = "example.com"
ENVIRON = {"TOCSIN_PUBLIC_URL": f"https://tocsin.{LOST}", "TOCSIN_OWN_DOMAINS": LOST, "TOCSIN_SMTP_HOST": ""}
"""A name that leads nowhere from here, and no mail server."""

TEXT = (
    "If you used Example Web since 07:10 UTC today, move your funds to a new wallet now, from another device.\n\n"
    "If you only used Example Mobile, you are not affected and need to do nothing. Do not use our website, and trust no mail from us, "
    "until we say here that both are safe.\n\nNext update here at 10:00 UTC."
)
WITHOUT_MAIL = ("x", "reddit", "telegram", "discord", "discord-webhook", "forum", "homepage")


def play(stage: Stage, say: Say) -> dict[str, Any]:
    """The announcement as it stands in the end. Raises `RehearsalFailed` where anything took a name, a page or a mail."""
    address = stage.house.url.replace("localhost", "127.0.0.1")
    stage.http.base_url = httpx.URL(address)
    faults = {"platform": "smtp", "fault": "refused"}
    httpx.post(f"{stage.stand_ins['main']}/faults", json=faults, trust_env=False).raise_for_status()
    first, second = PERSONS
    say(f"{LOST} is gone, and with it the mail and Tocsin's own name.")
    say(f"What is left: its address, {address}, a machine token and two SSH keys.")

    words = ["--incident", "DNS hijacked", "--affected-domain", LOST, "--own-domain", LOST, "--text", TEXT]
    words += [word for destination in WITHOUT_MAIL for word in ("--destination", destination)]
    say(f"{first} submits and signs:  tocsin announce --incident 'DNS hijacked' --affected-domain {LOST} --person {first} --key KEY …")
    accepted = _tocsin(stage, address, "announce", *words, *_signing(stage, first))
    if LOST not in (accepted["pages_closed"] or ""):
        raise RehearsalFailed("Pages still sign, though their own name lies inside the domain that is gone.")
    say(f"No page signs this: {accepted['pages_closed'].partition('. ')[0]}.")
    say(f"{second} reads and signs:  tocsin approve {accepted['id']} --person {second} --key KEY")
    _tocsin(stage, address, "approve", accepted["id"], *_signing(stage, second))
    shown = await_end(stage, accepted["id"], say)
    if stage.state()["smtp"]:
        raise RehearsalFailed("A mail arrived, so this proved nothing.")
    say("It went out by two SSH keys and an address: no name, no page, no mail.")
    return shown


def _signing(stage: Stage, person: str) -> list[str]:
    return ["--person", person, "--key", str(stage.house.key(person)), "--yes", "--json"]


def _tocsin(stage: Stage, address: str, *command: str) -> dict[str, Any]:
    """What a command prints as JSON; it is run as a person runs it, and knows the address alone."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "app.cli", *command],
        env=clean | {"TOCSIN_URL": address, "TOCSIN_TOKEN": stage.house.token},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RehearsalFailed(f"tocsin {command[0]} failed: {done.stderr.strip()}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told
