"""Waiting for a lock that is held for moments only."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from artificer.clock import Clock, Deadline, SystemClock
from artificer.errors import BusyError
from artificer.problem.lock import FileLock

PATIENCE = 60.0
"""Seconds: longer than anyone honestly holds the registry."""
_PAUSE = 0.02


@contextlib.contextmanager
def waited(lock: FileLock, seconds: float | None = None, clock: Clock | None = None) -> Iterator[None]:
    """Hold `lock`, waiting up to `seconds` (:data:`PATIENCE` by default) for its holder.

    Raises
    ------
    BusyError
        It is still held after that.
    """
    deadline = Deadline.after(clock or SystemClock(), PATIENCE if seconds is None else seconds)
    while True:
        try:
            lock.__enter__()
        except BusyError:
            if deadline.remaining <= 0:
                raise
            time.sleep(_PAUSE)
        else:
            break
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
