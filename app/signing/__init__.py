"""The signer's side: where a person's private SSH key is, a file or an agent, and how it signs.

Runs on the person's own machine, never in the service. What is signed lies in `app.domain.approval` and `app.domain.endorsement`, the
format of a signature in `app.domain.sshsig`.
"""

from __future__ import annotations

from typing import Protocol

from app.domain.sshsig import NAMESPACE, SshKey


class SigningRefused(Exception):
    """Nothing was signed; the message says why and what to do, and holds no secret."""


class Signer(Protocol):
    """One private key that can be used now."""

    @property
    def public(self) -> SshKey: ...

    def sign(self, data: bytes, namespace: str = NAMESPACE) -> str:
        """An armoured SSH signature over `data` in that namespace. Raises `SigningRefused`."""
        ...
