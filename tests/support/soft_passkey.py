"""A passkey in software, for tests: it registers and signs as an authenticator with a browser around it would."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Self

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from app.domain import approval
from app.domain.passkey import Passkey, decode, encode

_USER_PRESENT, _USER_VERIFIED, _ATTESTED = 1, 4, 64


@dataclass(frozen=True)
class SoftPasskey:
    """One ES256 credential for one RP id; `credential_id` and `public_key` (COSE) are base64url."""

    rp_id: str
    credential_id: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, rp_id: str) -> Self:
        """A new credential with a random id and key."""
        return cls(rp_id, encode(secrets.token_bytes(32)), ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> str:
        numbers = self.private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return encode(cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y}))

    def passkey(self, label: str = "phone") -> Passkey:
        """The entry for the roster."""
        return Passkey(self.credential_id, self.public_key, self.rp_id, label)

    def sign(self, statement_bytes: bytes, origin: str, user_verified: bool = True, **client_data: Any) -> dict[str, str]:
        """An approval's signature over a statement. `client_data` goes over what an honest browser writes; None leaves out."""
        return self.assertion(approval.challenge(statement_bytes), origin, user_verified, **client_data)

    def assertion(self, challenge: bytes, origin: str, user_verified: bool = True, **client_data: Any) -> dict[str, str]:
        """What `navigator.credentials.get()` gives for a challenge, as an approval's JSON writes it."""
        written = _client_data("webauthn.get", challenge, origin, client_data)
        authenticator_data = self._authenticator_data(_USER_PRESENT | (_USER_VERIFIED if user_verified else 0), count=7)
        signature = self.private.sign(authenticator_data + hashlib.sha256(written).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "kind": "passkey",
            "credential_id": self.credential_id,
            "authenticator_data": encode(authenticator_data),
            "client_data_json": encode(written),
            "signature": encode(signature),
        }

    def register(self, options: dict[str, Any], origin: str, user_verified: bool = True, **client_data: Any) -> dict[str, Any]:
        """What `navigator.credentials.create()` gives (`toJSON()`) for `registration_options`, attestation `none`."""
        challenge, raw_id = decode(options["challenge"], "public_key"), decode(self.credential_id, "credential_id")
        flags = _USER_PRESENT | _ATTESTED | (_USER_VERIFIED if user_verified else 0)
        attested = bytes(16) + len(raw_id).to_bytes(2, "big") + raw_id + decode(self.public_key, "public_key")
        statement = {"fmt": "none", "attStmt": {}, "authData": self._authenticator_data(flags, count=0) + attested}
        return {
            "id": self.credential_id,
            "rawId": self.credential_id,
            "type": "public-key",
            "response": {
                "clientDataJSON": encode(_client_data("webauthn.create", challenge, origin, client_data)),
                "attestationObject": encode(cbor2.dumps(statement)),
            },
        }

    def _authenticator_data(self, flags: int, count: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")


def _client_data(kind: str, challenge: bytes, origin: str, over: dict[str, Any]) -> bytes:
    written = {"type": kind, "challenge": encode(challenge), "origin": origin, "crossOrigin": False} | over
    return json.dumps({name: value for name, value in written.items() if value is not None}, separators=(",", ":")).encode()
