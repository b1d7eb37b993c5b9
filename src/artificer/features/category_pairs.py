"""Two categories crossed into one: how frequent the combination is, and the average of the target there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Self

import numpy as np

from artificer.errors import TrainingError
from artificer.features.base import EncoderTags
from artificer.features.categorical_count import CategoricalCount
from artificer.features.categorical_target import CategoricalTarget
from artificer.features.strength import SURPRISING, judged_target, left_over, sample, strength, strongest
from artificer.features.vocabulary import Codes, Vocabulary, VocabularyEncoder
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind

STRONGEST = 12
LARGEST_GRID = 100_000


@dataclass(frozen=True)
class Grid(Vocabulary):
    """Combinations of two columns' codes, counted through: what encoders of codes need to know of them."""

    cells: tuple[int, ...]

    @property
    def sizes(self) -> Ints:
        return np.array(self.cells, dtype=np.int64)


class CategoryPairs(VocabularyEncoder):
    """Crosses of two category columns, each as its log frequency and its smoothed averages of the target.

    Which pairs is decided on a sample of the training rows: those whose combinations are frequent enough and say most
    of what the columns leave over of the target one by one, beyond chance. Averages of training rows are taken out of
    fold, see :class:`~artificer.features.categorical_target.CategoricalTarget`.

    Parameters
    ----------
    smoothing, folds : as for averages of single columns.
    most : pairs at most; fewer where the target has many columns.
    least : standard deviations above chance that a pair has to show.
    rows_per_cell : pairs whose combinations have fewer rows each, in the mean, are too rare to say anything.
    max_levels : levels kept per column, the most frequent ones; the rest is pooled with the unseen.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> block = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, (1000, 2))]
    >>> y = np.float64(block[:, :1] == block[:, 1:])
    >>> encoder = CategoryPairs(smoothing=1.0).fit(block, y, ["left", "right"])
    >>> encoder.feature_names_
    ('left & right (log frequency)', 'left & right (target)')
    >>> encoder.transform(block[:1])[:, 1].round(2) == y[0]
    array([ True])
    """

    name: ClassVar[str] = "category_pairs"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS, supervised=True)

    pairs_: Ints
    widths_: Ints
    count_: CategoricalCount
    target_: CategoricalTarget

    def __init__(
        self,
        smoothing: float = 10.0,
        folds: int = 5,
        most: int = 8,
        least: float = SURPRISING,
        rows_per_cell: int = 5,
        max_levels: int = 10_000,
    ) -> None:
        super().__init__(max_levels)
        self.smoothing = smoothing
        self.folds = folds
        self.most = most
        self.least = least
        self.rows_per_cell = rows_per_cell

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        grid, crossed, titles = self._prepare(vocabulary, codes, y, names)
        self.target_.fit_codes(grid, crossed, y, titles)
        self._name()
        return self

    def fit_transform_codes(
        self,
        vocabulary: Vocabulary,
        codes: Codes,
        y: Doubles | None,
        names: Sequence[str],
        seed: int,
        weight: Doubles | None = None,
        parts: Ints | None = None,
    ) -> Floats:
        grid, crossed, titles = self._prepare(vocabulary, codes, y, names, weight)
        averages = self.target_.fit_transform_codes(grid, crossed, y, titles, seed, weight, parts)
        self._name()
        return np.concatenate([self.count_.transform_codes(crossed), averages], axis=1)

    def _prepare(
        self,
        vocabulary: Vocabulary,
        codes: Codes,
        y: Doubles | None,
        names: Sequence[str],
        weight: Doubles | None = None,
    ) -> tuple[Grid, Codes, list[str]]:
        """Choose the pairs and fit their frequencies; the grid, the combinations' codes and the names return."""
        if y is None:
            raise TrainingError(f"{self.name} needs the target while fitting; pass it as y of shape (n, t).")
        self.vocabulary_ = vocabulary
        sizes = vocabulary.sizes
        counting = slice(None) if weight is None else weight > 0
        pairs = self._choose(codes[counting], sizes, y[counting])
        self.pairs_ = np.array(pairs, dtype=np.int64).reshape(-1, 2).T.copy()
        self.widths_ = sizes[self.pairs_[1]]
        grid = Grid((), tuple((sizes[self.pairs_[0]] * self.widths_).tolist()))
        crossed, titles = self._cross(codes), [f"{names[a]} & {names[b]}" for a, b in pairs]
        self.count_ = CategoricalCount().fit_codes(grid, crossed, y, titles)
        self.target_ = CategoricalTarget(self.smoothing, self.folds)
        return grid, crossed, titles

    def _choose(self, codes: Codes, sizes: Ints, y: Doubles) -> list[tuple[int, int]]:
        rows = sample(len(codes), codes.shape[1])
        levels, target = [column.astype(np.int64) for column in codes[rows].T], judged_target(y[rows])
        found: list[tuple[float, int, int]] = []
        for a, b in combinations(strongest(levels, target, STRONGEST), 2):
            if sizes[a] * sizes[b] > LARGEST_GRID:
                continue
            filled = len(np.unique(codes[:, a].astype(np.int64) * sizes[b] + codes[:, b]))
            if len(codes) >= self.rows_per_cell * filled:
                rest = left_over([levels[a], levels[b]], target)
                found.append((-strength(levels[a] * sizes[b] + levels[b], rest), a, b))
        most = max(1, min(self.most, 40 // y.shape[1]))
        return [(a, b) for less, a, b in sorted(found)[:most] if -less > self.least]

    def _name(self) -> None:
        self.feature_names_ = (*self.count_.feature_names_, *self.target_.feature_names_)

    def _cross(self, codes: Codes) -> Codes:
        left, right = self.pairs_
        return np.asarray(codes[:, left] * self.widths_ + codes[:, right], dtype=np.int32)

    def transform_codes(self, codes: Codes) -> Floats:
        crossed = self._cross(codes)
        return np.concatenate([self.count_.transform_codes(crossed), self.target_.transform_codes(crossed)], axis=1)

    def emit_codes(self, graph: Graph, codes: str) -> str:
        left, right = (graph.op("Gather", codes, graph.constant(places), axis=1) for places in self.pairs_)
        crossed = graph.op("Add", graph.op("Mul", left, graph.constant(self.widths_[None, :])), right)
        return graph.concat([self.count_.emit_codes(graph, crossed), self.target_.emit_codes(graph, crossed)])
