"""Counts of numbers between quantiles: the part of a profile by which two sets of rows are compared.

Bin i holds what is above edge i - 1 and at most edge i. Edges are float32, which is what models see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.types import FLOAT32_MAX, Doubles, Floats

LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Quantiles between which numbers are counted."""

FEW_VALUES = 20
"""Of so few different values each has a bin of its own."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Edges (b - 1), rising, and the rows in each bin (b)."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def exact_bins(values: NDArray[Any]) -> Bins:
    """Bins of numbers (n), NaN left out.

    Examples
    --------
    >>> exact_bins(np.array([1.0, 1.0, 2.0, np.nan])).counts
    (0, 2, 1, 0)
    """
    known = single(values)
    known = known[~np.isnan(known)]
    if not len(known):
        return Bins((), (0,))
    distinct = np.unique(known[:10_000])
    distinct = np.unique(known) if len(distinct) <= FEW_VALUES else distinct
    if len(distinct) <= FEW_VALUES:
        edges = edges_of_few(distinct)
    else:
        edges = np.unique(np.quantile(known, LEVELS, method="inverted_cdf"))
        edges = edges[edges < known.max()]
    # The shortest text of a float32 reads back as the same float32.
    shortest = tuple(float(str(edge)) for edge in edges.astype(np.float32))
    return Bins(shortest, tuple(bin_counts(known, edges).astype(int).tolist()))


def edges_of_few(distinct: Floats) -> Floats:
    """Edges that give each of a few values a bin, and what lies outside another: a constant is seen to change."""
    below = distinct[:1][distinct[:1] > -FLOAT32_MAX]  # nothing lies below the lowest number there is
    return np.append(np.nextafter(below, np.float32(-np.inf)), distinct).astype(np.float32)


def bin_counts(values: NDArray[Any], edges: Sequence[float] | NDArray[Any]) -> Doubles:
    """Count numbers, missing ones left out, between `edges`; (b,)."""
    values = single(values)
    values = values[~np.isnan(values)]
    limits = np.asarray(edges, dtype=np.float32)
    found = np.bincount(np.searchsorted(limits, values, side="left"), minlength=len(limits) + 1)
    return found.astype(np.float64)


def single(values: NDArray[Any]) -> Floats:
    """Numbers as models see them: float32, without overflow."""
    clipped: Floats = np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    return clipped
