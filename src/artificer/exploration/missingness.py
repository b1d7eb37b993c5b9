"""Which cells are missing together, and whether their absence says something about the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artificer.exploration.association import Target
from artificer.exploration.codes import Coded
from artificer.exploration.dependence import ALPHA, Dependence, adjusted, dependence, table_of

MOST_PATTERNS = 12
FEWEST_MISSING = 20
"""Fewer cells tell nothing."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Columns that are missing together in `rows` of the rows; none in the complete ones."""

    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Telling:
    """A column whose missing cells are related to the target; the target's mean with and without a value."""

    column: str
    found: Dependence
    adjusted_p: float
    mean_missing: float | None
    mean_known: float | None

    @property
    def real(self) -> bool:
        return self.adjusted_p <= ALPHA


@dataclass(frozen=True, slots=True)
class Missingness:
    """Patterns, the most frequent first, and what absence tells of the target, the most first."""

    rows: int
    complete: int
    patterns: tuple[Pattern, ...]
    distinct_patterns: int
    telling: tuple[Telling, ...]


def missingness(columns: Sequence[Coded], target: Target | None = None) -> Missingness:
    """Look at where cells are missing.

    Examples
    --------
    >>> from artificer.types import Kind
    >>> a = Coded("a", Kind.STRINGS, np.array([0, 1, 1, 0]), ("x", "missing"))
    >>> b = Coded("b", Kind.STRINGS, np.array([0, 1, 1, 1]), ("x", "missing"))
    >>> found = missingness([a, b])
    >>> found.complete, found.patterns
    (1, (Pattern(columns=('a', 'b'), rows=2), Pattern(columns=('b',), rows=1)))
    """
    rows = len(columns[0].codes) if columns else 0
    gaps = [(column.name, column.codes == column.missing) for column in columns if column.missing is not None]
    gaps = [(name, mask) for name, mask in gaps if mask.any()]
    if not gaps:
        return Missingness(rows, rows, (), 0, ())
    packed = np.packbits(np.stack([mask for _, mask in gaps], axis=1), axis=1)
    found = Counter(map(bytes, packed))
    complete = found.pop(bytes(packed.shape[1]), 0)
    patterns = []
    for key, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST_PATTERNS]:
        bits = np.unpackbits(np.frombuffer(key, np.uint8))[: len(gaps)]
        patterns.append(Pattern(tuple(name for (name, _), bit in zip(gaps, bits, strict=True) if bit), count))
    telling = () if target is None else _telling(gaps, target)
    return Missingness(rows, complete, tuple(patterns), len(found), telling)


def _telling(gaps: Sequence[tuple[str, NDArray[np.bool_]]], target: Target) -> tuple[Telling, ...]:
    gaps = [(name, mask) for name, mask in gaps if FEWEST_MISSING <= mask.sum() <= len(mask) - FEWEST_MISSING]
    judged = [dependence(table_of(mask.astype(np.int64), target.codes, 2, len(target.labels))) for _, mask in gaps]
    made = []
    for (name, mask), found, p in zip(gaps, judged, adjusted([one.p for one in judged]), strict=True):
        means: list[float | None] = [None, None]
        if target.values is not None and 0 < mask.sum() < len(mask):
            means = [float(target.values[mask].mean()), float(target.values[~mask].mean())]
        made.append(Telling(name, found, p, means[0], means[1]))
    return tuple(sorted(made, key=lambda one: (-one.found.strength, one.found.p)))
