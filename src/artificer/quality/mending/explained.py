"""Cells that look wrong and follow a rule of their own."""

from __future__ import annotations

import numpy as np

from artificer.quality.mending.sheet import Mask, Sheet

SHARE = 0.8
FEWEST = 5


def explained(sheet: Sheet, name: str, wrong: Mask) -> Mask:
    """Of cells (n) held for wrong those that another column explains: nearly all rows of a value of it are among them.

    In the rows of another state all averages are called after that state: no errors, however rare they are.

    Examples
    --------
    >>> import polars as pl
    >>> table = pl.DataFrame({"state": ["AL"] * 90 + ["AK"] * 10, "code": ["al_1"] * 90 + ["ak_1"] * 10})
    >>> int(explained(Sheet.of(table), "code", np.arange(100) >= 90).sum())
    10
    """
    clear = np.zeros(len(wrong), dtype=np.bool_)
    for column in sheet.columns.values():
        if column.name == name or not column.repeats:
            continue
        codes = column.codes
        known = codes >= 0
        rate = np.bincount(codes[known], wrong[known], len(column.distinct)) / np.maximum(column.counts, 1)
        apart = (rate >= SHARE) & (column.counts >= FEWEST)
        clear |= known & wrong & apart[codes]
    return clear
