"""Categories as whole numbers in order of frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import EncoderTags
from artificer.features.vocabulary import Codes, Vocabulary, VocabularyEncoder
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Kind


class CategoricalOrdinal(VocabularyEncoder):
    """One code per category column, for trees: missing 0, unseen 1, then levels from the rarest to the commonest.

    Missing, unseen and rare levels are neighbours, so a single threshold can set all of them apart; thresholds in
    general group levels of like frequency.

    Parameters
    ----------
    max_levels : levels kept per column, the most frequent ones; the rest is as good as unseen.

    Examples
    --------
    >>> block = np.array([["red"], ["red"], ["blue"]], dtype=object)
    >>> encoder = CategoricalOrdinal().fit(block, None, ["colour"])
    >>> encoder.transform(np.array([["red"], ["blue"], ["mauve"], [""]], dtype=object)).ravel().tolist()
    [3.0, 2.0, 1.0, 0.0]
    """

    name: ClassVar[str] = "categorical_ordinal"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS)

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        self.vocabulary_ = vocabulary
        self.feature_names_ = tuple(names)
        return self

    def transform_codes(self, codes: Codes) -> Floats:
        return codes.astype(np.float32)

    def emit_codes(self, graph: Graph, codes: str) -> str:
        return graph.cast(codes, "float32")
