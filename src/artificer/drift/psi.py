"""The population stability index."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.drift.base import BatchDetector, Comparison, Tags, counts


class PopulationStability(BatchDetector):
    """How large is the change? The symmetrised Kullback-Leibler divergence of the bins, in nats.

    Half a row is added to every bin, so that an empty bin costs what the number of rows can vouch for, and what the
    index would be on average without any change, ``(b - 1) (1/n + 1/m)``, is taken off. A shift of a normal
    distribution by d standard deviations has the value d². Below 0.1 is usually called stable, above 0.25 a large
    change. The statistic is the raw index, the effect the corrected one.

    References
    ----------
    .. [1] Kullback, S., Leibler, R. A. (1951). On information and sufficiency. Annals of Mathematical Statistics 22,
       79-86.
    .. [2] Yurdakul, B., Naranjo, J. (2020). Statistical properties of the population stability index. Journal of Risk
       Model Validation 14 (the distribution without change).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> edges = np.linspace(-2, 2, 9)
    >>> old = np.bincount(np.searchsorted(edges, rng.normal(size=20_000)), minlength=10)
    >>> new = np.bincount(np.searchsorted(edges, rng.normal(0.5, 1, size=20_000)), minlength=10)
    >>> round(PopulationStability().compare(old, new).effect, 2)
    0.23
    """

    name: ClassVar[str] = "psi"
    tags: ClassVar[Tags] = Tags(ordered=True, categories=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        if not r.sum() or not c.sum():
            return Comparison(0.0, float("nan"), 0.0)
        kept = r + c > 0
        r, c = r[kept], c[kept]
        p = (r + 0.5) / (r.sum() + 0.5 * len(r))
        q = (c + 0.5) / (c.sum() + 0.5 * len(c))
        index = float(((q - p) * np.log(q / p)).sum())
        chance = (len(r) - 1) * (1.0 / r.sum() + 1.0 / c.sum())
        return Comparison(index, float("nan"), max(0.0, float(index - chance)))
