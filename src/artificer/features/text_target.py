"""Texts as the sum of what each of their tokens says of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from artificer.errors import TrainingError
from artificer.features.base import Encoder, EncoderTags
from artificer.features.tokens import Tokens, TokenTable, column, sample_of
from artificer.features.zeros import emit_zeros
from artificer.graph import Graph
from artificer.types import Doubles, Floats, Ints, Kind, Strings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

ONE = np.float32(1)


class TextTarget(Encoder):
    """Per text column and target column one score: the naive Bayes log-odds, or the mean, that its tokens add up to.

    For a target of 0 and 1, a token with P occurrences in rows of 1 and N in rows of 0 weighs
    log((P + s·p) / (N + s·(1 - p))) - log(p / (1 - p)), where p is the share of all occurrences in rows of 1 and s the
    smoothing; for a number it weighs the smoothed mean distance from the target's average. A text's score is the sum
    over its tokens, divided by the square root of how many are known. Unknown tokens and missing texts add 0.

    ``fit_transform`` encodes every training row by the rows of the other folds, so that no row's feature holds its own
    target.

    Parameters
    ----------
    smoothing : how many occurrences of the overall average every token is given, > 0.
    folds : folds of ``fit_transform``, at least 2, where it is not told which rows belong together.
    max_tokens, min_rows, pairs : which tokens count, as for ``text_embedding``.
    max_targets : of more target columns, those with the most rows get a score.

    References
    ----------
    Wang, S. and Manning, C. D. Baselines and bigrams: simple, good sentiment and topic classification. ACL 2012.

    Examples
    --------
    >>> block = np.array([["good tea"], ["good box"], ["bad tea"], ["bad box"]] * 5, dtype=object)
    >>> encoder = TextTarget().fit(block, np.array([[1.0], [1.0], [0.0], [0.0]] * 5), ["review"])
    >>> scores = encoder.transform(np.array([["good"], ["tea"], ["bad"], [""]], dtype=object))
    >>> scores.ravel().round(1).tolist() == np.float32([2.4, 0, -2.4, 0]).tolist()
    True
    """

    name: ClassVar[str] = "text_target"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.TEXTS, supervised=True)

    tables_: tuple[TokenTable, ...]

    def __init__(
        self,
        smoothing: float = 2.0,
        folds: int = 5,
        max_tokens: int = 20_000,
        min_rows: int = 2,
        pairs: bool = True,
        max_targets: int = 20,
    ) -> None:
        self.smoothing = smoothing
        self.folds = folds
        self.max_tokens = max_tokens
        self.min_rows = min_rows
        self.pairs = pairs
        self.max_targets = max_targets

    def fit(self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str]) -> Self:
        self._fit(block, y, names, np.ones(len(block)))
        return self

    def fit_transform(
        self,
        block: Floats | Strings | Ints,
        y: Doubles | None,
        names: Sequence[str],
        seed: int = 0,
        weight: Doubles | None = None,
        parts: Ints | None = None,
    ) -> Floats:
        n = len(block)
        weight = np.ones(n) if weight is None else weight
        fitted = self._fit(block, y, names, weight)
        if parts is not None or not fitted:
            fold = np.zeros(n, dtype=np.int64) if parts is None else parts
        else:
            fold = _balanced_folds(fitted[0][1], max(2, min(self.folds, n)), seed)
        found = []
        for counts, target in fitted:
            encoded = np.zeros((n, target.shape[1]), dtype=np.float32)
            whole = self._sums(counts, target, weight)
            for f in np.unique(fold):
                held = np.flatnonzero(fold == f)
                own = self._sums(counts[held], target[held], weight[held])
                weights = self._weigh(whole[0] - own[0], whole[1] - own[1], target)
                table = self._table(Tokens((), self.pairs), weights)
                encoded[held] = _scores(table, counts[held])
            found.append(encoded)
        return np.concatenate(found, axis=1) if found else np.zeros((n, 0), dtype=np.float32)

    def _fit(
        self, block: Floats | Strings | Ints, y: Doubles | None, names: Sequence[str], weight: Doubles
    ) -> list[tuple[csr_matrix, Doubles]]:
        """Fit, and return per column the counts (n, v) and the target's columns in use (n, t)."""
        if y is None:
            raise TrainingError(f"{self.name} needs the target while fitting; pass it as y of shape (n, t).")
        chosen = np.sort(np.argsort(-np.abs(y).sum(axis=0), kind="stable")[: self.max_targets])
        target = y if len(chosen) == y.shape[1] else y[:, chosen]
        found, tables = [], []
        for j in range(block.shape[1]):
            texts: list[str] = block[:, j].tolist()
            tokens = Tokens.learn(sample_of(texts), self.max_tokens, self.min_rows, self.pairs)
            counts = tokens.count(texts)
            tables.append(self._table(tokens, self._weigh(*self._sums(counts, target, weight), target)))
            found.append((counts, target))
        self.tables_ = tuple(tables)
        suffixes = [""] if y.shape[1] == 1 else [f" {i}" for i in chosen.tolist()]
        self.feature_names_ = tuple(f"{name} (words for target{suffix})" for name in names for suffix in suffixes)
        return found

    @staticmethod
    def _sums(counts: csr_matrix, target: Doubles, weight: Doubles) -> tuple[Doubles, Doubles]:
        """Of each token the occurrences (v, 1), and the target's sum over them (v, t); a row counts by its weight."""
        weight = weight[:, None]
        return np.asarray(counts.T @ weight, dtype=np.float64), np.asarray(counts.T @ (target * weight), np.float64)

    def _weigh(self, times: Doubles, sums: Doubles, target: Doubles) -> Doubles:
        """What each token says of each target column, (v, t)."""
        # Averages over the very occurrences that are counted, so that a word which stands everywhere weighs nothing.
        average = sums.sum(axis=0) / max(float(times.sum()), 1.0)
        if not np.isin(target, (0.0, 1.0)).all():
            weights: Doubles = (sums - times * average) / (times + self.smoothing)
            return weights
        p, s = np.clip(average, 1e-6, 1.0 - 1e-6), self.smoothing
        odds: Doubles = np.log((sums + s * p) / (np.maximum(times - sums, 0.0) + s * (1 - p))) - np.log(p / (1 - p))
        return odds

    @staticmethod
    def _table(tokens: Tokens, weights: Doubles) -> TokenTable:
        return TokenTable.of(tokens, np.concatenate([weights, np.ones((len(weights), 1))], axis=1))

    def transform(self, block: Floats | Strings | Ints) -> Floats:
        parts = [_scores(table, table.tokens.count(block[:, j].tolist())) for j, table in enumerate(self.tables_)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(block), 0), dtype=np.float32)

    def emit(self, graph: Graph, block: str) -> str:
        if not self.tables_:
            return emit_zeros(graph, block, 0)
        parts = []
        for j, table in enumerate(self.tables_):
            sums = table.emit(graph, column(graph, block, j))
            sizes = graph.constant(np.array([table.whole.shape[1] - 1, 1], dtype=np.int64))
            total, known = graph.ops("Split", sums, sizes, outputs=2, axis=1)
            least = graph.op("Max", known, graph.constant(np.array([ONE], dtype=np.float32)))
            parts.append(graph.op("Div", total, graph.op("Sqrt", least)))
        return graph.concat(parts)


def _balanced_folds(target: Doubles, folds: int, seed: int) -> Ints:
    """A fold for each row (n), of every `folds` rows of like target one each: what a fold lacks tells nothing of it."""
    rng = np.random.default_rng(seed)
    n = len(target)
    order = np.lexsort((rng.permutation(n), *target.T))
    fold = np.empty(n, dtype=np.int64)
    rounds = np.argsort(rng.random((-(-n // folds), folds)), axis=1)
    fold[order] = rounds.ravel()[:n]
    return fold


def _scores(table: TokenTable, counts: csr_matrix) -> Floats:
    sums = table.sums(counts)
    return np.asarray(sums[:, :-1] / np.sqrt(np.maximum(sums[:, -1:], ONE)), dtype=np.float32)
