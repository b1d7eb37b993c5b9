"""Categories as the logarithm of their frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import EncoderTags
from artificer.features.vocabulary import UNSEEN_CODE, Codes, Vocabulary, VocabularyEncoder
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind


class CategoricalCount(VocabularyEncoder):
    """log((c + 1) / (n + 1)) per category column, c of the n training rows holding the value; unseen counts as c = 0.

    Relative to n, so that the feature keeps its meaning when a recipe is refitted on more rows. Missing is a value
    like others here.

    Parameters
    ----------
    max_levels : levels kept per column, the most frequent ones; the rest is as good as unseen.

    Examples
    --------
    >>> block = np.array([["a"], ["a"], ["a"], ["b"]], dtype=object)
    >>> encoder = CategoricalCount().fit(block, None, ["letter"])
    >>> np.exp(encoder.transform(np.array([["a"], ["b"], ["c"]], dtype=object))).ravel().round(3)
    array([0.8, 0.4, 0.2], dtype=float32)
    """

    name: ClassVar[str] = "categorical_count"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS)

    offsets_: Ints
    table_: Floats

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        n, k = codes.shape
        self.vocabulary_ = vocabulary
        self.offsets_ = vocabulary.offsets
        sizes = vocabulary.sizes
        counts = [np.bincount(codes[:, j], minlength=sizes[j]) for j in range(k)]
        for column in counts:
            # Levels beyond the cap share this code; each is at most as frequent as the rarest one kept.
            column[UNSEEN_CODE] = 0
        joined = np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)
        self.table_ = np.log((joined + 1.0) / (n + 1.0)).astype(np.float32)
        self.feature_names_ = tuple(f"{name} (log frequency)" for name in names)
        return self

    def transform_codes(self, codes: Codes) -> Floats:
        cells: Floats = self.table_[codes + self.offsets_]
        return cells

    def emit_codes(self, graph: Graph, codes: str) -> str:
        rows = graph.op("Add", codes, graph.constant(self.offsets_[None, :]))
        return graph.op("Gather", graph.constant(self.table_), rows)
