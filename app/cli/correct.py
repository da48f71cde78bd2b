"""correct: the correction of what is out, by the words that were written in advance or by new ones."""

from __future__ import annotations

import click

from app.cli.announce import tell
from app.cli.client import Client, route
from app.cli.output import say
from app.cli.words import read


@click.command()
@click.argument("announcement", metavar="ID")
@click.argument("source", metavar="[FILE | -]", required=False, default="")
@click.option("--text", help="The correction itself; unless given, the one that was written in advance.")
@click.option("--author", metavar="PERSON", help="Who of the roster wrote it.")
@click.option("--json", "as_json", is_flag=True, help="Print the correction as JSON.")
def correct(announcement: str, source: str, text: str | None, author: str | None, as_json: bool) -> None:
    """Ask for the signatures of a correction, at once. It replies to every post of the announcement; nothing is deleted.

    \b
      tocsin correct an_…                  the words that were written in advance (tocsin announce --correction TEXT)
      tocsin correct an_… --text "…"       other ones
    """
    if source and text is not None:
        raise click.UsageError("Give the text once: --text or FILE.")
    words = read(source, "the correction") if source else text
    if words is not None and not words.strip():
        raise click.UsageError("The text is empty.")
    body = {name: value for name, value in (("text", words), ("author", author)) if value}
    told = Client().post(route("announcements", announcement, "correction"), body)
    say("Its reviewers have links by mail.")
    tell(told, as_json)
