"""What candidates did on public tables, and what that lets one expect of them on a new table.

The measured results ship as a small Parquet file (``prior.parquet``, made by ``benchmarks/prior_table.py``): for every
table and candidate the *gap*, 0 for the best candidate of the table and 1 for the constant baseline. Tables that are
like the new one count more; how candidates did well and badly together on them says how they will vary together here.

References
----------
.. [1] Feurer, M., Eggensperger, K., Falkner, S., Lindauer, M., Hutter, F. (2022). Auto-sklearn 2.0: hands-free AutoML
   via meta-learning. JMLR 23.
.. [2] Salinas, D., Erickson, N. (2024). TabRepo: a large scale repository of tabular model evaluations and its AutoML
   applications. AutoML Conference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from artificer.types import Doubles, Task

FILE = Path(__file__).parent / "prior.parquet"

ROWS_WIDTH = 0.5
COLUMNS_WIDTH = 0.5
CLASSES_WIDTH = 0.7
"""So many powers of ten more rows, columns or classes put one table a step away from another."""
TEXTS_WIDTH = 0.5
"""A step in the share of columns that hold texts."""
OTHER_TASK = 1.5
"""Steps between tables of different tasks."""
EVERYWHERE = 0.1
"""Share of the weight that is spread over all tables, so that no belief rests on two or three."""

WITHIN = 0.01
"""A gap so small counts as within reach of the best."""

WORST_GAP = 1.5
LEAST_TABLES = 8
"""A candidate that was measured on fewer tables is judged like an unknown one."""
OWN_SPREAD = 0.03
"""Standard deviation beyond what tables show: a new table is never quite like them."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the comparison of tables may know of one."""

    task: Task
    rows: int
    columns: int
    classes: int = 1
    texts: float = 0.0
    """Share of the columns that hold texts or categories."""

    def vector(self) -> Doubles:
        return np.array(
            [
                math.log10(max(self.rows, 1)) / ROWS_WIDTH,
                math.log10(max(self.columns, 1)) / COLUMNS_WIDTH,
                math.log10(max(self.classes, 1)) / CLASSES_WIDTH,
                self.texts / TEXTS_WIDTH,
            ]
        )


@dataclass(frozen=True)
class Expectation:
    """Of one candidate on one new table.

    Attributes
    ----------
    gap : expected.
    deviations : (T,) how it did on each table compared with that, scaled so that the product of two candidates'
        deviations is their covariance.
    rows : of the tables that this rests on, their geometric mean.
    success : share of tables on which it came within :data:`WITHIN` of the best.
    """

    gap: float
    deviations: Doubles
    rows: float
    success: float

    @property
    def spread(self) -> float:
        return float(np.sqrt(self.deviations @ self.deviations + OWN_SPREAD**2))


@dataclass(frozen=True)
class Experience:
    """Measured gaps.

    Attributes
    ----------
    places : column of each candidate, by :func:`key`.
    tasks : (T,). vectors : (T, F) of the tables, see :meth:`Situation.vector`.
    gaps : (T, K), NaN where a candidate did not run.
    """

    places: Mapping[str, int]
    tasks: tuple[Task, ...]
    vectors: Doubles
    gaps: Doubles

    def weights(self, situation: Situation) -> Doubles:
        """How much each table counts, (T,), summing to 1."""
        steps = ((self.vectors - situation.vector()) ** 2).sum(axis=1)
        steps = steps + OTHER_TASK**2 * np.array([task is not situation.task for task in self.tasks])
        near = np.exp(-0.5 * (steps - steps.min()))
        result: Doubles = (1 - EVERYWHERE) * near / near.sum() + EVERYWHERE / len(near)
        return result

    def place(self, algorithm: str, params: Mapping[str, object], representation: str) -> int | None:
        """Column of a candidate, or of the configuration nearest to it of those that were measured of its algorithm."""
        if (own := self.places.get(key(algorithm, params, representation))) is not None:
            return own
        wanted = set(map(str, params.items()))
        relatives = []
        for name, j in self.places.items():
            start, _, rest = name.partition(" ")
            text, _, base = rest.rpartition(" ")
            if start == algorithm and base == representation:
                relatives.append((len(wanted ^ set(map(str, json.loads(text).items()))), j))
        return min(relatives, default=(0, None))[1]

    def expect(
        self, algorithm: str, params: Mapping[str, object], representation: str, situation: Situation
    ) -> Expectation | None:
        """Expectation of a candidate; None where it, or too few tables with it, were measured."""
        place = self.place(algorithm, params, representation)
        if place is None:
            return None
        gaps = self.gaps[:, place]
        seen = np.isfinite(gaps)
        if seen.sum() < LEAST_TABLES:
            return None
        weights = np.where(seen, self.weights(situation), 0.0)
        weights = weights / weights.sum()
        clipped = np.where(seen, np.minimum(gaps, WORST_GAP), 0.0)
        mean = float(weights @ clipped)
        # Few tables make the weighted variance too small: by as much as the mean of so many varies.
        effective = 1.0 / float((weights**2).sum())
        scale = math.sqrt(effective / max(effective - 1.0, 0.5))
        rows = 10.0 ** (ROWS_WIDTH * float(weights @ self.vectors[:, 0]))
        success = float(weights @ (seen & (gaps <= WITHIN)))
        return Expectation(mean, scale * np.sqrt(weights) * (clipped - mean) * seen, rows, success)


def key(algorithm: str, params: Mapping[str, object], representation: str) -> str:
    """Name a candidate by what it is, whatever it is called in a race.

    Examples
    --------
    >>> key("ridge", {}, "linear")
    'ridge {} linear'
    """
    return f"{algorithm} {json.dumps(dict(params), sort_keys=True)} {representation}"


@cache
def experience(file: Path = FILE) -> Experience | None:
    """The shipped results; None where the file is not there."""
    if not file.exists():
        return None
    import polars as pl

    frame = pl.read_parquet(file)
    tables = frame.unique(["table", "rows"], maintain_order=True)
    keys = frame["candidate"].unique(maintain_order=True).to_list()
    places = {name: j for j, name in enumerate(keys)}
    rows = {pair: i for i, pair in enumerate(tables.select("table", "rows").iter_rows())}
    gaps = np.full((len(rows), len(keys)), np.nan)
    for table, drawn, candidate, gap in frame.select("table", "rows", "candidate", "gap").iter_rows():
        gaps[rows[table, drawn], places[candidate]] = gap
    situations = [
        Situation(Task(row["task"]), row["rows"], row["columns"], row["classes"], row["texts"])
        for row in tables.iter_rows(named=True)
    ]
    return Experience(places, tuple(s.task for s in situations), np.array([s.vector() for s in situations]), gaps)
