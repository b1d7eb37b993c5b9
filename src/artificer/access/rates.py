"""How often somebody may ask: a bucket that fills at a steady rate and is emptied by requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_REMEMBERED: Final = 10_000
"""So many who ask are kept apart; when there are more, those whose buckets are full are forgotten."""


class Rates:
    """Token buckets, one for each who asks. For one thread: the event loop's.

    Parameters
    ----------
    clock : seconds from an arbitrary start, never backwards.

    Examples
    --------
    >>> now = 0.0
    >>> rates = Rates(lambda: now)
    >>> [rates.wait("shop", 2.0) for _ in range(3)]
    [0.0, 0.0, 0.5]
    >>> now = 0.5
    >>> rates.wait("shop", 2.0)
    0.0

    References
    ----------
    J. Turner, "New directions in communications (or which way to the information age?)", IEEE Communications Magazine
    24(10), 1986.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float, float]] = {}

    def wait(self, name: str, rate: float) -> float:
        """Seconds until `name` may ask again, at `rate` requests a second; 0 lets this request pass and counts it.

        As much as one second's requests, and one at least, may come at once.
        """
        now = self._clock()
        most = max(1.0, rate)
        level, at, _ = self._buckets.get(name, (most, now, rate))
        level = min(most, level + (now - at) * rate)
        if level < 1.0:
            self._buckets[name] = (level, now, rate)
            return (1.0 - level) / rate
        if len(self._buckets) >= _REMEMBERED and name not in self._buckets:
            self._forget(now)
        self._buckets[name] = (level - 1.0, now, rate)
        return 0.0

    def _forget(self, now: float) -> None:
        full = [
            name for name, (level, at, rate) in self._buckets.items() if level + (now - at) * rate >= max(1.0, rate)
        ]
        for name in full:
            del self._buckets[name]
