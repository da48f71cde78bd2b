"""What a reviewer gets to see in tests: a manifest as the domain writes it, and the approval request around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import Part, Receipt, Rendering, Role
from app.domain.announcement import Answers, Kind, Override
from app.domain.enrolment import registration_options
from app.domain.incident import Facts
from app.domain.manifest import Manifest, Planned, Seal, digest
from app.domain.roster import Person, PersonRole, Roster
from tests.support.soft_passkey import SoftPasskey

CHALLENGE = bytes(range(32))
NONCE = "Zk9vYmFyQmF6UXV4MTIzNA"
TEXT = (
    "If you entered your recovery phrase on Harbour Web (harbour[.]example) since 07:10 UTC today, move your funds to a new wallet now: "
    "https://help.harbour-status.example/new-wallet\n\n"
    "If you only use the mobile app, you are not affected. There is nothing you need to do.\n\n"
    "Next update here by 09:30 UTC. We post nowhere else."
)
POINTER = (
    "Anyone who entered a recovery phrase on Harbour Web today. Move your funds to a new wallet now.\n\n"
    "Full text and all further updates, only here: {{permalink}}\n\nThis channel is not monitored for now."
)
FACTS = Facts(
    id="in_7f3k",
    name="Harbour Web is serving a wallet drainer",
    slug="harbour-web",
    products=("Harbour Web", "Harbour Mobile"),
    affected_products=("Harbour Web",),
    own_domains=("harbour.example", "harbour-status.example"),
    affected_domains=("harbour.example",),
    safe_links=("https://help.harbour-status.example",),
)


def rendering(*texts: str, title: str = "") -> Rendering:
    """One part for each text."""
    return Rendering(tuple(Part(text, title) for text in texts))


def thread(mark: str = "") -> Rendering:
    """The text in two parts, the second able to stand alone."""
    first, *others = (mark + TEXT).split("\n\n")
    rest = "\n\n".join(others)
    return Rendering((Part(first), Part(rest, standalone=rest + "\n\nThe first part: {{permalink}}")))


def destinations(mark: str = "") -> tuple[Planned, ...]:
    """One of every kind; two Discord channels say the same."""
    pointer, full = rendering(mark + POINTER), rendering(mark + TEXT, title=mark + "Security notice: " + FACTS.name)
    return (
        Planned("x-main", "x", Role.PRIMARY, "2244994945", full=thread(mark), pointer=pointer),
        Planned("wallet-partners", "email", Role.PARTNER, "partners@harbour-status.example", full=full),
        Planned("telegram", "telegram", Role.POINTER, "-1001234567890", full=rendering(mark + TEXT), pointer=pointer),
        Planned("discord-news", "discord", Role.POINTER, "81384788765712384", pointer=pointer),
        Planned("discord-help", "discord", Role.POINTER, "81384788765712399", pointer=pointer),
        Planned("hook", "discord_webhook", Role.POINTER, "81384788765712401", pointer=pointer, on_unknown="resend", resend_after=120),
        Planned("subreddit", "reddit", Role.POINTER, "t2_3k1f", pointer=rendering(mark + POINTER, title=mark + "Security notice")),
        Planned("homepage", "banner", Role.BANNER, "https://alerts.harbour-status.example", full=rendering(mark + TEXT)),
        Planned("team", "discord_webhook", Role.INTERNAL, "81384788765712400", full=rendering(mark + TEXT)),
    )


def manifest(**changed: Any) -> Manifest:
    """A first announcement of a live incident, as a tired author writes it."""
    sample = Manifest(
        environment="live",
        announcement="an_7f3k2m",
        revision=2,
        kind=Kind.INITIAL,
        incident=FACTS,
        author="first-author",
        submitted_by="first-author",
        text=TEXT,
        answers=Answers(
            "Anyone who entered a recovery phrase on Harbour Web today",
            "Move your funds to a new wallet now",
            "There is nothing you need to do",
        ),
        destinations=destinations(),
        primaries=("x-main", "telegram"),
        overrides=(),
        not_before="",
        not_after="2026-11-25T07:20:00.000000Z",
        banner_until="2026-11-27T07:20:00.000000Z",
        roster_version=3,
        created_at="2026-11-24T07:20:00.000000Z",
    )
    return replace(sample, **changed)


def drill() -> Manifest:
    """The same as a rehearsal, every text marked."""
    return manifest(environment="drill", text="[DRILL] " + TEXT, destinations=destinations("[DRILL] "))


def sealed() -> Manifest:
    """The same, to be kept for another day, with a correction inside that holds a link of its own."""
    shut, ends = Seal(send_seconds=86_400, banner_seconds=3600), "2027-02-22T07:00:00.000000Z"
    posts = tuple(
        replace(e, full=rendering("It is safe: https://later.harbour-status.example") if e.full else None) for e in destinations()
    )
    waiting = manifest(not_after=ends, banner_until="", seal=replace(shut, corrects="an_7f3k2m"))
    inner = replace(waiting, announcement="an_7f3k2m-correction", kind=Kind.CORRECTION, text="It is safe again.", destinations=posts)
    return replace(waiting, correction=inner.text, seal=replace(shut, correction=inner.to_bytes().decode()))


def reply(to: str) -> Receipt:
    """What an update replies to."""
    return Receipt("1850000000000000001", to)


def request(shown: Manifest | None = None, passkeys: tuple[str, ...] = (), **changed: Any) -> dict[str, Any]:
    """The approval request of a link of first-reviewer; JSON values only."""
    shown = shown or manifest()
    raw = shown.to_bytes()
    expires = datetime.now(UTC) + timedelta(hours=3, minutes=21)
    sample = {
        "manifest": raw.decode(),
        "digest": digest(raw),
        "person": "first-reviewer",
        "person_name": "First Reviewer",
        "nonce": NONCE,
        "announcement": shown.announcement,
        "revision": shown.revision,
        "environment": shown.environment,
        "author": shown.author,
        "state": "awaiting_approval",
        "findings": [],
        "approvals": [{"person": "second-reviewer", "decision": "approve", "key": "ssh", "at": "2026-11-24T07:22:10.000000Z"}],
        "missing": 1,
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "rp_id": "localhost",
        "passkeys": list(passkeys),
        "usable": True,
        "why_not": "",
    }
    return sample | changed


PERSON = Person("first-reviewer", "First Reviewer", "first-reviewer@status.example", frozenset({PersonRole.REVIEWER}))


def enrolment(person: Person = PERSON) -> dict[str, Any]:
    """What the page for a new passkey is given."""
    options = registration_options(person, "localhost", CHALLENGE)
    return {"person": person.id, "person_name": person.name, "environment": "live", "options": options}


def finding(rule: str, severity: str, message: str, excerpt: str = "") -> dict[str, Any]:
    """A finding as the server stores it."""
    return {"destination": "", "rule": rule, "severity": severity, "message": message, "excerpt": excerpt, "start": 0, "end": len(excerpt)}


OVERRIDE = Override("live-link-affected", "We bought the look-alike ourselves; it is a warning page.", "https://harbour.example")


def roster(passkey: SoftPasskey) -> Roster:
    """A roster in which first-reviewer has this passkey."""
    return Roster(3, (replace(PERSON, keys=(passkey.passkey(),)),))
