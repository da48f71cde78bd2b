"""SSH's wire format of strings (RFC 4251, section 5): each with its length in 4 bytes before it."""

from __future__ import annotations

import struct


def pack(*strings: bytes) -> bytes:
    """The strings one after another."""
    return b"".join(struct.pack(">I", len(string)) + string for string in strings)


def unpack(raw: bytes, count: int) -> list[bytes]:
    """Exactly `count` strings and not a byte more. Raises ValueError."""
    strings, at = [], 0
    for _ in range(count):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        if len(raw) < at + 4 or len(raw) < end:
            raise ValueError("the data end too early")
        strings.append(raw[at + 4 : end])
        at = end
    if at != len(raw):
        raise ValueError("there are data after the end")
    return strings
