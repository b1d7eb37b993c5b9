"""How columns and the target move over time: level by period, trend, season, and the moment of a lasting change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from artificer.exploration.association import Target
from artificer.exploration.codes import Coded, code_numbers, level_count
from artificer.exploration.dependence import ALPHA, adjusted, dependence, table_of
from artificer.types import Doubles, Ints, Kind, Task

if TYPE_CHECKING:
    import polars as pl

MOST_PERIODS = 60
FEWEST_PERIODS = 8
STEPS = (("1h", "hour"), ("1d", "day"), ("1w", "week"), ("1mo", "month"), ("1q", "quarter"), ("1y", "year"))
CYCLES = ("hour of the day", "day of the week", "month of the year")
ROW_ORDER = "the order of the rows"


@dataclass(frozen=True, slots=True)
class Clock:
    """Time of n rows.

    Attributes
    ----------
    name : the column, or `ROW_ORDER`.
    values : (n,), seconds for a calendar time, NaN for missing.
    period : (n,), the period of each row, -1 without a time.
    labels, unit : of the periods.
    cycles : (n,) codes of the parts of the calendar that can be told from the span.
    """

    name: str
    values: Doubles
    period: Ints
    labels: tuple[str, ...]
    unit: str
    cycles: tuple[tuple[str, Ints, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """One column over time.

    Attributes
    ----------
    what : "mean", or the share of a category or class.
    levels : by period, None where no row has a value.
    strength : dependence on time on the common scale; adjusted_p over all columns.
    trend : Spearman's correlation with time; None for categories.
    season, season_strength : the part of the calendar that tells most about it, where it is more than chance.
    change : label of the period with which a lasting change begins, with the mean before and after.
    shift : its size in standard deviations of the column.
    """

    column: str
    what: str
    levels: tuple[float | None, ...]
    strength: float
    adjusted_p: float
    trend: float | None
    season: str | None = None
    season_strength: float = 0.0
    change: str | None = None
    before: float | None = None
    after: float | None = None
    shift: float = 0.0

    @property
    def moves(self) -> bool:
        return self.adjusted_p <= ALPHA


def calendar_clock(name: str, times: pl.Series) -> Clock:
    """Periods of a column of times: the finest of hour to year of which there are not too many.

    Examples
    --------
    >>> import polars as pl
    >>> days = pl.Series("at", [86_400 * i for i in range(400)]).cast(pl.Int64)
    >>> clock = calendar_clock("at", pl.select(pl.from_epoch(days)).to_series())
    >>> clock.unit, len(clock.labels), clock.labels[0], [cycle[0] for cycle in clock.cycles]
    ('week', 58, '1969-12-29', ['day of the week'])
    """
    import polars as pl

    seconds = times.dt.epoch("s").cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    cuts = ((unit, times.dt.truncate(step)) for step, unit in STEPS)
    found = next(((unit, cut) for unit, cut in cuts if cut.drop_nulls().n_unique() <= MOST_PERIODS), None)
    if found is None:
        return numeric_clock(name, seconds)
    unit, cut = found
    labels = cut.drop_nulls().unique().sort()
    codes = cut.replace_strict(labels.to_list(), list(range(len(labels))), default=-1, return_dtype=pl.Int64)
    shown = labels.dt.strftime("%Y-%m-%d %H:%M" if unit == "hour" else "%Y-%m" if unit == "month" else "%Y-%m-%d")
    return Clock(name, seconds, codes.to_numpy(), tuple(shown.to_list()), unit, _cycles(times, seconds))


def _cycles(times: pl.Series, seconds: Doubles) -> tuple[tuple[str, Ints, int], ...]:
    import polars as pl

    known = seconds[~np.isnan(seconds)]
    days = (known.max() - known.min()) / 86_400 if len(known) else 0.0
    parts = (
        (times.dt.hour(), 24, days >= 4),
        (times.dt.weekday() - 1, 7, days >= 28),
        (times.dt.month() - 1, 12, days >= 700),
    )
    found = []
    for name, (codes, size, long_enough) in zip(CYCLES, parts, strict=True):
        filled = codes.cast(pl.Int64).fill_null(size).to_numpy()
        if long_enough and len(np.unique(filled[filled < size])) > 1:
            found.append((name, filled, size + 1))
    return tuple(found)


def numeric_clock(name: str, values: Doubles, *, periods: int = 40) -> Clock:
    """Periods of a counter, or of the place in the table: equally many rows each."""
    coded = code_numbers(name, Kind.NUMBERS, values, min(periods, max(FEWEST_PERIODS, len(values) // 20)))
    known = [label for label in coded.labels if label != "missing"]
    period = np.where(coded.codes == len(known), -1, coded.codes)
    return Clock(name, values, period, tuple(label.removeprefix("up ").removeprefix("to ") for label in known), "slice")


def courses(columns: Sequence[Coded], clock: Clock, target: Target | None = None) -> tuple[Course, ...]:
    """Follow every column, and the target first, over the clock's periods; the most moving columns first."""
    every = [*([_as_column(target)] if target else []), *columns]
    time = code_numbers(clock.name, Kind.TIMES, clock.values, level_count(len(clock.values)))
    judged = [dependence(table_of(c.codes, time.codes, len(c.labels), len(time.labels))) for c in every]
    p = adjusted([found.p for found in judged])
    made = [_course(column, clock, found.strength, q) for column, found, q in zip(every, judged, p, strict=True)]
    first, rest = (made[:1], made[1:]) if target else ([], made)
    return (*first, *sorted(rest, key=lambda course: -course.strength))


