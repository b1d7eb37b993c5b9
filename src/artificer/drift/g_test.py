"""The likelihood-ratio test of homogeneity."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, counts, pool, upper_tail


class GTest(BatchDetector):
    """Do two count vectors come from one distribution? Likelihood ratio with Williams' correction, bins pooled.

    The effect is the mutual information of sample and bin in nats: G / 2n.

    References
    ----------
    .. [1] Wilks, S. S. (1938). The large-sample distribution of the likelihood ratio for testing composite hypotheses.
       Annals of Mathematical Statistics 9, 60-62.
    .. [2] Williams, D. A. (1976). Improved likelihood ratio tests for complete contingency tables. Biometrika 63,
       33-37.

    Examples
    --------
    >>> round(GTest().compare([100, 100], [60, 40]).p, 3)
    0.102
    """

    name: ClassVar[str] = "g_test"
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
        observed = np.stack([r, c])
        expected = np.stack([total * r.sum() / n, total * c.sum() / n])
        terms = np.where(observed > 0, observed * np.log(np.where(observed > 0, observed, 1.0) / expected), 0.0)
        g = 2.0 * float(terms.sum())
        spread_rows = n / r.sum() + n / c.sum() - 1.0
        spread_bins = float((n / total).sum()) - 1.0
        corrected = g / (1.0 + spread_rows * spread_bins / (6.0 * n * (len(r) - 1)))
        return Comparison(corrected, upper_tail(corrected, len(r) - 1), max(g, 0.0) / (2.0 * n))
