"""The Jensen-Shannon distance."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import BatchDetector, Comparison, Tags, counts


class JensenShannon(BatchDetector):
    """How large is the change, on a scale from 0 (the same) to 1 (nothing in common)? The distance in base 2.

    References
    ----------
    .. [1] Lin, J. (1991). Divergence measures based on the Shannon entropy. IEEE Transactions on Information Theory 37,
       145-151.
    .. [2] Endres, D. M., Schindelin, J. E. (2003). A new metric for probability distributions. IEEE Transactions on
       Information Theory 49, 1858-1860.

    Examples
    --------
    >>> JensenShannon().compare([5, 0], [0, 7]).effect
    1.0
    """

    name: ClassVar[str] = "jensen_shannon"
    tags: ClassVar[Tags] = Tags(ordered=True, categories=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        if not r.sum() or not c.sum():
            return Comparison(0.0, float("nan"), 0.0)
        p, q = r / r.sum(), c / c.sum()
        middle = (p + q) / 2.0

        def divergence(of: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
            there = of > 0
            return float((of[there] * np.log2(of[there] / middle[there])).sum())

        distance = float(np.sqrt(min(1.0, max(0.0, (divergence(p) + divergence(q)) / 2.0))))
        return Comparison(distance, float("nan"), distance)
