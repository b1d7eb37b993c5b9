"""Fingerprints of content: equal content has an equal one, whenever and wherever it was read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.sources.base import Part

if TYPE_CHECKING:
    import polars as pl

_MARK = "sha256:"


def file_fingerprint(path: Path) -> str:
    """SHA-256 of the bytes as they lie on disk."""
    with path.open("rb") as file:
        return _MARK + hashlib.file_digest(file, "sha256").hexdigest()


def combined(parts: Sequence[Part]) -> str:
    """One fingerprint for several parts in their order; that of a single part is its own."""
    if len(parts) == 1:
        return parts[0].fingerprint
    return _MARK + hashlib.sha256("\n".join(part.fingerprint for part in parts).encode()).hexdigest()


def frame_fingerprint(frame: pl.DataFrame) -> str:
    """SHA-256 over names, types and cells of a table in memory, in row order."""
    digest = hashlib.sha256()
    for column in frame.get_columns():
        digest.update(f"{column.name}\x1f{column.dtype}\x1f{len(column)}\x1e".encode())
        for start in range(0, max(len(column), 1), 100_000):
            part = column.slice(start, 100_000)
            digest.update(repr(part.is_null().to_numpy().nonzero()[0].tolist()).encode())
            digest.update(_bytes(part))
    return _MARK + digest.hexdigest()


def rows_fingerprint(frame: pl.DataFrame) -> str:
    """The same whatever the order of the rows, which a database is free to choose."""
    plain = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    return frame_fingerprint(frame.sort(plain, nulls_last=True) if plain else frame)


def _bytes(part: pl.Series) -> bytes:
    if part.dtype.is_numeric() and not part.dtype.is_decimal():
        return part.fill_null(0).to_numpy().tobytes()
    if part.dtype.is_temporal():
        return part.to_physical().fill_null(0).to_numpy().tobytes()
    return "\x1f".join("" if cell is None else str(cell) for cell in part.to_list()).encode(errors="replace")
