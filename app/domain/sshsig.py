"""SSH keys and SSH signatures (SSHSIG, `PROTOCOL.sshsig` of OpenSSH), as `ssh-keygen -Y sign` and `-Y verify` speak them.

Rules kept here: one namespace per use, SHA-512 only, no byte of an armoured signature that is not accounted for, and only Ed25519,
RSA of at least 2048 bits, or a security key (`app.domain.sshsk`). Reading other keys and checking their signatures is done by the
`sshsig` package, which is lax about the armour, trailing bytes and hash; all that is refused here first. Whose key it is lies in
`app.domain.roster`, what was signed in `app.domain.approval`, where the private keys are in `app.signing`.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from sshsig import check_signature

from app.domain import sshsk
from app.domain.sshsk import SecurityKey
from app.domain.sshwire import pack, unpack

__all__ = ["SignatureRefused", "SshKey", "SshKeyRefused", "armor", "fingerprint", "message_to_sign", "pack", "sign", "unpack", "verify"]

NAMESPACE = "tocsin-approval"
HASH = "sha512"
MAX_ARMORED = 8192
"""Characters; a signature with a 4096-bit RSA key takes 1,500."""

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = struct.pack(">I", 1)
_ALGORITHMS = {b"ssh-ed25519": (b"ssh-ed25519",), b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256"), **{kind: (kind,) for kind in sshsk.KINDS}}
_MIN_RSA_BITS = 2048
_WIDTH = 70  # of a line of ssh-keygen's armour


class SshKeyRefused(ValueError):
    """This is no public key that may stand in a roster; the message says why and what to do."""


class SignatureRefused(ValueError):
    """This is no signature over these bytes in this namespace; the message says why."""


@dataclass(frozen=True, slots=True)
class SshKey:
    """One public key: `public` as in a `.pub` file on one line, `fingerprint` as `ssh-keygen -l` prints it (`SHA256:…`).

    Made by `SshKey.parse`, so that `public` is known to be a canonical encoding of a supported key.
    """

    public: str
    fingerprint: str

    @classmethod
    def parse(cls, line: str) -> SshKey:
        """The key of one line `<algorithm> <base64> [comment]`. Raises `SshKeyRefused`."""
        parts = line.strip().split(maxsplit=2)
        if len(line.strip().splitlines()) != 1 or len(parts) < 2 or parts[0].encode("utf-8", "replace") not in _ALGORITHMS:
            raise SshKeyRefused("is not a line 'ssh-ed25519 AAAA… comment', nor one of 'ssh-rsa' or 'sk-…'; see `ssh-keygen -t ed25519`")
        public = " ".join(parts[:2])
        if not _canonical(public):
            raise SshKeyRefused("is not in the form that ssh-keygen writes; copy the line of the .pub file again")
        return cls(" ".join(parts), fingerprint(base64.b64decode(parts[1])))

    @classmethod
    def from_blob(cls, blob: bytes, comment: str = "") -> SshKey:
        """The key in SSH's wire format, as an agent lists it. Raises `SshKeyRefused`."""
        return cls.parse(f"{_kind(blob).decode('ascii', 'replace')} {base64.b64encode(blob).decode()} {' '.join(comment.split())}")

    @property
    def blob(self) -> bytes:
        """The key in SSH's wire format: what a signature carries and what a fingerprint is made of."""
        return base64.b64decode(self.public.split()[1])

    @property
    def material(self) -> bytes:
        """The bare public key (DER SubjectPublicKeyInfo), the same for every way of writing the same key."""
        if _kind(self.blob) in sshsk.KINDS:
            return SecurityKey.parse(self.blob).public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _load(" ".join(self.public.split()[:2])).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _canonical(public: str) -> bool:
    """Whether a key is written as ssh-keygen writes it. Raises `SshKeyRefused` for what is no key that may stand in a roster."""
    kind, text = public.split()
    if kind.encode() not in sshsk.KINDS:
        return _load(public).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == public
    try:
        blob = base64.b64decode(text, validate=True)
        SecurityKey.parse(blob)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SshKeyRefused(f"cannot be read as a security key ({error}); copy the line of the .pub file again") from error
    return _kind(blob) == kind.encode() and base64.b64encode(blob).decode() == text


def _kind(blob: bytes) -> bytes:
    """The kind that a key in SSH's wire format says it is of."""
    return blob[4 : 4 + int.from_bytes(blob[:4], "big")]


