"""What you see is what you sign: shows a manifest's renderings, computes the digest from the bytes that were shown, signs that.

A manifest that somebody changed on the way has another digest than the server names; it is shown as refused, and nothing is signed.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from app.domain.approval import Approval, Decision, SshSignature, Statement
from app.domain.manifest import Manifest, ManifestError, digest
from app.signing import Signer, SigningRefused, agent, keys


def signer(key: str) -> Signer:
    """The private key in a file, or in the agent where `key` is "agent" or a fingerprint there."""
    try:
        if key == "agent" or key.startswith("SHA256:"):
            held = agent.identities()
            wanted = [one for one in held if key in ("agent", one.public.fingerprint)]
            if not wanted:
                raise SigningRefused(f"The agent holds no such key ({len(held)} others). `ssh-add -l` lists them.")
            return wanted[0]
        return keys.load(Path(key), lambda: click.prompt("Passphrase", hide_input=True, err=True))
    except SigningRefused as error:
        raise click.ClickException(str(error)) from error


def read(request: dict[str, Any]) -> Manifest:
    """The manifest of an approval request. Raises `click.ClickException` where its bytes are not those that the server names."""
    raw = request["manifest"].encode()
    if digest(raw) != request["digest"]:
        raise click.ClickException("The manifest was changed on its way here: its digest is another. Nothing was signed.")
    try:
        return Manifest.parse(raw)
    except ManifestError as error:
        raise click.ClickException(str(error)) from error


def approval(request: dict[str, Any], manifest: Manifest, decision: Decision, person: str, by: Signer, comment: str = "") -> Approval:
    """One signed statement over the digest of exactly this manifest."""
    statement = Statement(
        announcement=manifest.announcement,
        comment=comment,
        decision=decision,
        digest=digest(manifest.to_bytes()),
        environment="drill" if manifest.environment == "drill" else "live",
        nonce=request.get("nonce") or secrets.token_urlsafe(16),
        person=person,
        revision=manifest.revision,
    ).to_bytes()
    try:
        return Approval(statement, SshSignature(by.sign(statement)))
    except SigningRefused as error:
        raise click.ClickException(str(error)) from error


def show(manifest: Manifest, findings: list[dict[str, Any]]) -> None:
    """Every rendering as it will appear, the findings and overrides above all else; on stderr, so that --json stays clean."""

    def line(text: str = "", **style: Any) -> None:
        click.secho(_safe(text), err=True, **style)

    mark = "DRILL - nothing here is real" if manifest.environment == "drill" else "LIVE"
    line(f"{mark} · {manifest.kind.value} · {manifest.incident.name} · revision {manifest.revision}", bold=True)
    line(f"Written by {manifest.author}, submitted by {manifest.submitted_by}")
    for override in manifest.overrides:
        line(f"OVERRIDE {override.rule}: {override.reason}", fg="red", bold=True)
    for finding in findings:
        line(f"{finding['severity']:5} {finding['rule']}: {finding['message']}  «{finding['excerpt']}»", fg="yellow")
    for planned in manifest.destinations:
        line()
        line(f"── {planned.id} ({planned.platform}, {planned.role.value}, account {planned.account})", fg="cyan")
        for number, part in enumerate(planned.rendering.parts, 1):
            if len(planned.rendering.parts) > 1:
                line(f"[part {number} of {len(planned.rendering.parts)}]", dim=True)
            if part.title:
                line(part.title, bold=True)
            line(part.text)
    line()
    line(f"Digest {digest(manifest.to_bytes())}", bold=True)


def _safe(text: str) -> str:
    """Control and direction characters made visible, so that a text cannot repaint the terminal."""
    return "".join(c if c == "\n" or (c.isprintable()) else f"\\u{ord(c):04x}" for c in text)
