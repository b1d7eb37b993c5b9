"""Columns of texts that are numbers, dates or truths, typed where every text comes back exactly."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from artificer.quality.mending.account import LOG, TYPED, Mended

CAUSE = "text that is something else"
TYPES: tuple[pl.DataType, ...] = (pl.Int64(), pl.Float64(), pl.Boolean(), pl.Date())


def typed(mended: Mended) -> Mended:
    """Type the columns whose texts all come back from the other type, so that nothing is lost: "007" stays a text.

    Examples
    --------
    >>> table = pl.DataFrame({"n": ["1", None, "12"], "zip": ["007", "123", "4"], "day": ["2020-01-31"] * 3})
    >>> typed(Mended(table, pl.DataFrame(schema=LOG))).frame.dtypes
    [Int64, String, Date]
    """
    made, records = [], []
    for series in mended.frame.get_columns():
        cast = _cast(series)
        made.append(series if cast is None else cast)
        if cast is not None:
            records.append((None, series.name, CAUSE, TYPED, "String", str(cast.dtype), 1.0))
    if not records:
        return mended
    log = pl.concat([mended.log, pl.DataFrame(records, schema=LOG, orient="row")])
    return replace(mended, frame=pl.DataFrame(made), log=log)


def _cast(series: pl.Series) -> pl.Series | None:
    if series.dtype != pl.String or series.null_count() == len(series):
        return None
    for kind in TYPES:
        if kind == pl.Boolean:
            cast = series.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
        elif kind == pl.Date:
            cast = series.str.to_date("%Y-%m-%d", strict=False)
        else:
            cast = series.cast(kind, strict=False)
        if cast.cast(pl.String).equals(series, null_equal=True):
            return cast
    return None
