"""check: prove every destination's credentials and account, posting nothing; on this machine, or by the running server.

Here it needs the settings, `destinations.toml` and the secrets in the environment, and no server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import click

from app.cli.destinations import held
from app.cli.output import coloured, lines, one_line, put, put_json, say


@click.command()
@click.option("--server", is_flag=True, help="Let the server at TOCSIN_URL do it, with its own settings and secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check(server: bool, as_json: bool) -> None:
    """Prove every destination's credentials, posting nothing; and say what the roster lacks.

    No server is needed: settings, destinations and secrets are read as `tocsin serve` reads them. (A banner is served by
    Tocsin, so its check needs it running.) With --server it also shows what is excluded or paused. Exit code 1 if anything is wrong.
    """
    found, gaps, warnings = _by_server() if server else _here()
    if as_json:
        put_json({"destinations": found, "roster_gaps": gaps, "warnings": warnings})
    else:
        _show(found, gaps, warnings)
    if gaps or not all(item["ok"] for item in found):
        raise click.exceptions.Exit(1)


def _by_server() -> tuple[list[dict[str, Any]], list[str], list[str]]:
    from app.cli.client import Client

    client = Client()
    gaps = client.get("/v1/roster")["gaps"]
    told = client.post("/v1/destinations/check", {})
    held = {item["destination"]: item["held"] for item in client.get("/v1/destinations")["items"]}
    return [item | {"held": held.get(item["destination"])} for item in told["items"]], gaps, told["warnings"]


def _here() -> tuple[list[dict[str, Any]], list[str], list[str]]:
    from app.bootstrap.configuration import ConfigurationError, load_settings
    from app.bootstrap.destinations import open_destinations, read_entries
    from app.bootstrap.logs import configure
    from app.bootstrap.roster import RosterFile
    from app.services.own_name import warning

    problems: list[str] = []
    try:
        settings = load_settings()
        configure("ERROR")
        entries = read_entries(settings.destinations)
        destinations = open_destinations(entries, settings)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    try:
        problems += RosterFile(settings, entries)().gaps
    except ConfigurationError as error:
        problems += error.problems
    return asyncio.run(_all(list(destinations.values()))), problems, list(filter(None, [warning(settings)]))


async def _all(destinations: list[Any]) -> list[dict[str, Any]]:
    """All at once, each told as soon as it is known; in the order of the file."""
    from app.services.check import one

    async def told(destination: Any) -> dict[str, Any]:
        try:
            found = await one(destination)
        except Exception as error:
            found = {"destination": destination.id, "platform": destination.platform, "role": destination.role.value, "ok": False}
            found |= {"account": "", "name": "", "detail": f"The adapter failed: {type(error).__name__}.", "seconds": 0.0}
        finally:
            await destination.adapter.aclose()
        say(f"  {destination.id}: {'ok' if found['ok'] else 'NOT OK'}", dim=True)
        return found

    say(f"Checking {len(destinations)} destinations …", dim=True)
    return list(await asyncio.gather(*(told(destination) for destination in destinations)))


def _who(item: dict[str, Any]) -> str:
    name = str(item.get("name", ""))
    return one_line(item["account"] if name in ("", item["account"]) else f"{item['account']} ({name})")


def _show(found: list[dict[str, Any]], gaps: list[str], warnings: list[str]) -> None:
    heads = [
        [one_line(item["destination"]), coloured("ok" if item["ok"] else "failed"), one_line(item["role"]), _who(item)] for item in found
    ]
    for head, item in zip(lines(heads, None, indent=""), found, strict=True):
        click.echo(head)
        if item["detail"]:
            put(f"  {one_line(item['detail'])}")
        if item.get("held"):
            put(f"  {held(item['held'] | item)}", fg="yellow")
    for gap in gaps:
        put(f"Roster: {one_line(gap)}", fg="red")
    for warning in warnings:
        put(one_line(warning), fg="yellow")
    bad = sum(not item["ok"] for item in found)
    put(f"{len(found) - bad} of {len(found)} destinations are ready." if bad else f"All {len(found)} destinations are ready.", bold=True)
