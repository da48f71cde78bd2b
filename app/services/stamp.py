"""The stamp: the server's own signature over what homepages embed, so that a page which pins its key shows nothing else.

It proves that the bytes come from this Tocsin, whatever lies between: a cache, a CDN, a domain that was taken over. It does not prove that
two people stand behind them; that this Tocsin has verified itself. People's signatures are not given out, since they are over the whole
manifest, which holds what partners and the team are told. Why so: docs/decisions/0020-what-the-public-can-check.md.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_HOW = "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"


class Stamp:
    """ECDSA on P-256 with SHA-256, which every browser's WebCrypto knows; the same bytes get the same signature (RFC 6979)."""

    __slots__ = ("_private", "public")

    def __init__(self, pem: str) -> None:
        """`public` is the uncompressed point in base64, as a page pins it. Raises ValueError, which quotes nothing of the key."""
        try:
            private = load_pem_private_key(pem.strip().encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError(f"is no unencrypted private key in PEM; {_HOW}") from None
        if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
            raise ValueError(f"is a key of another kind than P-256; {_HOW}")  # noqa: TRY004 - one error for all that is no such key
        self._private = private
        self.public = _text(private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def over(self, form: str, data: Mapping[str, Any]) -> dict[str, str]:
        """`bytes`: the data with their `format` as canonical JSON (RFC 8785); `signature` over these, r and s of 32 bytes each, base64."""
        raw = rfc8785.dumps({**data, "format": form})
        r, s = decode_dss_signature(self._private.sign(raw, ECDSA(SHA256(), deterministic_signing=True)))
        return {"bytes": raw.decode(), "signature": _text(r.to_bytes(32) + s.to_bytes(32))}


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
