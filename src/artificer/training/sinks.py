"""Where scored rows go, some at a time: a Parquet, CSV, JSON-lines or Arrow file, or a table of a database.

What is written is whole or absent: a file is renamed into place at the end, a table is made and filled in one
transaction.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.durable import remove_parts, replacing
from artificer.errors import ArtificerError, ConfigurationError, DataError, UsageError
from artificer.problem.places import StoreURL

if TYPE_CHECKING:
    import polars as pl


class Sink(ABC):
    """Takes tables in the order of their rows; the first decides the columns and their types."""

    def __init__(self) -> None:
        self.schema: pl.Schema | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows.

        Raises
        ------
        DataError
            Columns differ from those of the first rows in a way that would lose something.
        """
        import polars as pl

        if self.schema is None:
            nothing = [name for name, dtype in frame.schema.items() if dtype == pl.Null]
            frame = frame.with_columns(pl.col(nothing).cast(pl.String)) if nothing else frame
            self.schema = frame.schema
            self.begin(frame)
        self.add(_fitted(frame, self.schema))

    @abstractmethod
    def begin(self, frame: pl.DataFrame) -> None:
        """Prepare for rows like these."""

    @abstractmethod
    def add(self, frame: pl.DataFrame) -> None: ...

    def end(self) -> None:  # noqa: B027 (most have nothing to end)
        """Write what stands behind the rows."""


class FileSink(Sink):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class ParquetSink(FileSink):
    _writer: Any = None

    def begin(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(self.path, _arrow(frame.clear()).schema, compression="snappy")

    def add(self, frame: pl.DataFrame) -> None:
        self._writer.write_table(_arrow(frame))

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()


class ArrowSink(ParquetSink):
    def begin(self, frame: pl.DataFrame) -> None:
        import pyarrow as pa

        self._writer = pa.ipc.new_file(str(self.path), _arrow(frame.clear()).schema)


class TextSink(FileSink):
    """Text files grow at their end."""

    _file: Any = None

    def begin(self, frame: pl.DataFrame) -> None:
        self._file = self.path.open("wb")

    def end(self) -> None:
        if self._file is not None:
            self._file.close()


class CsvSink(TextSink):
    _begun = False

    def add(self, frame: pl.DataFrame) -> None:
        _flat(frame).write_csv(self._file, include_header=not self._begun)
        self._begun = True


class JsonLinesSink(TextSink):
    def add(self, frame: pl.DataFrame) -> None:
        frame.write_ndjson(self._file)


class TableSink(Sink):
    """A new table of a database, filled in one transaction that the caller ends."""

    def __init__(self, connection: Any, name: str) -> None:
        super().__init__()
        self._connection, self._name = connection, name

    def begin(self, frame: pl.DataFrame) -> None:
        import sqlalchemy as sa

        if sa.inspect(self._connection).has_table(self._name):
            raise UsageError(f'the database has a table "{self._name}" already; name another, or drop it first')
        columns = [sa.Column(name, _sql_type(dtype)) for name, dtype in frame.schema.items()]
        self._table = sa.Table(self._name, sa.MetaData(), *columns)
        self._table.create(self._connection)

    def add(self, frame: pl.DataFrame) -> None:
        if frame.height:
            self._connection.execute(self._table.insert(), _flat(frame).to_dicts())


FILES: dict[str, type[FileSink]] = {
    ".parquet": ParquetSink,
    ".csv": CsvSink,
    ".jsonl": JsonLinesSink,
    ".ndjson": JsonLinesSink,
    ".arrow": ArrowSink,
    ".feather": ArrowSink,
}


def is_database(output: str) -> bool:
    return "://" in output


def check_output(output: str, source: str) -> None:
    """Refuse an output that nothing can be written to, before anything slow is done.

    Raises
    ------
    UsageError
        Its kind is unknown, it is the input itself, or it names no table.
    """
    if is_database(output):
        _split(output)
        return
    path = Path(output)
    if path.suffix.lower() not in FILES:
        raise UsageError(f"{output} has no known kind of file; end its name with one of {', '.join(FILES)}")
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise UsageError(f"{output} is the input itself, which is never written over; choose another output")


@contextmanager
def opened(output: str) -> Iterator[Sink]:
    """Open an output; it is whole when the block ends well, and as it was before when it does not.

    Raises
    ------
    ArtificerError
        The disk or the database refuses it.
    """
    if is_database(output):
        with _in_database(output) as table:
            yield table
        return
    import polars as pl
    import pyarrow as pa

    path = Path(output)
    try:
        with ExitStack() as stack:
            remove_parts(path)
            part = stack.enter_context(replacing(path))
            sink: Sink = FILES[path.suffix.lower()](part)
            stack.callback(sink.end)
            yield sink
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        # Arrow writes two sentences: what failed, and why.
        reason = str(getattr(error, "strerror", None) or error).rpartition("Detail: ")[2]
        reason = " ".join(reason.split())[:200].rstrip(".").replace(". ", "; ")
        raise ArtificerError(f"{output} cannot be written ({reason}); free its disk or choose another") from error


@contextmanager
def _in_database(output: str) -> Iterator[Sink]:
    import sqlalchemy as sa

    url, table = _split(output)
    resolved = url.resolve().replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        engine = sa.create_engine(resolved)
        try:
            with engine.begin() as connection:
                yield TableSink(connection, table)
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        reason = url.hide(" ".join(str(error).split("\n")[0].split()))[:300].rstrip(".")
        raise ArtificerError(f"the table cannot be written to {url} ({reason}); check the database") from error


def _split(output: str) -> tuple[StoreURL, str]:
    place, _, table = output.rpartition("#")
    try:
        if not table or not place:
            raise UsageError(
                f"{StoreURL(output)} names no table; write it behind a #, like postgresql://db/shop#scored"
            )
        return StoreURL(place), table
    except ValueError as error:
        raise ConfigurationError(f"the output is not {error}") from None


def _sql_type(dtype: pl.DataType) -> Any:
    import polars as pl
    import sqlalchemy as sa

    if dtype == pl.Boolean:
        return sa.Boolean()
    if dtype.is_integer():
        return sa.BigInteger()
    if dtype.is_float():
        return sa.Double()
    if dtype == pl.Date:
        return sa.Date()
    return sa.DateTime() if isinstance(dtype, pl.Datetime) else sa.Text()


def _fitted(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The rows in the columns and types of the first ones."""
    import polars as pl

    if frame.schema == schema:
        return frame
    strange = [name for name in frame.columns if name not in schema]
    if strange:
        raise DataError(
            f"{len(strange)} columns ({', '.join(strange[:5])}) stand in later rows and not in the first; score files "
            "of one kind together"
        )
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    frame = frame.with_columns(absent).select(schema.names())
    cast = frame.cast(schema, strict=False)
    for name in schema.names():
        if cast[name].null_count() != frame[name].null_count():
            raise DataError(
                f'the column "{name}" is {schema[name]} in the first rows and {frame.schema[name]} later, which would '
                "lose values; give its values one type"
            )
    return cast


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as their JSON text, for files whose cells hold one value."""
    import polars as pl

    def text(values: Any) -> str | None:
        return None if values is None else json.dumps(values.to_list(), ensure_ascii=False, default=str)

    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List | pl.Array)]
    return frame.with_columns(pl.col(name).map_elements(text, return_dtype=pl.String) for name in lists)


def _arrow(frame: pl.DataFrame) -> Any:
    import polars as pl

    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
