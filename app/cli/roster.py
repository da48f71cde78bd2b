"""roster: read the file of people and keys as the server reads it, say who has signed it, and print what is to be added to it.

Nothing here writes `roster.toml`: a person puts the printed entry into it. What people sign of it lies in `app.cli.roster_signing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.output import one_line, put, put_json, say, when
from app.cli.roster_files import destinations_option, file_option, json_option, load, signatures, signatures_told
from app.cli.roster_signing import init, sign
from app.cli.words import called, read
from app.domain.roster import PERSON_ID, Person, PersonRole, Roster, RosterError, SshKey, key_entry, person_entry
from app.domain.sshsig import SshKeyRefused


@click.group(invoke_without_command=True)
@file_option
@destinations_option
@json_option
@click.pass_context
def roster(ctx: click.Context, file: str, destinations: str, as_json: bool) -> None:
    """Show the roster (who may author, review and administer, with which keys), and who signed it; enrol a key; sign it.

    \b
    The roster is a TOML file that you keep; TOCSIN_ROSTER says where:
      version = 1
      [person.first-reviewer]
      name = "First Reviewer"
      email = "first-reviewer@status.example"
      roles = ["author", "reviewer"]          # and admin
      [[person.first-reviewer.ssh]]
      public = "ssh-ed25519 AAAA… laptop"

    Begin one, or add a person with their key, and see what is still lacking:

    \b
      tocsin roster enrol first-reviewer --ssh key.pub --name "First Reviewer" \\
        --email first-reviewer@status.example --role author --role reviewer >> roster.toml
      tocsin roster

    A live Tocsin takes only a roster that two people signed, with the destinations: `tocsin roster init` begins it, and
    `tocsin roster sign` signs each later version. What they signed is in roster.signed, beside the file.
    """
    if ctx.invoked_subcommand is None:
        _show(file, destinations, as_json)


@roster.command()
@file_option
@destinations_option
@json_option
def show(file: str, destinations: str, as_json: bool) -> None:
    """Show the people, their roles and keys, who has signed it, and what is lacking."""
    _show(file, destinations, as_json)


roster.add_command(init)
roster.add_command(sign)


@roster.command()
@click.argument("person", metavar="PERSON")
@click.option("--ssh", metavar="FILE", help="A public key file, as ssh-keygen writes it (id_ed25519.pub), or - for stdin.")
@click.option("--name", help="Of a new person: their name.")
@click.option("--email", help="… their mailbox, to which approval links go.")
@click.option("--role", "roles", multiple=True, type=click.Choice([role.value for role in PersonRole]), help="… a role (repeat it).")
@file_option
@json_option
def enrol(person: str, ssh: str | None, name: str | None, email: str | None, roles: tuple[str, ...], file: str, as_json: bool) -> None:
    """Enrol a key of PERSON: print the entry to put into the roster, or a link with which they make a passkey.

    With --ssh, prints the entry of that public key; with --name, --email and --role as well, that of a new person. Without
    --ssh, the server gives a link; the person opens it on their phone, makes a passkey there, and sends you the entry
    that the page shows.
    """
    if not PERSON_ID.fullmatch(person):
        raise click.UsageError(f"{one_line(person)!r} is not a person's id: small letters, digits and single hyphens, like first-reviewer.")
    if ssh:
        _enrol_ssh(Path(file), person, ssh, name, email, roles, as_json)
    else:
        _enrol_passkey(person, as_json)


def _show(file: str, destinations: str, as_json: bool) -> None:
    found, signed = load(file), signatures(file, destinations)
    if as_json:
        put_json(_as_json(found) | {"signatures": signed})
        return
    put(f"Roster version {found.version} · {found.threshold} must approve", bold=True)
    for person in found.persons:
        put(f"{person.id}  {one_line(person.name)} <{one_line(person.email)}>  {', '.join(sorted(person.roles))}")
        for key in person.keys:
            label = " ".join(key.public.split()[2:]) if isinstance(key, SshKey) else f"{key.label} ({key.rp_id})"
            put(f"  {'ssh    ' if isinstance(key, SshKey) else 'passkey'}  {_key_id(key)}  {one_line(label)}".rstrip())
        if not person.keys:
            put("  no key yet")
    for recovery in found.recovery:
        put(f"recovery key {recovery.id}  {recovery.key.fingerprint}  kept by {one_line(recovery.keeper)}")
    for line, colour in signatures_told(signed):
        put(one_line(line), fg=colour)
    for gap in found.gaps:
        put(gap, fg="red")


def _as_json(found: Roster) -> dict[str, Any]:
    people = [
        {
            "id": person.id,
            "name": person.name,
            "email": person.email,
            "roles": sorted(person.roles),
            "ssh_keys": [key.fingerprint for key in person.ssh_keys],
            "passkeys": [{"label": key.label, "rp_id": key.rp_id, "credential_id": key.credential_id} for key in person.passkeys],
        }
        for person in found.persons
    ]
    recovery = [{"id": one.id, "keeper": one.keeper, "ssh_key": one.key.fingerprint} for one in found.recovery]
    said = {"version": found.version, "threshold": found.threshold, "people": people, "recovery": recovery}
    return said | {"gaps": list(found.gaps)}


def _key_id(key: Any) -> str:
    return key.fingerprint if isinstance(key, SshKey) else f"{key.credential_id[:16]}…"


def _enrol_ssh(file: Path, person: str, ssh: str, name: str | None, email: str | None, roles: tuple[str, ...], as_json: bool) -> None:
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    known = load(file).person(person) if text.strip() else None
    try:
        line = read(ssh, "the public key", 16_384)
        if "PRIVATE KEY" in line:
            raise click.ClickException(
                f"{called(ssh)} is a private key, which nobody else may see; give the public one, {called(ssh)}.pub."
            )
        key = SshKey.parse(line)
        if known or not (name or email or roles):
            if not known:
                raise click.ClickException(f"{person} is not in {file}. For a new person give --name, --email and --role as well.")
            entry = key_entry(person, key)
        else:
            if not (name and email and roles):
                raise click.UsageError("A new person needs --name, --email and at least one --role.")
            entry = person_entry(Person(person, name, email, frozenset(map(PersonRole, roles)), (key,)))
        entry = entry if text.strip() else f"version = 1\n\n{entry}"
        then = Roster.parse(f"{text}\n{entry}")
    except SshKeyRefused as error:
        raise click.ClickException(f"{called(ssh)} {error}.") from error
    except RosterError as error:
        raise click.ClickException(f"This entry cannot be added to {file}: {one_line(error)}") from error
    if as_json:
        put_json({"toml": entry, "fingerprint": key.fingerprint, "gaps": list(then.gaps)})
    else:
        click.echo(f"\n{entry}" if text.strip() else entry, nl=False)
    where = f"Put this at the end of {file}, and raise its version." if text.strip() else f"Save this as {file}."
    say(f"{where} Compare the key with its owner: {key.fingerprint}")
    for gap in then.gaps:
        say(f"Then still: {gap}")


def _enrol_passkey(person: str, as_json: bool) -> None:
    from app.cli.client import Client

    invited = Client().post("/v1/roster/enrolments", {"person": person})
    if as_json:
        put_json(invited)
        return
    put(invited["url"])
    say(f"For {person} alone: open it on their phone until {when(invited['expires_at'])}. They send you the entry that it shows.")