def _load(public: str) -> Ed25519PublicKey | RSAPublicKey:
    try:
        key = load_ssh_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SshKeyRefused(f"cannot be read as an SSH public key ({error}); copy the line of the .pub file again") from error
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise SshKeyRefused(f"is an RSA key of {key.key_size} bits, too short to trust; make one with `ssh-keygen -t ed25519`")
    if not isinstance(key, Ed25519PublicKey | RSAPublicKey):
        raise SshKeyRefused("is neither an Ed25519 nor an RSA key; make one with `ssh-keygen -t ed25519`")
    return key


def fingerprint(blob: bytes) -> str:
    """`SHA256:` and unpadded base64, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def message_to_sign(data: bytes, namespace: str = NAMESPACE) -> bytes:
    """The bytes that the private key itself signs: preamble, namespace, nothing reserved, the hash's name, the hash of `data`."""
    return _MAGIC + pack(namespace.encode("ascii"), b"", HASH.encode(), hashlib.sha512(data).digest())


def armor(public_key: bytes, signature: bytes, namespace: str = NAMESPACE) -> str:
    """The armoured text of a signature (SSH wire format: algorithm, signature) by a key (wire format), as ssh-keygen writes it."""
    raw = _MAGIC + _VERSION + pack(public_key, namespace.encode("ascii"), b"", HASH.encode(), signature)
    text = base64.b64encode(raw).decode()
    return "\n".join([BEGIN, *(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)), END, ""])


def sign(data: bytes, private_key: Ed25519PrivateKey, namespace: str = NAMESPACE) -> str:
    """An armoured signature over `data`; the same every time for the same key and data."""
    public = private_key.public_key().public_bytes_raw()
    signature = private_key.sign(message_to_sign(data, namespace))
    return armor(pack(b"ssh-ed25519", public), pack(b"ssh-ed25519", signature), namespace)


def verify(armored: str, data: bytes, namespace: str = NAMESPACE) -> bytes:
    """The public key (SSH wire format) that signed `data` in this namespace; whose it is, the caller decides.

    Raises `SignatureRefused`, and nothing else, whatever the text.
    """
    public_key, signature = _named(_dearmor(armored), namespace.encode("ascii"))
    if _kind(public_key) in sshsk.KINDS:
        try:
            SecurityKey.parse(public_key).verify(signature, message_to_sign(data, namespace))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SignatureRefused(f"{error}") from error
        return public_key
    try:
        found = check_signature(data, armored, namespace).openssh_str()
    except Exception as error:  # the package lets what it has not thought of through; none of it is a valid signature
        raise SignatureRefused("it is not its key's signature over these bytes") from error
    if base64.b64decode(found.split()[1]) != public_key:
        raise SignatureRefused("its key is not in the canonical form")
    return public_key


def _dearmor(armored: str) -> bytes:
    """The bytes inside; strict, for the package skips whatever is not base64."""
    lines = armored.removesuffix("\n").split("\n") if len(armored) <= MAX_ARMORED else []
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise SignatureRefused(f"it does not run from '{BEGIN}' to '{END}', or is too long")
    text = "".join(lines[1:-1])
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SignatureRefused("its text is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise SignatureRefused("its base64 is not in the canonical form")
    return raw


def _named(raw: bytes, namespace: bytes) -> tuple[bytes, bytes]:
    """The public key and the signature inside, their form being right; nothing is proved yet."""
    head = _MAGIC + _VERSION
    if not raw.startswith(head):
        raise SignatureRefused("it is not an SSH signature of version 1")
    try:
        public_key, found, reserved, hashed, signature = unpack(raw[len(head) :], 5)
        kind = _kind(public_key)
        algorithm, _ = unpack(signature[:-5] if kind in sshsk.KINDS else signature, 2)
    except ValueError as error:
        raise SignatureRefused(f"it is damaged: {error}") from error
    if found != namespace:
        raise SignatureRefused(f"it was made for namespace {found[:64]!r}, not {namespace!r}; sign with `-n {namespace.decode()}`")
    if reserved or hashed != HASH.encode():
        raise SignatureRefused(f"it does not use {HASH}")
    if algorithm not in _ALGORITHMS.get(kind, ()):
        raise SignatureRefused(f"a key of kind {kind[:40]!r} with a signature of kind {algorithm[:40]!r} is not accepted")
    return public_key, signature
