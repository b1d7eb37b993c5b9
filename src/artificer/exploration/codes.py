"""Columns of any type as small whole numbers, so that all of them can be held against each other in one way.

Numbers and times fall between quantiles, categories keep the most frequent, texts go by their number of words; a
missing cell is a level of its own. There are no more levels than the rows can bear.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from artificer.profile.profile import kind_of
from artificer.types import Doubles, Ints, Kind

if TYPE_CHECKING:
    import polars as pl

MISSING = "missing"
OTHER = "other values"
MOST_LEVELS = 12
_FEWEST_ROWS = 5


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as level codes.

    Attributes
    ----------
    codes : (n,), places in `labels`.
    labels : what a level stands for, rising for numbers.
    values : (n,), NaN for missing: numbers, seconds, words of a text; None for categories.
    """

    name: str
    kind: Kind
    codes: Ints
    labels: tuple[str, ...]
    values: Doubles | None = None

    def take(self, rows: Ints | slice) -> Coded:
        values = None if self.values is None else self.values[rows]
        return Coded(self.name, self.kind, self.codes[rows], self.labels, values)

    @property
    def missing(self) -> int | None:
        """The level of missing cells, if there are any."""
        return len(self.labels) - 1 if self.labels and self.labels[-1] == MISSING else None


def level_count(rows: int, most: int = MOST_LEVELS) -> int:
    """Levels of which every pair still has some twenty rows.

    Examples
    --------
    >>> level_count(100), level_count(1_000), level_count(100_000)
    (3, 7, 12)
    """
    return max(3, min(most, math.isqrt(max(rows, 0) // 20)))


def code_columns(frame: pl.DataFrame, texts: Collection[str] = (), *, levels: int | None = None) -> tuple[Coded, ...]:
    """Code every column of a typed table.

    Examples
    --------
    >>> import polars as pl
    >>> hue, size = code_columns(pl.DataFrame({"hue": ["red", None] * 10, "size": [1, 2] * 10}))
    >>> hue.labels, hue.codes[:3].tolist(), size.labels, size.values[:2].tolist()
    (('red', 'missing'), [0, 1, 0], ('1', '2'), [1.0, 2.0])
    """
    count = levels or level_count(frame.height)
    return tuple(code_column(series, kind_of(series, texts), count) for series in frame.get_columns())


def code_column(series: pl.Series, kind: Kind, levels: int) -> Coded:
    """Code one typed column into at most `levels` levels, missing cells aside."""
    import polars as pl

    if kind is Kind.STRINGS:
        return code_texts(series.cast(pl.String), 2 * levels)
    if kind is Kind.TIMES:
        numbers = series.dt.epoch("s").cast(pl.Float64)
    elif kind is Kind.TEXTS:
        numbers = (series.cast(pl.String).str.count_matches(r"\S+")).cast(pl.Float64)
    else:
        numbers = series.cast(pl.Float64)
    values = numbers.fill_null(np.nan).to_numpy().astype(np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    return code_numbers(series.name, kind, values, levels)


def code_numbers(name: str, kind: Kind, values: Doubles, levels: int) -> Coded:
    """Code numbers (n): each value a level where few differ, else intervals that hold about as many rows."""
    lost = np.isnan(values)
    known = values[~lost]
    if not len(known):
        return Coded(name, kind, np.zeros(len(values), np.int64), (MISSING,), values)
    distinct = np.unique(known[:2_000])
    distinct = np.unique(known) if len(distinct) <= levels else distinct
    if len(distinct) <= levels:
        labels = [_shown(value, kind) for value in distinct]
        codes = np.searchsorted(distinct, values)
    else:
        cuts = np.unique(np.quantile(known, np.arange(1, levels) / levels, method="inverted_cdf"))
        cuts = cuts[cuts < known.max()]
        shown = [_shown(cut, kind) for cut in cuts]
        labels = [f"up to {shown[0]}", *(f"to {cut}" for cut in shown[1:]), f"above {shown[-1]}"] if shown else ["all"]
        codes = np.searchsorted(cuts, values, side="left")
    if lost.any():
        codes = np.where(lost, len(labels), codes)
        labels.append(MISSING)
    return Coded(name, kind, codes.astype(np.int64), tuple(labels), values)


def code_texts(series: pl.Series, levels: int) -> Coded:
    """Code categories: the most frequent that have a few rows each, the others together."""
    import polars as pl

    found = (
        series.drop_nulls().alias("value").value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    )
    least = max(_FEWEST_ROWS, len(series) // 1_000)
    kept = [str(text) for text, rows in found.head(levels).iter_rows() if rows >= least or found.height <= levels]
    labels = list(kept)
    place: dict[str, int] = {text: code for code, text in enumerate(kept)}
    other, lost = len(kept), bool(series.null_count())
    if found.height > len(kept):
        labels.append(OTHER)
    missing = len(labels)
    if lost or not labels:
        labels.append(MISSING)
    codes = (
        series.replace_strict(place, default=other, return_dtype=pl.Int64)
        if place
        else pl.repeat(other, len(series), dtype=pl.Int64, eager=True)
    )
    codes = pl.select(pl.when(series.is_null()).then(missing).otherwise(codes)).to_series() if lost else codes
    return Coded(series.name, Kind.STRINGS, codes.to_numpy().astype(np.int64), tuple(labels))


def moment_text(seconds: float) -> str:
    """A time as a person writes it: without a midnight, and a time of day without the day it is stored with.

    Examples
    --------
    >>> moment_text(0.0), moment_text(3_600.0), moment_text(1_700_000_000.0)
    ('1970-01-01', '01:00:00', '2023-11-14 22:13:20')
    """
    day, _, clock = str(np.datetime64(int(seconds), "s")).partition("T")
    if clock == "00:00:00":
        return day
    return clock if day == "1970-01-01" else f"{day} {clock}"


def _shown(value: float, kind: Kind) -> str:
    if kind is Kind.TIMES:
        return moment_text(value)
    return f"{value:.4g}" if abs(value) < 1e4 or value != round(value) else f"{value:.0f}"
