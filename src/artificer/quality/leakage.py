"""Columns that give the answer away: alone, by being filled in, by a sum, or by standing out among all others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from artificer.quality.base import Check, Checked, Finding, Mask, first_rows
from artificer.quality.strength import strength
from artificer.types import MISSING_STRING, MISSING_TIME, Doubles, Kind, Role, Task

TOO_GOOD = 0.995
LEAST_ROWS = 50
LEAST_FILLED = 30
PURE = 0.995
COMMON = 0.7
"""Of a class that is more common than this, many rows may be of one kind by nature."""
CHANCE = -30.0
"""Logarithm of the probability that so many rows are of one class by chance."""
DEFAULT = 0.7
"""A value that so large a part of the rows has is what the column holds when nothing has happened."""
SPARSE_COLUMNS = 20
EXACT = 1e-6
ROUNDED = 0.005
"""Of a rounded sum no more than this part of the target's spread may be left, and no more than rounding leaves."""
MOSTLY, NORMAL_95 = 0.95, 1.96
MOST_PARTS = 15
STRONG = 0.6
AHEAD = 1.8
LEAST_COLUMNS = 5


class GivenAway(Check):
    """A single feature from which the target can be read off is most often known only after the outcome.

    For numbers: the area under the ROC curve (binary), or the rank correlation (regression). For categories with at
    least twenty rows each on average: the share of rows in the majority class of their category, or the share of
    variance explained.
    """

    name: ClassVar[str] = "leakage"

    def run(self, table: Checked) -> Iterator[Finding]:
        y, task = table.y, table.contract.task
        if y is None or len(y) < 50:
            return
        for kind in Kind:
            block = table.blocks.of(kind)
            for j, name in enumerate(table.contract.names(kind)):
                score, measure = strength(block[:, j], kind, y.astype(np.float64), task)
                if score > TOO_GOOD:
                    evidence = f'"{name}" alone tells the target almost exactly ({measure} {score:.4f})'
                    mend = "if it is only known after the outcome, add it to data.drop"
                    yield Finding(self.name, name, len(y), 1.0, (), "warning", evidence, mend)


class KnownAfter(Check):
    """Columns that are filled in only after the outcome: where they hold something, the target is always the same.

    "Something" is a cell that is not missing, or differs from the value that nearly all rows have (a zero). That all
    of many such rows are of one class does not come by chance; where that class is rare it hardly comes by nature.
    """

    name: ClassVar[str] = "known_after"

    def run(self, table: Checked) -> Iterator[Finding]:
        y, contract = table.y, table.contract
        if y is None or len(y) < LEAST_ROWS or not contract.task.is_classification:
            return
        labels = y.astype(np.int64)
        sparse = _is_sparse(table)
        base = np.bincount(labels, minlength=len(contract.classes)) / len(labels)
        for kind in Kind:
            for spec, block in table.features(kind):
                for filled, what in _filled(block, kind, defaults=not sparse):
                    count = int(filled.sum())
                    if count < LEAST_FILLED or count > len(labels) - LEAST_FILLED:
                        continue
                    inside = np.bincount(labels[filled], minlength=len(base))
                    most = int(inside.argmax())
                    if inside[most] < PURE * count or base[most] > COMMON or count * np.log(base[most]) > CHANCE:
                        continue
                    evidence = (
                        f'"{spec.name}" {what} in {count:,} rows, and {inside[most]:,} of them are of class '
                        f'"{contract.classes[most]}", which {base[most]:.0%} of all rows are'
                    )
                    mend = "it looks filled in after the outcome; if so, add it to data.drop"
                    yield Finding(
                        self.name,
                        spec.name,
                        count,
                        table.share(count),
                        (),
                        "warning",
                        evidence,
                        mend,
                        rows=first_rows(filled),
                    )
                    break


def _is_sparse(table: Checked) -> bool:
    """Whether most numbers of the table are zero, as counts of words are: there a word may well mean a class."""
    numbers = table.blocks.numbers
    return numbers.shape[1] >= SPARSE_COLUMNS and float((numbers == 0).mean()) >= DEFAULT


def _filled(block: NDArray[np.generic], kind: Kind, *, defaults: bool) -> Iterator[tuple[Mask, str]]:
    """Rows in which a column holds something, and rows in which it holds nothing, where that is a part of them."""
    if kind is Kind.NUMBERS:
        numbers = block.astype(np.float64)
        missing = np.isnan(numbers)
        if not missing.any() and not defaults:
            return
        if not missing.any():
            values, counts = np.unique(numbers, return_counts=True)
            if counts.max() >= DEFAULT and len(values) > 1 and counts.max() >= DEFAULT * len(numbers):
                usual = float(values[counts.argmax()])
                yield numbers != usual, f"differs from {usual:.6g}"
            return
    else:
        missing = np.asarray(block == (MISSING_TIME if kind is Kind.TIMES else MISSING_STRING))
    if missing.any():
        yield ~missing, "is filled in"
        yield missing, "is missing"


