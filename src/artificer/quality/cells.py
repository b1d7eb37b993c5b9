"""Checks of cells: missing, marked as missing, unreadable, infinite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Severity
from artificer.tables.cells import NOT_FINITE
from artificer.types import MISSING_STRING, MISSING_TIME, Kind

MUCH = 0.2
MOST = 0.9


class MissingCells(Check):
    """Feature columns with many missing cells."""

    name: ClassVar[str] = "missing"

    def run(self, table: Checked) -> Iterator[Finding]:
        for kind in Kind:
            block = table.blocks.of(kind)
            for j, column in enumerate(table.contract.names(kind)):
                values = block[:, j]
                if kind is Kind.NUMBERS:
                    count = int(np.isnan(values.astype(np.float32)).sum())
                else:
                    count = int((values == (MISSING_TIME if kind is Kind.TIMES else MISSING_STRING)).sum())
                share = table.share(count)
                if share < MUCH:
                    continue
                severity: Severity = "warning" if share >= MOST else "info"
                evidence = f'{share:.0%} of the cells of "{column}" are missing'
                mend = "see whether it is filled in before the outcome is known; the model takes missing as a value"
                yield Finding(self.name, column, count, share, (), severity, evidence, mend)


class MissingMarkers(Check):
    """Texts that were read as missing."""

    name: ClassVar[str] = "missing_markers"

    def run(self, table: Checked) -> Iterator[Finding]:
        import polars as pl

        from artificer.tables.parsing import stripped

        for spec in table.contract.columns:
            markers = [text for text in spec.missing if text]
            if spec.kind is None or not markers or spec.name not in table.frame.columns:
                continue
            if table.frame[spec.name].dtype.is_nested():
                continue
            text = stripped(table.frame[spec.name].cast(pl.String))
            count = int(text.is_in(markers).fill_null(False).sum())
            if count:
                shown = ", ".join(f'"{marker}"' for marker in markers[:5])
                evidence = f'{count:,} cells of "{spec.name}" hold {shown}'
                mend = "they were read as missing"
                yield Finding(
                    self.name, spec.name, count, table.share(count), tuple(markers[:3]), "info", evidence, mend, True
                )


class UnreadableCells(Check):
    """Cells that are not what nearly all others of the column are: a word among numbers, another date format."""

    name: ClassVar[str] = "unreadable"

    def run(self, table: Checked) -> Iterator[Finding]:
        for breach in table.breaches:
            if breach.rule == NOT_FINITE or not breach.rows:
                continue
            evidence = f'{breach.count:,} cells of "{breach.column}" cannot be read: each {breach.rule}'
            yield Finding(
                self.name,
                breach.column,
                breach.count,
                table.share(breach.count),
                breach.examples,
                "warning",
                evidence,
                "they were taken as missing; mend them at the source",
                True,
            )


class InfiniteCells(Check):
    """Infinite numbers."""

    name: ClassVar[str] = "infinite"

    def run(self, table: Checked) -> Iterator[Finding]:
        for breach in table.breaches:
            if breach.rule == NOT_FINITE:
                evidence = f'{breach.count:,} cells of "{breach.column}" are infinite'
                mend = "they were taken as missing; look for a division by zero at the source"
                share = table.share(breach.count)
                yield Finding(
                    self.name, breach.column, breach.count, share, breach.examples, "warning", evidence, mend, True
                )
