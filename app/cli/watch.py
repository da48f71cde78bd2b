"""watch: follow an announcement, event by event, until Tocsin has nothing more to do for it.

What was before is read from the timeline, what comes from the server-sent events, taken up after the last one seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from app.cli.client import Client, Unreachable, route
from app.cli.output import clock, in_words, one_line, put, put_json, say
from app.cli.status import next_steps

ENDED = frozenset({"sent", "incomplete", "returned", "cancelled", "expired", "sealed"})
"""States in which Tocsin does nothing more of its own."""

_TURNS = ("broadcast-", "decision-re", "cancelled", "send-window-closed", "sealed")
"""How events begin after which it may have ended."""


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the announcement as JSON at the end, and the events on stderr.")
def watch(id_: str, as_json: bool) -> None:
    """Follow an announcement as it goes out, until there is nothing left for Tocsin to do.

    Exit code 0 if it was sent, 1 if it ended otherwise or a person has to act (`tocsin status ID` says what to do).
    Times are UTC.
    """
    shown = follow(Client(), id_, say if as_json else put)
    if as_json:
        put_json(shown)
    else:
        put(f"{one_line(shown['id'])} is {in_words(shown['state'])}.", bold=True)
        for step in next_steps(shown):
            put(f"  {step}")
    if shown["state"] != "sent":
        raise click.exceptions.Exit(1)


def follow(client: Client, id_: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """Tells each event of an announcement, those of before first, until it has ended; gives its final form.

    A lost connection is taken up again where it broke, for as long as it takes. Ctrl-C ends the command with exit code 1.
    """
    try:
        return _follow(client, id_, tell)
    except KeyboardInterrupt:
        say("\nYou stopped watching; at the server all goes on.")
        raise click.exceptions.Exit(1) from None


def _follow(client: Client, id_: str, tell: Callable[[str], None]) -> dict[str, Any]:
    after, lost = 0, False
    client.get(route("announcements", id_))  # one that is not there, or a server that is not, is told at once
    while True:
        try:
            shown: dict[str, Any] = client.get(route("announcements", id_))
            for entry in client.pages(route("incidents", shown["incident"]["id"], "timeline"), "after", after):
                after = _tell_event(entry, id_, tell, after)
            if shown["state"] in ENDED:
                return shown
            for entry in client.events(route("announcements", id_, "events"), after):
                after, lost = _tell_event(entry, id_, tell, after), False
                if str(entry["event"]).startswith(_TURNS):
                    break
        except Unreachable:
            if not lost:
                say("The connection is lost; trying until it is back. Ctrl-C stops watching, and nothing else.")
            lost = True
        time.sleep(0.2)


def _tell_event(entry: dict[str, Any], id_: str, tell: Callable[[str], None], after: int) -> int:
    if entry["announcement"] == id_ and entry["seq"] > after:
        tell(f"{clock(entry['at'])}  {event(entry)}")
    return max(int(entry["seq"]), after)


def event(entry: dict[str, Any]) -> str:
    """One row of the timeline as a sentence; one that is not known here is shown as it is."""
    name, data, actor = str(entry["event"]), entry["data"], entry["actor"]
    where, why = data.get("destination", ""), data.get("problem", "")
    part = f" part {data['part'] + 1}" if data.get("part") else ""
    deliveries = {
        "delivery-posted": f"{where}: posted{part} {data.get('permalink', '')}",
        "delivery-not_sent": f"{where}: not sent yet. {why}",
        "delivery-refused": f"{where}: FAILED. {why}",
        "delivery-lost": f"{where}: it is not known whether it was posted. {why}",
        "delivery-handed_over": f"{where}: to be posted by hand. {why}",
        "delivery-marked": f"{where}: {actor} marked it as posted {data.get('url', '')}",
        "delivery-retried": f"{where}: {actor} has it tried again",
        "delivery-skipped": f"{where}: {actor} left it out. {data.get('why', why)}",
        "delivery-came_late": f"{where}: posted{part} {data.get('permalink', '')}, as is known now",
        "posted-after-all": f"{where}: LOOK. {why}",
        "posted-besides": f"{where}: LOOK. {why}",
    }
    comment = f": {data['comment']}" if data.get("comment") else ""
    others = {
        "revision-submitted": f"revision {data.get('revision')} submitted by {actor}",
        "decision-approve": f"{actor} signed it as approved{comment}",
        "decision-reject": f"{actor} rejected it{comment}",
        "decision-request-changes": f"{actor} asks for changes{comment}",
        "sealed": f"sealed until {data.get('until')}, signed by {' and '.join(data.get('people', []))}",
        "decision-unseal": f"{actor} signed its unsealing{comment}",
        "unsealed": f"UNSEALED by {actor}",
        "approved": f"approved by {' and '.join(data.get('people', []))}",
        "broadcast-begun": "going out",
        "broadcast-sent": "everything is out",
        "broadcast-incomplete": "a person has to act",
        "broadcast-refused": f"REFUSED. {data.get('why', '')}",
        "fallback-leads": f"{data.get('to')} carries the full text in place of {data.get('from')}. {data.get('why', '')}",
        "correction-proposed": f"drawn up by {actor} as a correction of {data.get('of')}",
        "cancelled": f"cancelled by {actor}",
        "send-window-closed": "its send window has closed",
    }
    told = (deliveries | others).get(name)
    if told is None and name.startswith("read-back-"):
        told = f"{where}: read back, {name.removeprefix('read-back-').replace('_', ' ')}. {data.get('detail', '')}"
    if told is None:
        told = " ".join([name, *(f"{key}={value}" for key, value in data.items())])
    return one_line(told).strip()