def _as_column(target: Target) -> Coded:
    number = target.values if target.task in (Task.REGRESSION, Task.QUANTILE) else None
    kind = Kind.STRINGS if number is None else Kind.NUMBERS
    return Coded(target.name, kind, target.codes, target.labels, number)


def _course(column: Coded, clock: Clock, strength: float, p: float) -> Course:
    what, values = followed(column)
    in_time = clock.period >= 0
    known = in_time & ~np.isnan(values)
    periods, count = clock.period[known], len(clock.labels)
    rows = np.bincount(periods, minlength=count)
    sums = np.bincount(periods, values[known], minlength=count)
    levels = tuple(float(total / n) if n else None for total, n in zip(sums.tolist(), rows.tolist(), strict=True))
    trend = None
    if column.kind is not Kind.STRINGS and known.sum() > 2:
        trend = _spearman(clock.values[known], values[known])
    season, season_strength = _season(column, clock) if p <= ALPHA or clock.cycles else (None, 0.0)
    change = _change(levels, rows, values[known])
    if change is None:
        return Course(column.name, what, levels, strength, p, trend, season, season_strength)
    at, before, after, shift = change
    return Course(
        column.name, what, levels, strength, p, trend, season, season_strength, clock.labels[at], before, after, shift
    )


def followed(column: Coded) -> tuple[str, Doubles]:
    """The number of a column that is followed over periods: itself, or whether it is the commonest category."""
    if column.values is not None:
        return "mean" if column.kind is not Kind.TEXTS else "mean number of words", column.values
    counts = np.bincount(column.codes, minlength=len(column.labels))
    place = int(np.argmax(counts[: column.missing] if column.missing else counts))
    return f'share of "{column.labels[place]}"', (column.codes == place).astype(np.float64)


def _spearman(a: Doubles, b: Doubles) -> float | None:
    from scipy.stats import rankdata

    if np.all(a == a[0]) or np.all(b == b[0]):
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _season(column: Coded, clock: Clock) -> tuple[str | None, float]:
    """The strongest of the calendar's parts, if it says anything."""
    best: tuple[str | None, float] = (None, 0.0)
    for name, codes, size in clock.cycles:
        found = dependence(table_of(column.codes, codes, len(column.labels), size))
        if found.p * len(clock.cycles) <= ALPHA / 10 and found.strength > max(best[1], 0.1):
            best = name, found.strength
    return best


def _change(levels: Sequence[float | None], rows: Ints, values: Doubles) -> tuple[int, float, float, float] | None:
    """The period with which a lasting change of level begins: the largest cumulative departure, where it is no chance.

    The noise is taken from the differences of neighbouring periods, so that a level that wanders by itself needs a
    larger step to count.

    References
    ----------
    Page, E. S. (1955). A test for a change in a parameter occurring at an unknown point. Biometrika 42, 523-527.
    """
    kept = [i for i, level in enumerate(levels) if level is not None and rows[i] >= 5]
    if len(kept) < FEWEST_PERIODS:
        return None
    series = np.array([levels[i] for i in kept], dtype=np.float64)
    noise = float(np.median(np.abs(np.diff(series)))) / 0.6745 / math.sqrt(2.0)
    spread, deviation = float(series.std()), float(values.std())
    if spread <= 1e-12 or deviation <= 1e-12:
        return None
    noise = max(noise, 1e-3 * spread)
    sums = np.cumsum(series - series.mean())[:-1]
    at = int(np.argmax(np.abs(sums)))
    statistic = abs(float(sums[at])) / (noise * math.sqrt(len(series)))
    before, after = float(series[: at + 1].mean()), float(series[at + 1 :].mean())
    shift = (after - before) / deviation
    # Kolmogorov's distribution: 1.95 is exceeded by chance once in a thousand columns.
    return (kept[at + 1], before, after, shift) if statistic > 1.95 and abs(shift) >= 0.2 else None
