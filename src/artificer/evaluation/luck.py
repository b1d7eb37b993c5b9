"""What luck alone can do on few rows, where resampling them says nothing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from artificer.types import Task


def chance_of_perfection(y: NDArray[np.generic], task: Task) -> float:
    """Probability that predictions which know nothing put the outcomes `y` (n,) in perfect order.

    No result on these rows is better evidence than this against luck, whatever an interval from resampling says: a
    bootstrap of two rows never varies. Classes: one over the number of ways to deal the labels out to the rows.
    Numbers: every row falls on the right side of a constant, one over two to the n.

    Examples
    --------
    >>> round(chance_of_perfection(np.array([0, 1]), Task.BINARY), 6)
    0.5
    >>> chance_of_perfection(np.array([0, 0, 0, 0, 0, 1, 1, 1]), Task.BINARY) < 0.025
    True
    >>> chance_of_perfection(np.array([1.5, 2.5]), Task.REGRESSION)
    0.25
    """
    if not task.is_classification:
        return float(2.0 ** -len(y))
    counts = np.unique(y, return_counts=True)[1]
    ways = math.lgamma(len(y) + 1) - sum(math.lgamma(int(count) + 1) for count in counts)
    return min(1.0, math.exp(-ways))
