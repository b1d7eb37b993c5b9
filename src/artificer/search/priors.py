"""What is believed of a candidate before anything ran: how far from the best it will end up.

The unit is the *gap*: the share of the way from the best reachable loss (0) to the constant baseline's (1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from artificer.algorithms.base import algorithms
from artificer.features.planning import parsed
from artificer.search.experience import Expectation, Situation, experience
from artificer.search.records import Candidate
from artificer.types import Blocks, Doubles, Kind, Task


@dataclass(frozen=True, slots=True)
class Prior:
    """Expected gap and its standard deviation; candidates of one `family` err together.

    Attributes
    ----------
    parent : index of an earlier candidate that this one is a variation of; `spread` is then of the difference to it.
    deviations : where the belief rests on measured tables, how the candidate did on each; see
        :class:`~artificer.search.experience.Expectation`.
    success : share of those tables on which it came within reach of the best; None where it was not measured.
    """

    family: str
    gap: float
    spread: float
    parent: int | None = None
    deviations: tuple[float, ...] = ()
    success: float | None = None


@dataclass(frozen=True, slots=True)
class TableShape:
    """What the prior and the portfolio may know of a table; `numbers` and `strings` are columns of these kinds."""

    rows: int
    columns: int
    numbers: int = 0
    strings: int = 0
    task: Task | None = None
    classes: int = 1

    @classmethod
    def of(cls, blocks: Blocks, task: Task | None = None, classes: int = 1) -> TableShape:
        widths = {kind: blocks.of(kind).shape[1] for kind in Kind}
        return cls(len(blocks), sum(widths.values()), widths[Kind.NUMBERS], widths[Kind.STRINGS], task, classes)


# Gaps at 100 and at 100,000 training rows, interpolated in the logarithm of the rows, with their spread. They follow
# the published comparisons of tabular learners: boosting leads the larger the table, linear models and forests hold
# their own on small ones (Grinsztajn, Oyallon, Varoquaux 2022; McElfresh et al. 2023; Gijsbers et al. 2024).
FAMILIES: dict[str, tuple[float, float, float]] = {
    "boosting": (0.14, 0.06, 0.10),
    "forest": (0.12, 0.17, 0.12),
    "neural": (0.18, 0.12, 0.14),
    "linear": (0.14, 0.42, 0.22),
    "bayes": (0.35, 0.45, 0.20),
    "tree": (0.30, 0.30, 0.12),
    "additive": (0.13, 0.22, 0.13),
    "kernel": (0.12, 0.30, 0.18),
    "neighbours": (0.32, 0.45, 0.22),
}
UNKNOWN = (0.25, 0.25, 0.25)
LATER_IN_PORTFOLIO = 0.01
"""Each further configuration of one algorithm is expected to do slightly worse than the one before it."""


LEAST_GAP = 0.01
VARIANT_SPREAD = 0.02
"""Standard deviation of the difference between a variant, with its modified representation, and its base."""


def prior(candidate: Candidate, position: int, shape: TableShape) -> Prior:
    """Prior of one candidate, `position` steps down its algorithm's portfolio.

    Examples
    --------
    >>> small, large = TableShape(100, 10), TableShape(100_000, 10)
    >>> ridge = Candidate("ridge", "ridge", {}, "linear")
    >>> prior(ridge, 0, small).gap < prior(ridge, 0, large).gap
    True
    """
    found = algorithms().get(candidate.algorithm)
    family = found.tags.family if found is not None else "unknown"
    if family == "constant":
        return Prior(family, 1.0, 0.02)
    gap, spread = family_gap(family, shape.rows), FAMILIES.get(family, UNKNOWN)[2]
    if (expected := expectation(candidate, shape)) is not None:
        # Measured tables are small: beyond their size, families come nearer and fall behind as is known of them.
        further = gap - family_gap(family, expected.rows)
        gap, spread = max(expected.gap + further, LEAST_GAP), math.hypot(expected.spread, further / 2)
        return Prior(family, gap, spread, deviations=tuple(expected.deviations.tolist()), success=expected.success)
    if family == "linear" and shape.columns > shape.rows:
        gap *= 0.5  # more columns than rows is where straight lines win
    return Prior(family, gap + LATER_IN_PORTFOLIO * position, spread)


def family_gap(family: str, rows: float) -> float:
    """The gap that is expected of a family on so many rows."""
    small, large, _ = FAMILIES.get(family, UNKNOWN)
    share = min(max((math.log10(max(rows, 1)) - 2) / 3, 0.0), 1.0)
    return small + (large - small) * share


def expectation(candidate: Candidate, shape: TableShape) -> Expectation | None:
    """What measured tables say of a candidate, or of the nearest configuration of its algorithm among them."""
    known = experience()
    if known is None or shape.task is None:
        return None
    texts = shape.strings / max(shape.columns, 1)
    situation = Situation(shape.task, shape.rows, shape.columns, shape.classes, texts)
    representation, _ = parsed(candidate.representation)
    return known.expect(candidate.algorithm, candidate.params, representation, situation)


def priors(candidates: Sequence[Candidate], shape: TableShape) -> list[Prior]:
    """One prior a candidate, in order; positions count within each algorithm, variants stand where their bases do."""
    seen: dict[str, int] = {}
    found: list[Prior] = []
    for i, candidate in enumerate(candidates):
        base = base_of(candidates, i)
        if base is not None:
            like = found[base]
            found.append(Prior(like.family, like.gap, VARIANT_SPREAD, base, success=like.success))
            continue
        position = seen.get(candidate.algorithm, 0)
        seen[candidate.algorithm] = position + 1
        found.append(prior(candidate, position, shape))
    return found


def base_of(candidates: Sequence[Candidate], i: int) -> int | None:
    """The earlier candidate that candidate `i` is a variant of: it differs by the representation's modifiers alone."""
    variant = candidates[i]
    base, modifiers = parsed(variant.representation)
    if not modifiers:
        return None
    plain = replace(variant, representation=base)
    return next((j for j, c in enumerate(candidates[:i]) if replace(c, name=variant.name) == plain), None)


def covariance(beliefs: Sequence[Prior], common: float = 0.15, within_family: float = 0.5) -> Doubles:
    """Prior covariance (K, K) of the gaps.

    Parameters
    ----------
    common : standard deviation of what all share, because the best reachable loss is not known.
    within_family : correlation of two candidates of one family beyond that.
    """
    spread = np.array([belief.spread for belief in beliefs])
    families = np.array([belief.family for belief in beliefs])
    learns = (families != "constant").astype(np.float64)
    same = (families[:, None] == families[None, :]).astype(np.float64)
    correlation = within_family * same + (1 - within_family) * np.eye(len(beliefs))
    result: Doubles = correlation * np.outer(spread, spread)
    measured = [i for i, belief in enumerate(beliefs) if belief.deviations]
    if measured:
        deviations = np.array([beliefs[i].deviations for i in measured])
        result[np.ix_(measured, measured)] = deviations @ deviations.T
        np.fill_diagonal(result, spread**2)
    result = result + common**2 * np.outer(learns, learns)
    for i, belief in enumerate(beliefs):
        if belief.parent is not None:  # all that holds for its parent, and a difference of its own
            result[i, :] = result[belief.parent, :]
            result[:, i] = result[i, :]
            result[i, i] = result[belief.parent, belief.parent] + belief.spread**2
    return result
