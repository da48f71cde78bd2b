"""Signed notes (c2sp.org/signed-note, Ed25519): a text, a blank line, signatures that each name their key.

So that a witness can check them with its own tools, bytes are as that specification and Go's `sumdb/note` have them, also those of a
verifier key: `<name>+<key id>+<base64 of the type and the public key>`. What a note says is left to others: `app.domain.checkpoint`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
MAX_NOTE = 1_000_000
"""Characters; nothing longer is even parsed."""

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})\n")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class NoteRefused(ValueError):
    """This is no note, no key, or no signature of that key; the message says which."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name."""

    name: str
    public: bytes  # 32 bytes

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """The key that this text is. Raises `NoteRefused`, and nothing else, whatever the text."""
        name, _, rest = text.strip().partition("+")
        try:
            raw, _ = base64.b64decode(rest.partition("+")[2], validate=True), name.encode()
        except ValueError as error:
            raise NoteRefused("A verifier key is written name+key id+base64; this one is cut off or of another kind.") from error
        if not _NAME.fullmatch(name) or len(raw) != 33 or raw[:1] != ED25519:
            raise NoteRefused("This is no verifier key of Ed25519, which is written name+key id+base64.")
        found = cls(name, raw[1:])
        if str(found) != text.strip():
            raise NoteRefused("The verifier key does not agree with itself: it was changed or cut off. Copy all of it.")
        return found

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which signatures name it."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under a name without spaces and `+`. Raises `NoteRefused` for another."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteRefused(f"{self.name!r} cannot name a key: write it without spaces and +.")

    @property
    def verifier(self) -> Verifier:
        """Its public half."""
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note of that text, which ends in a newline."""
        signature = base64.b64encode(self.verifier.key_id + self.private.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def opened(note: str, verifier: Verifier) -> str:
    """The text of a note that this key signed; signatures of others are passed over. Raises `NoteRefused`, and nothing else."""
    text, lines = _parsed(note)
    mine = [signature[4:] for name, signature in lines if (name, signature[:4]) == (verifier.name, verifier.key_id)]
    if not mine:
        raise NoteRefused(f"The note is not signed by {verifier.name} with that key.")
    for signature in mine:
        try:
            Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError) as error:
            raise NoteRefused(f"The signature of {verifier.name} is not over this text: the note was changed.") from error
    return text


def _parsed(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > MAX_NOTE or _CONTROL.search(note):
        raise NoteRefused("This is no signed note: it is too long, or holds control characters.")
    text, blank, signatures = note.rpartition("\n\n")
    lines = list(_LINE.finditer(signatures))
    if not blank or not lines or "".join(line[0] for line in lines) != signatures:
        raise NoteRefused("This is no signed note: a text, an empty line, and lines that begin with — and end in a signature.")
    try:
        (text + "\n").encode()
        return text + "\n", [(line["name"], _decoded(line["signature"])) for line in lines]
    except ValueError as error:
        raise NoteRefused("This is no signed note: something in it is no text, or no base64.") from error


def _decoded(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text or len(raw) < 5:
        raise ValueError("base64 has one form")
    return raw
