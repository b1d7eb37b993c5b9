"""Files that are whole or absent: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PART: Final = ".tmp"
"""How the name of a file ends that is not whole yet; what a killed process left may be removed."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a free name beside `path` to write to; what stands there at the end is synced and renamed to `path`.

    A reader, or a machine that loses power, sees the old file or the new one. Where the block raises, nothing is left
    behind and `path` stays as it was. ``OSError`` is the caller's to explain.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "new" / "a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     [file.name for file in (Path(folder) / "new").iterdir()]
    ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.{secrets.token_hex(6)}{PART}"
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of a file that they never finished."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 12}{PART}"):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: a rename is only on disk once the folder's own entry is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
