"""The check of single cells: what does not fit its column, or the other cells of its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from artificer.quality.base import MAX_EXAMPLES, MAX_ROWS, Check, Checked, Finding

if TYPE_CHECKING:
    import polars as pl


class WrongCells(Check):
    """Misspelt categories, broken dependencies, units inside numbers, wrong scales and formats, words for missing.

    The cells are found by ``artificer.quality.mending``, which also says what most of them should hold.
    """

    name: ClassVar[str] = "wrong_cells"
    seconds: ClassVar[float] = 20.0
    rows: ClassVar[int] = 50_000
    deep: ClassVar[bool] = True  # it compares all columns with each other, for which a short training has no time

    def run(self, table: Checked) -> Iterator[Finding]:
        import polars as pl

        from artificer.quality.mending.account import DROPPED
        from artificer.quality.mending.mend import mend
        from artificer.quality.mending.patterns import LACKING

        used = [c.name for c in table.contract.columns if c.name in table.frame.columns]
        log = mend(table.frame.select(used)).log
        # Missing cells and copies of rows have checks of their own.
        log = log.filter((pl.col("action") != DROPPED) & (pl.col("cause") != LACKING))
        log = log.filter(~(pl.col("before").is_null() & pl.col("after").is_not_null()))
        for column, cause in sorted(log.select("column", "cause").unique().iter_rows()):
            part = log.filter((pl.col("column") == column) & (pl.col("cause") == cause))
            yield self._finding(table, column, cause, part.sort("row"))

    def _finding(self, table: Checked, column: str, cause: str, part: pl.DataFrame) -> Finding:
        from artificer.quality.mending.sheet import REPAIRED

        repaired = int((part["action"] == REPAIRED).sum())
        different = part.unique(["before", "after"], maintain_order=True).head(MAX_EXAMPLES)
        examples = tuple(_shown(before, after) for before, after in different.select("before", "after").iter_rows())
        count = part.height
        mend = (
            f"`artificer clean` writes {repaired:,} of them as it should be (confidence "
            f"{part['confidence'].to_numpy().mean():.0%} on average)"
            if repaired
            else "nothing in the table tells what they should hold; mend them at the source"
        )
        evidence = f'{count:,} cells of "{column}" look wrong: {cause}'
        rows = tuple(part["row"].head(MAX_ROWS).to_list())
        return Finding(self.name, column, count, table.share(count), examples, "warning", evidence, mend, rows=rows)


def _shown(before: str | None, after: str | None) -> str:
    """One wrong cell and what it should hold."""
    left = (before or "")[:40]
    return left if before == after else f"{left} → {(after or 'missing')[:40]}"
