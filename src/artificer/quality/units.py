"""Columns in which a part of the numbers is in another unit: thousands, pounds, miles, inches, Fahrenheit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Mask, Severity, first_rows, shown
from artificer.types import Doubles, Kind

FACTORS = {
    1000.0: "a thousand",
    1e6: "a million",
    100.0: "a hundred (per cent, or cents)",
    2.20462: "kilograms and pounds",
    1.609344: "miles and kilometres",
    25.4: "inches and millimetres",
    2.54: "inches and centimetres",
    3.28084: "metres and feet",
    28.3495: "ounces and grams",
    453.592: "pounds and grams",
    4.184: "calories and joules",
    60.0: "minutes and seconds, or hours and minutes",
    3600.0: "hours and seconds",
    24.0: "days and hours",
}
LEAST_CELLS = 100
LEAST_ROWS = 20
LEAST_SHARE = 0.005
SEPARATION = 6.0
"""Ashman's D (1994) of two modes; above 2 they are clearly two."""
TOLERANCE = 0.01
MOST_TOLERANCE = 0.05
"""How far, in natural logarithms, the ratio of the two modes may be from a factor: two standard errors within these."""
UNLIKE = 0.001
"""Below this p-value the two groups differ in shape."""
MOST_COMPARED = 20_000
SPREADS = 1.4
"""So many times may one mode be as wide as the other."""


@dataclass(frozen=True, slots=True)
class _Split:
    """Two groups of values: the rows of the smaller one, and what the larger is of it."""

    rows: Mask
    what: str


class MixedUnits(Check):
    """Two modes that lie apart by the factor of a unit and are alike in shape.

    Where a text column tells the two apart (one that names the unit, or the kind of thing) it is named.
    """

    name: ClassVar[str] = "mixed_units"

    def run(self, table: Checked) -> Iterator[Finding]:
        for spec, values in table.quantities():
            if _mostly_ordered(values):
                continue  # a counter or a clock, whose widest gap is a pause
            split = _scaled(values) or _fahrenheit(values)
            if split is None:
                continue
            count = int(split.rows.sum())
            teller = _told_by(table, split.rows, ~np.isnan(values))
            known = f', and "{teller}" tells them apart' if teller else ""
            evidence = (
                f'the values of "{spec.name}" fall into two groups of one shape, {split.what}; the smaller has '
                f"{count:,} rows{known}"
            )
            mend = "see whether they are in two units; bring them to one at the source"
            severity: Severity = "info" if teller else "warning"
            yield Finding(
                self.name,
                spec.name,
                count,
                table.share(count),
                shown(values[split.rows]),
                severity,
                evidence,
                mend,
                rows=first_rows(split.rows),
            )


def _mostly_ordered(values: Doubles) -> bool:
    steps = np.diff(values[~np.isnan(values)])
    return bool(len(steps) and max((steps >= 0).mean(), (steps <= 0).mean()) > 0.95)


def _scaled(values: Doubles) -> _Split | None:
    positive = values > 0
    if positive.sum() < LEAST_CELLS or (values < 0).any():
        return None
    logs = np.log(values[positive])
    cut = _cut(logs)
    if cut is None:
        return None
    low, high = logs[logs <= cut], logs[logs > cut]
    if not _alike(low, high, 1.0):
        return None
    distance = float(np.median(high) - np.median(low))
    noise = 1.5 * (_width(low) / np.sqrt(len(low)) + _width(high) / np.sqrt(len(high)))
    near = min(FACTORS, key=lambda factor: abs(distance - np.log(factor)))
    if not _one_shape(low - np.median(low), high - np.median(high)):
        return None
    if abs(distance - np.log(near)) > min(max(TOLERANCE, 2 * noise), MOST_TOLERANCE):
        return None
    smaller = positive & (values <= np.exp(cut)) if len(low) <= len(high) else values > np.exp(cut)
    return _Split(smaller, f"{np.exp(distance):.4g} times apart as are {FACTORS[near]}")


def _fahrenheit(values: Doubles) -> _Split | None:
    present = ~np.isnan(values)
    seen = values[present]
    if len(seen) < LEAST_CELLS or seen.min() < -80 or seen.max() > 250:
        return None
    cut = _cut(seen)
    if cut is None:
        return None
    low, high = seen[seen <= cut], seen[seen > cut]
    if not _alike(low, high, 1.8):
        return None
    expected = 1.8 * float(np.median(low)) + 32
    noise = 3.8 * (1.8 * _width(low) / np.sqrt(len(low)) + _width(high) / np.sqrt(len(high)))
    if not _one_shape(1.8 * (low - np.median(low)), high - np.median(high)):
        return None
    if abs(float(np.median(high)) - expected) > max(0.5, noise) or float(np.median(low)) > 60:
        return None
    rows = present & (values <= cut) if len(low) <= len(high) else present & (values > cut)
    return _Split(rows, "apart as are degrees Celsius and Fahrenheit")


def _cut(values: Doubles) -> float | None:
    """Where the values fall into two: in the middle of the widest gap, the few outermost values aside."""
    ordered = np.sort(values)
    edge = max(LEAST_ROWS, int(LEAST_SHARE * len(ordered)))
    if len(ordered) < 2 * edge + 2:
        return None
    steps = np.diff(ordered)[edge - 1 : len(ordered) - edge]
    at = int(np.argmax(steps)) + edge - 1
    return float((ordered[at] + ordered[at + 1]) / 2) if steps.max() > 0 else None


def _width(values: Doubles) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low) / 1.349


def _alike(low: Doubles, high: Doubles, stretch: float) -> bool:
    """Whether two groups are far apart for their widths, and equally wide once the lower is stretched."""
    if min(len(low), len(high)) < LEAST_ROWS or min(len(np.unique(low)), len(np.unique(high))) < LEAST_ROWS:
        return False
    one, two = _width(low), _width(high)
    if min(one, two) <= 0:
        return False
    apart = np.sqrt(2) * (np.median(high) - np.median(low)) / np.hypot(one, two)
    slack = SPREADS * (1 + 2 / np.sqrt(min(len(low), len(high))))
    return bool(apart >= SEPARATION and 1 / slack <= two / (stretch * one) <= slack)


def _one_shape(low: Doubles, high: Doubles) -> bool:
    """Whether two groups, each about its median, may be of one distribution (Kolmogorov and Smirnov)."""
    from scipy.stats import ks_2samp

    step = max(len(low), len(high)) // MOST_COMPARED + 1
    return bool(
        ks_2samp(low[::step] if len(low) > len(high) else low, high[::step] if len(high) > len(low) else high).pvalue
        > UNLIKE
    )


def _told_by(table: Checked, rows: Mask, present: Mask) -> str | None:
    for spec, block in table.features(Kind.STRINGS):
        if not 2 <= len(spec.categories) <= 50:
            continue
        _, codes = np.unique(block[present].astype(str), return_inverse=True)
        inside = np.bincount(codes, weights=rows[present].astype(float))
        size = np.bincount(codes)
        if np.minimum(inside, size - inside).sum() <= 0.02 * rows.sum() and (inside > 0).any():
            return spec.name
    return None
