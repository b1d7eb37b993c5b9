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
            tails = self._random.randbytes(8 * count).hex()
        return [_text(first + i, tails[16 * i : 16 * i + 16]) for i in range(count)]


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The first two of the 64 random bits give way to the mark of RFC 9562."""


def _text(moment: int, tail: str) -> str:
    head = f"{moment:015x}"
    return f"{head[:8]}-{head[8:12]}-7{head[12:]}-{_VARIANT[tail[0]]}{tail[1:4]}-{tail[4:]}"
