"""templates: the prepared words; and how announce and revise take them, filled by the server, from options or by asking for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from app.cli.client import Client, route
from app.cli.output import finding, one_line, put, put_json, say, table
from app.cli.words import ANSWERS, pair

REPORTS = {
    "report-received": "It may be so: we are still looking.",
    "report-true": "It is so.",
    "report-unfounded": "We looked, and it is not so.",
}
"""What one may know of a public report, by the template that says it."""

_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def templates(ctx: click.Context, as_json: bool) -> None:
    """List the prepared words, or show one template.

    \b
      tocsin templates
      tocsin templates show website-compromised
      tocsin announce --incident "Website compromised" --template website-compromised --ask
    """
    if ctx.invoked_subcommand:
        return
    listed = Client().get(route("templates"))
    if as_json:
        put_json(listed)
        return
    table([[one_line(item[name]) for name in ("id", "kind", "when")] for item in listed["items"]], indent="")


@templates.command()
@click.argument("template", metavar="ID")
@_json
def show(template: str, as_json: bool) -> None:
    """Show a template: its words with their gaps, what each gap takes, and the whole with sample values."""
    told = Client().get(route("templates", template))
    if as_json:
        put_json(told)
        return
    put(f"{told['title']} ({told['id']}, version {told['version']}, kind {told['kind']})", bold=True)
    for text in filter(None, (told["when"], told["longer"])):
        put(text)
    put()
    put(told["text"])
    put()
    table([[one_line(name) for name in (_option(v), v["type"], v["asks"])] for v in told["variables"]])
    put("\nWith sample values:", bold=True)
    put(told["sample"]["text"])
    for found in told["sample"]["findings"]:
        put(finding(found))


def words_of(client: Client, given: Mapping[str, Any], incident: Any) -> dict[str, Any]:
    """The filled template that the options name: `text`, the answers, `kind`, `facts`. Raises click's errors.

    `incident` is the id of one that exists, or the facts of a new one.
    """
    values = dict(pair(entry, "--set", "NAME=VALUE") for entry in given["values"])
    if given["ask"]:
        values = _asked(client.get(route("templates", given["template"])), values)
    told: dict[str, Any] = client.post(route("templates", given["template"], "fill"), {"values": values, "incident": incident})
    say(f"From the template {one_line(told['id'])}, version {told['version']}.")
    return {name: told[name] for name in ("text", *ANSWERS, "kind", "facts")}


def chosen_report() -> str:
    """Asks what is known of a public report; the template that says it."""
    say("What do you know of the report?")
    return _one_of(dict(enumerate(REPORTS, 1)), REPORTS)


def _one_of(numbered: Mapping[int, str], told: Mapping[str, str]) -> str:
    for number, id_ in numbered.items():
        say(f"  {number}  {told[id_]}")
    return numbered[click.prompt("Number", type=click.IntRange(1, len(numbered)), err=True)]


def _asked(template: Mapping[str, Any], values: dict[str, str]) -> dict[str, str]:
    """The values, with those that a person gives; an empty answer leaves one to the incident, its default, or out."""
    for variable in template["variables"]:
        if variable["name"] in values:
            continue
        say(variable["asks"], bold=True)
        for number, suggestion in enumerate(variable["suggestions"], 1):
            say(f"  {number}  {suggestion}")
        needed = not (variable["optional"] or variable["default"] or variable["fact"])
        told = f"{variable['name']}{_left(variable)}"
        answer = click.prompt(one_line(told), default=None if needed else "", show_default=False, err=True).strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(variable["suggestions"]):
            answer = variable["suggestions"][int(answer) - 1]
        if answer:
            values[variable["name"]] = answer
    return values


def _left(variable: Mapping[str, Any]) -> str:
    """What an empty answer means."""
    if variable["fact"]:
        return " (Enter: as the incident says)"
    if variable["default"]:
        return f" (Enter: {variable['default']})"
    return " (Enter: leave it out)" if variable["optional"] else f", like {variable['sample']}"


def _option(variable: Mapping[str, Any]) -> str:
    """How it is given, in brackets where it need not be."""
    shown = f"--set {variable['name']}=…"
    return f"[{shown}]" if variable["optional"] or variable["default"] else shown
