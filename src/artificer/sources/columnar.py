"""Parquet, and Arrow IPC (Feather): tables that bring their types along."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Source


def _damaged(path: Path, kind: str, error: Exception) -> SourceError:
    cause = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return SourceError(f'"{path}" is cut short or no {kind} file ({cause}); write or fetch it again')


class Parquet(Source):
    """Parquet file."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq", ".parq")

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"PAR1")

    def read(self, path: Path, options: ReadOptions) -> Content:
        import polars as pl

        try:
            return Content(pl.read_parquet(path, glob=False))
        except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
            raise _damaged(path, "Parquet", error) from error


class ArrowIpc(Source):
    """Arrow IPC file (Feather version 2) or stream."""

    name: ClassVar[str] = "arrow"
    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc", ".arrows")

    def recognises(self, head: bytes) -> bool:
        return head.startswith((b"ARROW1", b"\xff\xff\xff\xff"))

    def read(self, path: Path, options: ReadOptions) -> Content:
        import polars as pl

        try:
            with path.open("rb") as file:
                head = file.read(8)
            return Content(pl.read_ipc(path) if head.startswith(b"ARROW1") else pl.read_ipc_stream(path))
        except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
            raise _damaged(path, "Arrow", error) from error
