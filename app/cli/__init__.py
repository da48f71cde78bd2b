"""The command line `tocsin`: a client of the API, the signing of approvals, and the processes. Commands load only when called.

Exit codes: 0 done, 1 refused or failed, 2 usage. `--json` on every command that prints data puts one JSON value on stdout.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

_COMMANDS = {
    "serve": ("app.cli.processes", "Run Tocsin: API, pages and broadcasts in one process."),
    "worker": ("app.cli.processes", "Carry broadcasts beside `serve`, on the same Postgres database."),
    "migrate": ("app.cli.processes", "Bring the database to this version, and give a role its rights."),
    "rehearse": ("app.cli.rehearse", "Run the whole main job against built-in stand-ins."),
    "announce": ("app.cli.announce", "Submit an announcement."),
    "revise": ("app.cli.announce", "Replace the words of an announcement that is not approved yet."),
    "seal": ("app.cli.seal", "Submit an announcement to be kept, signed, for the day on which it is needed."),
    "unseal": ("app.cli.seal", "Read a sealed announcement and send it now, signed by you alone."),
    "sealed": ("app.cli.seal", "List what is sealed, and until when."),
    "approve": ("app.cli.decide", "Read an announcement and sign it."),
    "reject": ("app.cli.decide", "Reject a revision, signed."),
    "request-changes": ("app.cli.decide", "Ask for changes to a revision, signed."),
    "status": ("app.cli.status", "Show an announcement, or all that is under way."),
    "watch": ("app.cli.watch", "Follow an announcement as it goes out."),
    "resolve": ("app.cli.act", "Resolve an incident and put its follow-ups on the clock."),
    "cancel": ("app.cli.act", "Cancel an announcement that has not begun to go out."),
    "retry": ("app.cli.act", "Try a failed delivery again."),
    "mark": ("app.cli.act", "Mark a delivery as posted, with its URL if it has one."),
    "skip": ("app.cli.act", "Leave a destination out."),
    "correct": ("app.cli.correct", "Ask for the signatures of a correction of what is out."),
    "exclude": ("app.cli.destinations", "Send nothing to an account any more: it is not yours."),
    "include": ("app.cli.destinations", "Let later announcements use an excluded account again."),
    "resume": ("app.cli.destinations", "End the pause of an account that is mended."),
    "check": ("app.cli.check", "Prove every destination's credentials, posting nothing."),
    "templates": ("app.cli.templates", "List the prepared words, or show one template."),
    "check-text": ("app.cli.check_text", "Check the words of a text, or of a file of labelled messages."),
    "verify": ("app.cli.verify", "Verify an exported timeline or approval offline."),
    "checkpoint": ("app.cli.verify", "Print the last signed checkpoint of the timeline."),
    "roster": ("app.cli.roster", "Show the roster and who signed it, enrol a key, or sign it."),
    "embed": ("app.cli.embed", "Print the tag that shows the banner on your pages."),
    "token": ("app.cli.tokens", "Make a machine token, and the entry that configures it."),
    "completion": ("app.cli.completion", "Print the shell completion script."),
}


class _Lazy(click.Group):
    """Lists commands without importing them, so that `tocsin --help` and the shell's completion are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=told) for name, (_, told) in _COMMANDS.items() if name.startswith(incomplete)]


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tocsin")
@click.pass_context
def tocsin(ctx: click.Context) -> None:
    """Tocsin warns your users during a security incident: one reviewed update, everywhere, once.

    Commands reach the server at TOCSIN_URL with the machine token TOCSIN_TOKEN; an approval link needs neither.
    `tocsin rehearse` shows all of it on this machine alone. Each command has a --help of its own.
    """
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """The console script. A person never sees a traceback (`TOCSIN_DEBUG=1` shows it); the log of `serve` does."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still shows the rest
    try:
        try:
            tocsin(prog_name="tocsin")
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("TOCSIN_DEBUG") or {"serve", "worker"} & set(sys.argv[1:2]):
            raise
        from app.cli.output import one_line

        why = f"{type(error).__name__}: {one_line(error)}"
        foreseen = f"Error: The system refuses ({why})." if isinstance(error, OSError) else f"Error: This was not foreseen ({why})."
        click.echo(f"{foreseen} TOCSIN_DEBUG=1 tells more.", err=True)
        sys.exit(1)
