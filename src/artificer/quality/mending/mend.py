"""All steps over one table: table in, mended table and account out. The same settings for every table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import polars as pl

from artificer.quality.mending.account import Mended, account
from artificer.quality.mending.clocks import formats
from artificer.quality.mending.fill import fill
from artificer.quality.mending.moved import moved
from artificer.quality.mending.patterns import lacking, odd_forms
from artificer.quality.mending.scale import scales
from artificer.quality.mending.sheet import Change, Sheet
from artificer.quality.mending.typos import digits, habits, typos, words
from artificer.quality.mending.units import units
from artificer.quality.mending.voting import outvoted
from artificer.quality.mending.words import missing_words
from artificer.types import Ints

MOSTLY = 0.6
"""A key differs in so many rows at least."""
_PLACE = "\x00place"
Step: TypeAlias = Callable[[Sheet], Iterator[Change]]

STEPS: Mapping[str, Step] = {
    "missing words": missing_words,
    "units": units,
    "formats": formats,
    "moved": moved,
    "scale": scales,
    "habits": habits,
    "dependencies": outvoted,
    "typos": typos,
    "words": words,
    "digits": digits,
    "dependencies again": outvoted,
    "fill": fill,
    "forms": odd_forms,
    "lacking": lacking,
}
"""In this order: what is read wrongly is mended before cells are held against each other, and gaps are filled last."""
SAFE = ("missing words",)
"""Steps that are right by construction, see docs/cleaning.md."""


def mend(frame: pl.DataFrame, *, safe: bool = False) -> Mended:
    """Find wrong cells, repair what can be, and account for all of it.

    Parameters
    ----------
    frame : rows as they came, typed or as texts; it is not changed.
    safe : make only the mends that are right by construction: words for missing, exact copies of rows with a key.

    Examples
    --------
    >>> table = pl.DataFrame({"town": ["Bergen"] * 30 + ["Bergn"] + ["Oslo"] * 30, "n": [str(i) for i in range(61)]})
    >>> mend(table).log.select("row", "column", "cause", "before", "after").rows()
    [(30, 'town', 'typing error', 'Bergn', 'Bergen')]
    """
    sheet = Sheet.of(frame)
    copies = repeated_rows(frame)
    for name, step in STEPS.items():
        if not safe or name in SAFE:
            for change in list(step(sheet)):
                sheet.apply(change)
    return account(frame, sheet, copies, _notes(sheet))


def _notes(sheet: Sheet) -> tuple[str, ...]:
    kept = {name: column.words for name, column in sheet.columns.items() if column.words}
    if not kept:
        return ()
    word = sorted(next(iter(kept.values())))[0]
    count = sum(int((column.texts == word).sum()) for column in sheet.columns.values() if column.words)
    return (f'"{word}" stands for missing in {count:,} cells of {len(kept)} columns; as no cell is empty, it is kept',)


def repeated_rows(frame: pl.DataFrame) -> Ints:
    """For each row the place of the earlier row that it repeats in every column (n), -1 for none.

    Only where another column is a key, different in all rows that are no copies: without one, equal rows may be equal
    events.

    Examples
    --------
    >>> repeated_rows(pl.DataFrame({"id": [1, 2, 2, 3], "x": [5, 5, 5, 5]})).tolist()
    [-1, -1, 1, -1]
    >>> repeated_rows(pl.DataFrame({"x": [5, 5, 6]})).tolist()
    [-1, -1, -1]
    """
    nothing = np.full(frame.height, -1, dtype=np.int64)
    plain = [s.name for s in frame.get_columns() if not (s.dtype.is_nested() or s.dtype == pl.Object)]
    if not frame.height or len(plain) < frame.width:
        return nothing
    first = frame.select(pl.struct(plain).is_first_distinct()).to_series()
    unique = int(first.sum())
    if unique == frame.height or unique < MOSTLY * frame.height or frame.width < 2:
        return nothing
    columns = [s for s in frame.filter(first).get_columns() if not s.dtype.is_float() and not s.null_count()]
    if not any(s.n_unique() == unique for s in columns):
        return nothing
    place = frame.with_row_index(_PLACE).select(pl.col(_PLACE).min().over(plain)).to_series()
    return np.where(first.to_numpy(), -1, place.to_numpy().astype(np.int64))
