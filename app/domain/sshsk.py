"""SSH keys on security keys (`ssh-keygen -t ed25519-sk` and `ecdsa-sk`): their public keys and signatures, OpenSSH's `PROTOCOL.u2f`.

Rules kept here: the person was present and **verified** (PIN or fingerprint: made with `-O verify-required`), as for a passkey; the key was
made for SSH (`ssh:…`), so that nothing that a website lets it sign counts; each value has one form. The counter is signed and not
enforced, since a kept signature is checked again and again. The armour and what is signed lie in `app.domain.sshsig`.

    key         string kind, [string "nistp256",] string public key, string application
    signature   string kind, string signature, byte flags, uint32 counter
    is over     SHA-256(application), flags, counter, SHA-256(message)
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from app.domain.sshwire import pack, unpack

ED25519, ECDSA_P256 = b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"
KINDS = (ED25519, ECDSA_P256)
PRESENT, VERIFIED = 0x01, 0x04
_MORE_DATA = 0x40 | 0x80  # flags that announce data which OpenSSH's format has no place for
_TAIL = struct.Struct(">BI")  # flags and counter
_CURVE = b"nistp256"
_APPLICATION = b"ssh:"
_POINT = 65  # bytes of an uncompressed point


@dataclass(frozen=True, slots=True)
class SecurityKey:
    """A public key on a security key, and what it was made for."""

    public: Ed25519PublicKey | EllipticCurvePublicKey
    application: bytes

    @classmethod
    def parse(cls, blob: bytes) -> SecurityKey:
        """The key in SSH's wire format. Raises ValueError."""
        if blob.startswith(pack(ED25519)):
            _, raw, application = unpack(blob, 3)
            public: Ed25519PublicKey | EllipticCurvePublicKey = Ed25519PublicKey.from_public_bytes(raw)
        else:
            kind, curve, raw, application = unpack(blob, 4)
            if (kind, curve, len(raw)) != (ECDSA_P256, _CURVE, _POINT):
                raise ValueError("it is of another kind, curve or form")
            public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
        if not application.startswith(_APPLICATION):
            raise ValueError("it was not made for SSH: its application does not begin with ssh:")
        return cls(public, application)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Whether this signature (wire format) is the key's over `message`, of a person who was there. Raises ValueError."""
        kind, made, flags, counter = _taken_apart(signature)
        if kind != (ED25519 if isinstance(self.public, Ed25519PublicKey) else ECDSA_P256):
            raise ValueError("it is of another kind than its key")
        if not flags & PRESENT or not flags & VERIFIED:
            lacks = "saw nobody's PIN or fingerprint; it takes one made with `-O verify-required`" if flags & PRESENT else "was not touched"
            raise ValueError(f"the security key {lacks}")
        if flags & _MORE_DATA:
            raise ValueError("its flags announce more data than it has")
        signed = hashlib.sha256(self.application).digest() + _TAIL.pack(flags, counter) + hashlib.sha256(message).digest()
        try:
            if isinstance(self.public, Ed25519PublicKey):
                self.public.verify(made, signed)
            else:
                self.public.verify(_der(made), signed, ECDSA(SHA256()))
        except InvalidSignature as error:
            raise ValueError("it is not its key's signature over these bytes") from error


def _taken_apart(signature: bytes) -> tuple[bytes, bytes, int, int]:
    """Kind, the signature itself, flags, counter. Raises ValueError."""
    if len(signature) < _TAIL.size:
        raise ValueError("it ends too early")
    kind, made = unpack(signature[: -_TAIL.size], 2)
    flags, counter = _TAIL.unpack(signature[-_TAIL.size :])
    return kind, made, flags, counter


def _der(made: bytes) -> bytes:
    """An ECDSA signature in DER, of the two numbers in SSH's format. Raises ValueError."""
    numbers = unpack(made, 2)
    for number in numbers:
        shortest = number.lstrip(b"\0")
        if not shortest or number != (b"\0" if shortest[0] & 0x80 else b"") + shortest:
            raise ValueError("one of its numbers is not positive or not in the shortest form")
    return encode_dss_signature(int.from_bytes(numbers[0]), int.from_bytes(numbers[1]))
