"""Columns that number or name the rows and pose as features, and columns that hardly vary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding
from artificer.types import MISSING_STRING, MISSING_TIME, Kind, Role

LEAST_ROWS = 100
NEARLY_UNIQUE = 0.98
MOSTLY_UNIQUE = 0.5
IN_ORDER = 0.99
ONE_VALUE = 0.995


class PosingKeys(Check):
    """Feature columns that name the rows: a counter of whole numbers, texts of which most stand once.

    A model learns such a column by heart, and new rows hold values that it has never seen.
    """

    name: ClassVar[str] = "id_as_feature"

    def run(self, table: Checked) -> Iterator[Finding]:
        n = table.frame.height
        if n < LEAST_ROWS:
            return
        mend = "name it in data.id, unless it means something for rows to come"
        for spec, block in table.features(Kind.NUMBERS):
            if spec.role is not Role.NUMERIC or spec.name == table.contract.time:
                continue
            values = block.astype(np.float64)
            if np.isnan(values).any() or (values % 1 != 0).any():
                continue
            distinct = len(np.unique(values))
            if distinct < NEARLY_UNIQUE * n:
                continue
            rising = float((np.diff(values) > 0).mean())
            if max(rising, 1 - rising) < IN_ORDER:
                continue
            evidence = (
                f'"{spec.name}" holds {distinct:,} different whole numbers in {n:,} rows, in the order of the rows: it '
                "numbers them"
            )
            yield Finding(self.name, spec.name, n, 1.0, (), "warning", evidence, mend)
        for spec, block in table.features(Kind.STRINGS):
            texts = block[block != MISSING_STRING]
            distinct = len(np.unique(texts.astype(str))) if len(texts) >= LEAST_ROWS else 0
            if distinct >= MOSTLY_UNIQUE * max(len(texts), 1) and distinct:
                evidence = f'"{spec.name}" holds {distinct:,} different texts in {len(texts):,} rows, nearly a key'
                yield Finding(self.name, spec.name, n, 1.0, (), "info", evidence, mend)


class NearConstantColumns(Check):
    """Feature columns that hold one value nearly everywhere."""

    name: ClassVar[str] = "near_constant"

    def run(self, table: Checked) -> Iterator[Finding]:
        n = table.frame.height
        if n < LEAST_ROWS:
            return
        for kind in (Kind.NUMBERS, Kind.STRINGS, Kind.TIMES):
            for spec, block in table.features(kind):
                if kind is Kind.STRINGS:
                    present = block[block != MISSING_STRING].astype(str)
                elif kind is Kind.TIMES:
                    present = block[block != MISSING_TIME]
                else:
                    present = block[~np.isnan(block.astype(np.float64))]
                if len(present) < LEAST_ROWS:
                    continue
                distinct, counts = np.unique(present, return_counts=True)
                most = int(counts.argmax())
                others = len(present) - int(counts[most])
                if not others or counts[most] < ONE_VALUE * len(present):
                    continue
                value = str(distinct[most])[:40]
                evidence = (
                    f'{counts[most] / len(present):.2%} of the cells of "{spec.name}" hold "{value}"; {others:,} hold '
                    "something else"
                )
                mend = "little can be learnt from it; see whether it is filled in as it should be"
                yield Finding(self.name, spec.name, others, table.share(others), (value,), "info", evidence, mend)
