"""verify: check a timeline or approvals offline, from files alone; and export the timeline to be checked. checkpoint: the last one signed.

A timeline is JSON Lines, one entry a line, or the JSON of `GET /v1/timeline`. Every field of an entry is under its hash, so an unknown
one is refused. The format of the timeline and its checkpoints is written down in docs/record-format.md, those of approvals and
manifests in docs/approval-format.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from app.cli.output import one_line, put, put_json, say, when
from app.cli.words import read_bytes

if TYPE_CHECKING:
    from app.cli.chain import Chain
    from app.domain.approval import Quorum, Verified
    from app.domain.checkpoint import Checkpoint
    from app.domain.manifest import Manifest

_LIMIT = 1 << 30


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1)
@click.option("--manifest", "manifest_file", metavar="FILE", help="Of approvals: the manifest that they are about, byte for byte.")
@click.option(
    "--roster",
    "roster_file",
    metavar="FILE",
    default=lambda: os.environ.get("TOCSIN_ROSTER") or "roster.toml",
    show_default="TOCSIN_ROSTER, or roster.toml",
    help="Of approvals: the people and their keys.",
)
@click.option(
    "--origin",
    metavar="URL",
    default=lambda: os.environ.get("TOCSIN_PUBLIC_URL", "http://localhost:8400"),
    show_default="TOCSIN_PUBLIC_URL",
    help="Of passkeys: the address of the service on whose page they signed.",
)
@click.option("--checkpoint", "checkpoint_file", metavar="FILE", help="Of a timeline: checkpoints that it has to agree with.")
@click.option("--key", metavar="KEY", help="Of checkpoints: the key that signs them, as `tocsin checkpoint` told it when it was set up.")
@click.option("--export", is_flag=True, help="Fetch the whole timeline from the server, print it as JSON Lines, and verify it.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify(
    files: tuple[str, ...],
    manifest_file: str | None,
    roster_file: str,
    origin: str,
    checkpoint_file: str | None,
    key: str | None,
    export: bool,
    as_json: bool,
) -> None:
    """Verify an exported timeline, or approvals, offline.

    \b
      tocsin verify --export > timeline.jsonl     (from the server, verified on the way)
      tocsin verify timeline.jsonl                (offline; - is stdin)
      tocsin verify timeline.jsonl --checkpoint checkpoints --key tocsin.example.com/timeline+1a2b3c4d+AQ...
      tocsin verify approval-1.json approval-2.json --manifest manifest.json --roster roster.toml

    Exit code 1 where anything does not hold. The end of a timeline cannot be proved from itself: give checkpoints that were
    kept elsewhere, or compare the last row's hash with one that you noted before.
    """
    if export == bool(files):
        raise click.UsageError("Give a FILE, or - for stdin; or --export.")
    if bool(checkpoint_file) != bool(key):
        raise click.UsageError("--checkpoint and --key go together: without its key a checkpoint proves nothing.")
    checkpoints = _checkpoints(checkpoint_file, key) if checkpoint_file and key else []
    if export:
        if as_json:
            raise click.UsageError("--export prints JSON Lines already.")
        _export(checkpoints)
        return
    contents = [read_bytes(file, "what is to be verified", _LIMIT) for file in files]
    approvals = [_approval(raw) for raw in contents]
    if all(approvals):
        if checkpoints:
            raise click.UsageError("--checkpoint is for a timeline, and this is an approval.")
        _verify_approvals(contents, manifest_file, roster_file, origin, as_json)
    elif len(files) > 1:
        raise click.UsageError("Several files can be verified only where each is an approval.")
    else:
        _verify_timeline(contents[0], files[0], checkpoints, as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it and its key as JSON.")
def checkpoint(as_json: bool) -> None:
    """Print the last signed checkpoint of the timeline, and the key that verifies it.

    \b
    Note the key elsewhere when you set Tocsin up. It goes to the terminal, the checkpoint to stdout:
      tocsin checkpoint >> checkpoints

    A checkpoint says how many rows the timeline has, and the root of the Merkle tree over them, as a signed note (C2SP
    tlog-checkpoint), so that any witness of such logs can keep it. docs/record-format.md tells more.
    """
    from app.cli.client import Client, route

    told = Client().get(route("timeline", "checkpoint"))
    if as_json:
        put_json(told)
    elif told["checkpoint"]:
        put(told["checkpoint"])
    else:
        say("There is no checkpoint yet: nothing was recorded, or none could be kept (the server's log says why).")
    if not as_json:
        say(f"Key: {told['key']}")


def _checkpoints(file: str, key: str) -> list[Checkpoint]:
    """Those of the file that are signed with that key. Raises click's errors."""
    from app.domain.checkpoint import Checkpoint, notes_of
    from app.domain.note import NoteRefused, Verifier

    notes = notes_of(read_bytes(file, "the checkpoints", _LIMIT).decode("utf-8", "replace"))
    if not notes:
        raise click.ClickException(f"{one_line(file)} holds no checkpoint: a signed note of three lines, an empty line, and a signature.")
    found, why = [], ""
    try:
        verifier = Verifier.parse(key)
    except NoteRefused as error:
        raise click.UsageError(f"--key: {error}") from error
    for note in notes:
        try:
            found.append(Checkpoint.opened(note, verifier))
        except NoteRefused as error:
            why = str(error)
    if not found:
        raise click.ClickException(f"No checkpoint of {one_line(file)} is signed with that key: {one_line(why)}")
    if len(found) < len(notes):
        say(f"{len(notes) - len(found)} of {len(notes)} checkpoints were passed over: {one_line(why)}")
    return found


