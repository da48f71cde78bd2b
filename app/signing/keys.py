"""A private key in a file, as `ssh-keygen` writes it.

Rules kept here: the passphrase is asked for only when the file is encrypted, is not kept, and neither it nor the key is in any
message or repr. Only Ed25519 is read from files; an RSA key or a security key signs through the agent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

from app.domain import sshsig
from app.domain.sshsig import SshKey
from app.signing import SigningRefused

MAX_FILE = 65_536
"""Bytes; a key's file takes about 400."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """A signer whose private key was read from a file."""

    public: SshKey
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, data: bytes, namespace: str = sshsig.NAMESPACE) -> str:
        """An armoured SSH signature over `data`."""
        return sshsig.sign(data, self.private, namespace)


def load(path: Path, passphrase: Callable[[], str]) -> FileKey:
    """The key in the file. `passphrase` is called once, and only if the file is encrypted. Raises `SigningRefused`."""
    try:
        with path.expanduser().open("rb") as file:
            raw = file.read(MAX_FILE)
    except (OSError, RuntimeError) as error:
        raise SigningRefused(f"The key file {path} cannot be read ({error}); give the path of a private key.") from error
    if raw.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        raise SigningRefused(f"{path} is a public key; give the private one, the same path without .pub.")
    private = _private(raw, path, passphrase)
    if not isinstance(private, Ed25519PrivateKey):
        raise SigningRefused(f"{path} is no Ed25519 key; add it to ssh-agent with `ssh-add`, or make one with `ssh-keygen -t ed25519`.")
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return FileKey(SshKey.parse(line), private)


def _private(raw: bytes, path: Path, passphrase: Callable[[], str]) -> SSHPrivateKeyTypes:
    try:
        return load_ssh_private_key(raw, None)
    except TypeError:  # how the library says: encrypted
        pass
    except UnsupportedAlgorithm as error:
        raise SigningRefused(f"{path} cannot sign from here ({error}); add it to ssh-agent with `ssh-add`.") from error
    except ValueError as error:
        raise SigningRefused(f"{path} is no private key in OpenSSH's format ({error}); ssh-keygen makes one.") from error
    given = passphrase().encode()
    try:
        return load_ssh_private_key(raw, given)
    except UnsupportedAlgorithm as error:
        raise SigningRefused(f"{path} is encrypted in a way that cannot be read here ({error}); use `ssh-add` and the agent.") from error
    except (ValueError, TypeError, InvalidTag) as error:
        raise SigningRefused(f"{path} cannot be opened: the passphrase is wrong or empty, or the file is damaged.") from error
