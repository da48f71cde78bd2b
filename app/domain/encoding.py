"""Base64url without padding, as WebAuthn and our formats write bytes."""

from __future__ import annotations

import base64


def b64url(data: bytes) -> str:
    """Bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