def _approval(raw: bytes) -> bool:
    """Whether this is meant as an approval."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and {"statement", "signature"} <= data.keys()


def _verify_timeline(raw: bytes, name: str, checkpoints: list[Checkpoint], as_json: bool) -> None:
    from app.cli.chain import Chain, rows_of

    chain = Chain(rows_of(raw, name), checkpoints).check()
    if as_json:
        put_json(
            {
                "ok": not chain.problem,
                "problem": chain.problem,
                **_held(chain),
                **({"checkpoints": len(checkpoints)} if checkpoints else {}),
            }
        )
    _verdict(chain, say if as_json else put)


def _held(chain: Chain) -> dict[str, Any]:
    return {"rows": chain.held.seq if chain.held else 0, "last_hash": chain.held.hash if chain.held else None}


def _verdict(chain: Chain, tell: Callable[[str], None]) -> None:
    """Tells how far the chain holds, and ends with exit code 1 where it does not."""
    held = chain.held
    if chain.conflict:
        raise click.ClickException(chain.conflict)
    if chain.problem:
        raise click.ClickException(chain.problem + (f" Rows 1 to {held.seq} hold." if held else ""))
    assert held is not None
    tell(f"The chain holds: {held.seq} rows, the last of {when(held.at.isoformat())}, hash {held.hash}")
    if chain.checkpoints:
        said = f"It agrees with {len(chain.checkpoints)} checkpoints, the last over {chain.checkpoints[-1].size} rows."
        tell(said if len(chain.checkpoints) > 1 else f"It agrees with the checkpoint over {chain.checkpoints[0].size} rows.")


def _export(checkpoints: list[Checkpoint]) -> None:
    from app.cli.chain import Chain
    from app.cli.client import Client, route

    def written() -> Iterator[Any]:
        for row in Client().pages(route("timeline"), "after", 0):
            click.echo(json.dumps(row, separators=(",", ":")))
            yield row

    chain = Chain(written(), checkpoints).check()
    chain.drain()  # what does not hold is exported all the same
    _verdict(chain, say)


def _verify_approvals(contents: list[bytes], manifest_file: str | None, roster_file: str, origin: str, as_json: bool) -> None:
    from app.domain.approval import ApprovalRefused
    from app.domain.manifest import ManifestError

    try:
        verified, fingerprint, count, sealed = _judge(contents, manifest_file, roster_file, origin)
    except (ApprovalRefused, ManifestError) as error:
        if as_json:
            put_json({"ok": False, "problem": str(error)})
        raise click.ClickException(one_line(error)) from error
    if as_json:
        told = {"ok": True, "digest": fingerprint, "approvals": [_told(one) for one in verified]}
        put_json(told | {"missing": count.missing, "complete": count.complete, "sealed": sealed or None})
        return
    for one in verified:
        comment = f" “{one.statement.comment}”" if one.statement.comment else ""
        put(one_line(f"{one.person.id} ({one.person.name}): {one.decision.value}, {one.key_kind} {one.key_id}{comment}"))
    put(one_line(f"Digest {fingerprint}" + (f", the one of {manifest_file}" if manifest_file else "")))
    put("Enough people stand behind it." if count.complete else _lacking(count.missing), bold=True)
    if sealed:
        put(sealed, bold=True)


def _judge(contents: list[bytes], manifest_file: str | None, roster_file: str, origin: str) -> tuple[list[Verified], str, Quorum, str]:
    """Who says what, about which digest, whether they are enough, and of a sealed one whether it is open ("" of any other).

    Raises `ApprovalRefused` and `ManifestError`.
    """
    from app.cli.roster_files import load
    from app.domain.approval import Approval, quorum
    from app.domain.approval import verify as check
    from app.domain.manifest import Manifest, digest

    roster, host = load(roster_file), urlsplit(origin).hostname or ""
    of_service = {"origin": "/".join(origin.split("/")[:3]), "rp_id": host}
    verified = [check(Approval.from_json(raw.rstrip()), roster, **of_service) for raw in contents]
    if not manifest_file:
        say("No --manifest: which text the digest stands for was not checked.")
        fingerprint = verified[0].statement.digest
        return verified, fingerprint, quorum(verified, digest=fingerprint, threshold=roster.threshold), ""
    raw = read_bytes(manifest_file, "the manifest", _LIMIT).rstrip(b"\r\n")
    manifest = Manifest.parse(raw)
    if manifest.roster_version != roster.version:
        say(f"The manifest names version {manifest.roster_version} of the roster; {one_line(roster_file)} is version {roster.version}.")
    about: dict[str, Any] = {name: getattr(manifest, name) for name in ("announcement", "revision", "environment")}
    return verified, digest(raw), quorum(verified, digest=digest(raw), threshold=roster.threshold, **about), _seal(manifest, verified)


def _seal(manifest: Manifest, verified: list[Verified]) -> str:
    from app.domain.seal import Sealed, opened

    if manifest.seal is None:
        return ""
    within = f" It was signed inside the manifest of {manifest.seal.corrects}: verify that one." if manifest.seal.corrects else ""
    try:
        now = opened(manifest, verified)
    except Sealed as error:
        return f"{error}{within}"
    return f"It was sealed, and unsealed at {when(now.not_before)}.{within}"


def _told(one: Verified) -> dict[str, Any]:
    return {"person": one.person.id, "decision": one.decision.value, "key": one.key_kind, "key_id": one.key_id}


def _lacking(missing: int) -> str:
    return f"{missing} more must approve before it may be sent." if missing else "It was returned, so it may not be sent."
