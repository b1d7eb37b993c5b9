"""How often each value occurs, as long as there are few different ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from artificer.types import Doubles

if TYPE_CHECKING:
    import polars as pl

Value: TypeAlias = "float | str"

LIMIT = 1_000
"""Of more different values than this sketches take over."""
_GLANCE = 4 * LIMIT


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of each value.

    Examples
    --------
    >>> import polars as pl
    >>> a, b = Counts.of(pl.Series(["x", "y", "x"])), Counts.of(pl.Series(["y", "z"]))
    >>> (a + b).most_common(2)
    [('x', 2), ('y', 2)]
    """

    rows: Mapping[Value, int]

    @classmethod
    def of(cls, values: pl.Series, limit: int | None = LIMIT) -> Counts | None:
        """Count values without nulls; None where more than `limit` differ."""
        if limit is not None and len(values) > _GLANCE and values.head(_GLANCE).n_unique() > limit:
            return None  # seen at a glance, before all are counted
        found = values.alias("value").value_counts(name="rows")
        if limit is not None and found.height > limit:
            return None
        return cls(dict(zip(found["value"].to_list(), found["rows"].to_list(), strict=True)))

    def plus(self, other: Counts, limit: int | None = LIMIT) -> Counts | None:
        """The counts of both; None where more than `limit` values differ."""
        merged = Counter(self.rows)
        merged.update(other.rows)
        return None if limit is not None and len(merged) > limit else Counts(dict(merged))

    def __add__(self, other: Counts) -> Counts:
        return Counts(dict(Counter(self.rows) + Counter(other.rows)))

    def most_common(self, most: int | None = None) -> list[tuple[Value, int]]:
        """Values with their rows, most frequent first, equally frequent ones in order."""
        return sorted(self.rows.items(), key=lambda item: (-item[1], item[0]))[:most]

    def numbers(self) -> tuple[Doubles, Doubles]:
        """Values and rows of a column of numbers, values rising."""
        values = np.fromiter(self.rows.keys(), np.float64, len(self.rows))
        rows = np.fromiter(self.rows.values(), np.float64, len(self.rows))
        order = np.argsort(values, kind="stable")
        return values[order], rows[order]