class Arithmetic(Check):
    """Columns that add up to the target, or multiply to it.

    Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993) takes the column that explains most of what is
    left, until nothing is: an exact sum of a few columns is no relation that nature makes. Products and quotients are
    sums of logarithms.
    """

    name: ClassVar[str] = "arithmetic_leakage"
    rows: ClassVar[int] = 20_000

    def run(self, table: Checked) -> Iterator[Finding]:
        y, contract = table.y, table.contract
        if y is None or len(y) < LEAST_ROWS or contract.task.is_classification:
            return
        specs = [(s, b.astype(np.float64)) for s, b in table.features(Kind.NUMBERS) if s.role is Role.NUMERIC]
        specs = [(s, b) for s, b in specs if not np.isnan(b).all() and np.nanstd(b) > 0]
        if len(specs) < 2:
            return
        values = np.column_stack([block for _, block in specs])
        whole = ~np.isnan(values).any(axis=0) | (np.isnan(values).mean(axis=0) < 0.2)
        names = [spec.name for (spec, _), kept in zip(specs, whole, strict=True) if kept]
        values = values[:, whole]
        rows = ~np.isnan(values).any(axis=1)
        if rows.sum() < LEAST_ROWS or len(names) < 2:
            return
        found = _exact(values[rows], y[rows].astype(np.float64))
        how = "a sum of"
        if found is None and (y[rows] > 0).all():
            positive = (values[rows] > 0).all(axis=0)
            if positive.sum() >= 2:
                places = np.flatnonzero(positive)
                logs = _exact(np.log(values[rows][:, places]), np.log(y[rows].astype(np.float64)))
                found, how = None if logs is None else [(int(places[j]), c) for j, c in logs], "a product of powers of"
        if found is None or len(found) < 2:
            return
        shown = ", ".join(f'"{names[j]}" ({weight:+.4g})' for j, weight in found)
        evidence = f"the target is {how} {len(found)} columns, but for rounding: {shown}"
        mend = "these are its parts, known only with it; add them to data.drop"
        n, parts = int(rows.sum()), tuple(names[j] for j, _ in found[:3])
        yield Finding(self.name, None, n, table.share(n), parts, "error", evidence, mend)


def _exact(values: Doubles, y: Doubles) -> list[tuple[int, float]] | None:
    """Columns and their weights of which `y` is a sum but for a millionth of its spread; None where there are none."""
    centre, scale = values.mean(axis=0), values.std(axis=0)
    usable = scale > 1e-12 * (1 + np.abs(centre))
    unit = np.where(usable, (values - centre) / np.where(usable, scale, 1.0), 0.0)
    target = y - y.mean()
    spread = float(target.std())
    if spread == 0:
        return None
    step = _step(y)
    chosen: list[int] = []
    left = target
    while len(chosen) < min(MOST_PARTS, values.shape[1], len(y) // 5):
        gain = np.abs(unit.T @ left)
        gain[chosen] = 0
        best = int(gain.argmax())
        if gain[best] <= 1e-9 * len(y) * spread:
            return None
        chosen.append(best)
        weights, *_ = np.linalg.lstsq(unit[:, chosen], target, rcond=None)
        left = target - unit[:, chosen] @ weights
        limit = max(EXACT * spread, min(step * np.sqrt((len(chosen) + 1) / 12), ROUNDED * spread))
        if np.quantile(np.abs(left), MOSTLY) <= NORMAL_95 * limit:  # a few rows may be wrong in themselves
            found = [(j, float(w / scale[j])) for j, w in zip(chosen, weights, strict=True)]
            return [(j, w) for j, w in found if abs(w) * scale[j] > 2 * limit]
    return None


def _step(y: Doubles) -> float:
    """The step that the numbers are rounded to, 0 where they are not."""
    sample = y[:: max(len(y) // 2000, 1)]
    for digits in range(5):
        if np.allclose(sample, np.round(sample, digits), rtol=0, atol=1e-9):
            return float(10.0**-digits)
    return 0.0


class StandsOut(Check):
    """A column that tells the target far better than all others do.

    Below the strength that gives the answer away by itself, a leak is known by its company: strengths of honest columns
    follow one another, the leak stands apart. Many honest tables have one strong column too, so this only asks.
    """

    name: ClassVar[str] = "leakage_suspect"
    rows: ClassVar[int] = 50_000

    def run(self, table: Checked) -> Iterator[Finding]:
        y, task = table.y, table.contract.task
        if y is None or len(y) < 10 * LEAST_ROWS:
            return
        strengths = []
        for kind in (Kind.NUMBERS, Kind.STRINGS):
            for spec, block in table.features(kind):
                score, measure = strength(block, kind, y.astype(np.float64), task)
                strengths.append((_evidence_of(score, measure, y, task), score, measure, spec.name))
        if len(strengths) < LEAST_COLUMNS:
            return
        strengths.sort(reverse=True)
        first, second = strengths[0], strengths[1]
        if first[1] > TOO_GOOD or first[0] < STRONG or first[0] < AHEAD * second[0]:
            return
        evidence = (
            f'"{first[3]}" tells the target far better ({first[2]} {first[1]:.3f}) than any other column does (next '
            f'"{second[3]}", {second[2]} {second[1]:.3f})'
        )
        mend = "ask whether it is known before the outcome; if not, add it to data.drop"
        yield Finding(self.name, first[3], len(y), 1.0, (), "info", evidence, mend)


def _evidence_of(score: float, measure: str, y: NDArray[np.generic], task: Task) -> float:
    """A strength between 0 (nothing) and 1 (all), whatever it was measured by."""
    if measure == "area under the ROC curve":
        return 2 * score - 1
    if measure == "share of rows in their category's majority class":
        base = float(np.bincount(y.astype(np.int64)).max() / len(y))
        return max(0.0, (score - base) / (1 - base)) if base < 1 else 0.0
    if measure == "share of variance explained":
        return float(np.sqrt(max(score, 0.0)))
    return score
