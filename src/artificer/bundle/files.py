"""Files that are whole or absent: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path

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
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise ArtificerError(f"{what} could not be written to {path}: {_cause(error, path, len(data))}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _sync_folder(folder: Path) -> None:
    # The rename itself is only durable once the folder's own entry is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cause(error: OSError, path: Path, size: int) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        try:
            free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
        except OSError:
            free = "free space unknown"
        return f"{reason} ({size / 1e6:.1f} MB needed, {free}); make room there and run the command again"
    return f"{reason}; check that the folder exists and may be written to, then run the command again"
