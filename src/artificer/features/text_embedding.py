"""Texts as points in a space where those that share words, or words of the same company, lie close together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.features.base import Encoder, EncoderTags
from artificer.features.tokens import Tokens, TokenTable, column, directions, sample_of
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings

TINY = np.float32(1e-6)


class TextEmbedding(Encoder):
    """Per text column its TF-IDF weights, projected on their main directions, and the number of known tokens.

    Latent semantic analysis: rows of TF-IDF weights of length 1, their truncated singular value decomposition. As the
    projection is linear, a text's point is the sum of its tokens' vectors, divided by the square root of the sum of
    their squared weights; no row of the whole vocabulary is ever laid out. A missing text, and one of which no token is
    known, lies at 0.

    Parameters
    ----------
    width : directions per column; fewer where the texts do not span as many.
    max_tokens : tokens kept per column, the most frequent ones; they travel with the model.
    min_rows : a token counts if so many rows hold it.
    pairs : also take two neighbouring words as a token.

    References
    ----------
    Deerwester, S., Dumais, S. T., Furnas, G. W., Landauer, T. K. and Harshman, R. Indexing by latent semantic
    analysis. Journal of the American Society for Information Science 41(6), 1990.
    Halko, N., Martinsson, P. G. and Tropp, J. A. Finding structure with randomness. SIAM Review 53(2), 2011.

    Examples
    --------
    >>> block = np.array([["good tea"], ["good strong tea"], ["broken box"], ["box arrived broken"]], dtype=object)
    >>> encoder = TextEmbedding(width=2).fit(block, None, ["review"])
    >>> points = encoder.transform(np.array([["tea good"], ["broken box"], ["tea"]], dtype=object))[:, :2]
    >>> bool(points[0] @ points[2] > 0.5), bool(abs(points[0] @ points[1]) < 0.01)
    (True, True)
    """

    name: ClassVar[str] = "text_embedding"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.TEXTS)

    tables_: tuple[TokenTable, ...]

    def __init__(self, width: int = 32, max_tokens: int = 20_000, min_rows: int = 2, pairs: bool = True) -> None:
        self.width = width
        self.max_tokens = max_tokens
        self.min_rows = min_rows
        self.pairs = pairs

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self.tables_ = tuple(self._fit_column(block[:, j].tolist()) for j in range(block.shape[1]))
        self.feature_names_ = tuple(
            feature
            for name, table in zip(names, self.tables_, strict=True)
            for feature in (*(f"{name} (topic {i})" for i in range(table.whole.shape[1] - 2)), f"{name} (known words)")
        )
        return self

    def _fit_column(self, texts: list[str]) -> TokenTable:
        sample = sample_of(texts)
        tokens = Tokens.learn(sample, self.max_tokens, self.min_rows, self.pairs)
        counts = tokens.count(sample)
        rows = np.asarray((counts > 0).sum(axis=0)).ravel()
        weights: Doubles = np.log((1.0 + len(sample)) / (1.0 + rows)) + 1.0
        vectors = directions(counts.multiply(weights).tocsr(), self.width)
        ones = np.ones((len(weights), 1))
        return TokenTable.of(tokens, np.concatenate([weights[:, None] * vectors, weights[:, None] ** 2, ones], axis=1))

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        parts = []
        for j, table in enumerate(self.tables_):
            sums = table.sums(table.tokens.count(block[:, j].tolist()))
            points = sums[:, :-2] / np.sqrt(np.maximum(sums[:, -2:-1], TINY))
            parts += [points, np.log(sums[:, -1:] + np.float32(1))]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(block), 0), dtype=np.float32)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.tables_:
            return emit_zeros(graph, block, 0)
        parts = []
        for j, table in enumerate(self.tables_):
            sums = table.emit(graph, column(graph, block, j))
            d = table.whole.shape[1] - 2
            sizes = graph.constant(np.array([d, 1, 1], dtype=np.int64))
            points, squares, known = graph.ops("Split", sums, sizes, outputs=3, axis=1)
            length = graph.op("Sqrt", graph.op("Max", squares, graph.constant(np.array([TINY], dtype=np.float32))))
            one = graph.constant(np.array([1.0], dtype=np.float32))
            parts += [graph.op("Div", points, length), graph.op("Log", graph.op("Add", known, one))]
        return graph.concat(parts)
