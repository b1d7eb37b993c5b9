"""Cells that end with what belongs into another column: city "San Francisco CA", state missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from artificer.quality.mending.sheet import Change, Column, Sheet

CAUSE = "belongs into another column"
FEWEST = 3
AGREE = 0.9
"""Of the rows whose cell ends with a value of the other column, so many must have that value, or none, over there."""
MOST_VALUES = 2000


def moved(sheet: Sheet) -> Iterator[Change]:
    """Move such endings where they belong, if the column's other cells come without them."""
    texts = [column for column in sheet.columns.values() if not column.typed and column.repeats]
    for column in texts:
        for other in texts:
            if other is not column and len(other.distinct) <= MOST_VALUES:
                yield from _from_one_to_other(column, other)


def _from_one_to_other(column: Column, other: Column) -> Iterator[Change]:
    values = {t for t, n in zip(other.distinct, other.counts.tolist(), strict=True) if n >= 2 and not t.isdigit()}
    endings = {}
    for text in column.distinct:
        rest, _, ending = text.rpartition(" ")
        if rest and ending in values:
            endings[text] = (rest.rstrip(" ,;"), ending)
    if not endings:
        return
    code = {text: place for place, text in enumerate(column.distinct)}
    rows = np.flatnonzero(np.isin(column.codes, [code[text] for text in endings])).astype(np.int64)
    split = [endings[str(text)] for text in column.texts[rows]]
    there = other.texts[rows]
    last = np.array([moved for _, moved in split], dtype=object)
    empty = there == ""
    agree = empty | (there == last)
    known = sum(rest in code for rest, _ in split) / len(rows)
    share = float(agree.mean())
    if len(rows) < FEWEST or empty.sum() < FEWEST or share < AGREE or known < 0.2:
        return
    if len(rows) > 0.5 * column.present or max(Counter(last).values()) == len(rows) > 50:
        return  # that is how the column is written
    rests = np.array([rest for rest, _ in split], dtype=object)
    yield Change(column.name, CAUSE, rows[agree], rests[agree], np.full(int(agree.sum()), share))
    yield Change(other.name, CAUSE, rows[empty], last[empty], np.full(int(empty.sum()), share))
