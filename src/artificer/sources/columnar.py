"""Parquet, and Arrow IPC (Feather): tables that bring their types along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from artificer.errors import SourceError
from artificer.sources.base import Content, ReadOptions, Source


@contextmanager
def _whole(path: Path, kind: str) -> Iterator[None]:
    """Say of a file that fails to be read that it is damaged."""
    import polars as pl
    import pyarrow

    try:
        yield
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException, pyarrow.ArrowException) as error:
        cause = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise SourceError(f'"{path}" is cut short or no {kind} file ({cause}); write or fetch it again') from error


class Parquet(Source):
    """Parquet file."""

    name: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq", ".parq")

    def recognises(self, head: bytes) -> bool:
        return head.startswith(b"PAR1")

    def read(self, path: Path, options: ReadOptions) -> Content:
        import polars as pl

        with _whole(path, "Parquet"):
            return Content(pl.read_parquet(path, glob=False, hive_partitioning=False))

    def batches(self, path: Path, options: ReadOptions) -> Iterator[Content]:
        import polars as pl
        import pyarrow.parquet as pq

        with _whole(path, "Parquet"), pq.ParquetFile(path) as file:
            yield Content(pl.DataFrame(pl.from_arrow(file.schema_arrow.empty_table())))
            for batch in file.iter_batches(options.batch_rows):
                yield Content(pl.DataFrame(pl.from_arrow(batch)))


class ArrowIpc(Source):
    """Arrow IPC file (Feather version 2) or stream."""

    name: ClassVar[str] = "arrow"
    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc", ".arrows")

    def recognises(self, head: bytes) -> bool:
        return head.startswith((b"ARROW1", b"\xff\xff\xff\xff"))

    def read(self, path: Path, options: ReadOptions) -> Content:
        import polars as pl

        with _whole(path, "Arrow"):
            with path.open("rb") as file:
                head = file.read(8)
            return Content(pl.read_ipc(path) if head.startswith(b"ARROW1") else pl.read_ipc_stream(path))
