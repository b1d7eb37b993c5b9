"""What had happened strictly before each row: counts, sums, means, extremes, the last value, and how long ago it was.

Running totals are made once for each key in the order of time; each row looks up the total that stood before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from artificer.joins.keys import specs_of
from artificer.problem.joins import Join
from artificer.tables.arrays import column_numbers
from artificer.tables.roles import find_column
from artificer.types import Doubles

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
    known = known.drop_nulls("moment").sort("moment", maintain_order=True)
    totals = known.with_columns(_running(len(wanted), keys)).with_columns(then=pl.col("moment"))
    here = latest(left, totals, now, keys, strict=True)
    gone = None
    if spec.within is not None:
        start = now - spec.within.seconds
        gone = latest(left, totals, start, keys, strict=True)
        outside = ~(here["then"].fill_null(-np.inf).to_numpy() >= start)
        here = here.with_columns(pl.when(pl.lit(pl.Series(outside))).then(None).otherwise(pl.all()).name.keep())
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
    count, summed = _since(here, gone, f"c{column}"), _since(here, gone, f"s{column}")
    value = summed / count if name == "mean" else summed
    return pl.select(pl.when(count > 0).then(value)).to_series()
