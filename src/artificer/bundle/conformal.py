"""What a bundle promises beside its predictions: intervals of values, and sets of classes, that cover the truth.

A table of thresholds, found on rows the model's parts had not seen (``evaluation/conformal.py``), and how it is read:
an interval is the value plus and minus a threshold that depends on the size of the value alone, and a set holds every
class whose probability reaches a threshold. No more than NumPy is needed, so the service answers with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from artificer.errors import BundleDamagedError, UsageError
from artificer.types import Doubles, Json, Task

LEVELS: Final = tuple(percent / 100 for percent in range(50, 100))
"""Coverages a bundle keeps; one that lies between two is answered by the higher."""
MOST: Final = 1000
"""Levels or bins beyond which a record is refused."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One coverage, ready to be applied.

    Attributes
    ----------
    coverage : share of rows that is promised to be covered.
    edges, thresholds : (b - 1,) and (b,); of an interval half its width in each bin of the predicted value, infinite
        where there were too few rows; of a set, b = 1, the smallest probability a member has, 0 where too few.
    note : why it is empty of information, None where it is not.
    """

    coverage: float
    edges: Doubles
    thresholds: Doubles
    note: str | None

    def intervals(self, values: NDArray[Any]) -> Doubles:
        """Low and high end (n, 2) around `values` (n,)."""
        values = np.asarray(values, dtype=np.float64)
        half = self.thresholds[np.searchsorted(self.edges, values, side="right")]
        return np.stack([values - half, values + half], axis=1)

    def members(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Which classes are in each set (n, c), by probabilities (n, c); the likeliest one always is."""
        inside: NDArray[np.bool_] = scores >= self.thresholds[0]
        inside[np.arange(len(scores)), scores.argmax(axis=1)] = True
        return inside

    def sets(self, scores: NDArray[Any], labels: Sequence[Any]) -> list[list[Any]]:
        """The sets as labels, likeliest first."""
        order = np.argsort(-scores, axis=1, kind="stable")
        inside = np.take_along_axis(self.members(scores), order, axis=1)
        return [
            [labels[code] for code, is_in in zip(codes, row, strict=True) if is_in]
            for codes, row in zip(order.tolist(), inside.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Conformal:
    """The table of thresholds.

    Attributes
    ----------
    task : of the model. Values have intervals, classes have sets.
    rows : how many rows it was found on.
    weighted : whether they counted by their weights.
    ordered : whether rows were older than those they stood for: the coverage is promised only while things stay as
        they were.
    levels : (k,) coverages, rising.
    edges : (b - 1,) where the next bin of predicted values begins; none for classes.
    thresholds : (k, b) as in :class:`Promise`, None where rows were too few for the coverage.

    Examples
    --------
    >>> record = Conformal(Task.REGRESSION, 40, False, False, (0.8, 0.9), (100.0,), ((1.0, 5.0), (2.0, 9.0)))
    >>> record.at(0.85).intervals([10.0, 100.0]).tolist()
    [[8.0, 12.0], [91.0, 109.0]]
    >>> record = Conformal(Task.BINARY, 40, False, False, (0.9,), (), ((0.3,),))
    >>> record.at(0.9).sets(np.array([[0.6, 0.4], [0.1, 0.9]]), ["no", "yes"])
    [['no', 'yes'], ['yes']]
    """

    task: Task
    rows: int
    weighted: bool
    ordered: bool
    levels: tuple[float, ...]
    edges: tuple[float, ...]
    thresholds: tuple[tuple[float | None, ...], ...]

    def at(self, coverage: float) -> Promise:
        """The promise of at least `coverage`: that of the lowest level which is no lower.

        Raises
        ------
        UsageError
            `coverage` lies outside the levels.
        """
        low, high = self.levels[0], self.levels[-1]
        is_number = isinstance(coverage, int | float) and not isinstance(coverage, bool)
        if not is_number or not low <= coverage <= high:
            raise UsageError(f"coverage must be a number from {low:g} to {high:g}, not {coverage!r}")
        i = next(i for i, level in enumerate(self.levels) if level >= coverage)
        level, found = self.levels[i], self.thresholds[i]
        absent = 0.0 if self.task.is_classification else math.inf
        thresholds = np.array([absent if threshold is None else threshold for threshold in found])
        return Promise(level, np.array(self.edges), thresholds, self._note(level) if None in found else None)

    def _note(self, level: float) -> str:
        what = "sets hold every class" if self.task.is_classification else "intervals are endless"
        return f"{self.rows} rows that the model had not seen are too few to promise {level:g}, so {what}"

    def to_json(self) -> Json:
        return {
            "rows": self.rows,
            "weighted": self.weighted,
            "ordered": self.ordered,
            "levels": list(self.levels),
            "edges": list(self.edges),
            "thresholds": [list(row) for row in self.thresholds],
        }

    @classmethod
    def from_json(cls, data: Any, task: Task) -> Conformal:
        """Read what :meth:`to_json` wrote, for a model of `task`.

        Raises
        ------
        BundleDamagedError
            A key is absent, a number is not finite or out of order, or shapes do not fit.
        """
        try:
            levels, edges, rows = _numbers(data["levels"]), _numbers(data["edges"]), data["rows"]
            table = tuple(_thresholds(row, len(edges) + 1) for row in data["thresholds"])
            flags = data["weighted"], data["ordered"]
            sound = isinstance(rows, int) and rows > 0 and all(isinstance(flag, bool) for flag in flags)
            sound &= _rises(levels) and _rises(edges) and levels[0] > 0 and levels[-1] < 1
            sound &= len(table) == len(levels) <= MOST and not (edges and task.is_classification)
            if not sound or not all(_widens(column, task) for column in zip(*table, strict=True)):
                raise ValueError("its numbers do not hold together")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BundleDamagedError(
                f"the record of coverage cannot be read ({error}); train the model again"
            ) from error
        return cls(task, rows, *flags, levels, edges, table)


def _numbers(found: Any) -> tuple[float, ...]:
    if not isinstance(found, list) or len(found) > MOST:
        raise ValueError("a list of numbers is something else")
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) <= 1.7e308 for x in found):
        raise ValueError("a number is none, or endless")
    return tuple(float(x) for x in found)


def _thresholds(found: Any, bins: int) -> tuple[float | None, ...]:
    if not isinstance(found, list) or len(found) != bins:
        raise ValueError("a row of thresholds has another length")
    numbers = iter(_numbers([x for x in found if x is not None]))
    return tuple(None if x is None else next(numbers) for x in found)


def _rises(numbers: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def _widens(column: Sequence[float | None], task: Task) -> bool:
    """Whether more is covered at every higher level."""
    if task.is_classification:
        known = [0.0 if x is None else x for x in column]
        return all(a >= b for a, b in pairwise(known)) and all(0 <= x <= 1 for x in known)
    known = [math.inf if x is None else x for x in column]
    return all(a <= b for a, b in pairwise(known)) and all(x >= 0 for x in known)
