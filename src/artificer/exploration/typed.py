"""From the cells of a source to typed columns that can be profiled: what each column is, and how its texts are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from artificer.tables.arrays import canonical_texts, column_numbers, column_times
from artificer.tables.contract import ColumnSpec
from artificer.tables.parsing import Reading
from artificer.tables.roles import infer_roles, missing_codes, read_columns, typed_spec
from artificer.types import MISSING_TIME, Role

if TYPE_CHECKING:
    import polars as pl

NO_TARGET = "\x00"
"""Stands for a target where there is none; no table has a column of this name."""
_JUDGED = 50_000


@dataclass(frozen=True, slots=True)
class Reader:
    """How the columns of one table are read.

    Attributes
    ----------
    specs : role and reason of every column, in the table's order.
    plain : the same by type alone: an id is a number or a text all the same.
    notes : cells that could not be read among the rows that were judged.
    """

    specs: tuple[ColumnSpec, ...]
    plain: Mapping[str, ColumnSpec]
    notes: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns of free text."""
        return tuple(spec.name for spec in self.specs if spec.role is Role.TEXT and spec.name in self.plain)

    def typed(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
        """Read rows: typed columns with null for missing, and how many cells of each column could not be read.

        Examples
        --------
        >>> import polars as pl
        >>> table = pl.DataFrame({"price": ["1,5", "7"] * 50 + ["much"], "hue": ["red", ""] * 50 + ["blue"]})
        >>> rows, unread = learn_reader(table).typed(table.tail(3))
        >>> rows.to_dict(as_series=False), unread
        ({'price': [1.5, 7.0, None], 'hue': ['red', None, 'blue']}, {'price': 1})
        """
        import polars as pl

        made, unread = [], {}
        for name, spec in self.plain.items():
            column = read_column(frame[name], spec)
            made.append(column)
            if frame[name].dtype == pl.String and column.dtype != pl.String:
                lost = _given(frame[name], spec) - _read(frame[name], column, spec)
                unread.update({name: lost} if lost > 0 else {})
        return pl.DataFrame(made), unread


def learn_reader(
    frame: pl.DataFrame, target: str | None = None, *, time: str | None = None, group: str | None = None
) -> Reader:
    """Find out what each column is, from the rows or the first part of them.

    Columns of nested values are left out, with a note.
    """
    judged = frame if frame.height <= _JUDGED else frame.sample(_JUDGED, seed=0, shuffle=False)
    specs, notes = infer_roles(judged, target or NO_TARGET, time=time, group=group)
    readings = read_columns(judged)
    plain = {spec.name: _plain(judged[spec.name], spec, readings.get(spec.name)) for spec in specs}
    nested = [name for name, spec in plain.items() if spec.role is Role.IGNORED]
    notes = (*notes, *(f'column "{name}": {plain[name].reason}; it is left out here' for name in nested))
    return Reader(specs, {name: spec for name, spec in plain.items() if name not in nested}, notes)


def _plain(series: pl.Series, spec: ColumnSpec, reading: Reading | None) -> ColumnSpec:
    """The column by type alone, with the numbers that are proven to stand for a missing cell."""
    plain = typed_spec(series, reading)
    if spec.role is Role.TARGET and plain.role is Role.NUMERIC:
        return replace(plain, codes=missing_codes(series.to_frame(), [plain], strict=True).get(plain.name, ()))
    return replace(plain, codes=spec.codes)


def _read(series: pl.Series, column: pl.Series, spec: ColumnSpec) -> int:
    """Cells that were read, those that stand for a missing one included."""
    whole = read_column(series, replace(spec, codes=())) if spec.codes else column
    return len(whole) - whole.null_count()


def read_column(series: pl.Series, spec: ColumnSpec) -> pl.Series:
    """One column by its spec: numbers, booleans, times or texts, with null for missing."""
    import polars as pl

    dtype = series.dtype
    if spec.role is Role.TEXT and dtype.is_nested():
        return series.cast(pl.List(pl.String)).list.join(" ")
    if spec.role is Role.NUMERIC:
        typed = dtype.is_numeric() and not dtype.is_decimal() and not spec.codes
        return series if typed else pl.Series(series.name, column_numbers(series, spec)).fill_nan(None)
    if spec.role is Role.BOOLEAN and dtype == pl.Boolean:
        return series
    if spec.role is Role.DATETIME:
        if isinstance(dtype, (pl.Date, pl.Datetime)) and not spec.codes:
            return series.cast(pl.Datetime("us"))
        seconds = pl.Series(series.name, column_times(series, spec))
        return pl.select(pl.from_epoch(pl.when(seconds != MISSING_TIME).then(seconds)).alias(series.name)).to_series()
    if dtype == pl.Null:
        return series.cast(pl.Float64)
    texts = canonical_texts(series)
    if spec.missing:
        texts = pl.select(pl.when(~texts.is_in(list(spec.missing))).then(texts)).to_series()
    return texts.alias(series.name)


def _given(series: pl.Series, spec: ColumnSpec) -> int:
    """Cells that hold a text which does not stand for missing."""
    import polars as pl

    texts = canonical_texts(series).drop_nulls()
    return len(texts.filter(~texts.is_in(pl.Series(list(spec.missing), dtype=pl.String))) if spec.missing else texts)
