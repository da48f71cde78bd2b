"""Checkpoints of the record (c2sp.org/tlog-checkpoint): origin, how many entries, and the root of the Merkle tree over them (RFC 6962).

The tree's leaves are the entries' hashes, 32 bytes each; what those cover lies in `app.store.timeline`. Of a tree that grows only the
roots of its whole subtrees are kept, so that the next root needs the new leaves alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from itertools import pairwise

from app.domain.note import NoteRefused, Signer, Verifier, opened

_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(slots=True)
class Tree:
    """A Merkle tree (RFC 6962, section 2.1) that grows by one leaf at a time."""

    size: int = 0
    _subtrees: list[bytes] = field(default_factory=list)  # roots of whole subtrees, the largest first; one for each 1 bit of `size`

    def add(self, leaf: bytes) -> None:
        """One leaf more."""
        grown, at = hashlib.sha256(b"\x00" + leaf).digest(), self.size
        while at & 1:
            grown, at = _node(self._subtrees.pop(), grown), at >> 1
        self._subtrees.append(grown)
        self.size += 1

    @property
    def root(self) -> bytes:
        """32 bytes."""
        if not self._subtrees:
            return hashlib.sha256(b"").digest()
        *left, root = self._subtrees
        for subtree in reversed(left):
            root = _node(subtree, root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How long a record is, and the root of the tree over it."""

    origin: str
    size: int
    root: bytes

    def note(self, signer: Signer) -> str:
        """Signed, as it is sent."""
        return signer.sign(f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n")

    @classmethod
    def opened(cls, note: str, verifier: Verifier) -> Checkpoint:
        """The checkpoint that a key signed for the record of its name. Raises `NoteRefused`, and nothing else."""
        origin, size, root, *more = [*opened(note, verifier).split("\n"), "", ""][:5]
        try:
            decoded = base64.b64decode(root, validate=True)
        except ValueError as error:
            raise NoteRefused("The note is signed, and no checkpoint: its third line is no base64.") from error
        if origin != verifier.name or not _SIZE.fullmatch(size) or len(decoded) != 32 or any(more):
            raise NoteRefused("The note is signed, and no checkpoint of this record: origin, size and root are its three lines.")
        return cls(origin, int(size), decoded)


def notes_of(text: str) -> list[str]:
    """The notes of a file to which they were appended, each followed by an empty line; what a crash cut off belongs to none."""
    blocks = re.split(r"\n{2,}", text.rstrip("\n"))
    return [f"{said}\n\n{signed}\n" for said, signed in pairwise(blocks) if signed.startswith("— ") and not said.startswith("— ")]
