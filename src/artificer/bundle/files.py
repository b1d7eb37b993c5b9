"""Files of bundles and records: whole or absent, and a refusal that says what to do."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from artificer.durable import replacing
from artificer.errors import ArtificerError


def write_atomically(path: Path, data: bytes, what: str) -> None:
    """Put `data` at `path` so that a reader, or a machine that loses power, sees the old file or the new one.

    Parameters
    ----------
    what : what the file is, for the error message, e.g. ``"the bundle"``.

    Raises
    ------
    ArtificerError
        The folder refuses the file (disk full, no permission, ...); nothing of it is left behind.
    """
    path = Path(path)
    try:
        with replacing(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise ArtificerError(f"{what} could not be written to {path}: {_cause(error, path, len(data))}") from error


def _cause(error: OSError, path: Path, size: int) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        try:
            free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
        except OSError:
            free = "free space unknown"
        return f"{reason} ({size / 1e6:.1f} MB needed, {free}); make room there and run the command again"
    return f"{reason}; check that the folder exists and may be written to, then run the command again"
