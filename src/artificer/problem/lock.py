"""One process at a time: an advisory lock on a file, which the kernel lets go of when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from artificer.clock import Clock, SystemClock
from artificer.errors import ArtificerError, BusyError

_HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class FileLock:
    """Hold `path` for as long as the ``with`` block lasts. A second holder is refused, in the same process too.

    Parameters
    ----------
    purpose : what the holder does, as the refused one reads it.
    place : what is held, as the refused one reads it; the path itself by default.

    Notes
    -----
    The file stays behind empty, and a file left by a killed process is free: what locks is the open file, not its
    existence. A child that was forked without exec keeps the lock until it ends too.

    Raises
    ------
    BusyError
        Another holder has it; the sentence names its process, since when, and what for.
    ArtificerError
        The lock file cannot be made or locked.
    """

    def __init__(self, path: Path, purpose: str = "working", clock: Clock | None = None, *, place: str = "") -> None:
        self.path = path
        self.place = place or str(path)
        self.purpose = purpose
        self.clock = clock or SystemClock()
        self._file: int | None = None

    def __enter__(self) -> FileLock:
        if self._file is not None:
            raise BusyError(f"{self.path} is held by this very process (pid {os.getpid()}); let go of it first")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ArtificerError(
                f"{self.path} cannot be opened ({error.strerror or error}); make its folder writable"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sign(file)
        except OSError as error:
            try:
                if error.errno in _HELD:
                    raise self._busy(file) from None
                raise ArtificerError(f"{self.path} cannot be locked ({error.strerror or error})") from None
            finally:
                os.close(file)
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            # Unlinking would let a third process lock a new file of the same name beside a waiting second one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def _sign(self, file: int) -> None:
        holder = {"pid": os.getpid(), "since": self.clock.now().isoformat(timespec="seconds"), "purpose": self.purpose}
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(holder).encode(), 0)

    def _busy(self, file: int) -> BusyError:
        who, since, doing = _holder(file)
        return BusyError(f"{who} has been {doing} in {self.place} {since}; wait until it ends, or stop that process")


def _holder(file: int) -> tuple[str, str, str]:
    """Who signed the lock file; in words that fit where nobody did (the holder has only just locked it)."""
    holder: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        read = json.loads(os.pread(file, 4096, 0))
        holder = read if isinstance(read, dict) else {}
    who = f"process {holder['pid']}" if isinstance(holder.get("pid"), int) else "another process"
    since = "for a moment"
    with contextlib.suppress(ValueError, TypeError):
        since = f"since {datetime.fromisoformat(holder.get('since')):%Y-%m-%d %H:%M:%S %Z}".rstrip()  # type: ignore[arg-type]
    return who, since, str(holder.get("purpose") or "working")
