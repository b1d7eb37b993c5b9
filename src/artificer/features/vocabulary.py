"""What fitting saw of category columns: levels and their codes, learned once and shared by every encoder of them."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, repeat
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from artificer.features.base import Encoder
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.graph.builder import ML
from artificer.types import MISSING_STRING, Doubles, Floats, Ints, Strings

Codes: TypeAlias = NDArray[np.int32]

MISSING_CODE = 0
UNSEEN_CODE = 1
"""Unseen in training, or beyond the level cap there."""
FIRST_LEVEL_CODE = 2


@dataclass(frozen=True)
class Vocabulary:
    """The levels of k category columns. A level's code is its place in ``levels`` plus ``FIRST_LEVEL_CODE``.

    Attributes
    ----------
    levels : per column the known levels from the rarest to the most frequent, equally frequent ones in reverse
        alphabetical order, so that codes depend on neither the order of rows nor a hash seed. Never the missing one.

    Examples
    --------
    >>> block = np.array([["a"], ["b"], ["b"], [""]], dtype=object)
    >>> vocabulary, codes = Vocabulary.learn(block, max_levels=100)
    >>> vocabulary.levels, codes[:, 0].tolist()
    ((('a', 'b'),), [2, 3, 3, 0])
    >>> vocabulary.codes(np.array([["new"]], dtype=object)).tolist()
    [[1]]
    """

    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def learn(cls, block: Strings, max_levels: int) -> tuple[Vocabulary, Codes]:
        """The `max_levels` most frequent levels of each column, and the codes (n, k) of `block` itself."""
        codes = np.empty(block.shape, dtype=np.int32)
        levels = []
        for j in range(block.shape[1]):
            kept, codes[:, j] = _learn_column(block[:, j], max_levels)
            levels.append(kept)
        return cls(tuple(levels)), codes

    @property
    def sizes(self) -> Ints:
        """Codes of each column, the two special ones included."""
        return np.array([len(levels) + FIRST_LEVEL_CODE for levels in self.levels], dtype=np.int64)

    @property
    def offsets(self) -> Ints:
        """Where each column begins in a table that has one row for every code of every column."""
        sizes = self.sizes
        return np.asarray(np.cumsum(sizes) - sizes, dtype=np.int64)

    @cached_property
    def _lookups(self) -> tuple[Mapping[str, int], ...]:
        return tuple(
            {MISSING_STRING: MISSING_CODE, **dict(zip(levels, count(FIRST_LEVEL_CODE), strict=False))}
            for levels in self.levels
        )

    def codes(self, block: Strings) -> Codes:
        """Codes (n, k) of a block (n, k)."""
        codes = np.empty(block.shape, dtype=np.int32)
        for j, lookup in enumerate(self._lookups):
            found = map(lookup.get, block[:, j].tolist(), repeat(UNSEEN_CODE))
            codes[:, j] = np.fromiter(found, dtype=np.int32, count=len(block))
        return codes

    def take(self, columns: Sequence[int]) -> Vocabulary:
        """Of some columns only."""
        return Vocabulary(tuple(self.levels[j] for j in columns))

    def emit(self, graph: Graph, block: str) -> str:
        """Write the lookup of a string block (n, k) into `graph`; int64 codes (n, k) return.

        One table serves all columns: every value is prefixed with its column's number first. Two nodes, however
        many columns there are.
        """
        prefixes = [f"{j}:" for j in range(len(self.levels))]
        keys: list[str] = []
        values: list[int] = []
        for prefix, lookup in zip(prefixes, self._lookups, strict=True):
            keys.extend(prefix + level for level in lookup)
            values.extend(lookup.values())
        prefix_row = graph.constant(np.array([prefixes], dtype=object))
        prefixed = graph.op("StringConcat", prefix_row, block)
        return graph.op(
            "LabelEncoder", prefixed, domain=ML, keys_strings=keys, values_int64s=values, default_int64=UNSEEN_CODE
        )


def _learn_column(column: Strings, max_levels: int) -> tuple[tuple[str, ...], Codes]:
    places: defaultdict[str, int] = defaultdict(count().__next__)
    seen = np.fromiter(map(places.__getitem__, column.tolist()), dtype=np.int64, count=len(column))
    frequencies = np.bincount(seen, minlength=len(places)).tolist()
    found = [(frequency, level) for level, frequency in zip(places, frequencies, strict=True) if level]
    # Sorting by falling frequency and then by name decides which of equally frequent levels the cap drops.
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    kept = tuple(level for _, level in reversed(found[:max_levels]))
    code_of_place = np.full(len(places), UNSEEN_CODE, dtype=np.int32)
    if MISSING_STRING in places:
        code_of_place[places[MISSING_STRING]] = MISSING_CODE
    code_of_place[[places[level] for level in kept]] = np.arange(len(kept), dtype=np.int32) + FIRST_LEVEL_CODE
    return kept, code_of_place[seen]


class VocabularyEncoder(Encoder):
    """An encoder of category columns that works on codes.

    A representation learns one vocabulary for all its encoders of this kind and calls the ``*_codes`` methods, so
    that texts are looked up once per row, in Python and in the graph. Standing alone it learns its own.

    Parameters
    ----------
    max_levels : levels kept per column, the most frequent ones; the rest is as good as unseen.
    """

    vocabulary_: Vocabulary

    def __init__(self, max_levels: int = 10_000) -> None:
        self.max_levels = max_levels

    @abstractmethod
    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        """Learn from `codes` (n, k) of the rows at hand; keeps `vocabulary` as ``vocabulary_``."""

    @abstractmethod
    def transform_codes(self, codes: Codes) -> Floats:
        """Encode codes (n, k) to float32 (n, p)."""

    @abstractmethod
    def emit_codes(self, graph: Graph, codes: str) -> str:
        """Write the encoder into `graph`; `codes` names the int64 (n, k) input."""

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
        """Fit, and encode the same rows; supervised encoders override this with out-of-fold encoding."""
        return self.fit_codes(vocabulary, codes, y, names).transform_codes(codes)

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        vocabulary, codes = Vocabulary.learn(np.asarray(block, dtype=object), self.max_levels)
        return self.fit_codes(vocabulary, codes, y, names)

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        return self.transform_codes(self.vocabulary_.codes(np.asarray(block, dtype=object)))

    def fit_transform(
        self,
        block: Floats | Strings | Ints,
        y: Doubles | None,
        names: Sequence[str],
        seed: int = 0,
        weight: Doubles | None = None,
        parts: Ints | None = None,
    ) -> Floats:
        vocabulary, codes = Vocabulary.learn(np.asarray(block, dtype=object), self.max_levels)
        return self.fit_transform_codes(vocabulary, codes, y, names, seed, weight, parts)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.feature_names_:
            return emit_zeros(graph, block, 0)
        return self.emit_codes(graph, self.vocabulary_.emit(graph, block))
