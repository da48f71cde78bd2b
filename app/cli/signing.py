"""What you see is what you sign: shows a manifest's renderings, computes the digest from the bytes that were shown, signs that.

A manifest that somebody changed on the way has another digest than the server names; it is shown as refused, and nothing is signed.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from adapters.contract import Rendering, Role
from app.cli.output import finding, one_line, say, span, when
from app.domain.announcement import corrections
from app.domain.approval import Approval, ApprovalRefused, Decision, SshSignature, Statement
from app.domain.manifest import Manifest, ManifestError, Planned, digest
from app.signing import Signer, SigningRefused, agent, keys

OWN_TEXT = "OTHER WORDS than the announcement's, written for it alone"


def signer(key: str) -> Signer:
    """The private key in a file, or in the agent where `key` is "agent" or a fingerprint there. Raises `click.ClickException`."""
    try:
        if key == "agent" or key.startswith("SHA256:"):
            return _of_agent(key)
        return keys.load(Path(key), _passphrase)
    except SigningRefused as error:
        raise click.ClickException(str(error)) from error


def _passphrase() -> str:
    try:
        return str(click.prompt("Passphrase", hide_input=True, err=True))
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise SigningRefused(
            "The key is encrypted, and nobody could be asked for its passphrase. `ssh-add` it and use the agent."
        ) from None


def _of_agent(key: str) -> Signer:
    held = agent.identities()
    wanted = [one for one in held if key in ("agent", one.public.fingerprint)]
    if not wanted:
        raise SigningRefused(f"The agent holds no such key ({len(held)} others). `ssh-add -l` lists them.")
    if len(wanted) > 1:
        listed = "\n".join(f"  {one.public.fingerprint}  {' '.join(one.public.public.split()[2:])}" for one in wanted)
        raise SigningRefused(f"The agent holds several keys. Say which one is yours in the roster, by --key or TOCSIN_KEY:\n{listed}")
    return wanted[0]


def read(request: dict[str, Any]) -> Manifest:
    """The manifest of an approval request. Raises `click.ClickException` where its bytes are not those that the server names."""
    raw = request["manifest"].encode("utf-8", "surrogatepass")
    if digest(raw) != request["digest"]:
        raise click.ClickException("The manifest was changed on its way here: its digest is another. Nothing was signed.")
    try:
        return Manifest.parse(raw)
    except ManifestError as error:
        raise click.ClickException(one_line(error)) from error


def approval(request: dict[str, Any], manifest: Manifest, decision: Decision, person: str, by: Signer, comment: str = "") -> Approval:
    """One signed statement over the digest of exactly this manifest. An unseal says when it was signed, by this machine's clock."""
    at = ""
    if decision is Decision.UNSEAL:  # a drill has a clock of its own, which may have been moved
        now = datetime.fromisoformat(request["now"]) if manifest.environment == "drill" else datetime.now(UTC)
        at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        statement = Statement(
            announcement=manifest.announcement,
            at=at,
            comment=comment,
            decision=decision,
            digest=request["digest"],  # which `read` has computed from the bytes that the manifest is
            environment="drill" if manifest.environment == "drill" else "live",
            nonce=request.get("nonce") or secrets.token_urlsafe(16),
            person=person,
            revision=manifest.revision,
        ).to_bytes()
        return Approval(statement, SshSignature(by.sign(statement)))
    except (ApprovalRefused, SigningRefused) as error:
        raise click.ClickException(one_line(error)) from error


def confirmed(question: str, stdin_used: bool = False) -> bool:
    """Whether a person says yes; asked at the terminal itself where stdin held the text. Raises where nobody can be asked."""
    try:
        if not stdin_used:
            return click.confirm(question, err=True)
        with open("/dev/tty", encoding="utf-8") as terminal:
            click.echo(f"{question} [y/N]: ", err=True, nl=False)
            return terminal.readline().strip().lower() in {"y", "yes"}
    except (click.Abort, OSError):
        if sys.stdin.isatty():
            raise
        raise click.ClickException("Nobody could be asked, so nothing was signed. --yes signs without asking.") from None


def show(manifest: Manifest, request: dict[str, Any]) -> None:
    """All that is signed: what stands out first, then every rendering as it will appear; on stderr, so that --json stays clean."""
    findings = request["findings"]
    drill = manifest.environment == "drill"
    mark = "DRILL - nothing here is real" if drill else "LIVE"
    name = one_line(manifest.incident.name)
    say(f"{mark} · {manifest.kind.value} · {name} · revision {manifest.revision}", bold=True, fg="yellow" if drill else "red")
    say(f"Written by {one_line(manifest.author)}, submitted by {one_line(manifest.submitted_by)}")
    for line in _of_the_seal(manifest, request["state"]):
        say(line, bold=True, fg="magenta")
    for label, value in _terms(manifest):
        say(f"{label}: {one_line(value)}")
    _show_changes(request.get("changes"))
    for override in manifest.overrides:
        words = f" «{one_line(override.excerpt)}»" if override.excerpt else ""
        say(f"OVERRIDE {one_line(override.rule)}{words}: {one_line(override.reason)}", fg="red", bold=True)
    for found in findings:
        say(finding(found), fg="red" if found["severity"] == "block" else "yellow")
    _show_posts(manifest)
    if manifest.seal and manifest.seal.correction:
        say()
        say("== Sealed with it: the correction. One person alone can send it, once the announcement is out.", bold=True, fg="magenta")
        correction = Manifest.parse(manifest.seal.correction.encode())
        say(f"Can be unsealed until {when(correction.not_after)}")
        _show_posts(correction)
    elif manifest.correction:
        say()
        say("── Should it turn out to be wrong: a correction, not sent now, and only when two people have signed that too", fg="cyan")
        say(manifest.correction)
        for one in corrections(manifest.translations):
            say(f"[in {one.language}]", dim=True)
            say(one.text)
    say()
    say(f"Digest {request['digest']}", bold=True)


