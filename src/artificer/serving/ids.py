"""Names of predictions: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

import os
import random
import threading
import time


class Ids:
    """Makes ids. Within one process they rise strictly; 62 random bits keep processes apart. Safe between threads.

    References
    ----------
    K. Davis, B. Peabody, P. Leach, "Universally Unique IDentifiers (UUIDs)", RFC 9562, 2024: section 5.7, with the
    sub-millisecond fraction of section 6.2 (method 3) as its 12 bits.

    Examples
    --------
    >>> first, second = Ids().take(2)
    >>> first < second, len(first), first[14]
    (True, 36, '7')
    """

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))
        self._last = 0
        self._door = threading.Lock()

    def take(self, count: int) -> list[str]:
        """Give `count` ids."""
        milliseconds, rest = divmod(time.time_ns(), 1_000_000)
        with self._door:
            # 48 bits of milliseconds and 12 of their fraction, counted on where the clock stands still or goes back.
            first = max(milliseconds << 12 | rest * 4096 // 1_000_000, self._last + 1)
            self._last = first + count - 1
            tails = [self._random.getrandbits(62) for _ in range(count)]
        return [_text(first + i, tail) for i, tail in enumerate(tails)]


def _text(moment: int, tail: int) -> str:
    digits = f"{(moment >> 12 << 16 | 0x7000 | moment & 0xFFF) << 64 | 1 << 63 | tail:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
