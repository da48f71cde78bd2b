"""rehearse: the whole main job against the built-in stand-ins, with a readable end, and `--keep` to play on by hand."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.cli.output import put_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else there.")
@click.option("--keep", is_flag=True, help="Leave stand-ins and server running, and print how to play on by hand.")
@click.option("--pointers", default=0, show_default=True, help="More Telegram channels to point from.")
@click.option(
    "--drill", type=click.Choice(["domain"]), help="“domain”: your domain, its mail and every login by it are gone; the command line sends."
)
def rehearse(as_json: bool, keep: bool, pointers: int, drill: str | None) -> None:
    """Run the whole main job, for real, against built-in stand-ins of the platforms. Nothing leaves this machine.

    With --drill domain it is done by the command line alone, by Tocsin's address: no name, no page, no mail.
    """
    from app.rehearsal import domain, play
    from app.rehearsal.report import judge, table

    def say(text: str) -> None:
        click.echo(text, err=True)

    with tempfile.TemporaryDirectory(prefix="tocsin-rehearsal-") as folder:
        say("Starting the stand-ins and a server …")
        try:
            with play.stage(Path(folder), pointers=pointers, environ=domain.ENVIRON if drill else None) as stage:
                result, shown = _play(stage, say, domain.play if drill else _main_job)
                matched = judge(result, shown, stage.state())
                if as_json:
                    put_json(result)
                else:
                    table(result, matched)
                if keep:
                    _play_on(stage, say)
        except play.RehearsalFailed as error:
            raise click.ClickException(str(error)) from error
    if not matched:
        raise click.ClickException("Not every post is there as it was approved.")


def _main_job(stage: Any, say: Any) -> dict[str, Any]:
    from app.rehearsal import play

    accepted = play.submit(stage, say)
    links = play.await_links(stage, accepted["digest"], say)
    for person, link in links.items():
        play.sign(stage, person, link, say)
    return play.await_end(stage, accepted["id"], say)


def _play(stage: Any, say: Any, job: Callable[[Any, Any], dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    from app.rehearsal.report import result

    shown = job(stage, say)
    banner = stage.http.get("/banner.json").json()
    incident = stage.http.get(f"/v1/incidents/{shown['incident']['id']}").json()
    return result(shown, banner, incident), shown


def _play_on(stage: Any, say: Any) -> None:
    from app.rehearsal import play

    quiet = lambda _text: None  # noqa: E731
    text = "If you used Example Web, wait for our next update here."
    accepted = play.submit(stage, quiet, incident={"name": "Played by hand"}, text=text)
    links = play.await_links(stage, accepted["digest"], quiet)
    signing = "\n".join(f"  tocsin approve {link} --key '{stage.house.key(person)}'" for person, link in links.items())
    say(f"""
Everything keeps running; Ctrl-C ends it. Play on by hand, in another terminal in this folder:

  . .venv/bin/activate
  export TOCSIN_URL={stage.house.url} TOCSIN_TOKEN={stage.house.token}

A second announcement waits for its signatures. You may play both persons: open each link in a browser, or sign here:

{signing}

  tocsin watch {accepted["id"]}

See the stand-ins' timelines, mails too, and the banner:

  {stage.stand_ins["main"]}/
  {stage.house.url}/banner.html

Submit one of your own; its links come by mail, which shows among the timelines:

  curl -sS $TOCSIN_URL/v1/announcements -H "Authorization: Bearer $TOCSIN_TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"incident": {{"name": "My incident"}}, "text": "If you used Example Web today, move your funds to a new wallet now."}}'

Move the clock an hour ahead, so that follow-ups come due:

  curl -sS $TOCSIN_URL/v1/drill/clock -H "Authorization: Bearer $TOCSIN_TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"ahead_seconds": 3600}}'
""")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("Ended.")
