"""Numbers that cannot be: below zero where nothing else is, zero where nothing comes near it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Mask, first_rows, shown
from artificer.tables.cells import ColumnSpec
from artificer.types import Doubles

LEAST_CELLS = 100
LEAST_POSITIVE = 400
FEW = 0.01
FEW_ZEROS = 0.05
"""More of them are what the column holds when there is nothing: no garage, nothing spent."""
LEAST_VALUES = 20
APART = 0.5
"""So many times the distance from the least value above zero to the median must lie between zero and that value."""


class ImpossibleValues(Check):
    """Signs and zeros that the rest of their column speaks against.

    A few numbers below zero are told where they are as large as the others, as a wrong sign makes them; where they
    only continue a tail through zero (temperatures) they are not. Zeros are told where all others are above zero and
    keep away from it.
    """

    name: ClassVar[str] = "impossible"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec, values in table.quantities():
            present = ~np.isnan(values)
            if int(present.sum()) < LEAST_CELLS:
                continue
            negative, zero = present & (values < 0), present & (values == 0)
            if negative.any():
                if _wrong_signs(values, negative, present):
                    rest = int(present.sum() - negative.sum())
                    evidence = (
                        f'{int(negative.sum()):,} cells of "{spec.name}" are below zero, as large as the {rest:,} '
                        "others, none of which is"
                    )
                    yield _finding(self.name, table, spec, negative, values, evidence)
            elif zero.any() and _out_of_reach(values, zero, present):
                least = float(values[present & ~zero].min())
                evidence = (
                    f'{int(zero.sum()):,} cells of "{spec.name}" are zero; the other {int((present & ~zero).sum()):,} '
                    f"begin at {least:.6g}"
                )
                yield _finding(self.name, table, spec, zero, values, evidence)


def _wrong_signs(values: Doubles, negative: Mask, present: Mask) -> bool:
    positive = values[present & (values > 0)]
    if negative.sum() > FEW * present.sum() or len(positive) < LEAST_POSITIVE:
        return False
    return bool(np.median(-values[negative]) >= np.quantile(positive, 0.25) > 0)


def _out_of_reach(values: Doubles, zero: Mask, present: Mask) -> bool:
    rest = values[present & ~zero]
    if zero.sum() > FEW_ZEROS * present.sum():
        return False
    if len(rest) < LEAST_CELLS or len(np.unique(rest[:5000])) < LEAST_VALUES:
        return False
    least = float(rest.min())
    if least == 1 and bool((rest % 1 == 0).all()):
        return False  # a count
    return least >= APART * (float(np.median(rest)) - least)


def _finding(rule: str, table: Checked, spec: ColumnSpec, rows: Mask, values: Doubles, evidence: str) -> Finding:
    mend = "see whether they stand for a missing value or a slip; leave such cells empty at the source"
    count = int(rows.sum())
    return Finding(
        rule,
        spec.name,
        count,
        table.share(count),
        shown(values[rows]),
        "warning",
        evidence,
        mend,
        rows=first_rows(rows),
    )
