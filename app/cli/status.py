"""status: what is under way, who still has to sign, where each post is, and what a person has to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from app.cli.client import Client, route
from app.cli.destinations import held
from app.cli.output import coloured, finding, lines, one_line, put, put_json, span, table, when
from app.cli.posts import said

_OWED = frozenset({"waiting", "scheduled", "due", "approved", "overdue"})
_ASKS = frozenset({"failed", "unknown", "by_hand"})
_FINAL = frozenset({"sent", "cancelled"})
_QUIET = _FINAL | {"sealed"}


@click.command()
@click.argument("id_", metavar="[ID]", default="", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(id_: str, as_json: bool) -> None:
    """Show all that is under way; or one announcement (an_…), or one incident by its id or slug.

    Times are UTC, with this machine's own beside them.
    """
    client = Client()
    if id_.startswith("an_"):
        told = client.get(route("announcements", id_))
        show: Callable[[Any], None] = show_announcement
    elif id_:
        told, show = client.get(route("incidents", id_)), _show_incident
    else:
        told, show = _under_way(client), _show_all
    if as_json:
        put_json(told)
    else:
        show(told)


def next_steps(shown: dict[str, Any]) -> list[str]:
    """What a person has to do for this announcement to go out, one line each."""
    id_, missing = one_line(shown["id"]), shown["missing"]
    steps = {
        "draft": [f"Nobody was asked to sign it yet. Fill its gaps: tocsin revise {id_} FILE"],
        "returned": [f"A reviewer returned it. Revise it: tocsin revise {id_} FILE"],
        "expired": [f"Its send window has closed. Revise it to send it late: tocsin revise {id_} FILE"],
        "incomplete": [f"A person has to act on {_named(shown)}: tocsin status {id_}"],
    }.get(shown["state"], [])
    if shown["state"] in {"awaiting_approval", "draft"}:
        steps += [
            f"“{one_line(rule)}” stops it. Revise, or override it: --override {one_line(rule)}=REASON" for rule in missing["overrides"]
        ]
    if shown["state"] == "sealed":
        steps += _of_a_sealed(shown)
    if shown["state"] == "awaiting_approval":
        count = missing["approvals"]
        steps.append(f"{count} signature{'s' * (count != 1)} missing. Reviewers: {one_line(', '.join(missing['reviewers']))}.")
        if missing.get("cli_signature"):
            steps.append("One of them has to sign with an SSH key, by this command line.")
        steps.append(
            one_line(shown.get("pages_closed") or "") or f"They have links by mail; or: tocsin approve {id_} --person THEM --key KEY"
        )
    return steps


def _of_a_sealed(shown: dict[str, Any]) -> list[str]:
    id_, seal = one_line(shown["id"]), shown["seal"]
    if not seal["holds"]:
        anew = f"Seal the text anew (tocsin seal), and revoke this: tocsin reject {id_} --comment WHY"
        return [f"The seal does not hold any more: its signatures do not count in the roster of now. {anew}"]
    return [
        f"On the day, one person sends it: tocsin unseal {id_} --person THEM --key KEY",
        f"To revoke it: tocsin reject {id_} --comment WHY",
    ]


def _named(shown: dict[str, Any]) -> str:
    return ", ".join(one_line(d["destination"]) for d in shown["deliveries"] if d["state"] in _ASKS) or "it"


def show_announcement(shown: dict[str, Any]) -> None:
    """One announcement: state, signatures, what is missing, deliveries."""
    drill = "DRILL · " if shown["environment"] == "drill" else ""
    click.secho(f"{drill}{one_line(shown['id'])} · {one_line(shown['kind'])} · {coloured(shown['state'])}", bold=True)
    put(f"Incident  {one_line(shown['incident']['name'])} ({one_line(shown['incident']['slug'])})")
    put(f"Revision  {shown['revision']}, {one_line(shown['digest'])}")
    if shown["finished_at"]:
        put(f"Ended     {when(shown['finished_at'])}")
    else:
        window = span(shown["not_before"], shown["not_after"]) if shown["not_before"] else f"until {when(shown['not_after'])}"
        put(f"Sealed    {window}" if shown["seal"] and not shown["approved_at"] else f"Goes out  {window}")
    for signed in shown["approvals"]:
        by = f"{one_line(signed['person'])} ({one_line(signed['key'])})"
        put(f"Signed    {one_line(signed['decision'])} by {by}, {when(signed['at'])}")
    for unsealed in (shown["seal"] or {}).get("unsealed_by", []):
        put(f"Unsealed  by {one_line(unsealed['person'])}, {when(unsealed['at'])}")
    for line in _asked(shown["asked"]):
        put(line)
    for found in shown["findings"]:
        put(f"Finding   {finding(found)}", fg="red" if found["severity"] == "block" else "yellow")
    if leading := _leading(shown):
        put(f"Leads     {leading}", fg="yellow")
    for hold in shown["held"]:
        if hold["destination"] in {rendering["destination"] for rendering in shown["renderings"]}:
            put(f"Held      {held(hold)}", fg="yellow")
    put(f"\n{shown['text']}\n")
    if shown["correction"]:
        put(f"Should it be wrong (tocsin correct {one_line(shown['id'])}):\n{shown['correction']}\n")
    heads = lines([_head(delivery) for delivery in shown["deliveries"]], None, indent="")
    for head, delivery in zip(heads, shown["deliveries"], strict=True):
        click.echo(head)
        _show_details(shown, delivery)
    for step in next_steps(shown):
        put(step, bold=True)


def _asked(asked: list[dict[str, Any]]) -> Iterator[str]:
    """Who was asked to sign, when, and who is next."""
    for told in (told for told in asked if told["asked_at"]):
        reminded = f", reminded {when(told['reminded_at'])}" if told["reminded_at"] else ""
        yield f"Asked     {one_line(told['who'].removeprefix('destination:'))}, {when(told['asked_at'])}{reminded}"
    if coming := [told for told in asked if told["next_at"] and not told["asked_at"]]:
        soonest = min(told["next_at"] for told in coming)
        people = ", ".join(one_line(told["who"].removeprefix("destination:")) for told in coming if told["next_at"] == soonest)
        yield f"Next      {people}, {when(soonest)}"


def _leading(shown: dict[str, Any]) -> str:
    """Who carries the full text, where there is a choice."""
    order, leads = shown["primaries"]["order"], shown["primaries"]["leads"]
    if len(order) < 2:
        return ""
    if leads != order[0]:
        return one_line(f"{leads}, in place of {order[0]}; everyone else points there")
    return one_line(f"{leads}; if it is not posted within {shown['primaries']['fallback_after']} s: {', then '.join(order[1:])}")


def _head(delivery: dict[str, Any]) -> list[str]:
    took, seen = delivery["seconds_from_approval"], delivery["read_back"]
    cells = [one_line(delivery["destination"]), coloured(delivery["state"]), "" if took is None else f"{took:.1f} s"]
    cells.append(f"read back: {coloured(seen)}" if seen else "")
    return [*cells, f"{delivery['parts_posted']} of {delivery['parts']} parts" if delivery["parts"] > 1 else ""]


def _show_details(shown: dict[str, Any], delivery: dict[str, Any]) -> None:
    for detail in filter(None, (delivery["permalink"], delivery["problem"], delivery["read_back_detail"])):
        put(f"  {one_line(detail)}")
    if delivery["state"] == "by_hand":
        put("  The text:")
        for line in _text_by_hand(shown, delivery):
            put(line)
    for remedy in _remedies(delivery):
        put(f"  {one_line(remedy)}")


def _remedies(delivery: dict[str, Any]) -> Iterator[str]:
    id_, current = delivery["id"], delivery["state"]
    url = "URL" if delivery["permalinks"] else ""
    if current == "failed":
        yield f"Mend it, then:        tocsin retry {id_}"
    if current == "unknown":
        yield f"Look. Is it not there: tocsin retry {id_} --looked"
    if current in _ASKS:
        yield f"{'Once it is posted:   ' if current == 'by_hand' else 'Is it there already: '} tocsin mark {id_} {url}".rstrip()
        yield f"To leave it out:      tocsin skip {id_}"


def _text_by_hand(shown: dict[str, Any], delivery: dict[str, Any]) -> list[str]:
    """What a person is to post, with the primary's permalink in its slot."""
    texts = [text for part in said(shown, delivery) for text in (part["title"], part["text"]) if text]
    return [line for text in texts for line in text.split("\n")]


