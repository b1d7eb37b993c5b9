"""What had happened strictly before each row: counts, sums, means, extremes, the last value, and how long ago it was.

Running totals are made once for each key in the order of time; each row looks up the total that stood before it.
Sums within a window are those of its own rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from artificer.joins.keys import specs_of
from artificer.problem.joins import Join
from artificer.tables.arrays import column_numbers
from artificer.tables.roles import find_column
from artificer.types import Doubles, Ints

if TYPE_CHECKING:
    import polars as pl

DAY = 86_400.0


def latest(
    left: pl.DataFrame,
    known: pl.DataFrame,
    now: Doubles,
    keys: list[str],
    *,
    strict: bool,
    tolerance: float | None = None,
) -> pl.DataFrame:
    """The newest of `known` (with its ``moment``) of each row's key, before the row's moment, or at it unless strict.

    The rows come in their order; those without key or moment find nothing.
    """
    import polars as pl

    asked = left.with_columns(moment=pl.Series(now, nan_to_null=True)).with_row_index("place")
    usable = asked.drop_nulls().sort("moment", maintain_order=True)
    ordered = known.filter(pl.all_horizontal(pl.col([*keys, "moment"]).is_not_null())).sort(
        "moment", maintain_order=True
    )
    found = usable.join_asof(
        ordered,
        on="moment",
        by=keys,
        strategy="backward",
        allow_exact_matches=not strict,
        tolerance=tolerance,
        check_sortedness=False,
    )
    values = [name for name in found.columns if name not in asked.columns]
    return asked.select("place").join(found.select("place", *values), on="place", how="left", maintain_order="left")


def before(
    spec: Join, table: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame, now: Doubles, then: Doubles
) -> pl.DataFrame:
    """Aggregates for each row of `left` (n), over the rows of `right` with the same key and an earlier moment."""
    import polars as pl

    keys = right.columns
    wanted = dict(spec.aggregate or {})
    for name in wanted:
        find_column(name, table.columns, f"column to aggregate in the join {spec.name}")
    known = right.with_columns(moment=pl.Series(then, nan_to_null=True))
    reads = specs_of(table, list(wanted)) if wanted else {}
    for i, name in enumerate(wanted):
        numbers = pl.Series(column_numbers(table[name], reads[name]), nan_to_null=True)
        known = known.with_columns(numbers.alias(f"n{i}"), table[name].alias(f"v{i}"))
    known = known.drop_nulls("moment").sort([*keys, "moment"], maintain_order=True).with_row_index("position")
    totals = known.with_columns(_running(len(wanted), keys)).with_columns(then=pl.col("moment"))
    here = latest(left, totals, now, keys, strict=True)
    gone = None
    if spec.within is not None:
        start = now - spec.within.seconds
        gone = latest(left, totals, start, keys, strict=True)
        outside = ~(here["then"].fill_null(-np.inf).to_numpy() >= start)
        here = here.with_columns(pl.when(pl.lit(pl.Series(outside))).then(None).otherwise(pl.all()).name.keep())
        here = here.with_columns(_within(known, here, gone, len(wanted)))
    return _columns(spec, wanted, here, gone, now)


def _running(columns: int, keys: list[str]) -> list[pl.Expr]:
    import polars as pl

    made = [pl.int_range(1, pl.len() + 1).over(keys).alias("rows")]
    for i in range(columns):
        number = pl.col(f"n{i}")
        made += [
            number.is_not_null().cast(pl.Int64).cum_sum().over(keys).alias(f"c{i}"),
            number.fill_null(0.0).cum_sum().over(keys).alias(f"s{i}"),
            number.cum_min().forward_fill().over(keys).alias(f"l{i}"),
            number.cum_max().forward_fill().over(keys).alias(f"h{i}"),
        ]
    return made


def _within(known: pl.DataFrame, here: pl.DataFrame, gone: pl.DataFrame, columns: int) -> list[pl.Series]:
    """Sums of what lies in each row's window, which is a slice of the rows of its key."""
    import polars as pl

    end = (here["position"].cast(pl.Int64) + 1).fill_null(0).to_numpy()
    begin = end - _since(here, gone, "rows").cast(pl.Int64).to_numpy()
    return [
        pl.Series(f"s{i}", slice_sums(known[f"n{i}"].fill_null(0.0).to_numpy(), begin, end)) for i in range(columns)
    ]


def slice_sums(values: Doubles, begin: Ints, end: Ints) -> Doubles:
    """Sums of slices of `values` (n), each put together from sums of blocks of 1, 2, 4, ... values.

    Nothing is subtracted, as it is with running totals, so a large value leaves no trace in slices without it. Takes
    log n steps, however long the slices are.

    Examples
    --------
    >>> slice_sums(np.array([1e17, 1.0, 2.0, 4.0]), np.array([1, 0, 2]), np.array([4, 1, 2])).tolist()
    [7.0, 1e+17, 0.0]
    """
    found = np.zeros(len(begin))
    low, high = begin.astype(np.int64), end.astype(np.int64)
    while (low < high).any():
        first = (low < high) & (low % 2 == 1)
        last = (low < high) & (high % 2 == 1)
        found[first] += values[low[first]]
        found[last] += values[high[last] - 1]
        low, high = (low + first) // 2, (high - last) // 2
        values = np.append(values, np.zeros(len(values) % 2)).reshape(-1, 2).sum(axis=1)
    return found


def _columns(
    spec: Join, wanted: Mapping[str, Sequence[str]], here: pl.DataFrame, gone: pl.DataFrame | None, now: Doubles
) -> pl.DataFrame:
    import polars as pl

    made = [_since(here, gone, "rows").cast(pl.Int64).alias("count")]
    for i, (name, statistics) in enumerate(wanted.items()):
        made += [_statistic(each, i, here, gone).alias(f"{each}_{name}") for each in statistics]
    if spec.time is not None:
        made.append(((pl.Series(now, nan_to_null=True) - here["then"]) / DAY).alias("recency"))
    return pl.DataFrame(made)


def _since(here: pl.DataFrame, gone: pl.DataFrame | None, name: str) -> pl.Series:
    """A running total less what it was where the window begins."""
    import polars as pl

    total = here[name].fill_null(0)
    if gone is None:
        return total
    there = here["then"].is_not_null()
    return total - pl.select(pl.when(there).then(gone[name].fill_null(0)).otherwise(0)).to_series()


def _statistic(name: str, column: int, here: pl.DataFrame, gone: pl.DataFrame | None) -> pl.Series:
    import polars as pl

    if name in ("min", "max", "last"):
        return here[{"min": "l", "max": "h", "last": "v"}[name] + str(column)]
    count, summed = _since(here, gone, f"c{column}"), here[f"s{column}"]
    value = summed / count if name == "mean" else summed
    return pl.select(pl.when(count > 0).then(value)).to_series()
