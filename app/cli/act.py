"""resolve, cancel, retry, mark, skip: what a person does about an incident or a delivery that is under way.

A delivery is named by its id (de_…), or by its announcement and destination: an_…:telegram.
"""

from __future__ import annotations

from typing import Any

import click

from app.cli.client import Client, route
from app.cli.output import coloured, in_words, one_line, put, put_json, span, table
from app.cli.words import filled, wording, wording_options

_ASKS = frozenset({"failed", "unknown", "by_hand"})

_json = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
_delivery = click.argument("delivery", metavar="DELIVERY")


@click.command()
@click.argument("incident", metavar="INCIDENT")
@wording_options
@click.option("--now", is_flag=True, help="The resolution goes out as soon as it is approved, instead of an hour later.")
@_json
def resolve(incident: str, now: bool, as_json: bool, **given: Any) -> None:
    """Resolve an incident (its id or slug), and put its resolution, summary and post-mortem on the clock.

    With a text, reviewers are asked to sign it as the resolution at once. Without, a draft is made for you to revise.
    """
    words = wording(given)
    if words and "text" not in words:
        raise click.UsageError("Give the resolution's text as well: --text TEXT, a FILE, or - for stdin.")
    told = Client().post(route("incidents", incident, "resolve"), {"now": now} | ({"resolution": filled(words)} if words else {}))
    if as_json:
        put_json(told)
        return
    put(f"{one_line(told['name'])} is resolved.", bold=True)
    drafts = {a["id"]: a["state"] for a in told["announcements"]}
    owed = [f for f in told["follow_ups"] if f["announcement"] in drafts]
    rows = [
        [one_line(f["kind"]), one_line(f["announcement"]), coloured(drafts[f["announcement"]]), span(f["opens"], f["closes"])] for f in owed
    ]
    table(rows)
    if any(drafts[f["announcement"]] == "draft" for f in owed):
        put("Fill the gaps of each draft, so that its reviewers are asked: tocsin revise ID FILE")
    if not owed:
        put("Nobody was told of it, so no follow-up is owed.")


@click.command()
@click.argument("announcement", metavar="ID")
@_json
def cancel(announcement: str, as_json: bool) -> None:
    """Cancel an announcement that has not begun to go out. What has can only be corrected by another."""
    told = Client().post(route("announcements", announcement, "cancel"), {})
    if as_json:
        put_json(told)
    else:
        put(f"{one_line(told['id'])} is {told['state']}.")


@click.command()
@_delivery
@click.option("--looked", is_flag=True, help="You have looked at the destination, and the post is not there.")
@_json
def retry(delivery: str, looked: bool, as_json: bool) -> None:
    """Try a failed delivery again. DELIVERY is its id, or ANNOUNCEMENT:DESTINATION.

    Where it is not known whether it was posted, look first: --looked says that you did.
    """
    _act(delivery, "retry", {"looked": looked}, as_json)


@click.command()
@_delivery
@click.argument("url", metavar="[URL]", required=False)
@_json
def mark(delivery: str, url: str | None, as_json: bool) -> None:
    """Mark a delivery as posted, with the URL of the post. DELIVERY is its id, or ANNOUNCEMENT:DESTINATION.

    Only a post that has no URL is marked without one: a mail, or one in a private Telegram chat.
    """
    _act(delivery, "mark", {"url": url} if url else {}, as_json)


@click.command()
@_delivery
@_json
def skip(delivery: str, as_json: bool) -> None:
    """Leave a destination out. DELIVERY is its id, or ANNOUNCEMENT:DESTINATION."""
    _act(delivery, "skip", {}, as_json)


def _act(delivery: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    client = Client()
    told = client.post(route("deliveries", find(client, delivery), verb), body)
    if as_json:
        put_json(told)
        return
    put(f"{one_line(told['destination'])} is {in_words(told['state'])}.")
    for detail in filter(None, (told["permalink"], told["problem"])):
        put(f"  {one_line(detail)}")


def find(client: Client, delivery: str) -> str:
    """The id of a delivery given as ANNOUNCEMENT:DESTINATION; any other text is an id already. Raises `click.ClickException`."""
    announcement, colon, destination = delivery.partition(":")
    if not colon:
        return delivery
    there = client.get(route("announcements", announcement))["deliveries"]
    mine = [d for d in there if d["destination"] == destination]
    mine = [d for d in mine if d["state"] in _ASKS] or mine
    if len(mine) == 1:
        return str(mine[0]["id"])
    if mine:
        listed = "\n".join(f"  {one_line(d['id'])}  {one_line(d['role'])}, {one_line(d['state'])}" for d in mine)
        raise click.ClickException(f"{destination} has several deliveries there. Give the id of one:\n{listed}")
    known = ", ".join(dict.fromkeys(one_line(d["destination"]) for d in there))
    raise click.ClickException(
        f"There is no delivery to {destination!r}. {f'There are: {known}.' if known else 'Nothing has begun to go out.'}"
    )
