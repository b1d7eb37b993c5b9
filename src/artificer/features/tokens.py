"""Tokens of one text column: the ones that count, how often each row has them, and sums over them in Python and ONNX.

A token is a word of the block, or two neighbours with a space between them. Sums are taken over whole numbers small
enough to be exact in float32, so that neither the order of adding nor the padding of the graph changes a feature.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.graph.builder import ML
from artificer.types import Doubles, Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_LEARNT = 1_000_000
"""So many tokens, of rows drawn at random, decide which tokens count and how they lie to one another."""
STEPS = 2**13 - 1
"""Size of the largest whole number in a table: a thousand of them add up below 2**24."""


def tokens_of(text: str, pairs: bool) -> list[str]:
    """Split a text of the block into its words and, if asked, pairs of neighbours.

    Examples
    --------
    >>> tokens_of("not at all", pairs=True)
    ['not', 'at', 'all', 'not at', 'at all']
    """
    words = text.split(" ")
    return [*words, *(f"{a} {b}" for a, b in pairwise(words) if a and b)] if pairs else words


@dataclass(frozen=True)
class Tokens:
    """The tokens of a column that count, the most frequent first; others are as good as absent."""

    kept: tuple[str, ...]
    pairs: bool

    @classmethod
    def learn(cls, texts: Sequence[str], most: int, least_rows: int, pairs: bool) -> Tokens:
        """Keep at most `most` tokens, those of at least `least_rows` texts and of the most; ties by alphabet."""
        rows: Counter[str] = Counter()
        for text in texts:
            if text:
                rows.update(set(tokens_of(text, pairs)))
        rows.pop("", None)
        found = [(-count, token) for token, count in rows.items() if count >= least_rows]
        found.sort()
        return cls(tuple(token for _, token in found[:most]), pairs)

    @cached_property
    def _lookup(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.kept)}

    def count(self, texts: Iterable[str]) -> csr_matrix:
        """How often each text has each token, (n, v)."""
        from scipy.sparse import csr_matrix

        find, pairs = self._lookup.get, self.pairs
        columns: list[int] = []
        ends = [0]
        for text in texts:
            if text:
                columns.extend(i for i in map(find, tokens_of(text, pairs)) if i is not None)
            ends.append(len(columns))
        ones = np.ones(len(columns))
        shape = (len(ends) - 1, len(self.kept))
        counts = csr_matrix((ones, np.array(columns, dtype=np.int32), np.array(ends)), shape=shape)
        counts.sum_duplicates()
        return counts

    def emit(self, graph: Graph, column: str) -> str:
        """Write the lookup of a column (n) into `graph`; int64 places (n, T) in the tokens return, v for all others."""
        words, _ = graph.ops("StringSplit", column, outputs=2, delimiter=" ")
        if self.pairs:
            first, second = (
                graph.op("Slice", words, *(graph.constant(np.array([v], dtype=np.int64)) for v in (start, end, 1)))
                for start, end in ((0, -1), (1, 2**31 - 1))
            )
            space = graph.constant(np.array([" "], dtype=object))
            both = graph.op("StringConcat", graph.op("StringConcat", first, space), second)
            words = graph.op("Concat", words, both, axis=1)
        v = len(self.kept)
        return graph.op(
            "LabelEncoder",
            words,
            domain=ML,
            keys_strings=list(self.kept),
            values_int64s=np.arange(v, dtype=np.int64),
            default_int64=v,
        )


@dataclass(frozen=True)
class TokenTable:
    """Numbers of each token that are added up over a text.

    Attributes
    ----------
    whole : int16 (v + 1, p), the last row, of all other tokens, is 0.
    steps : float32 (p), what one unit of each column is worth.
    """

    tokens: Tokens
    whole: NDArray[np.int16]
    steps: Floats

    @classmethod
    def of(cls, tokens: Tokens, values: Doubles) -> TokenTable:
        """Round `values` (v, p) to whole numbers of steps."""
        largest = np.abs(values).max(axis=0, initial=0.0)
        # A column of whole numbers, such as a count, stays what it is.
        natural = (largest <= STEPS) & (values == np.rint(values)).all(axis=0)
        steps = np.where(natural | (largest == 0), 1.0, largest / STEPS)
        whole = np.zeros((len(values) + 1, values.shape[1]), dtype=np.int16)
        whole[:-1] = np.rint(values / steps)
        return cls(tokens, whole, steps.astype(np.float32))

    def sums(self, counts: csr_matrix) -> Floats:
        """Add up over each text, (n, p)."""
        total: Any = counts @ self.whole[:-1].astype(np.float64)
        return np.asarray(total, dtype=np.float64).astype(np.float32) * self.steps

    def emit(self, graph: Graph, column: str) -> str:
        """Write the sums over a column (n) into `graph`; (n, p)."""
        if not self.tokens.kept:
            rows = graph.op("Unsqueeze", column, graph.constant(np.array([1], dtype=np.int64)))
            return emit_zeros(graph, rows, self.whole.shape[1])
        places = self.tokens.emit(graph, column)
        cells = graph.cast(graph.op("Gather", graph.constant(self.whole), places), "float32")
        total = graph.op("ReduceSum", cells, graph.constant(np.array([1], dtype=np.int64)), keepdims=0)
        return graph.op("Mul", total, graph.constant(self.steps))


def sample_of(texts: Sequence[str]) -> list[str]:
    """Draw as many texts as hold about ``MOST_LEARNT`` tokens; all where they do not hold more."""
    sizes = np.fromiter((text.count(" ") + 1 for text in texts), dtype=np.int64, count=len(texts))
    if sizes.sum() <= MOST_LEARNT:
        return list(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    most = int(np.searchsorted(np.cumsum(sizes[order]), MOST_LEARNT))
    return [texts[i] for i in np.sort(order[: max(most, 1)]).tolist()]


def column(graph: Graph, block: str, j: int) -> str:
    """Pick one column (n) of a block (n, t)."""
    return graph.op("Gather", block, graph.constant(np.array(j, dtype=np.int64)), axis=1)
