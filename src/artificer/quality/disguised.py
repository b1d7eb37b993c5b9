"""Cells that hold a value and mean "missing": numbers like -999, dates like 9999-12-31, words like "unknown"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, first_rows
from artificer.tables.cells import ColumnSpec, is_code
from artificer.tables.codes import number_codes, time_codes
from artificer.tables.roles import shown_codes
from artificer.types import MISSING_TIME, Doubles, Kind, Role

_LINES = """\
unknown|unk|none|null|nil|na|n/a|n.a.|nan|missing|not available|not applicable|not known|not specified|unspecified
undefined|undetermined|empty|blank|tbd|tba|?|??|???|-|--|---|.|..|*|no data|nodata|no answer|not recorded|not stated
not reported"""
WORDS = frozenset(_LINES.replace("\n", "|").split("|"))
"""Words that mean "missing", in lower case; a class of their own may be called "none", so they stay as they are."""


class DisguisedMissing(Check):
    """Values that stand for a missing cell.

    Numbers and times that are proven to (they look like a code, stand apart and repeat) are read as missing by the
    contract. What only looks like it is reported: a word among categories, a number that does not stand apart enough.
    """

    name: ClassVar[str] = "disguised_missing"

    def run(self, table: Checked) -> Iterator[Finding]:
        target = table.contract.target
        for spec in table.contract.columns:
            if spec.name not in table.frame.columns or (spec.kind is None and spec.name != target):
                continue
            if spec.codes:
                yield from self._applied(table, spec)
            elif spec.role is Role.NUMERIC:
                yield from self._suspected(table, spec, table.numbers(spec.name))
        for spec, values in table.features(Kind.TIMES):
            if not spec.codes:
                moments = np.where(values == MISSING_TIME, np.nan, values.astype(np.float64))
                yield from self._suspected(table, spec, moments)
        yield from self._words(table)

    def _applied(self, table: Checked, spec: ColumnSpec) -> Iterator[Finding]:
        plain = table.as_written(spec)
        mask = is_code(plain, spec)
        if not mask.any():
            return
        count, codes = int(mask.sum()), shown_codes(spec)
        evidence = (
            f'{count:,} cells of "{spec.name}" hold {codes}, which stands apart from the other values '
            f"({_range(plain[~mask], spec)}) and repeats like no neighbour"
        )
        mend = "they are read as missing, in training and in serving; data.as_is takes them as values"
        yield Finding(
            self.name,
            spec.name,
            count,
            table.share(count),
            (codes,),
            "warning",
            evidence,
            mend,
            True,
            rows=first_rows(mask),
        )

    def _suspected(self, table: Checked, spec: ColumnSpec, values: Doubles) -> Iterator[Finding]:
        found = number_codes(values) if spec.role is Role.NUMERIC else time_codes(values)
        for code in found:
            if code.count < 2 or (code.value < 0 and code.nearest < 0):
                continue
            mask = values == code.value
            text = _written(code.value, spec)
            evidence = (
                f'{code.count:,} cells of "{spec.name}" hold {text}, which looks like a code for "missing" or "never"; '
                f"the next value is {_written(code.nearest, spec)}"
            )
            mend = "it is taken as a value; if it stands for a missing cell, leave such cells empty at the source"
            yield Finding(
                self.name,
                spec.name,
                code.count,
                table.share(code.count),
                (text,),
                "info",
                evidence,
                mend,
                rows=first_rows(mask),
            )

    def _words(self, table: Checked) -> Iterator[Finding]:
        for spec, values in table.features(Kind.STRINGS):
            words = [word for word in spec.categories if word.lower() in WORDS]
            if not words:
                continue
            mask = np.isin(values, words)
            count = int(mask.sum())
            if not count:
                continue
            shown = ", ".join(f'"{word}"' for word in words[:3])
            evidence = f'{count:,} cells of "{spec.name}" hold {shown}'
            mend = "they are a category of their own, which a model can use; leave them empty if they mean missing"
            share = table.share(count)
            examples = tuple(words[:3])
            yield Finding(self.name, spec.name, count, share, examples, "info", evidence, mend, rows=first_rows(mask))


def _written(value: float, spec: ColumnSpec) -> str:
    return shown_codes(replace(spec, codes=(value,)))


def _range(values: Doubles, spec: ColumnSpec) -> str:
    values = values[~np.isnan(values)]
    if not len(values):
        return "none"
    return f"{_written(float(values.min()), spec)} to {_written(float(values.max()), spec)}"
