"""announce and revise: hand in the words, show what became of them, and where --key is given, sign as the first of the two.

What is signed is the manifest that the server made; with --yes, where nobody looks, its text must be the very one that was handed in.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from app.cli import decide, signing, templates
from app.cli.client import Client, Unreachable, route
from app.cli.decide import person_option
from app.cli.output import in_words, one_line, put, put_json, say
from app.cli.words import ANSWERS, filled, wording, wording_options
from app.domain.announcement import Kind
from app.domain.approval import Decision
from app.domain.manifest import Manifest

_FACTS = ("products", "affected_products", "own_domains", "affected_domains", "safe_links")


def _handing_in(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--key", help="Sign at once, with this private key file, “agent”, or a SHA256: fingerprint in it."),
            person_option,
            click.option("--yes", is_flag=True, help="Sign without asking again."),
            click.option("--wait", is_flag=True, help="Follow it until it has gone out; exit code 0 only if it was sent."),
            click.option("--idempotency-key", help="Repeating a command with the same key does nothing twice."),
            click.option("--json", "as_json", is_flag=True, help="Print the announcement as JSON."),
        ]
    ):
        command = option(command)
    return command


_SUBMITTING = (
    click.option("--incident", metavar="NAME", help="What people call the incident; one that is open under this name is taken up again."),
    click.option("--incident-id", metavar="ID", help="Id or slug of an incident that exists already."),
    click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="What it is.  [default: the template's, or initial]"),
    click.option("--report", is_flag=True, help="Answer a public report: asks what you know of it, and then for each value."),
    wording_options,
    click.option("--product", "products", multiple=True, help="Of a new incident: a product of yours (repeat it)."),
    click.option("--affected-product", "affected_products", multiple=True, help="… that is affected."),
    click.option("--own-domain", "own_domains", multiple=True, help="A domain of yours."),
    click.option("--affected-domain", "affected_domains", multiple=True, help="… that nobody shall visit: never linked."),
    click.option("--safe-link", "safe_links", multiple=True, help="A link that is always fine."),
    click.option("--time-zone", help="The incident's IANA time zone, like Europe/Berlin."),
    click.option("--started", metavar="TIME", help="When it began, with its zone, like 2026-11-03T07:10Z."),
    _handing_in,
)


def submitting(command: Any) -> Any:
    """Adds the options of a new announcement to a command, which gives them to `submit`."""
    for option in reversed(_SUBMITTING):
        command = option(command)
    return command


@click.command()
@submitting
def announce(**given: Any) -> None:
    """Submit an announcement: the text and the incident's name are enough.

    \b
      tocsin announce --incident "Website compromised" update.txt
      tocsin announce --incident "Website compromised" --kind update --key ~/.ssh/id_ed25519 - < update.txt
      tocsin announce --incident "Website compromised" --template website-compromised --set since=07:10 --ask
      tocsin announce --incident "Report of a bug" --report

    It is rendered for every destination, checked, and mailed to the reviewers. Nothing goes out before two people
    have signed; with --key you are the first of them. Facts of an incident (its products, domains and links) are taken
    when it is new.
    """
    submit(given)


def submit(given: dict[str, Any]) -> None:
    """Hands in a new announcement of the given options."""
    if (given["incident"] is None) == (given["incident_id"] is None):
        raise click.UsageError("Name the incident: --incident NAME, or --incident-id ID of one that exists.")
    words, client = wording(given), Client()
    incident, kind = given["incident_id"] or _incident(given), given["kind"] or Kind.INITIAL.value
    if given["report"]:
        given = given | {"template": given["template"] or templates.chosen_report(), "ask": True}
    if prepared := _prepared(client, given, words, given["incident_id"] or _known(given)):
        kind, facts = given["kind"] or prepared.pop("kind"), prepared.pop("facts")
        words = prepared | words
        incident = incident if given["incident_id"] else facts | _joined(facts, incident)
    if "text" not in words:
        raise click.UsageError("Give the text: --text TEXT, a FILE, - for stdin, or --template ID.")
    _hand_in(given, route("announcements"), filled(words) | {"kind": kind, "incident": incident}, client)


@click.command()
@click.argument("announcement", metavar="ID")
@wording_options
@_handing_in
def revise(announcement: str, **given: Any) -> None:
    """Replace the words of an announcement that is not approved yet; every signature of before is void.

    The server takes a whole wording each time. What you do not give is taken from the current revision and named: the
    text, the three answers, the translations, the correction, the author, the destinations and their own texts (one
    --text-for replaces them all). Overrides are never carried over: give them again. An empty answer (--affected "") or
    correction takes it out.
    """
    words, client = wording(given), Client()
    if not words and not given["template"]:
        raise click.UsageError("Give what is to change: the text, an answer, an override, …")
    now = signing.read(client.get(route("announcements", announcement, "approval-request")))
    if prepared := _prepared(client, given, words, now.incident.id):
        if prepared.pop("kind") != now.kind.value:
            raise click.UsageError(f"This announcement is of the kind {now.kind.value}, and the template is not.")
        words = {name: value for name, value in prepared.items() if name != "facts"} | words
    kept = {name: value for name, value in _current(now).items() if name not in words}
    if lost := _excluded(client).intersection(kept.get("destinations", ())):
        say(f"Left out, as excluded: {', '.join(map(one_line, sorted(lost)))}.")
        kept["destinations"] = [id_ for id_ in kept["destinations"] if id_ not in lost]
    there = kept.get("destinations") or words.get("destinations", ())
    kept = {name: value for name, value in kept.items() if name != "texts"} | _own_texts(kept.get("texts", {}), there)
    if kept:
        say(f"Kept of revision {now.revision}: {', '.join(name.replace('_', ' ') for name in kept)}.")
    _hand_in(given, route("announcements", announcement, "revisions"), filled(kept | words), client)


def _prepared(client: Client, given: Mapping[str, Any], words: Mapping[str, Any], incident: Any) -> dict[str, Any]:
    """The words of the template that was asked for, or nothing. Raises click's errors."""
    if not given["template"]:
        if given["values"] or given["ask"]:
            raise click.UsageError("--set and --ask fill a template: name it with --template.")
        return {}
    if "text" in words:
        raise click.UsageError("Give the text once: a template is one.")
    return templates.words_of(client, given, incident)


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options tell of a new incident, as far as the words of a template need it."""
    return {{"safe_links": "allowed_domains"}.get(name, name): value for name, value in _incident(given).items() if name != "name"}


def _joined(facts: Mapping[str, Any], incident: Mapping[str, Any]) -> dict[str, Any]:
    """The incident that the options tell, its lists with what the values of a template tell beside."""
    return {
        name: list(dict.fromkeys([*value, *facts.get(name, ())])) if isinstance(value, list) else value for name, value in incident.items()
    }


def _own_texts(texts: Mapping[str, str], there: Collection[str]) -> dict[str, Any]:
    """The field of own texts, as far as their destinations are still among those named."""
    left = {id_: text for id_, text in texts.items() if id_ in there}
    return {"texts": left} if left else {}


def _excluded(client: Client) -> set[str]:
    """The destinations that may not be named."""
    items = client.get(route("destinations"))["items"]
    return {item["destination"] for item in items if item["held"] and item["held"]["kind"] == "excluded"}


def _incident(given: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: list(given[name]) for name in _FACTS if given[name]}
    facts |= {name: given[name] for name in ("time_zone", "started") if given[name]}
    return {"name": given["incident"]} | facts


def _current(manifest: Manifest) -> dict[str, Any]:
    """The wording of a revision, as far as its manifest tells it."""
    told: dict[str, Any] = {"text": manifest.text}
    told |= {name: getattr(manifest.answers, name) for name in ANSWERS}
    told["author"] = "" if manifest.author == manifest.submitted_by else manifest.author
    told["correction"] = manifest.correction
    told["language"] = manifest.language
    told["translations"] = {
        t.language: _filled_in({"text": t.text, "correction": t.correction} | asdict(t.answers)) for t in manifest.translations
    }
    told["sealed_until"] = manifest.not_after if manifest.seal else ""
    told["destinations"] = list(dict.fromkeys(planned.id for planned in manifest.destinations))
    told["texts"] = {own.destination: own.text for own in manifest.texts}
    told["clear_banner"] = not (manifest.seal.banner_seconds if manifest.seal else manifest.banner_until)
    return _filled_in(told)


def _filled_in(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value}


def _hand_in(given: Mapping[str, Any], path: str, body: dict[str, Any], client: Client | None = None) -> None:
    """Submits, shows, signs, waits: as far as was asked for."""
    client = client or Client()
    by = None
    if given["key"]:
        if not given["person"]:
            raise click.UsageError("Say who you are: --person, or TOCSIN_PERSON.")
        by = decide.load_key(given["key"])
        body.setdefault("author", given["person"])
    key = given["idempotency_key"] or str(uuid.uuid4())
    try:
        shown = client.post(path, body, key)
    except Unreachable as error:
        again = f"\nThe same command with --idempotency-key {key} does nothing twice." if error.perhaps else ""
        raise click.ClickException(error.message + again) from error
    say(f"Accepted as {one_line(shown['id'])}, revision {shown['revision']}.")
    if by is not None or not given["as_json"]:
        request = client.get(route("announcements", shown["id"], "approval-request"), person=given["person"])
        manifest = signing.read(request)
        signing.show(manifest, request)
    if by is not None:
        _same(manifest, shown["id"], body)
        if not given["yes"] and not signing.confirmed(f"Sign “approve” as {given['person']}?", "-" in (given["source"], given["file"])):
            raise click.ClickException(f"It was handed in as {shown['id']}, but you did not sign it.")
        post_to = route("announcements", shown["id"], "approvals")
        say(decide.told(decide.send(client, post_to, request, manifest, Decision.APPROVE, given["person"], by, "")))
    if by is not None or given["wait"]:
        shown = _follow(client, shown["id"]) if given["wait"] else client.get(route("announcements", shown["id"]))
    tell(shown, given["as_json"])
    if given["wait"] and shown["state"] != "sent":
        raise click.exceptions.Exit(1)


def _same(manifest: Manifest, id_: str, body: Mapping[str, Any]) -> None:
    """Raises where what came back to be signed is not what was handed in."""
    same_text = manifest.text.split() == body["text"].split()
    until = datetime.fromisoformat(body["sealed_until"]) if "sealed_until" in body else None
    same_seal = until == (datetime.fromisoformat(manifest.not_after) if manifest.seal else None)
    if manifest.announcement != id_ or not same_text or not same_seal or manifest.kind.value != body.get("kind", manifest.kind.value):
        raise click.ClickException("What came back to be signed is not what you handed in. Nothing was signed; look at the server.")


def _follow(client: Client, id_: str) -> dict[str, Any]:
    from app.cli.watch import follow

    return follow(client, id_, say)


def tell(shown: dict[str, Any], as_json: bool) -> None:
    """What was accepted, and what is to be done next."""
    if as_json:
        put_json(shown)
        return
    from app.cli.status import next_steps

    put(f"{one_line(shown['id'])}: {in_words(shown['state'])}", bold=True)
    for step in next_steps(shown):
        put(f"  {step}")
