"""More of something rare: missing cells, or categories that training hardly knew."""

from __future__ import annotations

from typing import ClassVar

from numpy.typing import ArrayLike

from artificer.drift.base import NOTHING, BatchDetector, Comparison, Tags, counts


class Excess(BatchDetector):
    """Does the last bin hold more of the window than of the reference? Exact, so it works where a bin was empty.

    Given how many rows of both sides lie in the bin, their number in the window is at most binomially spread when
    nothing changed (without replacement it varies less, which makes the p-value too large, never too small).
    The effect is the difference of the two shares; a decrease has p near 1.

    References
    ----------
    .. [1] Przyborowski, J., Wilenski, H. (1940). Homogeneity of results in testing samples from Poisson series.
       Biometrika 31, 313-323.

    Examples
    --------
    >>> found = Excess().compare([10_000, 0], [95, 5])
    >>> found.p < 1e-9, found.effect
    (True, 0.05)
    """

    name: ClassVar[str] = "excess"
    tags: ClassVar[Tags] = Tags(ordered=True, categories=True, gives_p=True)

    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        r, c = counts(reference, current)
        n_r, n_c = float(r.sum()), float(c.sum())
        if not n_r or not n_c:
            return NOTHING
        there, before = float(c[-1]), float(r[-1])
        effect = max(0.0, there / n_c - before / n_r)
        if there == 0:
            return Comparison(0.0, 1.0, effect)
        from scipy.special import betainc

        # P(Binomial(there + before, share) >= there)
        p = float(betainc(there, before + 1.0, n_c / (n_c + n_r)))
        return Comparison(there, min(p, 1.0), effect)
