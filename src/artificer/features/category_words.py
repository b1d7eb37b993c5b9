"""Categories that are short texts, such as job titles, by their words and parts of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from artificer.features.base import EncoderTags
from artificer.features.tokens import Tokens, directions
from artificer.features.vocabulary import FIRST_LEVEL_CODE, Codes, Vocabulary, VocabularyEncoder
from artificer.graph import Graph
from artificer.tables.words import token_text
from artificer.types import Doubles, Floats, Ints, Kind

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

PART = 3
"""Characters of a part of a word; the word's ends count as characters."""


class CategoryWords(VocabularyEncoder):
    """Per category column a point for each level, near those of levels with the same words or parts of words.

    What few rows of a rare level cannot tell, levels of similar names can. Levels are laid out once, while fitting, by
    latent semantic analysis of their words and character trigrams; a row costs one look-up. Missing, unseen and pooled
    levels lie at 0.

    Parameters
    ----------
    width : directions per column; fewer where the levels do not span as many.
    words : also so many words per column as they are, 1 where a level has them: those that several levels share, the
        most frequent among the rows. Trees ask for a word more easily than for a direction.
    max_levels : levels kept per column, the most frequent ones.

    References
    ----------
    Cerda, P. and Varoquaux, G. Encoding high-cardinality string categorical variables. IEEE Transactions on Knowledge
    and Data Engineering 34(3), 2022.
    Bojanowski, P., Grave, E., Joulin, A. and Mikolov, T. Enriching word vectors with subword information. Transactions
    of the Association for Computational Linguistics 5, 2017.

    Examples
    --------
    >>> block = np.array([["bus driver"], ["senior bus driver"], ["nurse"], ["school nurse"]], dtype=object)
    >>> points = CategoryWords(width=2).fit(block, None, ["title"]).transform(block)
    >>> bool(points[0] @ points[1] > 0.5), bool(abs(points[0] @ points[2]) < 0.1)
    (True, True)
    """

    name: ClassVar[str] = "category_words"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS)

    points_: tuple[Floats, ...]

    def __init__(self, width: int = 16, words: int = 0, max_levels: int = 10_000) -> None:
        super().__init__(max_levels)
        self.width, self.words = width, words

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        self.vocabulary_ = vocabulary
        points, found = [], []
        for j, (name, levels) in enumerate(zip(names, vocabulary.levels, strict=True)):
            laid_out = _points(levels, self.width)
            rows = np.bincount(codes[:, j], minlength=len(laid_out))
            words, present = _shared_words(levels, rows, self.words)
            points.append(np.concatenate([laid_out, present], axis=1))
            found += [f"{name} (words {i})" for i in range(laid_out.shape[1])]
            found += [f"{name} ({word})" for word in words]
        self.points_, self.feature_names_ = tuple(points), tuple(found)
        return self

    def transform_codes(self, codes: Codes) -> Floats:
        parts = [points[codes[:, j]] for j, points in enumerate(self.points_)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(codes), 0), dtype=np.float32)

    def emit_codes(self, graph: Graph, codes: str) -> str:
        parts = []
        for j, points in enumerate(self.points_):
            if points.shape[1]:
                code = graph.op("Gather", codes, graph.constant(np.array(j, dtype=np.int64)), axis=1)
                parts.append(graph.op("Gather", graph.constant(points), code))
        return graph.concat(parts)


def _points(levels: Sequence[str], width: int) -> Floats:
    """A point (codes, d) for each code of a column."""
    texts = [" ".join(_parts(token_text(level))) for level in levels]
    tokens = Tokens.learn(texts, most=len(texts) * 20, least_rows=2, pairs=False)
    counts: csr_matrix = tokens.count(texts)
    rows = np.asarray((counts > 0).sum(axis=0)).ravel()
    weighted = counts.multiply(np.log((1.0 + len(texts)) / (1.0 + rows)) + 1.0).tocsr()
    vectors = directions(weighted, width)
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)))
    points = np.zeros((len(texts) + FIRST_LEVEL_CODE, vectors.shape[1]), dtype=np.float32)
    points[FIRST_LEVEL_CODE:] = (weighted @ vectors) / np.maximum(length, 1e-12)
    return points


def _shared_words(levels: Sequence[str], rows: Ints, most: int) -> tuple[list[str], Floats]:
    """Words of at least two levels, those of the most rows first, and which codes have them (codes, words)."""
    counts: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    sets = [set(token_text(level).split(" ")) - {""} for level in levels]
    for code, words in enumerate(sets, FIRST_LEVEL_CODE):
        shared.update(words)
        counts.update(dict.fromkeys(words, int(rows[code])))
    kept = sorted((word for word in counts if shared[word] > 1), key=lambda word: (-counts[word], word))[:most]
    places = {word: place for place, word in enumerate(kept)}
    present = np.zeros((len(rows), len(kept)), dtype=np.float32)
    for code, words in enumerate(sets, FIRST_LEVEL_CODE):
        present[code, [places[word] for word in words if word in places]] = 1.0
    return kept, present


def _parts(text: str) -> list[str]:
    """Words, and runs of ``PART`` characters of each."""
    found = text.split(" ")
    for word in text.split(" "):
        ends = f"<{word}>"
        if len(ends) > PART:
            found += [ends[i : i + PART] for i in range(len(ends) - PART + 1)]
    return found
