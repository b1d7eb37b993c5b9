"""The audit log: who changed what, when; one JSON object a line, added to and never rewritten."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_log = logging.getLogger("artificer.access")


class Audit:
    """Appends to the log. Lines of several processes stay whole: each is one write to a file opened for appending.

    A log that cannot be written is said in the ordinary log and stops nothing: a service that cannot note that it was
    stopped must still stop.

    Parameters
    ----------
    path : the file, made where absent, readable by its owner alone; None keeps no log.
    clock : the time to write down.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> Audit(path, lambda: datetime(2026, 1, 2, tzinfo=UTC)).note("token.added", "person", token="shop")
    >>> print(path.read_text(), end="")
    {"at": "2026-01-02T00:00:00+00:00", "action": "token.added", "actor": "person", "token": "shop"}
    """

    def __init__(self, path: Path | None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self._clock = clock
        self._door = threading.Lock()

    def note(self, action: str, actor: str, *, durable: bool = True, **details: Any) -> None:
        """Write a line.

        Parameters
        ----------
        action : what was done, ``thing.done``.
        actor : who did it: a token's name, "person", "service".
        durable : on the disk before this returns.
        details : what else belongs to it; JSON values, never a secret.
        """
        if self.path is None:
            return
        at = self._clock().isoformat(timespec="seconds")
        line = json.dumps({"at": at, "action": action, "actor": actor, **details}, ensure_ascii=False, default=str)
        try:
            with self._door:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    os.write(file, line.encode() + b"\n")
                    if durable:
                        os.fsync(file)
                finally:
                    os.close(file)
        except OSError as error:
            _log.error("the audit log %s cannot be written: %s; lost: %s", self.path, error, line)
