"""seal, unseal, sealed: what two people sign on a quiet day, and one person sends on the day on which the second one sleeps.

A sealed announcement is submitted, read and approved as any other. To unseal it is a signature as well, over the digest of what was shown.
"""

from __future__ import annotations

from typing import Any

import click

from app.cli.announce import submit, submitting
from app.cli.client import Client, route
from app.cli.decide import decide, signing_options
from app.cli.output import one_line, put, put_json, when
from app.domain.approval import Decision


@click.command()
@submitting
def seal(**given: Any) -> None:
    """Submit an announcement to be sealed: two people sign it now, and one person alone can send it later, once, until a day.

    \b
      tocsin seal --incident "Problem with our website" --sealed-until 2027-03-01 --correction "…" holding.txt

    It holds exact words for exact destinations, so say nothing that will be wrong on the day: no date, no time, no detail.
    Its correction is sealed with it. A seal ends early by one signature: tocsin reject ID.
    """
    if not given["sealed_until"]:
        raise click.UsageError("Say until when it can be unsealed: --sealed-until DATE.")
    submit(given)


@click.command()
@signing_options
@click.option("--comment", default="", help="Why now; part of the signed bytes.")
def unseal(**given: Any) -> None:
    """Show every rendering of a sealed announcement, then sign its unsealing: it goes out at once, and everyone is told.

    LINK_OR_ID is its id (then TOCSIN_TOKEN and --person are needed), or a link that was mailed to you. It works once.
    """
    decide(Decision.UNSEAL, **given)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def sealed(as_json: bool) -> None:
    """List what is sealed, until when, and whether its signatures still count. Exit code 1 where one does not hold any more."""
    client = Client()
    found = [client.get(route("announcements", item["id"])) for item in client.pages(route("announcements"), "before", state="sealed")]
    if as_json:
        put_json({"items": [_told(shown) for shown in found]})
    for shown in [] if as_json else found:
        _show(shown)
    if not found and not as_json:
        put("Nothing is sealed.")
    if any(not shown["seal"]["holds"] for shown in found):
        raise click.exceptions.Exit(1)


def _told(shown: dict[str, Any]) -> dict[str, Any]:
    names = list(dict.fromkeys(rendering["destination"] for rendering in shown["renderings"]))
    kept: dict[str, Any] = {name: shown[name] for name in ("id", "incident", "kind", "digest", "text", "correction")}
    seal: dict[str, Any] = shown["seal"]
    return kept | seal | {"destinations": names, "signed_by": [signed["person"] for signed in shown["approvals"]]}


def _show(shown: dict[str, Any]) -> None:
    told = _told(shown)
    put(one_line(f"{told['id']} · {told['kind']} · {told['incident']['name']}"), bold=True)
    if told["holds"]:
        put(f"  Until {when(told['until'])}; signed by {one_line(' and '.join(told['signed_by']))}")
    else:
        put("  DOES NOT HOLD any more: its signatures do not count in the roster of now. Seal the text anew.", fg="red")
    put(f"  To {one_line(', '.join(told['destinations']))}{', with its correction' if told['with_correction'] else ''}")
    put("\n".join(f"    {line}" for line in told["text"].split("\n")))
