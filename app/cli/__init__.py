"""The command line `tocsin`: a client of the API, the signing of approvals, and the processes. Commands load only when called.

Exit codes: 0 done, 1 refused or failed, 2 usage. `--json` on every command that prints data puts one JSON value on stdout.
"""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "serve": ("app.cli.processes", "Run Tocsin: API, pages and broadcasts in one process."),
    "rehearse": ("app.cli.rehearse", "Run the whole main job against built-in stand-ins."),
    "announce": ("app.cli.announce", "Submit an announcement."),
    "revise": ("app.cli.announce", "Replace the words of an announcement that is not approved yet."),
    "approve": ("app.cli.decide", "Read an announcement and sign it."),
    "reject": ("app.cli.decide", "Reject a revision, signed."),
    "request-changes": ("app.cli.decide", "Ask for changes to a revision, signed."),
    "status": ("app.cli.status", "Show an announcement, or all that is under way."),
    "watch": ("app.cli.status", "Follow an announcement as it goes out."),
    "resolve": ("app.cli.act", "Resolve an incident and put its follow-ups on the clock."),
    "cancel": ("app.cli.act", "Cancel an announcement that has not begun to go out."),
    "retry": ("app.cli.act", "Try a failed delivery again."),
    "mark": ("app.cli.act", "Mark a delivery as posted by hand, with its URL."),
    "skip": ("app.cli.act", "Leave a destination out."),
    "check": ("app.cli.check", "Prove every destination's credentials, posting nothing."),
    "verify": ("app.cli.verify", "Verify an exported timeline or approval offline."),
    "roster": ("app.cli.roster", "Show the roster, or enrol a key."),
    "completion": ("app.cli.completion", "Print the shell completion script."),
}


class _Lazy(click.Group):
    """Lists commands without importing them, so that `tocsin --help` is quick."""

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


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tocsin")
def tocsin() -> None:
    """Tocsin warns your users during a security incident: one reviewed update, everywhere, once."""


def main() -> None:
    """The console script."""
    tocsin()
