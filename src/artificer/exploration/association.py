"""What each column says about the target: how strongly, in which direction, and level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from artificer.exploration.codes import Coded
from artificer.exploration.dependence import ALPHA, Dependence, adjusted, dependence, table_of
from artificer.types import Doubles, Ints, Task

CHANCE = "Not more than chance would show over so many columns."


@dataclass(frozen=True, slots=True)
class Target:
    """The target of n rows.

    Attributes
    ----------
    codes : (n,), classes, or intervals of a number.
    labels : of the codes.
    values : (n,), 1 for the positive class of two, the number of a regression; None for several classes.
    positive : name of the class that `values` speaks of.
    """

    name: str
    task: Task
    codes: Ints
    labels: tuple[str, ...]
    values: Doubles | None = None
    positive: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """Rows of one level of a column, and the target's mean there (of two classes the share of the positive one)."""

    label: str
    rows: int
    mean: float


@dataclass(frozen=True, slots=True)
class Association:
    """One column against the target.

    Attributes
    ----------
    found : strength on the common scale, with interval and p-value.
    adjusted_p : over all columns.
    measure, value : the usual figure where there is one: AUC of two classes, Spearman's correlation of numbers.
    levels : the target by level of the column; none for several classes.
    sentence : what was found.
    """

    column: str
    found: Dependence
    adjusted_p: float
    measure: str | None
    value: float | None
    levels: tuple[Level, ...]
    sentence: str

    @property
    def real(self) -> bool:
        """Whether it is more than chance over all columns."""
        return self.adjusted_p <= ALPHA


def associations(columns: Sequence[Coded], target: Target) -> tuple[Association, ...]:
    """Hold every column against the target, the strongest first.

    Examples
    --------
    >>> from artificer.types import Kind
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 2_000)
    >>> columns = [Coded(name, Kind.STRINGS, codes, ("a", "b")) for name, codes in
    ...     (("copy", np.where(rng.random(2_000) < 0.9, y, 1 - y)), ("noise", rng.integers(0, 2, 2_000)))]
    >>> found = associations(columns, Target("y", Task.BINARY, y, ("0", "1"), y.astype(float), "1"))
    >>> [(one.column, one.real) for one in found]
    [('copy', True), ('noise', False)]
    """
    judged = [_judge(column, target) for column in columns]
    p = adjusted([found.p for found in judged])
    made = [_describe(column, found, q, target) for column, found, q in zip(columns, judged, p, strict=True)]
    return tuple(sorted(made, key=lambda one: (-one.found.strength, one.found.p)))


def _judge(column: Coded, target: Target) -> Dependence:
    return dependence(table_of(column.codes, target.codes, len(column.labels), len(target.labels)))


def _describe(column: Coded, found: Dependence, p: float, target: Target) -> Association:
    measure, value = _usual(column, target)
    levels = _levels(column, target)
    sentence = CHANCE if p > ALPHA else _sentence(found, measure, value, levels, target) or _tilt(column, target)
    return Association(column.name, found, p, measure, value, levels, sentence)


def _usual(column: Coded, target: Target) -> tuple[str | None, float | None]:
    """AUC or Spearman's correlation, of rows where the number is known."""
    if column.values is None or target.values is None:
        return None, None
    from scipy.stats import rankdata

    known = ~np.isnan(column.values)
    x, y = column.values[known], target.values[known]
    if len(x) < 3 or np.all(x == x[0]) or np.all(y == y[0]):
        return None, None
    ranks = rankdata(x)
    if target.task is Task.BINARY:
        positives = float(y.sum())
        negatives = len(y) - positives
        return "AUC", float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
    return "Spearman", float(np.corrcoef(ranks, rankdata(y))[0, 1])


def _levels(column: Coded, target: Target) -> tuple[Level, ...]:
    if target.values is None:
        return ()
    rows = np.bincount(column.codes, minlength=len(column.labels))
    sums = np.bincount(column.codes, target.values, minlength=len(column.labels))
    found = zip(column.labels, rows.tolist(), sums.tolist(), strict=True)
    return tuple(Level(label, int(count), total / count) for label, count, total in found if count)


def _sentence(
    found: Dependence, measure: str | None, value: float | None, levels: tuple[Level, ...], target: Target
) -> str:
    what = f'"{target.positive}"' if target.positive else target.name
    parts = []
    if measure == "AUC" and value is not None and abs(value - 0.5) > 0.02:
        parts.append(f"Higher values go with {'more' if value > 0.5 else 'less'} {what} (AUC {value:.3f})")
    if measure == "Spearman" and value is not None and abs(value) > 0.03:
        parts.append(f"Higher values go with {'higher' if value > 0 else 'lower'} {what} (Spearman {value:+.2f})")
    solid = [level for level in levels if level.rows >= max(20, found.rows // 200)]
    if len(solid) > 1:
        low, high = min(solid, key=lambda one: one.mean), max(solid, key=lambda one: one.mean)
        parts.append(f"{what} from {_mean(low, target)} at {_at(low)} to {_mean(high, target)} at {_at(high)}")
    text = "; ".join(parts)
    return text and text[0].upper() + text[1:] + "."


def _tilt(column: Coded, target: Target) -> str:
    """The class whose share changes most with a level of the column."""
    table = table_of(column.codes, target.codes, len(column.labels), len(target.labels))
    rows, overall = table.sum(axis=1), table.sum(axis=0) / max(table.sum(), 1.0)
    solid = rows >= max(20, rows.sum() // 200)
    away = np.where(solid[:, None], np.abs(table / np.maximum(rows, 1.0)[:, None] - overall), 0.0)
    level, place = np.unravel_index(int(np.argmax(away)), away.shape)
    share = table[level, place] / max(rows[level], 1.0)
    shown = _at(Level(column.labels[level], int(rows[level]), float(share)))
    return f'"{target.labels[place]}" is {share:.1%} of the rows at {shown}, {overall[place]:.1%} of all.'


def _mean(level: Level, target: Target) -> str:
    return f"{level.mean:.1%}" if target.task is Task.BINARY else f"{level.mean:.4g}"


def _at(level: Level) -> str:
    return f'"{level.label}"' if len(level.label) <= 40 else f'"{level.label[:39]}…"'
