"""exclude, include, resume: what a person says about an account: it is not ours any more, it is again, it is mended.

Excluding is sending to fewer, so one person does it, at once; including changes nothing that was signed before.
"""

from __future__ import annotations

from typing import Any

import click

from app.cli.client import Client, route
from app.cli.output import one_line, put, put_json

_destination = click.argument("destination", metavar="DESTINATION")
_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


@click.command()
@_destination
@click.option("--why", required=True, help="What you saw, in one line; everyone on the team reads it.")
@_json
def exclude(destination: str, why: str, as_json: bool) -> None:
    """Send nothing to an account any more, at once: it is not yours any more.

    \b
      tocsin exclude x-main --why "It posts of a giveaway"

    What is planned there is left out, and a fallback carries the full text. Where its post is out already, a correction that
    sends readers elsewhere is drawn up for two people to sign. Later announcements pass it by until `tocsin include`.
    """
    told = Client().post(route("destinations", destination, "exclude"), {"why": why})
    if as_json:
        put_json(told)
        return
    put(f"Nothing more is sent to {one_line(destination)}.", bold=True)
    for id_ in told["proposed"]:
        put(f"Readers are pointed there. A correction waits for signatures, its links are in the mail: tocsin status {one_line(id_)}")
    put(f"Once the account is yours again: tocsin include {one_line(destination)}")


@click.command()
@_destination
@_json
def include(destination: str, as_json: bool) -> None:
    """Let later announcements use an excluded account again. What was left out stays so."""
    _post(destination, "include", "Later announcements go to {} again.", as_json)


@click.command()
@_destination
@_json
def resume(destination: str, as_json: bool) -> None:
    """End the pause of an account, once its credentials are mended; `tocsin retry` and a good check do so too."""
    _post(destination, "resume", "{} is used again. What failed there: tocsin retry DELIVERY", as_json)


def _post(destination: str, verb: str, words: str, as_json: bool) -> None:
    told: dict[str, Any] = Client().post(route("destinations", destination, verb), {})
    if as_json:
        put_json(told)
    else:
        put(words.format(one_line(destination)))


def held(hold: dict[str, Any]) -> str:
    """Why nothing is sent to a destination, and the command that ends it."""
    name = one_line(hold["destination"])
    if hold["kind"] == "excluded":
        return one_line(f"{name} is excluded by {hold['by']}: {hold['why']}  (yours again: tocsin include {name})")
    return one_line(f"{name} is paused: {hold['why']}  (mended: tocsin resume {name})")
