"""Pearson's chi-square test of homogeneity, and its likelihood-ratio sister."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, contingency, upper_tail


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
        table = contingency(reference, current)
        if table is None:
            return NOTHING
        observed, expected = table
        statistic = float(((observed - expected) ** 2 / expected).sum())
        effect = float(np.sqrt(statistic / observed.sum()))
        return Comparison(statistic, upper_tail(statistic, observed.shape[1] - 1), effect)
