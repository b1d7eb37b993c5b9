"""A number within its category: the average of the category, and how far the row is from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.errors import TrainingError
from artificer.features.base import Encoder, EncoderTags
from artificer.features.numeric_pairs import combined, emit_finite
from artificer.features.strength import SURPRISING, binned, judged_target, left_over, sample, strength, strongest
from artificer.features.vocabulary import FIRST_LEVEL_CODE, MISSING_CODE, UNSEEN_CODE
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings

STRONGEST = 8


class GroupNumbers(Encoder):
    """Per category column g and number x the average of x at the row's level of g, and x minus that average.

    The averages are those of the training rows, each pulled towards the average of all rows as far as its rows are few
    and levels differ little; levels that training did not see get the latter. They do not use the target, which only
    decides which of them are made: those that say most of what a sum of single columns' effects leaves over, and say
    it beyond chance.

    Parameters
    ----------
    groups : so many of the last columns of the block are not numbers but codes of categories, see
        :class:`~artificer.features.vocabulary.Vocabulary`: whole numbers from 0.
    most : features at most.
    least : standard deviations above chance that a feature has to show.
    max_levels : codes beyond those of so many levels count as unseen.

    References
    ----------
    Searle, S. R., Casella, G. and McCulloch, C. E. Variance components. Wiley, 1992 (how far averages are pulled).
    Kanter, J. M. and Veeramachaneni, K. Deep feature synthesis: towards automating data science endeavors. DSAA 2015.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shop = rng.integers(2, 7, size=2000)
    >>> price = 10.0 * shop + rng.normal(size=2000)
    >>> block, y = np.stack([price, shop], axis=1).astype(np.float32), (price - 10.0 * shop)[:, None]
    >>> encoder = GroupNumbers(most=1).fit(block, y, ["price", "shop"])
    >>> encoder.feature_names_, encoder.transform(np.float32([[25, 2]])).round().tolist()
    (('price - average by shop',), [[5.0]])
    """

    name: ClassVar[str] = "group_numbers"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.NUMBERS, supervised=True, keeps_missing=True)

    sizes_: Ints
    averaged_: Ints
    """(3, q) number, group, and where the table of averages begins, of every average."""
    compared_: Ints
    """(3, r) the same of every difference."""
    table_: Floats

    def __init__(
        self,
        groups: int = 1,
        most: int = 16,
        least: float = SURPRISING,
        max_levels: int = 10_000,
    ) -> None:
        self.groups = groups
        self.most = most
        self.least = least
        self.max_levels = max_levels

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        if y is None:
            raise TrainingError(f"{self.name} needs the target while fitting; pass it as y of shape (n, t).")
        numbers, raw = self._parts(np.asarray(block, dtype=np.float32))
        self.sizes_ = np.full(raw.shape[1], self.max_levels + FIRST_LEVEL_CODE, dtype=np.int64)
        codes = self._codes(raw)
        self.sizes_ = np.maximum(codes.max(axis=0, initial=0) + 1, FIRST_LEVEL_CODE)
        chosen = self._choose(numbers, codes, y)
        tables = [averages_by(numbers[:, i], codes[:, g], int(self.sizes_[g])) for _, i, g in chosen]
        starts = np.cumsum([0, *map(len, tables)])[:-1].tolist()
        self.table_ = np.concatenate(tables) if tables else np.zeros(0, dtype=np.float32)
        made = [(differs, i, g, start) for (differs, i, g), start in zip(chosen, starts, strict=True)]
        k = numbers.shape[1]
        self.averaged_, self.compared_ = (
            np.array([rest for differs, *rest in made if differs is flag], dtype=np.int64).reshape(-1, 3).T.copy()
            for flag in (False, True)
        )
        self.feature_names_ = (
            *(f"{names[i]}, average by {names[k + g]}" for i, g in self.averaged_[:2].T.tolist()),
            *(f"{names[i]} - average by {names[k + g]}" for i, g in self.compared_[:2].T.tolist()),
        )
        return self

    def _parts(self, block: Floats) -> tuple[Floats, Floats]:
        k = max(block.shape[1] - self.groups, 0)
        return block[:, :k], block[:, k:]

    def _codes(self, raw: Floats) -> Ints:
        """Codes (n, g) within the sizes, whatever numbers stand there."""
        filled = np.where(np.isnan(raw), np.float32(MISSING_CODE), raw)
        known = (filled >= 0) & (filled < self.sizes_.astype(np.float32))
        return np.where(known, filled, np.float32(UNSEEN_CODE)).astype(np.int64)

    def _choose(self, numbers: Floats, codes: Ints, y: Doubles) -> list[tuple[bool, int, int]]:
        """(whether the difference is taken, number, group) of every feature that is made."""
        rows = sample(len(numbers), numbers.shape[1])
        values, levels, target = numbers[rows], codes[rows], judged_target(y[rows])
        bins = [binned(values[:, i]) for i in range(values.shape[1])]
        columns = strongest(bins, target, STRONGEST)
        rest = left_over([*(bins[i] for i in columns), *levels.T], target)
        found: list[tuple[float, bool, int, int]] = []
        for i in columns:
            for g, of_row in enumerate(levels.T):
                average = averages_by(values[:, i], of_row, int(self.sizes_[g]))[of_row]
                for differs, feature in ((False, average), (True, combined("-", values[:, i], average))):
                    found.append((-strength(binned(feature), rest), differs, i, g))
        return [(differs, i, g) for less, differs, i, g in sorted(found)[: self.most] if -less > self.least]

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        numbers, raw = self._parts(np.asarray(block, dtype=np.float32))
        codes = self._codes(raw)
        _, group, start = self.averaged_
        averages = self.table_[codes[:, group] + start]
        number, group, start = self.compared_
        differences = combined("-", numbers[:, number], self.table_[codes[:, group] + start])
        return np.concatenate([averages, differences], axis=1)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        codes = self._emit_codes(graph, block)
        parts = []
        if self.averaged_.size:
            parts.append(self._emit_averages(graph, codes, self.averaged_))
        if self.compared_.size:
            numbers = graph.op("Gather", block, graph.constant(self.compared_[0]), axis=1)
            averages = self._emit_averages(graph, codes, self.compared_)
            parts.append(emit_finite(graph, graph.op("Sub", numbers, averages)))
        return graph.concat(parts)

    def _emit_codes(self, graph: Graph, block: str) -> str:
        def number(value: int) -> str:
            return graph.constant(np.array(value, dtype=np.float32))

        # The codes are the last columns: counted from the end, whatever stands before them.
        last = graph.constant(np.arange(-len(self.sizes_), 0, dtype=np.int64))
        raw = graph.op("Gather", block, last, axis=1)
        filled = graph.op("Where", graph.op("IsNaN", raw), number(MISSING_CODE), raw)
        above = graph.op("GreaterOrEqual", filled, number(0))
        below = graph.op("Less", filled, graph.constant(self.sizes_.astype(np.float32)[None, :]))
        known = graph.op("And", above, below)
        return graph.cast(graph.op("Where", known, filled, number(UNSEEN_CODE)), "int64")

    def _emit_averages(self, graph: Graph, codes: str, made: Ints) -> str:
        picked = graph.op("Gather", codes, graph.constant(made[1]), axis=1)
        rows = graph.op("Add", picked, graph.constant(made[2][None, :]))
        return graph.op("Gather", graph.constant(self.table_), rows)


def averages_by(values: Floats, codes: Ints, size: int) -> Floats:
    """The average of `values` at every code below `size`, pulled towards that of all as the analysis of variance says.

    Examples
    --------
    >>> averages_by(np.float32([1, 1.1, 9, 9.1]), np.array([0, 0, 2, 2]), 3).round(2)
    array([1.05, 5.05, 9.05], dtype=float32)
    """
    present = ~np.isnan(values)
    x, at = values[present].astype(np.float64), codes[present]
    n = len(x)
    overall = float(x.mean()) if n else 0.0
    rest = x - overall
    counts = np.bincount(at, minlength=size)
    means = np.bincount(at, weights=rest, minlength=size) / np.maximum(counts, 1)
    filled = int((counts > 0).sum())
    if filled < 2 or n <= filled:
        return np.full(size, overall, dtype=np.float32)
    within = float(((rest - means[at]) ** 2).sum()) / (n - filled)
    usual = (n - float((counts.astype(np.float64) ** 2).sum()) / n) / (filled - 1)
    among = max(float((counts * means**2).sum()) / (filled - 1) - within, 0.0) / usual
    trusted = among * counts / np.maximum(among * counts + within, 1e-300)
    return np.asarray(overall + trusted * means, dtype=np.float32)