def _show_posts(manifest: Manifest) -> None:
    """Every rendering, those of the same words together."""
    alike: dict[tuple[Rendering | None, Rendering | None, bool, str], list[Planned]] = {}
    for planned in manifest.destinations:
        leads = planned.id if planned.id in manifest.primaries else ""  # each has its own turn, so it stands alone
        alike.setdefault((planned.full, planned.pointer, planned.role is Role.POINTER, leads), []).append(planned)
    for same in alike.values():
        _show_planned(same, manifest)


def _of_the_seal(manifest: Manifest, state: str) -> list[str]:
    """What a sealed one is, in words that nobody takes for those of any other."""
    if manifest.seal is None:
        return []
    until = f"until {when(manifest.not_after)}"
    if state == "sealed":
        return [f"SEALED. Two people have signed this. ONE person alone can send it, at once, {until}."]
    return [f"TO BE SEALED. Nothing is sent now. Once it is signed, ONE person alone can send it, {until}."]


def _show_changes(told: dict[str, Any] | None) -> None:
    """Word by word, what is another now; [-gone-] and {+new+}."""
    if told is None:
        return
    since = f"revision {told['since']}" + (", which you signed about" if told["signed"] else ", the one before")
    say(f"Changed since {since}:" if told["items"] else f"Nothing changed since {since}.", bold=True, fg="cyan")
    for item in told["items"]:
        more = f" (and {len(item['also'])} more alike)" if item["also"] else ""
        say(f"  {one_line(item['where'])}{more}:", fg="cyan")
        marked = {"same": "{}", "out": "[-{}-]", "in": "{{+{}+}}"}
        say("    " + "".join(marked[kind].format(text) for kind, text in item["pieces"]).replace("\n", "\n    "))


def _terms(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What the signature covers besides the posts' words; only what is not empty."""
    facts, answers = manifest.incident, manifest.answers
    if manifest.seal:
        yield "Goes out", f"within {manifest.seal.send_seconds / 3600:g} hours of its unsealing"
        hours = manifest.seal.banner_seconds / 3600
        yield "Banner", f"for {hours:g} hours from its unsealing" if hours else "cleared once this is out"
    else:
        yield "Goes out", span(manifest.not_before, manifest.not_after) if manifest.not_before else f"until {when(manifest.not_after)}"
        yield "Banner", f"until {when(manifest.banner_until)}" if manifest.banner_until else "cleared once this is out"
    if len(manifest.primaries) > 1:
        fails = f"if it refuses, is left out, or has not posted within {manifest.fallback_after} s"
        yield "Full text", f"on {manifest.primaries[0]}; {fails}: {', then '.join(manifest.primaries[1:])}. Everyone else then points there"
    listed = [
        ("Language", manifest.language),
        ("Translations", ", ".join(translation.language for translation in manifest.translations)),
        ("Who is affected", answers.affected),
        ("What they do", answers.if_affected),
        ("What the others do", answers.if_not_affected),
        ("Affected products", ", ".join(facts.affected_products)),
        ("Affected domains", ", ".join(facts.affected_domains)),
        ("Safe links", ", ".join(facts.safe_links)),
    ]
    yield from ((label, value) for label, value in listed if value)


def _show_planned(alike: list[Planned], manifest: Manifest) -> None:
    """Posts of the same words: each destination by name, the words once."""
    say()
    for planned in alike:
        about = [planned.platform, planned.role.value, f"account {planned.account}"]
        about += [f"in {planned.language}"] if planned.language else []
        about += [f"reply to {planned.reply_to.permalink or planned.reply_to.remote_id}"] if planned.reply_to else []
        about += [_unsure(planned)] if planned.on_unknown != "ask" else []
        about += [OWN_TEXT] if any(own.destination == planned.id for own in manifest.texts) else []
        say(one_line(f"── {planned.id} ({', '.join(about)})"), fg="cyan")
    first = alike[0]
    _show_rendering(first.rendering)
    pointer = first.role is Role.POINTER
    other = first.full if pointer else first.pointer
    if other is not None:
        say(f"── {_otherwise(alike[0], manifest)}", fg="cyan")
        _show_rendering(other)


def _otherwise(planned: Planned, manifest: Manifest) -> str:
    """When its other form goes out."""
    if planned.role is not Role.POINTER:
        return f"only if {one_line(' or '.join(manifest.primaries[1:]))} carries the full text in its place, it points there"
    before = manifest.primaries[: manifest.primaries.index(planned.id)] if planned.id in manifest.primaries else manifest.primaries
    return f"only if {one_line(' and '.join(before))} cannot be posted within {manifest.fallback_after} s, it carries the full text"


def _unsure(planned: Planned) -> str:
    if planned.on_unknown == "resend":
        return f"if nobody can tell whether it was posted, sent again after {planned.resend_after} s: it may then stand there twice"
    return f"if nobody can tell whether it was posted: {planned.on_unknown}"


def _show_rendering(rendering: Rendering) -> None:
    for number, part in enumerate(rendering.parts, 1):
        if len(rendering.parts) > 1:
            say(f"[part {number} of {len(rendering.parts)}]", dim=True)
        if part.title:
            say(part.title, bold=True)
        say(part.text)
