"""Pearson's chi-square test of homogeneity, and its likelihood-ratio sister."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, counts, pool, upper_tail


class ChiSquare(BatchDetector):
    """Do two count vectors come from one distribution? Pearson's chi-square, bins pooled by Cochran's rule.

    The effect is Cramér's V, from 0 to 1.

    References
    ----------
    .. [1] Pearson, K. (1900). On the criterion that a given system of deviations from the probable in the case of a
       correlated system of variables is such that it can be reasonably supposed to have arisen from random sampling.
       Philosophical Magazine 50, 157-175.
    .. [2] Cramér, H. (1946). Mathematical Methods of Statistics. Princeton University Press.

    Examples
    --------
    >>> found = ChiSquare().compare([100, 100], [60, 40])
    >>> round(found.statistic, 3), round(found.p, 3), round(found.effect, 3)
    (2.679, 0.102, 0.094)
    """

    name: ClassVar[str] = "chi_square"
    tags: ClassVar[Tags] = Tags(ordered=True, categories=True, gives_p=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        if not r.sum() or not c.sum():
            return NOTHING
        r, c = pool(r, c)
        kept = r + c > 0
        r, c = r[kept], c[kept]
        if len(r) < 2:
            return NOTHING
        n, total = r.sum() + c.sum(), r + c
        expected = np.stack([total * r.sum() / n, total * c.sum() / n])
        statistic = float(((np.stack([r, c]) - expected) ** 2 / expected).sum())
        return Comparison(statistic, upper_tail(statistic, len(r) - 1), float(np.sqrt(statistic / n)))
