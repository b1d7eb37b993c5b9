"""Categories as indicator columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import EncoderTags
from artificer.features.vocabulary import (
    FIRST_LEVEL_CODE,
    MISSING_CODE,
    UNSEEN_CODE,
    Codes,
    Vocabulary,
    VocabularyEncoder,
)
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind


class CategoricalOnehot(VocabularyEncoder):
    """0/1 columns for the commonest levels of each category column.

    Levels that are too rare, or beyond the cap, share one indicator, which unseen values then join; without such
    levels in training an unseen value is 0 everywhere. Missing has its own indicator where training had it.

    Parameters
    ----------
    max_indicators : levels of a column that get an indicator of their own.
    min_count : rows a level needs for an indicator of its own.
    max_levels : levels kept per column, the most frequent ones; the rest is as good as unseen.

    Examples
    --------
    >>> block = np.array([["a"]] * 6 + [["b"]] * 5 + [["c"]], dtype=object)
    >>> encoder = CategoricalOnehot(min_count=2).fit(block, None, ["letter"])
    >>> encoder.feature_names_
    ('letter is rare', 'letter is "b"', 'letter is "a"')
    >>> encoder.transform(np.array([["a"], ["c"], ["new"], [""]], dtype=object)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    name: ClassVar[str] = "categorical_onehot"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS)

    column_: Ints
    low_: Ints
    high_: Ints
    place_: Ints

    def __init__(self, max_indicators: int = 50, min_count: int = 5, max_levels: int = 10_000) -> None:
        super().__init__(max_levels)
        self.max_indicators = max_indicators
        self.min_count = min_count

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        self.vocabulary_ = vocabulary
        cells: list[tuple[int, int, int]] = []
        titles: list[str] = []
        for j, name in enumerate(names):
            levels = vocabulary.levels[j]
            counts = np.bincount(codes[:, j], minlength=len(levels) + FIRST_LEVEL_CODE)
            # Codes rise with frequency: what is too rare is one run of codes that begins at the unseen one. In a part
            # of the rows that the vocabulary was learnt on the order holds but roughly, and the run has to cover it.
            rare = np.flatnonzero(counts[FIRST_LEVEL_CODE:] < self.min_count)
            enough = int(rare[-1]) + 1 + FIRST_LEVEL_CODE if rare.size else FIRST_LEVEL_CODE
            first = max(enough, len(counts) - self.max_indicators)
            if counts[MISSING_CODE]:
                cells.append((j, MISSING_CODE, MISSING_CODE))
                titles.append(f"{name} is missing")
            if counts[UNSEEN_CODE:first].any():
                cells.append((j, UNSEEN_CODE, first - 1))
                titles.append(f"{name} is rare")
            for code in range(first, len(counts)):
                cells.append((j, code, code))
                titles.append(f'{name} is "{levels[code - FIRST_LEVEL_CODE]}"')
        table = np.array(cells, dtype=np.int64).reshape(-1, 3)
        self.column_, self.low_, self.high_ = table.T.copy()
        self.place_ = np.full(int(vocabulary.sizes.sum()), -1, dtype=np.int64)
        for feature, (offset, low, high) in enumerate(
            zip(vocabulary.offsets[self.column_], self.low_, self.high_, strict=True)
        ):
            self.place_[offset + low : offset + high + 1] = feature
        self.feature_names_ = tuple(titles)
        return self

    def transform_codes(self, codes: Codes) -> Floats:
        features = np.zeros((len(codes), len(self.column_)), dtype=np.float32)
        places = self.place_[codes + self.vocabulary_.offsets]
        for j in range(codes.shape[1]):
            rows = np.flatnonzero(places[:, j] >= 0)
            features[rows, places[rows, j]] = 1.0
        return features

    def emit_codes(self, graph: Graph, codes: str) -> str:
        spread = graph.op("Gather", codes, graph.constant(self.column_), axis=1)
        low, high = graph.constant(self.low_[None, :]), graph.constant(self.high_[None, :])
        if np.array_equal(self.low_, self.high_):
            return graph.cast(graph.op("Equal", spread, low), "float32")
        at_least, at_most = graph.op("GreaterOrEqual", spread, low), graph.op("LessOrEqual", spread, high)
        return graph.cast(graph.op("And", at_least, at_most), "float32")
