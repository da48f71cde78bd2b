"""Memory that was freed goes back to the system: glibc keeps it otherwise, in an arena for each thread, and blocks of megabytes too.

`make bench ARGS="scale --full"` shows what a broadcast to 10,000 destinations takes. Where the C library is another, nothing is set.
"""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_BLOCK = 256 * 1024


def give_back() -> None:
    """To be called before threads are begun."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, _BLOCK), (_MMAP_THRESHOLD, _BLOCK)):
            mallopt(option, value)
