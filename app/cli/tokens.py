"""token: make a machine token here, without a server. Shown once, it is kept nowhere: the entry to configure holds its hash alone."""

from __future__ import annotations

from datetime import timedelta

import click

from app.api.tokens import Scope, make, today
from app.cli.output import put, put_json, say


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([*map(str, Scope)]), help="What it may do (repeat it).  [default: both]"
)
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="How long it works.")
@click.option("--json", "as_json", is_flag=True, help="Print both as JSON.")
def token(name: str, scopes: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a machine token for NAME, a program or a person's own command line, and the entry that lets the server know it.

    \b
    The entry goes to stdout, the token itself to the terminal, this once:
      tocsin token desk >> /etc/tocsin/secrets/api_tokens

    `announce` submits, and acts on what was submitted; `read` sees everything, and carries decisions that people signed. No token
    approves. To replace one, add the new entry under the same NAME and start the server anew: both work until the old
    entry is removed, or its last day is over.
    """
    try:
        made, known = make(name, map(Scope, scopes or Scope), today() + timedelta(days=days))
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    if as_json:
        told = {"name": name, "token": made, "entry": known.entry, "scopes": sorted(known.scopes), "last_day": f"{known.last_day}"}
        put_json(told)
        return
    put(known.entry)
    say(f"The token, not shown again: {made}")
    say(f"It works until {known.last_day} (UTC), once the entry is in TOCSIN_API_TOKENS and the server was started anew.")
