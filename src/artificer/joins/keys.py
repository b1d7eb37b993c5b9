"""What rows of two tables are matched by: keys as their canonical text, and moments on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from artificer.errors import DataError
from artificer.tables.arrays import canonical_texts, column_numbers, column_times
from artificer.tables.cells import ColumnSpec
from artificer.tables.roles import find_column, read_columns, typed_spec
from artificer.types import MISSING_TIME, Doubles, Role

if TYPE_CHECKING:
    import polars as pl


def key_columns(frame: pl.DataFrame, names: Sequence[str], purpose: str) -> list[pl.Series]:
    """Keys as text, so that ``7``, ``7.0``, ``"7"`` and ``"7.0"`` are one key; called ``k0``, ``k1``, ...

    Whole numbers are written with a point where a table of them once had a gap.

    Raises
    ------
    DataError
        A column is not there.
    """
    for name in names:
        find_column(name, frame.columns, purpose)
    texts = (canonical_texts(frame[name]).str.replace(r"^(-?\d+)\.0+$", "$1") for name in names)
    return [series.alias(f"k{i}") for i, series in enumerate(texts)]


def specs_of(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, ColumnSpec]:
    """How columns are read, decided over the whole of them."""
    taken = frame.select(list(dict.fromkeys(names)))
    readings = read_columns(taken)
    return {series.name: typed_spec(series, readings.get(series.name)) for series in taken.get_columns()}


def moments(series: pl.Series, spec: ColumnSpec, *, late: bool = False) -> Doubles:
    """Times in epoch seconds (n), or the numbers themselves where numbers order the rows; NaN where missing.

    Parts of a second count downwards, and upwards where `late`: what happened within a row's own second is never taken
    for earlier than it.

    Raises
    ------
    DataError
        The column holds neither times nor numbers.
    """
    import polars as pl

    if spec.role is Role.NUMERIC:
        return column_numbers(series, spec)
    if not holds_times(spec) and series.dtype != pl.Null:
        example = series.drop_nulls().head(1).to_list()
        shown = f' (e.g. "{str(example[0])[:40]}")' if example else ""
        raise DataError(f'the time column "{series.name}" does not hold times in one format{shown}; name another one')
    seconds = column_times(series, spec)
    found: Doubles = np.where(seconds == MISSING_TIME, np.nan, seconds.astype(np.float64))
    if late and isinstance(series.dtype, pl.Datetime):
        ticks = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[series.dtype.time_unit]
        found = found + ((series.cast(pl.Int64) % ticks).fill_null(0).to_numpy() > 0)
    return found


def holds_times(spec: ColumnSpec) -> bool:
    """Whether a column holds times, whatever it is used for."""
    return spec.role is Role.DATETIME


def pairs(on: Mapping[str, str] | Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the keys in the rows and in the joined table.

    Examples
    --------
    >>> pairs({"customer": "id"}), pairs(["shop"])
    ((['customer'], ['id']), (['shop'], ['shop']))
    """
    return (list(on), list(on.values())) if isinstance(on, Mapping) else (list(on), list(on))
