"""A private key that an ssh-agent keeps (draft-ietf-sshm-ssh-agent): on disk, in a hardware token, or forwarded.

Rules kept here: the agent is asked to list and to sign, nothing else; every answer is bounded in size and every wait in time; a signature
is checked before it is given on. Keys of other kinds than the roster knows are left out.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.domain import sshsig
from app.domain.sshsig import SshKey, SshKeyRefused
from app.signing import SigningRefused

LIST_TIMEOUT = 5.0
SIGN_TIMEOUT = 60.0
"""Seconds. The agent may ask its owner to confirm or to touch the token, so signing takes a person's time."""

MAX_ANSWER = 262_144  # bytes; OpenSSH's own bound
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_FAILURE = 5
_RSA_SHA2_512 = 4  # a flag; without it an RSA key signs with SHA-1


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A signer whose private key stays in the agent at `socket_path`."""

    public: SshKey
    socket_path: Path

    def sign(self, data: bytes, namespace: str = sshsig.NAMESPACE) -> str:
        """An armoured SSH signature over `data`. Raises `SigningRefused` when the agent or its owner refuses or takes over 60 s."""
        blob = self.public.blob
        flags = _RSA_SHA2_512 if self.public.public.startswith("ssh-rsa ") else 0
        request = sshsig.pack(blob, sshsig.message_to_sign(data, namespace)) + struct.pack(">I", flags)
        answer = _ask(self.socket_path, _SIGN_REQUEST, request, _SIGN_RESPONSE, SIGN_TIMEOUT)
        try:
            armored = sshsig.armor(blob, sshsig.unpack(answer, 1)[0], namespace)
            sshsig.verify(armored, data, namespace)  # over these bytes, by the key that was asked for: the armour names it
        except ValueError as error:
            raise SigningRefused(f"The ssh-agent gave a signature that is not valid ({error}); try another key.") from error
        return armored


def identities(socket_path: Path | None = None) -> tuple[AgentKey, ...]:
    """The agent's keys that can sign an approval, in its order; the agent of SSH_AUTH_SOCK unless told. Raises `SigningRefused`."""
    path = socket_path or _default()
    answer = _ask(path, _REQUEST_IDENTITIES, b"", _IDENTITIES_ANSWER, LIST_TIMEOUT)
    count = int.from_bytes(answer[:4], "big")
    try:
        strings = sshsig.unpack(answer[4:], 2 * min(count, MAX_ANSWER) if len(answer) >= 4 else 1)
    except ValueError as error:
        raise SigningRefused(f"The ssh-agent's list of keys cannot be read: {error}.") from error
    found = []
    for blob, comment in zip(strings[::2], strings[1::2], strict=True):
        with suppress(SshKeyRefused):  # a kind of key that no roster can hold
            found.append(AgentKey(SshKey.from_blob(blob, _shown(comment)), path))
    return tuple(found)


def _shown(comment: bytes) -> str:
    """A key's comment, fit for a terminal: whoever could add a key to the agent chose it."""
    return "".join(character if character.isprintable() else "?" for character in comment.decode("utf-8", "replace"))


def _default() -> Path:
    path = os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        raise SigningRefused("No ssh-agent: SSH_AUTH_SOCK is not set. Start one and `ssh-add` your key, or name a key file.")
    return Path(path)


def _ask(path: Path, kind: int, body: bytes, expected: int, timeout: float) -> bytes:
    """The body of the agent's answer to one message. One connection each: an agent forwarded over SSH may close it between."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(sshsig.pack(bytes([kind]) + body))
            length = int.from_bytes(_receive(connection, 4), "big")
            if not 1 <= length <= MAX_ANSWER:
                raise SigningRefused(f"The ssh-agent's answer has a length of {length} bytes: this is no agent, or it is broken.")
            answer = _receive(connection, length)
    except TimeoutError as error:
        raise SigningRefused(f"The ssh-agent did not answer within {timeout:g} s; confirm or touch when it asks, and try again.") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        raise SigningRefused(f"The ssh-agent at {path} cannot be reached ({error}); start one, or name a key file.") from error
    if answer[0] == _FAILURE:
        raise SigningRefused("The ssh-agent refused: it is locked, its owner declined, or the key is no longer there (`ssh-add -l`).")
    if answer[0] != expected:
        raise SigningRefused(f"The ssh-agent gave an answer of kind {answer[0]} where {expected} belongs.")
    return answer[1:]


def _receive(connection: socket.socket, length: int) -> bytes:
    parts, missing = [], length
    while missing:
        part = connection.recv(min(missing, 65_536))
        if not part:
            raise OSError("it closed the connection in the middle of its answer")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
