"""The Kolmogorov-Smirnov test on binned numbers."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, counts


class KolmogorovSmirnov(BatchDetector):
    """What is the largest distance between the two cumulative distributions, seen at the bins' edges?

    Binning can only make the distance smaller, so the p-value is on the safe side. The effect is that distance.

    References
    ----------
    .. [1] Smirnov, N. (1948). Table for estimating the goodness of fit of empirical distributions. Annals of
       Mathematical Statistics 19, 279-281.
    .. [2] Stephens, M. A. (1970). Use of the Kolmogorov-Smirnov, Cramér-von Mises and related statistics without
       extensive tables. JRSS B 32, 115-122 (the correction for small samples).

    Examples
    --------
    >>> found = KolmogorovSmirnov().compare([50, 50, 50, 50], [20, 40, 60, 80])
    >>> round(found.effect, 2), found.p < 0.01
    (0.2, True)
    """

    name: ClassVar[str] = "kolmogorov_smirnov"
    tags: ClassVar[Tags] = Tags(ordered=True, gives_p=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        n_r, n_c = float(r.sum()), float(c.sum())
        if not n_r or not n_c:
            return NOTHING
        distance = float(np.abs(np.cumsum(r) / n_r - np.cumsum(c) / n_c).max())
        root = math.sqrt(n_r * n_c / (n_r + n_c))
        from scipy.special import kolmogorov

        return Comparison(distance, float(kolmogorov((root + 0.12 + 0.11 / root) * distance)), distance)
