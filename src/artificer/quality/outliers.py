"""Numbers far from all others of their column, and rows whose numbers do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Mask, first_rows, shown
from artificer.types import Doubles, Kind, Role

LEAST_CELLS = 100
LEAST_VALUES = 20
FAR = 8.0
"""Robust standard deviations from the median."""
GAP = 2.0
"""So many of them lie between an outlier and the next value: a long tail has no such gap."""
MOST = 0.002
TAIL = 0.01
LEAST_TAIL = 20
"""The tail is this part of the values, and at least so many of them."""
CHANCE = 0.05
LEAST_INDEX = 0.1
"""Tails are taken as no lighter than this; a normal one is about 0.2 here."""
NORMAL_IQR = 1.349
MOST_COLUMNS = 50
LEAST_JOINT = 300


class Outliers(Check):
    """Single numbers far out: beyond the column's own tail, by a gap.

    Columns that are skewed and above zero are looked at in logarithms, so that a long tail does not count.
    """

    name: ClassVar[str] = "outliers"

    def run(self, table: Checked) -> Iterator[Finding]:
        columns = list(table.quantities())
        for spec, values in columns:
            rows = far_out(values, len(columns))
            count = int(rows.sum())
            if not count:
                continue
            rest = values[~rows & ~np.isnan(values)]
            evidence = (
                f'{count:,} cells of "{spec.name}" lie far outside of the others, which go from {rest.min():.6g} to '
                f"{rest.max():.6g}"
            )
            mend = "see whether they are slips (a decimal point, another unit); nothing was changed"
            share = table.share(count)
            examples = shown(values[rows])
            yield Finding(
                self.name, spec.name, count, share, examples, "warning", evidence, mend, rows=first_rows(rows)
            )


def far_out(values: Doubles, looks: int = 1) -> Mask:
    """Which of n numbers (NaN where missing) lie far out, by a gap and beyond what the column's own tail explains.

    The tail is taken as a power law whose index is the median of Hill's (1975) logarithms.

    Parameters
    ----------
    looks : columns that are looked at together: the more, the farther out a number has to lie.

    Examples
    --------
    >>> far_out(np.r_[np.linspace(10, 20, 200), 900.0, np.nan]).nonzero()[0].tolist()
    [200]
    """
    nothing = np.zeros(len(values), dtype=np.bool_)
    present = ~np.isnan(values)
    seen = values[present]
    score = _scores(seen) if len(seen) >= LEAST_CELLS else None
    if score is None:
        return nothing
    flags = np.zeros(len(seen), dtype=np.bool_)
    for side in (score, -score):
        limit = _limit(side, CHANCE / looks)
        if limit is not None:
            flags |= side >= limit
    found = nothing.copy()
    found[present] = flags
    return found


def _limit(side: Doubles, chance: float) -> float | None:
    """The score from which on one side's values are outliers; None where none are."""
    if side.max() < FAR:
        return None
    begin = float(np.quantile(side, 1 - max(TAIL, LEAST_TAIL / len(side))))
    tail = np.sort(side[side > max(begin, 0.5)])
    if len(tail) < 2:
        return None
    logs = np.log(tail / tail[0])
    index = max(float(np.median(logs)) / np.log(2), LEAST_INDEX)
    beyond = len(tail) * np.exp(-logs / index) < chance
    steps = np.diff(np.r_[tail[0], tail])
    wide = np.flatnonzero((steps >= GAP) & (tail >= FAR) & beyond)
    if not len(wide) or len(tail) - wide[0] > max(3, MOST * len(side)):
        return None
    return float(tail[wide[0]])


def _scores(seen: Doubles) -> Doubles | None:
    """Robust distances from the median, in logarithms where the numbers are above zero and skewed to the right."""
    low, middle, high = np.quantile(seen, [0.25, 0.5, 0.75])
    if high - low <= 0 or len(np.unique(seen[:5000])) < LEAST_VALUES:
        return None
    if seen.min() >= 0 and (high - middle) > 1.3 * (middle - low):
        seen = np.log1p(seen / middle) if middle > 0 else np.log1p(seen)
        low, middle, high = np.quantile(seen, [0.25, 0.5, 0.75])
        if high - low <= 0:
            return None
    # Each side by its own spread: a skewed column has two.
    below, above = (2 * max(part, 1e-3 * (high - low)) / NORMAL_IQR for part in (middle - low, high - middle))
    score: Doubles = np.where(seen < middle, (seen - middle) / below, (seen - middle) / above)
    return score


class JointOutliers(Check):
    """Rows whose numbers do not go together, though each is usual by itself.

    Every column is replaced by the normal score of its ranks; the distance of a row is Mahalanobis' (1936), by the
    correlations of the three quarters of the rows that lie nearest to the centre, as in Rousseeuw's covariance
    determinant (1984). Its cube root is nearly normal (Wilson and Hilferty 1931); a row is told where that is far out.
    """

    name: ClassVar[str] = "joint_outliers"
    rows: ClassVar[int] = 50_000

    def run(self, table: Checked) -> Iterator[Finding]:
        names: list[str] = []
        columns: list[Doubles] = []
        for spec, block in table.features(Kind.NUMBERS):
            values = block.astype(np.float64)
            if spec.role is Role.NUMERIC and len(names) < MOST_COLUMNS and _varies(values):
                names.append(spec.name)
                columns.append(_normal_scores(values))
        if len(names) < 3 or table.frame.height < max(LEAST_JOINT, 10 * len(names)):
            return
        scores = np.column_stack(columns)
        distance, pull = _distances(scores)
        rows = far_out(np.cbrt(distance)) & (distance > np.median(distance))
        count = int(rows.sum())
        if not count:
            return
        first = np.flatnonzero(rows)[np.argsort(-distance[rows])]
        columns_of = ", ".join(f'"{names[j]}"' for j in np.argsort(-np.abs(pull[first[0]]))[:3])
        evidence = (
            f"{count:,} rows hold numbers that do not go together as in the other rows; in the strangest, row "
            f"{{row}}, it is {columns_of}"
        )
        place = int(first[0]) if table.places is None else int(table.places[first[0]])
        mend = "look at these rows; nothing was changed"
        yield Finding(
            self.name,
            None,
            count,
            table.share(count),
            (),
            "info",
            evidence.format(row=place),
            mend,
            rows=first_rows(first),
        )


def _varies(values: Doubles) -> bool:
    present = values[~np.isnan(values)]
    return len(present) >= 0.8 * len(values) and len(np.unique(present[:5000])) >= LEAST_VALUES


def _normal_scores(values: Doubles) -> Doubles:
    from scipy.stats import norm, rankdata

    present = ~np.isnan(values)
    out = np.zeros(len(values))
    out[present] = norm.ppf((rankdata(values[present]) - 0.5) / present.sum())
    return out


def _distances(scores: Doubles) -> tuple[Doubles, Doubles]:
    """Squared distance of each row (n), and how much each number adds to it (n, p)."""
    rows = np.ones(len(scores), dtype=np.bool_)
    for _ in range(3):
        part = scores[rows]
        centre = part.mean(axis=0)
        spread = np.cov(part, rowvar=False) + 0.01 * np.eye(scores.shape[1])
        inverse = np.linalg.inv(spread)
        pull = (scores - centre) @ inverse * (scores - centre)
        distance = pull.sum(axis=1)
        rows = distance <= np.quantile(distance, 0.75)
    return np.maximum(distance, 1e-9), pull
