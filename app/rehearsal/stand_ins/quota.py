"""Counts requests in fixed slices of time, as X and Reddit do for their rate limits."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Left:
    """What is left after a request: `remaining` is -1 for one too many; `reset_at` is Unix seconds."""

    limit: int
    used: int
    reset_at: float

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, -1)

    @property
    def reset_in(self) -> int:
        """Whole seconds, at least 1."""
        return max(math.ceil(self.reset_at - time.time()), 1)


@dataclass(slots=True)
class Quota:
    """Slices of `seconds`. The first is half over: a slice of the real service also begins where it likes, and praw would sleep
    through the first seconds of a fresh one."""

    seconds: int
    began: float = 0.0
    used: Counter[Hashable] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began = time.time() - self.seconds / 2

    def take(self, key: Hashable, limit: int) -> Left:
        """Counts one request under `key`."""
        self._turn()
        self.used[key] += 1
        return Left(limit, self.used[key], self.began + self.seconds)

    def look(self, key: Hashable, limit: int) -> Left:
        """What is left, without counting one."""
        self._turn()
        return Left(limit, self.used[key], self.began + self.seconds)

    def _turn(self) -> None:
        gone = int((time.time() - self.began) // self.seconds)
        if gone:
            self.began += gone * self.seconds
            self.used.clear()
