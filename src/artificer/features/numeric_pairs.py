"""Differences, ratios, products and sums of two numbers, where they say more than the numbers do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, Self

import numpy as np

from artificer.errors import TrainingError
from artificer.features.base import Encoder, EncoderTags
from artificer.features.strength import SURPRISING, binned, judged_target, left_over, sample, strength, strongest
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX, Doubles, Floats, Ints, Kind, Strings

OPERATIONS = {"-": "Sub", "/": "Div", "*": "Mul", "+": "Add"}
STRONGEST = 12
"""Only pairs of so many columns are looked at, those that say most of the target alone."""
PER_PAIR = 2


class NumericPairs(Encoder):
    """Generated features of two columns: a - b, a / b, a * b, a + b.

    Which ones is decided on a sample of the training rows: those that say most of what a sum of single columns'
    effects leaves over of the target, and say it beyond chance. Their values depend on the row alone. A ratio with a
    denominator of 0 is missing, and so is whatever has a missing part.

    Parameters
    ----------
    most : features at most, two of each pair.
    least : standard deviations above chance that a feature has to show.

    References
    ----------
    Horn, F., Pack, R. and Rieger, M. The autofeat Python library for automated feature engineering and selection.
    ECML PKDD workshops, 2019 (which operations pay).

    Examples
    --------
    >>> block = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    >>> y = np.float64(block[:, :1] > block[:, 1:2])
    >>> NumericPairs(most=1).fit(block, y, ["asked", "paid", "noise"]).feature_names_
    ('asked - paid',)
    """

    name: ClassVar[str] = "numeric_pairs"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.NUMBERS, supervised=True, keeps_missing=True)

    pairs_: tuple[tuple[str, Ints, Ints], ...]

    def __init__(self, most: int = 20, least: float = SURPRISING) -> None:
        self.most = most
        self.least = least

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        if y is None:
            raise TrainingError(f"{self.name} needs the target while fitting; pass it as y of shape (n, t).")
        chosen = self._choose(np.asarray(block, dtype=np.float32), y)
        parts, titles = [], []
        for sign in OPERATIONS:
            of_sign = [(a, b) for operation, a, b in chosen if operation == sign]
            if of_sign:
                left, right = np.array(of_sign, dtype=np.int64).T
                parts.append((sign, left, right))
                titles += [f"{names[a]} {sign} {names[b]}" for a, b in of_sign]
        self.pairs_ = tuple(parts)
        self.feature_names_ = tuple(titles)
        return self

    def _choose(self, block: Floats, y: Doubles) -> list[tuple[str, int, int]]:
        rows = sample(len(block), block.shape[1])
        values, target = block[rows], judged_target(y[rows])
        bins = [binned(values[:, j]) for j in range(values.shape[1])]
        columns = strongest(bins, target, STRONGEST)
        rest = left_over([bins[j] for j in columns], target)
        found: list[tuple[float, int, int, str]] = []
        for a, b in combinations(columns, 2):
            tried = [("-", a, b), ("+", a, b), ("*", a, b), ("/", a, b), ("/", b, a)]
            of_pair = [
                (-strength(binned(combined(s, values[:, [i]], values[:, [j]])[:, 0]), rest), i, j, s)
                for s, i, j in tried
            ]
            found += sorted(of_pair)[:PER_PAIR]
        return [(s, i, j) for less, i, j, s in sorted(found)[: self.most] if -less > self.least]

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        numbers = np.asarray(block, dtype=np.float32)
        parts = [combined(sign, numbers[:, left], numbers[:, right]) for sign, left, right in self.pairs_]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(numbers), 0), dtype=np.float32)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        parts = []
        for sign, left, right in self.pairs_:
            a = graph.op("Gather", block, graph.constant(left), axis=1)
            b = graph.op("Gather", block, graph.constant(right), axis=1)
            value = graph.op(OPERATIONS[sign], a, b)
            if sign == "/":
                zero = graph.op("Equal", b, graph.constant(np.array(0, dtype=np.float32)))
                value = graph.op("Where", zero, graph.constant(np.array(np.nan, dtype=np.float32)), value)
            parts.append(emit_finite(graph, value))
        return graph.concat(parts)


def combined(sign: str, a: Floats, b: Floats) -> Floats:
    """One operation on two blocks (n, q), never infinite."""
    with np.errstate(all="ignore"):
        if sign == "-":
            value = a - b
        elif sign == "+":
            value = a + b
        elif sign == "*":
            value = a * b
        else:
            value = np.where(b == 0, np.float32(np.nan), a / b)
    finite: Floats = np.clip(value, -np.float32(FLOAT32_MAX), np.float32(FLOAT32_MAX))
    return finite


def emit_finite(graph: Graph, value: str) -> str:
    """Write the clipping of overflow into `graph`; missing stays missing."""
    ends = [graph.constant(np.array(end, dtype=np.float32)) for end in (-FLOAT32_MAX, FLOAT32_MAX)]
    return graph.op("Where", graph.op("IsNaN", value), value, graph.op("Clip", value, *ends))