def _under_way(client: Client) -> dict[str, Any]:
    """Incidents that are open or owe something, and the follow-ups that are owed."""
    owed = list(client.pages(route("follow-ups"), "after"))
    waiting = {follow_up["incident"] for follow_up in owed}
    incidents = [
        incident for incident in client.pages(route("incidents"), "before") if incident["id"] in waiting or _under_way_in(incident)
    ]
    holds = [item["held"] | {"destination": item["destination"]} for item in client.get(route("destinations"))["items"] if item["held"]]
    return {"incidents": incidents, "follow_ups": owed, "held": holds}


def _under_way_in(incident: dict[str, Any]) -> bool:
    """Whether it is open or something of it is; what is sealed for another day is listed by `tocsin sealed`."""
    states = {announcement["state"] for announcement in incident["announcements"]}
    return bool(states - _QUIET) or (incident["state"] == "open" and states != {"sealed"})


def _show_all(told: dict[str, Any]) -> None:
    for incident in told["incidents"]:
        _show_incident(incident)
    if not told["incidents"]:
        put("Nothing is under way.")
    for hold in told["held"]:
        put(held(hold), fg="yellow")


def _show_incident(incident: dict[str, Any]) -> None:
    click.secho(f"{one_line(incident['name'])} · {coloured(incident['state'])} · {one_line(incident['slug'])}", bold=True)
    table([[one_line(a["id"]), one_line(a["kind"]), coloured(a["state"])] for a in incident["announcements"]])
    owed = [f for f in incident["follow_ups"] if f["state"] in _OWED]
    if owed:
        put("  Follow-ups owed:")
        rows = [[one_line(f["kind"]), coloured(f["state"]), span(f["opens"], f["closes"]), one_line(f["announcement"] or "")] for f in owed]
        table(rows, indent="    ")
    put()
