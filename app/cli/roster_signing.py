"""roster init, roster sign: what a person endorses of the roster, computed from what they were shown, and kept beside the roster's file.

Nothing is fetched and no server is asked: the three files (`roster.toml`, `destinations.toml`, `roster.signed`) are all there is, wherever
a person has them. What counts is decided in `app.domain.endorsement`; that the running Tocsin agrees shows in `tocsin check`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from app.cli import signing
from app.cli.decide import load_key, person_option
from app.cli.output import one_line, put, put_json, say
from app.cli.roster_files import RosterFiles, destinations_option, file_option, json_option, signatures, signatures_told
from app.domain.endorsement import NAMESPACE, RECOVERY_THRESHOLD, Endorsement, RosterStatement
from app.domain.roster import Roster, SshKey, lacking
from app.domain.roster_document import Difference, RosterDocument, differences
from app.signing import SigningRefused

_signs = [
    person_option,
    click.option(
        "--key",
        default=lambda: os.environ.get("TOCSIN_KEY") or "agent",
        show_default="TOCSIN_KEY, or agent",
        help="Private key file, or “agent”, or the SHA256: fingerprint of a key in it.",
    ),
    click.option("--yes", is_flag=True, help="Do not ask again after showing what is signed."),
    file_option,
    destinations_option,
    json_option,
]


def _options(command: Any) -> Any:
    for option in reversed(_signs):
        command = option(command)
    return command


@click.command()
@click.option(
    "--environment",
    type=click.Choice(["live", "drill"]),
    default=lambda: os.environ.get("TOCSIN_ENVIRONMENT") or "live",
    show_default="TOCSIN_ENVIRONMENT, or live",
    help="Where it will count, and nowhere else.",
)
@_options
def init(environment: str, **given: Any) -> None:
    """Begin: check version 1 of the roster, show all of it with the destinations, and sign it as the first of two people.

    \b
    The ceremony, with everybody in one room or on one call:
      1. Each makes an SSH key, and `tocsin roster enrol` puts it into roster.toml. Compare the fingerprints aloud.
      2. Two recovery keys, made offline and kept with two people in two places, go in as [recovery.…].
      3. destinations.toml names the accounts. Compare their numbers with the platforms.
      4. The first runs `tocsin roster init --person …`, and hands roster.toml, destinations.toml and roster.signed on.
      5. The second runs `tocsin roster sign --person …` over the same files, on a machine of their own.
      6. The three files go to the server. `tocsin roster` says that version 1 is in force.
    """
    files = RosterFiles.of(given["file"], given["destinations"])
    if files.trusted or any(document.environment != environment for document in files.history.documents.values()):
        raise click.ClickException(f"{files.signed} has begun already. Every later version is signed with `tocsin roster sign`.")
    document = files.document(environment)
    problems = _not_ready(document.roster)
    if problems:
        raise click.ClickException("The roster is not ready to be signed:\n" + "\n".join(f"  - {problem}" for problem in problems))
    if len(document.roster.recovery) < RECOVERY_THRESHOLD:
        say("Note: without two recovery keys only a new beginning is left, should too few people be able to sign one day.", fg="yellow")
    _endorse(files, document, given)


@click.command()
@_options
def sign(**given: Any) -> None:
    """Show what roster.toml and destinations.toml change against the version in force, and sign it.

    The digest is computed from what is shown. It counts once as many people of the version in force signed it as must approve
    an announcement, and as many of its own. PERSON may also be a recovery key of the version in force, of which two stand
    for its people. Then bring the three files to the server, roster.signed last.
    """
    files = RosterFiles.of(given["file"], given["destinations"])
    if not files.history.documents:
        raise click.ClickException(f"Nobody has signed this roster yet: there is no {files.signed}. Begin with `tocsin roster init`.")
    _endorse(files, files.document(next(iter(files.history.documents.values())).environment), given)


def _not_ready(roster: Roster) -> list[str]:
    problems = list(roster.gaps)
    missing = lacking((person for person in roster.persons if person.ssh_keys), roster.threshold)
    if missing:
        problems.append(f"A roster is signed with SSH keys, and {missing} more need one: `tocsin roster enrol PERSON --ssh key.pub`.")
    return problems


def _endorse(files: RosterFiles, document: RosterDocument, given: dict[str, Any]) -> None:
    """Shows, asks, signs, keeps, tells."""
    signer, by = given["person"], load_key(given["key"])
    if not signer:
        raise click.UsageError("Say who you are: --person, or TOCSIN_PERSON.")
    if by.public.blob not in {key.blob for key in _keys(files, document, signer)}:
        raise click.ClickException(
            f"{by.public.fingerprint} is no key of {one_line(signer)}, neither in this version nor in the one in force."
        )
    _show(files, document)
    if not given["yes"] and not signing.confirmed(f"Sign version {document.version} of the roster as {signer}?"):
        raise click.ClickException("Nothing was signed.")
    statement = RosterStatement.about(document, signer)
    try:
        endorsement = Endorsement(statement, by.sign(statement.to_bytes(), NAMESPACE))
        files.add(document, endorsement)
    except (SigningRefused, OSError) as error:
        raise click.ClickException(one_line(error)) from error
    signed = signatures(given["file"], given["destinations"])
    if given["as_json"]:
        put_json({"signer": signer, "file": str(files.signed), "signatures": signed})
        return
    for line, colour in signatures_told(signed):
        put(one_line(line), fg=colour)


def _keys(files: RosterFiles, document: RosterDocument, signer: str) -> Iterator[SshKey]:
    before = files.trusted.document.roster if files.trusted else None
    for roster in (document.roster, before):
        if roster and (person := roster.person(signer)):
            yield from person.ssh_keys
    yield from (one.key for one in (before.recovery if before else ()) if one.id == signer)


def _show(files: RosterFiles, document: RosterDocument) -> None:
    """All that is signed, on stderr: what it changes, the rest being as it was signed before."""
    drill = document.environment == "drill"
    mark = "DRILL - nothing here is real" if drill else "LIVE"
    say(f"{mark} · roster version {document.version}", bold=True, fg="yellow" if drill else "red")
    if files.trusted:
        signers = ", ".join(files.trusted.standing.signers)
        say(f"Against version {files.trusted.document.version}, which {signers} signed ({files.trusted.digest}); all else is as there:")
    for difference in differences(files.trusted.document if files.trusted else None, document):
        text, colour = _told(difference)
        say(one_line(text), fg=colour)
    say(f"Digest {document.digest}", bold=True)


def _told(difference: Difference) -> tuple[str, str]:
    """One difference, word by word; a key with its fingerprint, to compare with its owner."""
    place, before, after = difference.place, difference.before, difference.after
    if place[2:3] == ("ssh",) and place[:1] == ("person",):
        place = (*place[:3], SshKey.parse(place[3]).fingerprint)
    where = " · ".join(place)
    if before is None:
        return f"+ {where}: {after}", "green"
    return (f"- {where}: {before}", "red") if after is None else (f"~ {where}: {before} → {after}", "yellow")
