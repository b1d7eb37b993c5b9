"""The holdout ledger: every read of the test set, with who and why, so that its use up is visible."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from artificer.errors import ArtificerError
from artificer.types import Json


@dataclass(frozen=True, slots=True)
class HoldoutRead:
    """One read of the test set. ``when`` is ISO 8601; empty for a line that cannot be read any more."""

    who: str
    why: str
    when: str

    def to_json(self) -> Json:
        return asdict(self)


class HoldoutLedger:
    """An append-only file of JSON lines. A recorded read is on the disk before `record` returns.

    Several processes may record at once: a line is one write in append mode. A line that a crash cut short is closed by
    the next record, and reported as a read of an unknown reader, never dropped: too many reads listed is the safe side.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> ledger = HoldoutLedger(Path(tempfile.mkdtemp()) / "holdout.jsonl")
    >>> ledger.record("training run 1", "final evaluation", datetime(2026, 1, 1, tzinfo=UTC))
    >>> [read.who for read in ledger.entries()]
    ['training run 1']
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def record(self, who: str, why: str, when: datetime) -> None:
        """Append one read.

        Raises
        ------
        ArtificerError
            The line cannot be written; the caller must then not look at the test set.
        """
        line = json.dumps(HoldoutRead(who, why, when.isoformat()).to_json(), ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not self.path.exists()
            with self.path.open("a+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                if end:
                    file.seek(end - 1)
                    line = line if file.read(1) == b"\n" else "\n" + line
                data = line.encode()
                if file.write(data) != len(data):
                    raise OSError("the line was cut short")
                os.fsync(file.fileno())
            if is_new:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise ArtificerError(
                f"The holdout ledger {self.path} cannot be written ({error}); free its disk."
            ) from error

    def entries(self) -> tuple[HoldoutRead, ...]:
        """All reads, oldest first; none when the file does not exist yet."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ArtificerError(f"The holdout ledger {self.path} cannot be read ({error}).") from error
        return tuple(_parse(line) for line in lines if line.strip())


def _parse(line: bytes) -> HoldoutRead:
    try:
        record = json.loads(line)
        return HoldoutRead(str(record["who"]), str(record["why"]), str(record["when"]))
    except (ValueError, KeyError, TypeError):
        return HoldoutRead("unknown", "the line of this read was cut short", "")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
