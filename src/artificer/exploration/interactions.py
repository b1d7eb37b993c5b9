"""Pairs of columns whose joint effect on the target is more than the sum of their own effects.

Each pair of the strongest columns is cut into a few levels. The additive model (an effect a level of each) is held
against the model with a mean for every pair of levels; what the second explains beyond the first, freed of its degrees
of freedom, is the interaction. An F test says whether it is more than chance, adjusted over all pairs.

References
----------
Yates, F. (1934). The analysis of multiple classifications with unequal numbers in the different classes. JASA 29,
51-66.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from artificer.exploration.association import Target
from artificer.exploration.codes import Coded
from artificer.exploration.dependence import ALPHA, adjusted, table_of
from artificer.types import Doubles, Ints

MOST_COLUMNS = 12
LEVELS = 5
LEAST = 0.003
"""An interaction that explains less of the variance is not worth a reader's time."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two columns together.

    Attributes
    ----------
    explained : share of the target's variance that their interaction adds to their separate effects.
    separate : share that the separate effects explain.
    labels : levels of the first and of the second column.
    means, rows : of the target in each pair of levels; None for several classes.
    """

    columns: tuple[str, str]
    explained: float
    separate: float
    adjusted_p: float
    labels: tuple[tuple[str, ...], tuple[str, ...]]
    means: tuple[tuple[float | None, ...], ...] | None
    rows: tuple[tuple[int, ...], ...]

    @property
    def real(self) -> bool:
        return self.adjusted_p <= ALPHA and self.explained >= LEAST


def interactions(columns: Sequence[Coded], target: Target) -> tuple[Interaction, ...]:
    """Look for interactions among the first `MOST_COLUMNS` columns, the strongest first.

    Examples
    --------
    >>> from artificer.types import Kind, Task
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.integers(0, 2, (2, 4_000))
    >>> y = (a ^ b) + rng.normal(0, 0.1, 4_000)
    >>> columns = [Coded(name, Kind.STRINGS, code, ("0", "1")) for name, code in (("a", a), ("b", b))]
    >>> found = interactions(columns, Target("y", Task.REGRESSION, (y > 0.5).astype(int), ("low", "high"), y))[0]
    >>> round(found.explained, 2), round(found.separate, 2)
    (0.96, 0.0)
    """
    kept = [_coarse(column) for column in columns[:MOST_COLUMNS]]
    outcome = _outcome(target)
    judged = [(a, b, _judge(a, b, outcome)) for a, b in combinations(kept, 2)]
    p = adjusted([found[2] for _, _, found in judged])
    made = [_describe(a, b, found, q, target) for (a, b, found), q in zip(judged, p, strict=True)]
    return tuple(sorted(made, key=lambda one: (not one.real, -one.explained)))


def _outcome(target: Target) -> Doubles:
    """The target as columns of numbers (n, k), each with mean 0; classes share one unit of variance."""
    if target.values is not None:
        made = target.values[:, None]
    else:
        made = (target.codes[:, None] == np.arange(len(target.labels))).astype(np.float64)
    centred: Doubles = made - made.mean(axis=0)
    return centred


def _coarse(column: Coded) -> Coded:
    """At most `LEVELS` levels: neighbours merged for numbers, rare ones for categories."""
    real = len(column.labels) - (column.missing is not None)
    if real <= LEVELS:
        return column
    if column.values is not None:
        place = np.arange(real) * LEVELS // real
        labels = [column.labels[int(np.flatnonzero(place == level)[-1])] for level in range(LEVELS)]
    else:
        place = np.minimum(np.arange(real), LEVELS - 1)
        labels = [*column.labels[: LEVELS - 1], "others"]
    place = np.append(place, LEVELS)  # missing cells stay apart
    more = [column.labels[-1]] if column.missing is not None else []
    return Coded(column.name, column.kind, place[column.codes].astype(np.int64), (*labels, *more), column.values)


def _judge(a: Coded, b: Coded, outcome: Doubles) -> tuple[float, float, float]:
    """Shares explained by the interaction and by the separate effects, and the p-value of the interaction."""
    from scipy.special import fdtrc

    na, nb = len(a.labels), len(b.labels)
    cell: Ints = a.codes * nb + b.codes
    rows = np.bincount(cell, minlength=na * nb).astype(np.float64)
    sums = np.stack([np.bincount(cell, y, minlength=na * nb) for y in outcome.T], axis=1)
    there = rows > 0
    weight = np.sqrt(rows[there])
    means = sums[there] / rows[there, None]
    places = np.flatnonzero(there)
    design = np.concatenate([np.eye(na)[places // nb], np.eye(nb)[places % nb]], axis=1)
    fitted = design @ np.linalg.lstsq(design * weight[:, None], means * weight[:, None], rcond=None)[0]
    total = float((outcome**2).sum())
    within = total - float((rows[there, None] * means**2).sum())
    lost = float((rows[there, None] * (means - fitted) ** 2).sum())
    rank = int(np.linalg.matrix_rank(design))
    df, rest = len(places) - rank, len(outcome) - len(places)
    if df < 1 or rest < 1 or total <= 0:
        return 0.0, 0.0, 1.0
    noise = max(within / rest, 1e-12 * total / len(outcome))
    width = outcome.shape[1] - (outcome.shape[1] > 1)
    p = float(fdtrc(df * width, rest * width, lost / df / noise))
    separate = (total - within - lost - (rank - 1) * noise) / total
    return max((lost - df * noise) / total, 0.0), max(separate, 0.0), p


def _describe(a: Coded, b: Coded, found: tuple[float, float, float], p: float, target: Target) -> Interaction:
    rows = table_of(a.codes, b.codes, len(a.labels), len(b.labels))
    down, across = np.flatnonzero(rows.sum(axis=1)), np.flatnonzero(rows.sum(axis=0))
    held = rows[np.ix_(down, across)]
    means = None
    if target.values is not None:
        cell = a.codes * len(b.labels) + b.codes
        sums = np.bincount(cell, target.values, minlength=rows.size).reshape(rows.shape)[np.ix_(down, across)]
        means = tuple(
            tuple(float(total / n) if n else None for total, n in zip(line.tolist(), counts.tolist(), strict=True))
            for line, counts in zip(sums, held, strict=True)
        )
    labels = tuple(a.labels[i] for i in down.tolist()), tuple(b.labels[i] for i in across.tolist())
    counts = tuple(tuple(int(n) for n in line) for line in held.tolist())
    return Interaction((a.name, b.name), found[0], found[1], p, labels, means, counts)
