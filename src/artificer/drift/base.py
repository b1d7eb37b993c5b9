"""What a drift detector is: counts, or a stream of numbers, in; a verdict out. No files, no clock, no randomness.

A batch detector compares two vectors of counts over the same b bins. A stream detector is told one number at a time.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from artificer.plugins import members
from artificer.types import Doubles


@dataclass(frozen=True, slots=True)
class Tags:
    """What a detector can do, for a planner to read.

    Attributes
    ----------
    ordered : the order of the bins counts, so it suits binned numbers and not categories.
    categories : suits categories, whose order means nothing.
    stream : takes one number at a time.
    gives_p : yields a p-value; else a distance only.
    """

    ordered: bool = False
    categories: bool = False
    stream: bool = False
    gives_p: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a batch detector found.

    Attributes
    ----------
    statistic : of the test, or the distance.
    p : probability of a statistic at least as large when nothing changed; NaN for distances.
    effect : size of the change, 0 for none, on the scale the detector's docstring names.
    """

    statistic: float
    p: float
    effect: float


class Detector(ABC):
    """Root of all detectors. A member sets ``name`` and ``tags``."""

    name: ClassVar[str]
    tags: ClassVar[Tags]


class BatchDetector(Detector):
    """Compares the counts of a reference with those of a window. Stateless, and safe to share between threads."""

    @abstractmethod
    def compare(self, reference: ArrayLike, current: ArrayLike) -> Comparison:
        """Compare counts over the same bins.

        Parameters
        ----------
        reference, current : (b,), not negative.

        Returns
        -------
        Comparison
            With p = 1 and no effect when either side is empty: nothing was seen, so nothing changed.

        Raises
        ------
        ValueError
            Different lengths, or a negative count.
        """


class StreamDetector(Detector):
    """Watches numbers one after another. Memory does not grow with the stream beyond its logarithm."""

    @abstractmethod
    def update(self, value: float) -> bool:
        """Take the next number; True when a change is noticed, after which watching starts afresh."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything that was seen."""


def detectors() -> dict[str, type[Detector]]:
    """Every detector by name.

    Examples
    --------
    >>> "chi_square" in detectors()
    True
    """
    return members("artificer.drift", Detector, "artificer.detectors")


NOTHING = Comparison(0.0, 1.0, 0.0)


def counts(reference: ArrayLike, current: ArrayLike) -> tuple[Doubles, Doubles]:
    """Check two vectors of counts and return them as float64."""
    r, c = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if r.ndim != 1 or r.shape != c.shape:
        raise ValueError(f"counts must be two vectors of one length, got shapes {r.shape} and {c.shape}")
    if not ((r >= 0).all() and (c >= 0).all()):
        raise ValueError("counts must not be negative")
    return r, c


def pool(reference: Doubles, current: Doubles, least: float = 5.0) -> tuple[Doubles, Doubles]:
    """Merge bins until each is expected to hold at least `least` rows of either side.

    Neighbouring bins are merged; rare categories should therefore stand at the end of the vectors.

    References
    ----------
    Cochran, W. G. (1954). Some methods for strengthening the common chi-squared tests. Biometrics 10, 417-451.

    Examples
    --------
    >>> pool(np.array([50.0, 2.0, 1.0]), np.array([50.0, 2.0, 9.0]))[1].tolist()
    [50.0, 11.0]
    """
    total = reference + current
    # The expected counts of the smaller side are the smaller ones.
    share = min(reference.sum(), current.sum()) / max(total.sum(), 1.0)
    groups = np.empty(len(total), np.int64)
    group, held = 0, 0.0
    for index, expected in enumerate((total * share).tolist()):
        if held >= least:
            group, held = group + 1, 0.0
        groups[index] = group
        held += expected
    if held < least and group > 0:
        groups[groups == group] = group - 1
    return np.bincount(groups, reference).astype(np.float64), np.bincount(groups, current).astype(np.float64)


def contingency(reference: ArrayLike, current: ArrayLike) -> tuple[Doubles, Doubles] | None:
    """Counts observed and, of one distribution, expected, both (2, k): bins pooled, empty ones left out.

    None where a side has no rows or fewer than two bins are left.

    Examples
    --------
    >>> contingency([100, 100], [60, 40])[1].round(1).tolist()
    [[106.7, 93.3], [53.3, 46.7]]
    """
    r, c = counts(reference, current)
    if not r.sum() or not c.sum():
        return None
    observed = np.stack(pool(r, c))
    observed = observed[:, observed.sum(axis=0) > 0]
    if observed.shape[1] < 2:
        return None
    return observed, np.outer(observed.sum(axis=1), observed.sum(axis=0)) / observed.sum()


def upper_tail(statistic: float, degrees: int) -> float:
    """Upper tail of the chi-square distribution.

    Examples
    --------
    >>> round(upper_tail(3.841, 1), 3)
    0.05
    """
    if degrees < 1 or not math.isfinite(statistic):
        return 1.0
    from scipy.special import chdtrc

    return float(chdtrc(degrees, statistic))
