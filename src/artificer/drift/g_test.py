"""The likelihood-ratio test of homogeneity."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, contingency, upper_tail


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
        table = contingency(reference, current)
        if table is None:
            return NOTHING
        observed, expected = table
        terms = np.where(observed > 0, observed * np.log(np.where(observed > 0, observed, 1.0) / expected), 0.0)
        g, n, degrees = 2.0 * float(terms.sum()), float(observed.sum()), observed.shape[1] - 1
        spread_rows = float((n / observed.sum(axis=1)).sum()) - 1.0
        spread_bins = float((n / observed.sum(axis=0)).sum()) - 1.0
        corrected = g / (1.0 + spread_rows * spread_bins / (6.0 * n * degrees))
        return Comparison(corrected, upper_tail(corrected, degrees), max(g, 0.0) / (2.0 * n))
