"""approve, reject, request-changes: read every rendering, then sign with an SSH key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from app.cli import signing
from app.cli.client import Client, put_json
from app.domain.approval import Decision

_LINK = re.compile(r"(https?://[^/]+)(/approve/[A-Za-z0-9_-]+)/?")


def _options(command: Any) -> Any:
    for option in reversed(
        [
            click.argument("link_or_id"),
            click.option("--key", default="agent", show_default=True, help="Private key file, or “agent”, or a SHA256: fingerprint in it."),
            click.option("--person", default=lambda: os.environ.get("TOCSIN_PERSON", ""), help="Your id in the roster; a link knows it."),
            click.option("--yes", is_flag=True, help="Do not ask again after showing the renderings."),
            click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON."),
        ]
    ):
        command = option(command)
    return command


@click.command()
@_options
@click.option("--comment", default="", help="A note, part of the signed bytes.")
def approve(**given: Any) -> None:
    """Show every rendering, then sign it as approved.

    LINK_OR_ID is your approval link, or an announcement's id (then TOCSIN_TOKEN and --person are needed).
    """
    decide(Decision.APPROVE, **given)


@click.command()
@_options
@click.option("--comment", required=True, help="Why; part of the signed bytes.")
def reject(**given: Any) -> None:
    """Show every rendering, then sign it as rejected; the author can revise at once."""
    decide(Decision.REJECT, **given)


@click.command("request-changes")
@_options
@click.option("--comment", required=True, help="What to change; part of the signed bytes.")
def request_changes(**given: Any) -> None:
    """Show every rendering, then ask for changes, signed."""
    decide(Decision.REQUEST_CHANGES, **given)


def decide(decision: Decision, link_or_id: str, key: str, person: str, yes: bool, as_json: bool, comment: str) -> None:
    """Fetches, shows, asks, signs, sends."""
    link = _LINK.fullmatch(link_or_id.strip())
    if link:
        client, path, post_to = Client(link[1]), f"{link[2]}/request", link[2]
    else:
        client, path = Client(), f"/v1/announcements/{link_or_id}/approval-request"
        post_to = f"/v1/announcements/{link_or_id}/approvals"
    request = client.get(path) if link else client.get(path, person=person)
    if link and not request["usable"]:
        raise click.ClickException(request["why_not"])
    person = request["person"] or person
    if not person:
        raise click.UsageError("Say who you are: --person, or TOCSIN_PERSON.")
    manifest = signing.read(request)
    signing.show(manifest, request["findings"])
    if not yes and not click.confirm(f"Sign “{decision.value}” as {person}?", err=True):
        raise click.ClickException("Nothing was signed.")
    by = signing.signer(str(Path(key).expanduser()) if "/" in key else key)
    signed = signing.approval(request, manifest, decision, person, by, comment)
    outcome = client.post_raw(post_to, signed.to_json())
    if as_json:
        put_json(outcome)
    else:
        click.echo(_told(outcome))


def _told(outcome: dict[str, Any]) -> str:
    if outcome["decision"] != "approve":
        return "Signed. This revision is over; the author can revise it at once."
    if outcome["missing"]:
        return f"Signed. {outcome['missing']} more signature is needed."
    return f"Signed. The announcement is {outcome['state'].replace('_', ' ')}."
