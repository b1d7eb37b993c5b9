"""The decision log: what was decided or done about a project's models, by whom, and on what evidence."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from artificer.errors import ArtificerError
from artificer.types import Json

SCHEMA = "artificer.history/1"


@dataclass(frozen=True, slots=True)
class Record:
    """One decision or deed.

    Attributes
    ----------
    key : unique; writing a key twice keeps the first, so that a resumed workflow repeats nothing.
    at : unix seconds.
    kind : "train", "decision", "promotion", "kept", "rollback", "alert".
    actor : "loop" or the person's command.
    """

    key: str
    at: float
    kind: str
    actor: str
    summary: str
    version: int | None = None
    evidence: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        return asdict(self)


class History:
    """An append-only file of JSON lines; a record is on the disk before `write` returns.

    Examples
    --------
    >>> import tempfile
    >>> history = History(Path(tempfile.mkdtemp()) / "history.jsonl")
    >>> history.write(Record("a", 1.0, "train", "person", "trained version 1", 1))
    True
    >>> history.write(Record("a", 2.0, "train", "person", "the same key again", 1))
    False
    >>> [record.summary for record in history.records()]
    ['trained version 1']
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def write(self, record: Record) -> bool:
        """Append `record` unless its key is there already; says whether it was written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self.path) as file:
                lines = file.read().splitlines(keepends=True)
                # A line that a crash cut short was never acknowledged; it is closed so that it cannot spoil the next.
                if lines and not lines[-1].endswith(b"\n"):
                    file.write(b"\n")
                if any(known.key == record.key for known in _parse(lines)):
                    return False
                file.write(json.dumps(record.to_json(), ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                return True
        except OSError as error:
            raise ArtificerError(f"the history {self.path} cannot be written ({error}); free its disk") from error

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        try:
            return list(_parse(self.path.read_bytes().splitlines(keepends=True)))
        except FileNotFoundError:
            return []

    def to_json(self, limit: int | None = None) -> Json:
        """The document of ``history --json``, newest first."""
        records = self.records()[::-1][:limit]
        return {"schema": SCHEMA, "records": [{**r.to_json(), "when": _iso(r.at)} for r in records]}


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _parse(lines: list[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            yield Record(**json.loads(line))
        except (ValueError, TypeError):
            continue  # cut short by a crash, so never acknowledged


def _iso(at: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
