"""Tokens of one text column: the ones that count, how often each row has them, and sums over them in Python and ONNX.

A token is a word of the block, or two neighbours with a space between them. Sums are taken over whole numbers small
enough to be exact in float32, so that neither the order of adding nor the padding of the graph changes a feature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.graph.builder import ML
from artificer.types import Doubles, Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MOST_LEARNT = 1_000_000
"""So many tokens, of rows drawn at random, decide which tokens count and how they lie to one another."""
STEPS = 2**13 - 1
"""Size of the largest whole number in a table: a thousand of them add up below 2**24."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of a column that count, the most frequent first; others are as good as absent.

    Attributes
    ----------
    kept : words and pairs of words; both words of a pair are kept too.

    Examples
    --------
    >>> tokens = Tokens.learn(["not at all", "not at home", ""], most=10, least_rows=2, pairs=True)
    >>> tokens.kept
    ('at', 'not', 'not at')
    >>> tokens.count(["not at at", "all"]).toarray().tolist()
    [[2.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    kept: tuple[str, ...]
    pairs: bool

    @classmethod
    def learn(cls, texts: Sequence[str], most: int, least_rows: int, pairs: bool) -> Tokens:
        """Keep at most `most` tokens, those of at least `least_rows` texts and of the most; ties by alphabet."""
        places: defaultdict[str, int] = defaultdict(count().__next__)
        rows, ids = _words(texts, places.__getitem__)
        words = list(places)
        found = [(-n, words[i]) for i, n in _frequent(rows, ids, least_rows) if words[i]]
        if pairs:
            together = rows[1:] == rows[:-1]
            codes = (ids[:-1] * len(words) + ids[1:])[together]
            both = ((*divmod(code, len(words)), n) for code, n in _frequent(rows[1:][together], codes, least_rows))
            found += [(-n, f"{words[a]} {words[b]}") for a, b, n in both if words[a] and words[b]]
        found.sort()
        kept = [token for _, token in found[:most]]
        known = {token for token in kept if " " not in token}
        return cls(tuple(token for token in kept if known.issuperset(token.split(" "))), pairs)

    @cached_property
    def _lookup(self) -> tuple[dict[str, int], Ints, Ints]:
        """Places of the words, and of the pairs: their codes in rising order, and which place each has."""
        words = {token: i for i, token in enumerate(self.kept) if " " not in token}
        v = len(self.kept)
        pairs = [(i, token.split(" ")) for i, token in enumerate(self.kept) if " " in token]
        codes = np.array([words[a] * v + words[b] for _, (a, b) in pairs], dtype=np.int64)
        order = np.argsort(codes)
        return words, codes[order], np.array([i for i, _ in pairs], dtype=np.int64)[order]

    def count(self, texts: Sequence[str]) -> csr_matrix:
        """How often each text has each token, (n, v)."""
        from scipy.sparse import csr_matrix

        words, codes, places = self._lookup
        rows, ids = _words(texts, lambda word: words.get(word, -1))
        known = ids >= 0
        of_rows, columns = rows[known], ids[known]
        if len(codes):
            both = (rows[1:] == rows[:-1]) & known[1:] & known[:-1]
            wanted = (ids[:-1] * len(self.kept) + ids[1:])[both]
            at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
            hit = codes[at] == wanted
            of_rows, columns = np.append(of_rows, rows[1:][both][hit]), np.append(columns, places[at[hit]])
        ones = np.ones(len(columns))
        return csr_matrix((ones, (of_rows, columns)), shape=(len(texts), len(self.kept)))

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


def _words(texts: Sequence[str], place: Callable[[str], int]) -> tuple[Ints, Ints]:
    """The row and the place of every word of all texts, in their order."""
    split = [text.split(" ") if text else [] for text in texts]
    sizes = np.fromiter(map(len, split), dtype=np.int64, count=len(split))
    ids = np.fromiter(map(place, chain.from_iterable(split)), dtype=np.int64, count=int(sizes.sum()))
    return np.repeat(np.arange(len(split)), sizes), ids


def _frequent(rows: Ints, ids: Ints, least_rows: int) -> list[tuple[int, int]]:
    """Which ids stand in at least so many rows, and in how many."""
    distinct, places = np.unique(ids, return_inverse=True)
    once = np.unique(rows * max(len(distinct), 1) + places) % max(len(distinct), 1)
    counts = np.bincount(once, minlength=len(distinct))
    chosen = np.flatnonzero(counts >= max(least_rows, 1))
    return list(zip(distinct[chosen].tolist(), counts[chosen].tolist(), strict=True))


def sample_of(texts: Sequence[str]) -> list[str]:
    """Draw as many texts as hold about ``MOST_LEARNT`` tokens; all where they do not hold more."""
    sizes = np.fromiter((text.count(" ") + 1 for text in texts), dtype=np.int64, count=len(texts))
    if sizes.sum() <= MOST_LEARNT:
        return list(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    most = int(np.searchsorted(np.cumsum(sizes[order]), MOST_LEARNT))
    return [texts[i] for i in np.sort(order[: max(most, 1)]).tolist()]


def directions(weighted: csr_matrix, width: int) -> Doubles:
    """The main right singular vectors (v, d) of rows scaled to length 1, d at most `width`."""
    from scipy.sparse import diags
    from sklearn.utils.extmath import randomized_svd

    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    unit = diags(1.0 / np.maximum(length, 1e-12)) @ weighted
    d = min(width, unit.shape[1], int((length > 0).sum()))
    if d == 0:
        return np.zeros((unit.shape[1], 0))
    _, sizes, vectors = randomized_svd(unit, d, n_iter=2, random_state=0)
    found: Doubles = vectors[sizes > 1e-6 * sizes.max(initial=0.0)].T
    return found


def column(graph: Graph, block: str, j: int) -> str:
    """Pick one column (n) of a block (n, t)."""
    return graph.op("Gather", block, graph.constant(np.array(j, dtype=np.int64)), axis=1)
