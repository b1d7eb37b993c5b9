"""The rank-sum test on binned numbers."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, counts


class MannWhitney(BatchDetector):
    """Have the values moved up or down? The rank-sum test, rows of one bin sharing a rank.

    One degree of freedom makes it far stronger than chi-square against a shift, and blind to a change of spread.
    The effect is the probability that a new value lies above an old one (ties halved), less 0.5, without sign.

    References
    ----------
    .. [1] Mann, H. B., Whitney, D. R. (1947). On a test of whether one of two random variables is stochastically larger
       than the other. Annals of Mathematical Statistics 18, 50-60.

    Examples
    --------
    >>> found = MannWhitney().compare([50, 50, 50, 50], [20, 40, 60, 80])
    >>> found.effect, found.p < 1e-4
    (0.125, True)
    """

    name: ClassVar[str] = "mann_whitney"
    tags: ClassVar[Tags] = Tags(ordered=True, gives_p=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        n_r, n_c = float(r.sum()), float(c.sum())
        if not n_r or not n_c:
            return NOTHING
        n, total = n_r + n_c, r + c
        ranks = np.cumsum(total) - (total - 1.0) / 2.0
        ties = float((total**3 - total).sum())
        variance = n_r * n_c / 12.0 * ((n + 1.0) - ties / max(n * (n - 1.0), 1.0))
        distance = float((ranks * c).sum()) - n_c * (n + 1.0) / 2.0
        if variance <= 1e-9 * n * n:
            return NOTHING
        z = distance / math.sqrt(variance)
        return Comparison(z, math.erfc(abs(z) / math.sqrt(2.0)), abs(distance) / (n_r * n_c))
