"""An outside witness of the record: signed notes, checkpoints and Merkle roots, written from the specifications alone.

c2sp.org/signed-note, c2sp.org/tlog-checkpoint and RFC 6962, section 2.1, with none of Tocsin's own code.
"""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verified(note: str, vkey: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a checkpoint. Raises where anything is wrong."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    assert key[0] == 1
    assert len(key) == 33
    assert hashlib.sha256(name.encode() + b"\x0a\x01" + key[1:]).digest()[:4].hex() == key_id
    at = note.rindex("\n\n")
    text, signatures = note[: at + 1], note[at + 2 :].splitlines()
    mine = [base64.b64decode(line.split(" ")[2], validate=True) for line in signatures if line.split(" ")[:2] == ["—", name]]
    (signature,) = [raw[4:] for raw in mine if raw[:4].hex() == key_id]
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, text.encode())
    origin, size, root = text.splitlines()
    return origin, int(size), base64.b64decode(root, validate=True)


def root_of(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, by its definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def leaves_of(export: str) -> list[bytes]:
    """Of a timeline in JSON Lines, as docs/record-format.md has it: the rows' hashes."""
    return [bytes.fromhex(json.loads(line)["hash"]) for line in export.splitlines()]
