"""The profile of one column: counts while few values differ, sketches of bounded size from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from artificer.errors import DataError
from artificer.profile.bins import FEW_VALUES, LEVELS, Bins, edges_of_few, exact_bins, single
from artificer.profile.counts import LIMIT, Counts
from artificer.profile.distinct import Distinct
from artificer.profile.moments import Moments
from artificer.profile.quantiles import Quantiles
from artificer.types import Doubles, Kind

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What is known of one column's values. Two profiles of the same column add up to that of all rows.

    Attributes
    ----------
    kind : numbers (booleans are 0 and 1), strings, times (seconds since 1970 UTC) or texts.
    dtype : as the table has it.
    rows, missing : missing cells are part of rows.
    counts : rows of each value, where few differ; else None, and the three sketches below take its place.
    distinct : sketch of how many differ.
    quantiles : sketch of the measured numbers: the values, of texts the words; None for strings.
    moments : of the measured numbers.
    lengths : characters of strings and texts.
    bins : exact counts between quantiles, where the rows were in memory.
    exact : every value is counted, however many differ.
    """

    name: str
    kind: Kind
    dtype: str
    rows: int
    missing: int
    counts: Counts | None
    distinct: Distinct | None = None
    quantiles: Quantiles | None = None
    moments: Moments = field(default_factory=Moments)
    lengths: Moments = field(default_factory=Moments)
    bins: Bins | None = None
    exact: bool = False

    @classmethod
    def of(cls, series: pl.Series, kind: Kind, *, exact: bool = False) -> ColumnProfile:
        """Profile a column.

        Parameters
        ----------
        series : numbers or booleans, strings, times, or texts,
            with null for missing; of numbers NaN and infinite ones are missing too.
        exact : count every string, and numbers between exact quantiles; costs a sort.

        Examples
        --------
        >>> import polars as pl
        >>> column = ColumnProfile.of(pl.Series("size", [3, 1, None, 2]), Kind.NUMBERS)
        >>> column.missing, column.distinct_values, column.moments.mean, column.levels((0.5,))
        (1, 3.0, 2.0, [2.0])
        """
        values, measured, lengths = _measure(series, kind)
        missing = len(series) - len(values)
        made = cls(
            series.name, kind, str(series.dtype), len(series), missing, None, lengths=Moments.of(lengths), exact=exact
        )
        # Of exact numbers the bins are exact, and need no count of every value.
        counts = Counts.of(values, None if exact and kind is Kind.STRINGS else LIMIT)
        bins = exact_bins(measured) if exact and kind in (Kind.NUMBERS, Kind.TEXTS) else None
        if counts is not None and kind in (Kind.NUMBERS, Kind.TIMES):
            return replace(made, counts=counts, moments=Moments.of(*counts.numbers()), bins=bins)
        quantiles = None if kind is Kind.STRINGS else Quantiles.of(measured)
        distinct = None if counts is not None else Distinct.of(values)
        moments = Moments.of(measured) if kind is not Kind.STRINGS else made.moments
        return replace(made, counts=counts, distinct=distinct, quantiles=quantiles, moments=moments, bins=bins)

    def __add__(self, other: ColumnProfile) -> ColumnProfile:
        if (self.name, self.kind) != (other.name, other.kind):
            raise DataError(
                f'profiles of different columns cannot be added ("{self.name}" of {self.kind.value}, '
                f'"{other.name}" of {other.kind.value}); read both tables with one contract'
            )
        whole = replace(
            self,
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            moments=self.moments + other.moments,
            lengths=self.lengths + other.lengths,
            bins=_added(self.bins, other.bins),
            exact=self.exact and other.exact,
        )
        counts = None
        if self.counts is not None and other.counts is not None:
            counts = self.counts.plus(other.counts, None if whole.exact and self.kind is Kind.STRINGS else LIMIT)
        if counts is not None and self.kind is not Kind.TEXTS:
            return replace(whole, counts=counts, distinct=None, quantiles=None)
        quantiles = None if self.kind is Kind.STRINGS else self.as_quantiles() + other.as_quantiles()
        distinct = None if counts is not None else self.as_distinct() + other.as_distinct()
        return replace(whole, counts=counts, distinct=distinct, quantiles=quantiles)

    def as_distinct(self) -> Distinct:
        """The sketch, made from the counts where those are held."""
        if self.distinct is not None or self.counts is None:
            return self.distinct or Distinct(np.empty(0, np.uint64))
        import polars as pl

        dtype = pl.String if self.kind in (Kind.STRINGS, Kind.TEXTS) else pl.Float64
        return Distinct.of(pl.Series(list(self.counts.rows), dtype=dtype))

    def as_quantiles(self) -> Quantiles:
        """The sketch, made from the counts where those are held."""
        if self.quantiles is not None or self.counts is None:
            return self.quantiles or Quantiles.of(np.empty(0))
        values, rows = self.counts.numbers()
        return Quantiles.of(np.repeat(values, rows.astype(np.int64)))

    @property
    def known(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def is_constant(self) -> bool:
        """Whether no two rows differ: one value in all of them, or none."""
        return not self.known or (not self.missing and self.distinct_values == 1)

    @property
    def distinct_values(self) -> float:
        """Different values, an estimate where `distinct_error` is above 0."""
        if self.counts is not None:
            return float(len(self.counts.rows))
        return min(self.as_distinct().estimate, float(self.known))

    @property
    def distinct_error(self) -> float:
        """One standard error of `distinct_values`, as a share of it."""
        return 0.0 if self.counts is not None else self.as_distinct().error

    @property
    def rank_error(self) -> float:
        """By how much the rank of a quantile may be off, as a share of the rows."""
        return 0.0 if self.quantiles is None else self.quantiles.rank_error

    def levels(self, levels: Sequence[float]) -> list[float]:
        """Quantiles of the measured numbers; none where there are no numbers."""
        if not self.moments.count:
            return []
        if self.quantiles is not None:
            return self.quantiles.at(levels)
        assert self.counts is not None  # noqa: S101 -- numbers have one of the two
        values, rows = self.counts.numbers()
        reached = np.searchsorted(np.cumsum(rows), np.asarray(levels) * rows.sum() * (1 - 1e-12), side="left")
        return [float(value) for value in values[np.minimum(reached, len(values) - 1)]]

    def shares_up_to(self, limits: Sequence[float]) -> Doubles:
        """Share of the measured numbers at or below each limit, which rise."""
        if self.quantiles is not None:
            return self.quantiles.shares_up_to(limits)
        values, rows = self.counts.numbers() if self.counts is not None else (np.empty(0), np.empty(0))
        sums = np.append(0.0, np.cumsum(rows))
        found: Doubles = sums[np.searchsorted(values, np.asarray(limits), side="right")] / max(sums[-1], 1.0)
        return found

    def compared(self) -> Bins:
        """Counts between quantiles: exact where rows were in memory or values few, else as the sketch has them."""
        if self.bins is not None:
            return self.bins
        if not self.moments.count:
            return Bins((), (0,))
        few = self.kind is not Kind.TEXTS and self.counts is not None and len(self.counts.rows) <= FEW_VALUES
        limits = (
            edges_of_few(np.unique(single(self.counts.numbers()[0])))
            if few and self.counts is not None
            else np.unique(single(np.asarray(self.levels(LEVELS))))
        )
        limits = limits if few else limits[limits < self.moments.high]
        reached = np.round(self.shares_up_to(limits.tolist()) * self.moments.count)
        counts = np.diff(np.concatenate([[0.0], reached, [float(self.moments.count)]]))
        edges = tuple(float(str(edge)) for edge in limits.astype(np.float32))
        return Bins(edges, tuple(int(count) for count in counts))


def _added(a: Bins | None, b: Bins | None) -> Bins | None:
    """Exact bins stay exact where both sides have the same edges."""
    if a is None or b is None or a.edges != b.edges:
        return None
    return Bins(a.edges, tuple(x + y for x, y in zip(a.counts, b.counts, strict=True)))


def _measure(series: pl.Series, kind: Kind) -> tuple[pl.Series, Doubles, Doubles]:
    """The known values, the numbers measured of them, and their lengths in characters."""
    import polars as pl

    none = np.empty(0)
    known = series.drop_nulls() if series.null_count() else series
    if kind is Kind.NUMBERS:
        known = known.cast(pl.Float64)
        finite = known.is_finite()
        known = known if finite.all() else known.filter(finite)
        return known, known.to_numpy(), none
    if kind is Kind.TIMES:
        known = (known.dt.epoch("s") if known.dtype.is_temporal() else known).cast(pl.Float64)
        return known, known.to_numpy(), none
    known = known.cast(pl.String)
    lengths = known.str.len_chars().cast(pl.Float64).to_numpy()
    if kind is Kind.STRINGS:
        return known, none, lengths
    return known, (known.str.count_matches(" ") + 1).cast(pl.Float64).to_numpy(), lengths
