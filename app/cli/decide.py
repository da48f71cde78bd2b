"""approve, reject, request-changes: read every rendering, then sign with an SSH key.

A link from anybody is opened without the machine token, and what is signed is the digest of what was shown, whoever showed it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from app.cli import signing
from app.cli.client import Client, route
from app.cli.output import in_words, one_line, put, put_json
from app.domain.approval import Decision
from app.domain.manifest import Manifest
from app.signing import Signer

_LINK = re.compile(r"<?(https?://[^\s<>?#]+?)(/approve/[A-Za-z0-9_-]+)/?>?[.,]?")

_QUESTIONS = {
    (Decision.UNSEAL, "sealed"): "Unseal it as {person}, and send it NOW?",
    (Decision.REJECT, "sealed"): "Revoke the seal as {person}, so that nobody can send it any more?",
}

person_option = click.option(
    "--person", default=lambda: os.environ.get("TOCSIN_PERSON", ""), show_default="TOCSIN_PERSON", help="Your id in the roster."
)


def signing_options(command: Any) -> Any:
    """Adds what every command has by which a person signs."""
    for option in reversed(
        [
            click.argument("link_or_id"),
            click.option(
                "--key",
                default=lambda: os.environ.get("TOCSIN_KEY") or "agent",
                show_default="TOCSIN_KEY, or agent",
                help="Private key file, or “agent”, or the SHA256: fingerprint of a key in it.",
            ),
            person_option,
            click.option("--yes", is_flag=True, help="Do not ask again after showing the renderings."),
            click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON."),
        ]
    ):
        command = option(command)
    return command


@click.command()
@signing_options
@click.option("--comment", default="", help="A note, part of the signed bytes.")
def approve(**given: Any) -> None:
    """Show every rendering, then sign it as approved.

    LINK_OR_ID is your approval link, or an announcement's id (then TOCSIN_TOKEN and --person are needed).
    """
    decide(Decision.APPROVE, **given)


@click.command()
@signing_options
@click.option("--comment", required=True, help="Why; part of the signed bytes.")
def reject(**given: Any) -> None:
    """Show every rendering, then sign it as rejected; the author can revise at once."""
    decide(Decision.REJECT, **given)


@click.command("request-changes")
@signing_options
@click.option("--comment", required=True, help="What to change; part of the signed bytes.")
def request_changes(**given: Any) -> None:
    """Show every rendering, then ask for changes, signed."""
    decide(Decision.REQUEST_CHANGES, **given)


def decide(decision: Decision, link_or_id: str, key: str, person: str, yes: bool, as_json: bool, comment: str) -> None:
    """Fetches, shows, asks, signs, sends."""
    link = _LINK.fullmatch(link_or_id.strip())
    if link:
        client, post_to = Client(link[1], token=""), link[2]
        request = client.get(f"{link[2]}/request")
        if not request["usable"]:
            raise click.ClickException(one_line(request["why_not"]))
        person = request["person"]
    else:
        person = _known(person)
        client, post_to = Client(), route("announcements", link_or_id.strip(), "approvals")
        request = client.get(route("announcements", link_or_id.strip(), "approval-request"), person=person)
    manifest, by = signing.read(request), load_key(key)  # what cannot be signed with is told before anybody reads
    if decision is Decision.UNSEAL and manifest.seal is None:
        raise click.ClickException(f"{manifest.announcement} is no sealed announcement: there is nothing to unseal.")
    signing.show(manifest, request)
    question = _QUESTIONS.get((decision, request["state"]), "Sign “{decision}” as {person}?")
    if not yes and not signing.confirmed(question.format(decision=decision.value, person=person)):
        raise click.ClickException("Nothing was signed.")
    outcome = send(client, post_to, request, manifest, decision, person, by, comment)
    if as_json:
        put_json(outcome)
    else:
        put(told(outcome))


def load_key(key: str) -> Signer:
    """The signer that --key names."""
    return signing.signer(str(Path(key).expanduser()) if "/" in key else key)


def send(
    client: Client, post_to: str, request: dict[str, Any], manifest: Manifest, decision: Decision, person: str, by: Signer, comment: str
) -> dict[str, Any]:
    """Signs this manifest and hands the approval in; what became of it."""
    signed = signing.approval(request, manifest, decision, person, by, comment)
    outcome: dict[str, Any] = client.post_raw(post_to, signed.to_json())
    return outcome


def told(outcome: dict[str, Any]) -> str:
    """What a decision led to."""
    if outcome["decision"] == "unseal":
        return f"Unsealed. The announcement is {in_words(outcome['state'])}; every signer and reviewer is told."
    if outcome["decision"] != "approve":
        return "Signed. This revision is over; the author can revise it at once."
    if outcome["missing"]:
        return f"Signed. {signatures(outcome['missing'])} needed."
    return f"Signed. The announcement is {in_words(outcome['state'])}."


def signatures(missing: int) -> str:
    """`1 more signature is`, `2 more signatures are`."""
    return "1 more signature is" if missing == 1 else f"{missing} more signatures are"


def _known(person: str) -> str:
    if not person:
        raise click.UsageError("Say who you are: --person, or TOCSIN_PERSON. (An approval link knows it.)")
    return person
