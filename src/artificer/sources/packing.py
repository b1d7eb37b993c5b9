"""Files as bytes, unpacked on the way where they are compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from artificer.errors import SourceError

CHUNK = 1 << 20
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
SUFFIXES = (".gz", ".zst", ".zstd", ".bz2", ".xz")


def packing(path: Path) -> str | None:
    """How a file is compressed, by its first bytes; None where it is not."""
    with path.open("rb") as file:
        head = file.read(8)
    return next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)


def chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """The file's bytes, unpacked, a piece at a time.

    Raises
    ------
    SourceError
        The compressed file is damaged or cut short.
    """
    kind = packing(path)
    try:
        with _open(path, kind) as file:
            while chunk := file.read(size):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise _damaged(path, kind, error) from error
    except OSError as error:
        if kind is None or error.errno is not None:  # the disk's fault, not the content's
            raise
        raise _damaged(path, kind, error) from error


def first_bytes(path: Path, size: int = 4096) -> bytes:
    """The beginning of the file, unpacked."""
    return next(chunks(path, size), b"")


def _open(path: Path, kind: str | None) -> Any:
    if kind is None:
        return path.open("rb")
    if kind == "zstd":
        import pyarrow

        return pyarrow.input_stream(str(path), compression="zstd")
    openers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    opened: IO[bytes] = openers[kind](path, "rb")
    return opened


def _damaged(path: Path, kind: str | None, error: Exception) -> SourceError:
    return SourceError(f'"{path}" is a damaged {kind} file ({error}); fetch it again')
