"""Checks of how cells are written: words among numbers, dates in several formats, numbers kept as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from artificer.quality.base import MAX_EXAMPLES, Check, Checked, Finding, Mask, first_rows
from artificer.tables.cells import ColumnSpec
from artificer.types import MISSING_TIME, Role

if TYPE_CHECKING:
    import polars as pl

LEAST_CELLS = 20
LEAST_NUMBERS = 5
LEAST_SHARE = 0.02
"""A part of the cells smaller than this is no second type; it may be slips."""
NEARLY_ALL = 0.95
MOST_FORMATS = 4
TEXTUAL = (Role.CATEGORICAL, Role.TEXT, Role.ID)


def _texts(table: Checked, spec: ColumnSpec) -> pl.Series | None:
    """A column's cells as stripped texts, null where missing; None for what did not come as text."""
    import polars as pl

    from artificer.tables.parsing import marked, stripped

    series = table.frame[spec.name] if spec.name in table.frame.columns else None
    if series is None or series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return None
    text = stripped(series.cast(pl.String))
    gone = marked(text, spec.missing)
    return pl.select(pl.when(~pl.Series(gone)).then(text)).to_series()


class MixedTypes(Check):
    """Columns in which a part of the cells are numbers and another part words."""

    name: ClassVar[str] = "mixed_types"

    def run(self, table: Checked) -> Iterator[Finding]:
        import polars as pl

        from artificer.tables.parsing import parse_numbers

        for spec in table.contract.columns:
            text = _texts(table, spec) if spec.role in TEXTUAL else None
            if text is None or len(text) - text.null_count() < LEAST_CELLS:
                continue
            present = text.is_not_null().to_numpy()
            number = ~np.isnan(parse_numbers(text.fill_null("x"), None)) & present
            total, count = int(present.sum()), int(number.sum())
            if not LEAST_SHARE <= count / total <= 1 - LEAST_SHARE:
                continue
            words = text.filter(pl.Series(present & ~number))
            if text.filter(pl.Series(number)).n_unique() < LEAST_NUMBERS or words.str.contains("[0-9]").mean() > 0.5:  # type: ignore[operator]
                continue
            fewer = number if count <= total / 2 else present & ~number
            kinds = ("numbers", "words") if count <= total / 2 else ("words", "numbers")
            evidence = (
                f'{int(fewer.sum()):,} cells of "{spec.name}" are {kinds[0]} among {kinds[1]}, which are the other '
                f"{total - int(fewer.sum()):,}"
            )
            mend = "the column is taken as text; keep the two apart in columns of their own at the source"
            yield _finding(self.name, table, spec, fewer, text, evidence, mend)


class SeveralFormats(Check):
    """Columns of dates of which no single format reads nearly all, but a few together do."""

    name: ClassVar[str] = "several_formats"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec in table.contract.columns:
            text = _texts(table, spec) if spec.role in TEXTUAL else None
            if text is not None and len(text) - text.null_count() >= LEAST_CELLS:
                yield from self._column(table, spec, text)

    def _column(self, table: Checked, spec: ColumnSpec, text: pl.Series) -> Iterator[Finding]:
        from artificer.tables.parsing import TIME_PATTERNS, parse_times

        present = text.is_not_null().to_numpy()
        sample = text.drop_nulls().head(200)
        if sample.str.contains("[0-9][0-9]").mean() < NEARLY_ALL:  # type: ignore[operator]
            return
        likely = [p for p in TIME_PATTERNS if (parse_times(sample, p) != MISSING_TIME).mean() >= LEAST_SHARE]
        read = {pattern: (parse_times(text, pattern) != MISSING_TIME) & present for pattern in likely}
        chosen: dict[str, Mask] = {}
        left = present.copy()
        while read and len(chosen) < MOST_FORMATS:
            best = max(read, key=lambda pattern: int((read[pattern] & left).sum()))
            if (read[best] & left).sum() < LEAST_SHARE * present.sum():
                break
            chosen[best] = read.pop(best) & left
            left = left & ~chosen[best]
        if len(chosen) < 2 or left.sum() > (1 - NEARLY_ALL) * present.sum():
            return
        first = next(iter(chosen))
        fewer = present & ~chosen[first]
        named = ", ".join(f'"{pattern}" in {int(mask.sum()):,}' for pattern, mask in chosen.items())
        evidence = f'the dates of "{spec.name}" are written in {len(chosen)} formats: {named} cells'
        mend = "the column is taken as text; write all its dates as 2020-01-31 at the source"
        yield _finding(self.name, table, spec, fewer, text, evidence, mend)


class NumbersAsText(Check):
    """Numbers and times that came as texts in a writing of their own."""

    name: ClassVar[str] = "written_as_text"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec in table.contract.columns:
            if spec.role not in (Role.NUMERIC, Role.DATETIME) or spec.format is None:
                continue
            text = _texts(table, spec)
            if text is None:
                continue
            present = text.is_not_null().to_numpy()
            what = "numbers" if spec.role is Role.NUMERIC else "times"
            evidence = f'"{spec.name}" holds {what} as text, written like "{spec.format}"'
            mend = f"they are read as {what}, in training and in serving"
            count = int(present.sum())
            yield Finding(self.name, spec.name, count, table.share(count), (spec.format,), "info", evidence, mend, True)


def _finding(
    rule: str, table: Checked, spec: ColumnSpec, rows: Mask, text: pl.Series, evidence: str, mend: str
) -> Finding:
    import polars as pl

    found = text.filter(pl.Series(rows)).head(1000).unique(maintain_order=True)
    examples = tuple(cell[:100] for cell in found.head(MAX_EXAMPLES).to_list())
    count = int(rows.sum())
    return Finding(
        rule,
        spec.name,
        count,
        table.share(count),
        examples,
        "warning",
        evidence,
        mend,
        rows=first_rows(rows),
    )
