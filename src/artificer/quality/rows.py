"""Checks of rows and of the target: copies, rare and unequal classes, rows without a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Severity
from artificer.types import MISSING_TIME, Kind

RARE_SHARE = 0.01
FEW_ROWS = 10
LEAST_ROWS = 50
MUCH = 0.9
LEAST_PART = 0.2
"""Of two classes one is rare below a tenth of the rows, of more where one has all but this over their number."""


class CopiedRows(Check):
    """Rows that repeat an earlier row in every column that matters."""

    name: ClassVar[str] = "duplicate_rows"
    counts: ClassVar[Literal["share", "least"]] = "least"
    rows: ClassVar[int] = 5_000_000
    megabytes: ClassVar[int] = 4096

    def run(self, table: Checked) -> Iterator[Finding]:
        features = {c.name for c in table.contract.columns if c.kind is not None}
        names = [n for n in table.frame.columns if n in features or n == table.contract.target]
        if not names:
            return
        count = table.frame.height - table.frame.select(names).unique().height
        if count:
            share = table.share(count)
            severity: Severity = "warning" if share >= 0.01 else "info"
            evidence = f"{count:,} rows ({share:.1%}) repeat an earlier row in all features and the target"
            mend = "if they are copies and not separate events, drop them or name a group column"
            yield Finding(self.name, None, count, share, (), severity, evidence, mend)


class RareClasses(Check):
    """Classes with so few rows that they can hardly be learnt or tested."""

    name: ClassVar[str] = "rare_class"

    def run(self, table: Checked) -> Iterator[Finding]:
        if table.y is None or not table.contract.task.is_classification:
            return
        counts = np.bincount(table.y.astype(np.int64), minlength=len(table.contract.classes))
        for label, count in zip(table.contract.classes, counts.tolist(), strict=True):
            share = table.share(count)
            if count < FEW_ROWS or share < RARE_SHARE:
                severity: Severity = "warning" if count < FEW_ROWS else "info"
                evidence = f'class "{label}" has {count:,} rows ({share:.2%})'
                mend = "judge the model by a metric that sees rare classes, and collect more of them"
                yield Finding(self.name, table.contract.target, count, share, (label,), severity, evidence, mend)


class Imbalance(Check):
    """A target that is nearly always the same, so that never looking is right nearly always."""

    name: ClassVar[str] = "imbalance"

    def run(self, table: Checked) -> Iterator[Finding]:
        y, contract = table.y, table.contract
        if y is None or len(y) < LEAST_ROWS:
            return
        values, counts = np.unique(y, return_counts=True)
        most = int(counts.argmax())
        share = counts[most] / len(y)
        if contract.task.is_classification:
            if share < max(MUCH, 1 - LEAST_PART / len(contract.classes)):
                return
            label = contract.classes[int(values[most])]
            evidence = f'{share:.1%} of the rows are of class "{label}", so always answering it is right as often'
            mend = "judge by average_precision, balanced_accuracy or log_loss; class_weights makes the rare count more"
        elif len(values) > 2 and share >= MUCH:
            label = f"{float(values[most]):.6g}"
            evidence = f"{share:.1%} of the target's values are {label}; the other {len(y) - counts[most]:,} differ"
            mend = "see whether the question is rather whether it differs; a mean is far from most rows"
        else:
            return
        count = int(counts[most])
        yield Finding(self.name, contract.target, count, table.share(count), (label,), "info", evidence, mend)


class TimeOrder(Check):
    """Rows whose place in time is unknown although a time column was named."""

    name: ClassVar[str] = "time"

    def run(self, table: Checked) -> Iterator[Finding]:
        name = table.contract.time
        if name is None or name not in table.contract.names(Kind.TIMES):
            return
        moments = table.blocks.times[:, table.contract.names(Kind.TIMES).index(name)]
        count = int((moments == MISSING_TIME).sum())
        if count:
            evidence = f'{count:,} rows have no readable time in "{name}"'
            mend = "they count as the oldest rows; mend the times at the source"
            yield Finding(self.name, name, count, table.share(count), (), "warning", evidence, mend)
