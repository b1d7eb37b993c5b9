"""How the columns of two sets of rows differ: trained and tested on, older and newer, one file or group and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artificer.exploration.codes import MISSING, Coded, moment_text
from artificer.exploration.dependence import ALPHA, Dependence, adjusted, dependence, table_of
from artificer.types import Doubles, Kind

SMALL, LARGE = 0.05, 0.2
"""Shares of rows that would have to move to make both sides alike: below the first no matter, from the second much."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One column on two sides.

    Attributes
    ----------
    moved : share of rows that would have to change their level to make both sides alike (total variation), 0 to 1,
        freed of what chance would show between equal sides.
    found : dependence of the column on the side.
    change : the largest change in words.
    meaning : what it could mean for a model in production.
    """

    column: str
    moved: float
    found: Dependence
    adjusted_p: float
    change: str
    meaning: str

    @property
    def real(self) -> bool:
        return self.adjusted_p <= ALPHA and self.moved >= SMALL


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides of the same table: what they are called, their rows, and the columns, the most different first."""

    name: str
    sides: tuple[str, str]
    rows: tuple[int, int]
    columns: tuple[Difference, ...]


MEANINGS = {
    "parts": "the test score speaks of other rows than the model learns from; expect the same surprise in service",
    "time": "rows of tomorrow will be further away still; test on the newest rows, watch this column, plan to retrain",
    "order": "the order of the rows is no chance: they were collected or sorted by something; find out by what",
    "group": "a model meets this group as something else than the rest; look at its scores by group before trusting it",
    "file": "the files were not made in the same way; find out why before they are pooled",
}


def compare(
    columns: Sequence[Coded], side: NDArray[np.bool_], sides: tuple[str, str], name: str, kind: str
) -> Comparison:
    """Compare rows outside (first side) and inside (second side) of `side`, column by column.

    Parameters
    ----------
    side : (n,).
    kind : "parts", "time", "order", "group" or "file": what a difference means.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> later = np.arange(2_000) >= 1_000
    >>> hue = Coded("hue", Kind.STRINGS, (rng.random(2_000) < np.where(later, 0.8, 0.5)).astype(int), ("red", "blue"))
    >>> found = compare([hue], later, ("older", "newer"), "halves", "time").columns[0]
    >>> found.real, found.change
    (True, '"blue" goes from 47.3% to 80.0%')
    """
    judged, tables = [], []
    for column in columns:
        table = table_of(side.astype(np.int64), column.codes, 2, len(column.labels))
        tables.append(table)
        judged.append(dependence(table))
    p = adjusted([found.p for found in judged])
    made = [
        Difference(c.name, _moved(t), found, q, _change(c, t, side), MEANINGS[kind] if q <= ALPHA else "")
        for c, t, found, q in zip(columns, tables, judged, p, strict=True)
    ]
    inside = int(side.sum())
    ordered = tuple(sorted(made, key=lambda one: (not one.real, -one.moved)))
    return Comparison(name, sides, (len(side) - inside, inside), ordered)


def _moved(table: Doubles) -> float:
    """Total variation distance of two rows of counts, less what two samples of one distribution show on average."""
    sizes = table.sum(axis=1)
    if not sizes.all():
        return 0.0
    shares = table / sizes[:, None]
    pooled = table.sum(axis=0) / sizes.sum()
    by_chance = float(np.sqrt(2.0 / np.pi * pooled * (1 - pooled) * (1 / sizes).sum()).sum()) / 2.0
    distance = float(np.abs(shares[0] - shares[1]).sum()) / 2.0
    return float(np.sqrt(max(distance**2 - by_chance**2, 0.0)))


def _change(column: Coded, table: Doubles, side: NDArray[np.bool_]) -> str:
    sizes = table.sum(axis=1)
    if not sizes.all():
        return ""
    shares = table / sizes[:, None]
    parts: list[str] = []
    values: Any = column.values
    if column.missing is not None and abs(shares[1, column.missing] - shares[0, column.missing]) >= 0.02:
        parts.append(f"missing cells go from {shares[0, column.missing]:.1%} to {shares[1, column.missing]:.1%}")
    if values is not None:
        before, after = (values[mask & ~np.isnan(values)] for mask in (~side, side))
        if len(before) and len(after):
            parts.append(f"median {_shown(before, column.kind)} becomes {_shown(after, column.kind)}")
    else:
        real = [i for i, label in enumerate(column.labels) if label != MISSING]
        if real:
            place = max(real, key=lambda i: abs(float(shares[1, i] - shares[0, i])))
            parts.append(f'"{column.labels[place]}" goes from {shares[0, place]:.1%} to {shares[1, place]:.1%}')
    return "; ".join(parts)


def _shown(values: Doubles, kind: Kind) -> str:
    middle = float(np.median(values))
    return moment_text(middle) if kind is Kind.TIMES else f"{middle:.4g}"
