"""The profile of a table: one pass over its batches, bounded memory, and parts that add up to the whole.

Every column becomes a `ColumnProfile`; beside them a uniform sample of rows is kept, for what looks at several columns
at once. The same records, made of the rows that a model was trained on, travel in its bundle as the reference of drift.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artificer.errors import DataError
from artificer.profile.column import ColumnProfile
from artificer.profile.sample import Sample, sample_rows
from artificer.types import Kind

if TYPE_CHECKING:
    import polars as pl

BATCH_CELLS = 8_000_000
MOST_BATCH_ROWS = 250_000


@dataclass(frozen=True, slots=True)
class Profile:
    """A table's columns, and a sample of its rows.

    ``profile(a) + profile(b)`` is the profile of both: counts and moments exactly, quantiles within the sketch's rank
    error, the number of distinct values exactly as if it had been made of all rows.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    sample: Sample

    def __add__(self, other: Profile) -> Profile:
        if [c.name for c in self.columns] != [c.name for c in other.columns]:
            raise DataError("profiles of tables with different columns cannot be added; select the same columns first")
        columns = tuple(a + b for a, b in zip(self.columns, other.columns, strict=True))
        return Profile(self.rows + other.rows, columns, self.sample + other.sample)

    def column(self, name: str) -> ColumnProfile:
        return next(column for column in self.columns if column.name == name)


def profile(
    table: pl.DataFrame | Iterable[pl.DataFrame],
    *,
    texts: Collection[str] = (),
    exact: bool = False,
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Profile:
    """Profile a table, or batches of one, in one pass.

    Parameters
    ----------
    table : typed columns, null for missing.
    texts : columns of free text; they are measured in words. Other columns go by their type.
    exact : of rows in memory, count every category and count numbers between exact quantiles.
    sample : rows to keep; by default `sample_rows`.
    threads : by default one a core.

    Raises
    ------
    DataError
        There is no batch, batches differ in their columns, or a column holds neither numbers, texts nor times.

    Examples
    --------
    >>> import polars as pl
    >>> halves = [pl.DataFrame({"x": [1.0, 2.0], "hue": ["red", None]}), pl.DataFrame({"x": [6.0], "hue": ["red"]})]
    >>> found = profile(halves)
    >>> found.rows, found.column("x").moments.mean, found.column("hue").counts.most_common()
    (3, 3.0, [('red', 2)])
    """
    import polars as pl

    whole: Profile | None = None
    workers = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(workers, "artificer-profile") as pool:
        for batch in [table] if isinstance(table, pl.DataFrame) and exact else batches_of(table):
            at = whole.rows if whole else 0
            most = sample_rows(batch.width) if sample is None else sample
            columns = batch.get_columns()
            kinds = [kind_of(column, texts) for column in columns]
            made = tuple(pool.map(lambda c, k: ColumnProfile.of(c, k, exact=exact), columns, kinds))
            part = Profile(batch.height, made, Sample.of(batch, most, seed=seed, at=at))
            whole = part if whole is None else whole + part
    if whole is None:
        raise DataError("there are no rows to profile; give a table with at least one")
    return whole


def batches_of(table: pl.DataFrame | Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut a table into batches that are worth a pass and fit into memory beside each other."""
    import polars as pl

    if not isinstance(table, pl.DataFrame):
        yield from table
        return
    rows = batch_rows(table.width)
    for start in range(0, max(table.height, 1), rows):
        yield table.slice(start, rows)


def batch_rows(width: int) -> int:
    """Rows of a batch of so many columns.

    Examples
    --------
    >>> batch_rows(20), batch_rows(1_000)
    (250000, 8000)
    """
    return max(1_000, min(MOST_BATCH_ROWS, BATCH_CELLS // max(width, 1)))


def kind_of(series: pl.Series, texts: Collection[str] = ()) -> Kind:
    """What a typed column is measured as.

    Raises
    ------
    DataError
        Its values are nested, or of another type that has no measure.
    """
    import polars as pl

    dtype = series.dtype
    if series.name in texts:
        return Kind.TEXTS
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        return Kind.NUMBERS
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return Kind.TIMES
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return Kind.STRINGS
    raise DataError(f'column "{series.name}" holds values of type {dtype}; make texts or numbers of them first')
