"""Time and seeds. Both are passed in, so that a run can be repeated and a test can own the clock."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class ManualClock:
    """A clock that moves when told to.

    Examples
    --------
    >>> clock = ManualClock()
    >>> clock.advance(60)
    >>> clock.monotonic()
    60.0
    """

    start: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    elapsed: float = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a clock by which work ends. ``at=inf`` never passes."""

    clock: Clock
    at: float = math.inf

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        return cls(clock, clock.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, negative once it has passed."""
        return self.at - self.clock.monotonic()


def derive_seed(seed: int, *names: object) -> int:
    """Give an independent 32-bit seed to each named piece of work under one master seed.

    Examples
    --------
    >>> derive_seed(0, "fold", 1) == derive_seed(0, "fold", 1)
    True
    >>> derive_seed(0, "fold", 1) == derive_seed(0, "fold", 2)
    False
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
