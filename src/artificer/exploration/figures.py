"""A profiled column as the figures that are shown of it: histogram, quantiles, most frequent values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from artificer.profile.column import ColumnProfile
from artificer.types import Doubles, Json, Kind

if TYPE_CHECKING:
    import polars as pl

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 24
TOP = 10
_TAIL = 5.0
"""Of a range so many times wider than the middle 98 % of the rows the ends are drawn as one bin each."""
LONGEST = 80


def column_figures(column: ColumnProfile, sample: pl.Series) -> Json:
    """What is shown of a column; times as ISO texts, estimates with their error.

    Parameters
    ----------
    sample : the same column of the sampled rows, for the most frequent of many values.
    """
    moments = column.moments
    known = moments.count > 0
    figures: Json = {
        "name": column.name,
        "kind": column.kind.value,
        "dtype": column.dtype,
        "rows": column.rows,
        "missing": column.missing,
        "distinct": round(column.distinct_values),
        "distinct_error": _short(1.96 * column.distinct_error),
        "top": top_values(column, sample),
        "histogram": histogram(column),
        "rank_error": _short(column.rank_error),
    }
    if known and column.kind is not Kind.STRINGS:
        shown = [moments.low, *column.levels(LEVELS), moments.high]
        names = ("0", *(f"{level:g}" for level in LEVELS), "1")
        figures["quantiles"] = {name: _value(v, column.kind) for name, v in zip(names, shown, strict=True)}
    if known and column.kind in (Kind.NUMBERS, Kind.TEXTS):
        figures |= {
            "mean": _short(moments.mean),
            "stdev": _short(moments.stdev),
            "skewness": _short(moments.skewness),
            "kurtosis": _short(moments.kurtosis),
        }
    if column.lengths.count:
        lengths = column.lengths
        figures["length"] = {"low": lengths.low, "mean": _short(lengths.mean), "high": lengths.high}
    return figures


def top_values(column: ColumnProfile, sample: pl.Series) -> Json:
    """The most frequent: ``values`` [{value, rows, share}], ``exact``, and ``error`` of a share where sampled."""
    if column.counts is not None:
        found = column.counts.most_common(TOP)
        values = [_named(value, rows, column.known, column.kind) for value, rows in found]
        return {"values": values, "exact": True, "error": 0.0}
    known = sample.drop_nulls()
    if known.is_empty() or column.kind is Kind.TIMES:
        return {"values": [], "exact": False, "error": 0.0}
    counted = known.alias("value").value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    often = [(value, rows) for value, rows in counted.head(TOP).iter_rows() if rows > max(2, len(known) // 1_000)]
    values = [_named(value, rows, len(known), column.kind) for value, rows in often]
    error = 1.96 * math.sqrt(0.25 / len(known)) if len(known) < column.known else 0.0
    return {"values": values, "exact": not error, "error": _short(error)}


def _named(value: object, rows: int, known: int, kind: Kind) -> Json:
    shown = _value(float(value), kind) if isinstance(value, int | float) else str(value)
    if isinstance(shown, str) and len(shown) > LONGEST:
        shown = shown[: LONGEST - 1] + "…"
    return {"value": shown, "rows": rows, "share": _short(rows / max(known, 1))}


def histogram(column: ColumnProfile) -> Json | None:
    """Shares of the known rows in bins: of few numbers one a value, else of equal width.

    Returns
    -------
    ``labels`` or ``edges`` (b + 1), ``shares`` (b), and ``tails``: whether the first and last bin hold all beyond.
    """
    moments = column.moments
    if column.kind is Kind.STRINGS or not moments.count:
        return None
    if column.counts is not None and column.kind is not Kind.TEXTS and len(column.counts.rows) <= BINS:
        values, rows = column.counts.numbers()
        labels = [_value(value, column.kind) for value in values.tolist()]
        return {"labels": labels, "shares": [_short(share) for share in (rows / rows.sum()).tolist()]}
    edges, tails = _edges(column)
    reached = column.shares_up_to(edges[1:-1].tolist())
    shares = np.diff(np.concatenate([[0.0], reached, [1.0]]))
    return {
        "edges": [_value(float(edge), column.kind) for edge in edges],
        "shares": [_short(float(share)) for share in np.clip(shares, 0.0, 1.0)],
        "tails": tails,
    }


def _edges(column: ColumnProfile) -> tuple[Doubles, list[bool]]:
    low, high = column.moments.low, column.moments.high
    inner_low, inner_high = column.levels((0.01, 0.99))
    if inner_high <= inner_low or high - low <= _TAIL * (inner_high - inner_low):
        return _spaced(low, high, BINS), [False, False]
    width = (inner_high - inner_low) / (BINS - 2)
    tails = [low < inner_low - width, high > inner_high + width]
    begin, end = inner_low if tails[0] else low, inner_high if tails[1] else high
    inner = _spaced(begin, end, BINS - sum(tails))
    return np.concatenate([[low][: tails[0]], inner, [high][: tails[1]]]), tails


def _spaced(low: float, high: float, bins: int) -> Doubles:
    spaced: Doubles = np.linspace(low, high, bins + 1)
    return spaced


def _value(value: float, kind: Kind) -> float | str:
    if kind is Kind.TIMES:
        return str(np.datetime64(int(value), "s"))
    return _short(value)


def _short(value: float) -> float:
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0
