"""How strongly two columns depend on each other, whatever their types, on one scale from 0 to 1.

The scale is Linfoot's informational correlation: the mutual information I of the two columns' levels becomes
``sqrt(1 - exp(-2 I))``, which for two normal variables is the size of their correlation. It is divided by what it would
be if the first column decided the second, so that 1 means just that, for a pair of yes-or-no columns too. The
information is freed of its bias (Miller and Madow), its interval comes from the noncentral chi-square distribution of
the G statistic, and p-values over many looks are adjusted by Benjamini and Hochberg.

References
----------
.. [1] Linfoot, E. H. (1957). An informational measure of correlation. Information and Control 1, 85-89.
.. [2] Miller, G. A. (1955). Note on the bias of information estimates. In: Information theory in psychology.
.. [3] Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57, 289-300.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import Doubles, Ints

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Dependence:
    """Two columns against each other.

    Attributes
    ----------
    strength : 0 for none, 1 where the first decides the second.
    low, high : 95 % interval of the strength.
    p : of no dependence at all (G test), of this look alone.
    """

    strength: float
    low: float
    high: float
    p: float
    rows: int


def table_of(a: Ints, b: Ints, na: int, nb: int) -> Doubles:
    """Rows of each pair of levels, (na, nb)."""
    found: Doubles = np.bincount(a * nb + b, minlength=na * nb).reshape(na, nb).astype(np.float64)
    return found


def dependence(table: Doubles) -> Dependence:
    """Judge a table of counts (r, c): how far its rows decide its columns.

    Examples
    --------
    >>> found = dependence(np.array([[40.0, 10.0], [10.0, 40.0]]))
    >>> round(found.strength, 2), round(found.low, 2), round(found.high, 2), found.p < 1e-6
    (0.65, 0.47, 0.81, True)
    >>> none = dependence(np.array([[25.0, 25.0], [25.0, 25.0]]))
    >>> none.strength, none.low, none.p
    (0.0, 0.0, 1.0)
    """
    n = float(table.sum())
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    df = (int((rows > 0).sum()) - 1) * (int((columns > 0).sum()) - 1)
    if n <= 0 or df < 1:
        return Dependence(0.0, 0.0, 0.0, 1.0, int(n))
    information = max(float(_entropies(rows / n) + _entropies(columns / n) - _entropies(table.ravel() / n)), 0.0)
    statistic = 2.0 * n * information
    most = float(_entropies(columns / n))
    low, high = _bounds(statistic, df)
    from scipy.special import chdtrc

    true = max(information - df / (2.0 * n), 0.0)
    return Dependence(
        strength=scale(true, most),
        low=scale(low / (2.0 * n), most),
        high=scale(high / (2.0 * n), most),
        p=float(chdtrc(df, statistic)),
        rows=int(n),
    )


def scale(information: float, most: float) -> float:
    """Mutual information (nats) as a strength, where `most` is what it could reach."""
    if most <= 0.0:
        return 0.0
    return min(math.sqrt(-math.expm1(-2.0 * max(information, 0.0)) / -math.expm1(-2.0 * most)), 1.0)


def _entropies(shares: NDArray[Any]) -> Any:
    from scipy.special import entr

    return entr(shares).sum(axis=-1)


def _bounds(statistic: float, df: int) -> tuple[float, float]:
    """95 % interval of the noncentrality of a G statistic."""
    from scipy.special import chdtr, chndtrinc

    if statistic > 2_000.0:  # the square root is normal by then, and inverting the distribution slow
        centre, reach = math.sqrt(max(statistic - df, 0.0)), 1.96
        return max(centre - reach, 0.0) ** 2, (centre + reach) ** 2
    ends = []
    for level in (1 - ALPHA / 2, ALPHA / 2):
        reached = float(chdtr(df, statistic)) > level
        end = float(chndtrinc(statistic, df, level)) if reached else 0.0
        ends.append(end if math.isfinite(end) else 0.0)
    return ends[0], max(ends[1], ends[0])


def adjusted(p: Sequence[float]) -> list[float]:
    """P-values that keep the share of false discoveries at what they are compared with (Benjamini and Hochberg).

    Examples
    --------
    >>> [round(value, 3) for value in adjusted([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    if not len(p):
        return []
    from scipy.stats import false_discovery_control

    return [float(value) for value in false_discovery_control(np.clip(np.nan_to_num(p, nan=1.0), 0.0, 1.0))]
