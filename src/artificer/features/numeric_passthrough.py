"""Numbers as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings


class NumericPassthrough(Encoder):
    """Every numeric column untouched, NaN kept, for trees.

    Examples
    --------
    >>> block = np.float32([[1.0, np.nan]])
    >>> NumericPassthrough().fit(block, None, ["a", "b"]).transform(block).tolist()
    [[1.0, nan]]
    """

    name: ClassVar[str] = "numeric_passthrough"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.NUMBERS, keeps_missing=True)

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self.feature_names_ = tuple(names)
        return self

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        return np.array(block, dtype=np.float32)

    def emit(self, graph: Graph, block: str) -> str:
        return block if self.feature_names_ else emit_zeros(graph, block, 0)
