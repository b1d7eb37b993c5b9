"""A uniform sample of rows of any number of batches, which adds up as profiles do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from artificer.types import Doubles

if TYPE_CHECKING:
    import polars as pl

ROWS = 100_000
CELLS = 10_000_000


def sample_rows(width: int) -> int:
    """Rows that a sample of so many columns keeps: at most 10 million cells, 80 MB.

    Examples
    --------
    >>> sample_rows(20), sample_rows(1_000)
    (100000, 10000)
    """
    return min(ROWS, max(1_000, CELLS // max(width, 1)))


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows whose random ranks are the smallest: each row with the same probability, in the table's order.

    Examples
    --------
    >>> import polars as pl
    >>> parts = [Sample.of(pl.DataFrame({"x": range(start, start + 500)}), 100, at=start) for start in (0, 500)]
    >>> whole = parts[0] + parts[1]
    >>> whole.frame.height, bool(350 < whole.frame["x"].mean() < 650)
    (100, True)

    References
    ----------
    Vitter, J. S. (1985). Random sampling with a reservoir. ACM Transactions on Mathematical Software 11, 37-57; as the
    k smallest of random ranks: Cohen, E., Kaplan, H. (2007). Summarizing data using bottom-k sketches. PODC 2007.
    """

    frame: pl.DataFrame
    ranks: Doubles
    most: int

    @classmethod
    def of(cls, frame: pl.DataFrame, most: int, *, seed: int = 0, at: int = 0) -> Sample:
        """Sample a batch; `at` is the number of its first row, so that no two batches draw the same ranks."""
        ranks = np.random.default_rng((seed, at)).random(frame.height)
        return cls(frame, ranks, most)._cut()

    def __add__(self, other: Sample) -> Sample:
        import polars as pl

        most = min(self.most, other.most)
        ranks = np.concatenate([self.ranks, other.ranks])
        if len(ranks) <= most:
            return Sample(pl.concat([self.frame, other.frame]), ranks, most)
        keep = _smallest(ranks, most)
        mine = len(self.ranks)
        parts = [self.frame[keep[keep < mine]], other.frame[keep[keep >= mine] - mine]]
        return Sample(pl.concat(parts), ranks[keep], most)

    def _cut(self) -> Sample:
        if len(self.ranks) <= self.most:
            return self
        keep = _smallest(self.ranks, self.most)
        return Sample(self.frame[keep], self.ranks[keep], self.most)


def _smallest(ranks: Doubles, most: int) -> NDArray[np.intp]:
    """Places of the smallest ranks, rising."""
    return np.sort(np.argpartition(ranks, most - 1)[:most])
