"""Categories as smoothed averages of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from artificer.errors import TrainingError
from artificer.features.base import EncoderTags
from artificer.features.vocabulary import Codes, Vocabulary, VocabularyEncoder
from artificer.graph import Graph
from artificer.types import FLOAT32_MAX, Doubles, Floats, Ints, Kind


class CategoricalTarget(VocabularyEncoder):
    """Per category column and target column the average of the target at that level, pulled towards the overall one.

    A level with sum s over c rows becomes (s + w·a) / (c + w), where a is the average over all rows and w the
    smoothing; unseen is a itself where nothing was beyond the level cap. Missing is a level of its own. Where rows are
    weighted, a row of weight 2 is as good as two.

    ``fit_transform`` encodes every training row by the rows of the other folds, so that no row's feature holds its
    own target; a model trained on in-fold averages would trust them far too much. The overall average is that of all
    rows in either case: one that leaves a fold out would tell which fold a row is in, and with it that fold's target.

    Parameters
    ----------
    smoothing : how many rows of the overall average every level is given, > 0.
    folds : folds of ``fit_transform``, at least 2, where it is not told which rows belong together.
    max_levels : levels kept per column, the most frequent ones; the rest is pooled with the unseen.

    References
    ----------
    Micci-Barreca, D. A preprocessing scheme for high-cardinality categorical attributes in classification and
    prediction problems. ACM SIGKDD Explorations 3(1), 2001.
    Prokhorenkova, L., Gusev, G., Vorobev, A., Dorogush, A. V. and Gulin, A. CatBoost: unbiased boosting with
    categorical features. NeurIPS 2018 (why a row's own target must stay out).
    Pargent, F., Pfisterer, F., Thomas, J. and Bischl, B. Regularized target encoding outperforms traditional methods
    in supervised machine learning with high cardinality features. Computational Statistics 37, 2022.

    Examples
    --------
    Level "a" holds 30 rows of target 1, "b" 10 rows of target 0; the overall average is 0.75.

    >>> block = np.array([["a"]] * 30 + [["b"]] * 10, dtype=object)
    >>> y = np.array([[1.0]] * 30 + [[0.0]] * 10)
    >>> encoder = CategoricalTarget(smoothing=10.0).fit(block, y, ["letter"])
    >>> encoder.transform(np.array([["a"], ["b"], ["new"]], dtype=object)).ravel().tolist()
    [0.9375, 0.375, 0.75]
    """

    name: ClassVar[str] = "categorical_target"
    tags: ClassVar[EncoderTags] = EncoderTags(Kind.STRINGS, supervised=True)

    offsets_: Ints
    average_: Doubles
    table_: Floats

    def __init__(self, smoothing: float = 10.0, folds: int = 5, max_levels: int = 10_000) -> None:
        super().__init__(max_levels)
        self.smoothing = smoothing
        self.folds = folds

    def fit_codes(self, vocabulary: Vocabulary, codes: Codes, y: Doubles | None, names: Sequence[str]) -> Self:
        self._fit_by_fold(vocabulary, codes, y, names, np.zeros(len(codes), dtype=np.int64), 1)
        return self

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
        n = len(codes)
        n_folds = max(2, min(self.folds, n)) if parts is None else int(parts.max(initial=0)) + 1
        fold = np.random.default_rng(seed).permutation(np.arange(n) % n_folds) if parts is None else parts
        tallies = self._fit_by_fold(vocabulary, codes, y, names, fold, n_folds, weight)
        if not tallies:
            return np.zeros((n, 0), dtype=np.float32)
        encoded = []
        for j, (sums, counts) in enumerate(tallies):
            others = self._smooth(sums.sum(axis=0)[None] - sums, counts.sum(axis=0)[None] - counts)
            encoded.append(others[fold, codes[:, j]])
        return np.concatenate(encoded, axis=1)

    def _fit_by_fold(
        self,
        vocabulary: Vocabulary,
        codes: Codes,
        y: Doubles | None,
        names: Sequence[str],
        fold: Ints,
        n_folds: int,
        weight: Doubles | None = None,
    ) -> list[tuple[Doubles, Doubles]]:
        """Fit, and return per column the sums (folds, codes, t) and counts (folds, codes, 1)."""
        if y is None:
            raise TrainingError(f"{self.name} needs the target while fitting; pass it as y of shape (n, t).")
        t = y.shape[1]
        self.vocabulary_ = vocabulary
        self.offsets_ = vocabulary.offsets
        self.average_ = np.average(y, axis=0, weights=weight) if len(y) else np.zeros(t)
        # Sums of distances from the average stay exact where the target is far from zero.
        residual = y - self.average_
        if weight is not None:
            residual *= weight[:, None]
        parts: list[tuple[Doubles, Doubles]] = []
        for j, size in enumerate(vocabulary.sizes.tolist()):
            cell = fold * size + codes[:, j]
            counts = np.bincount(cell, weights=weight, minlength=n_folds * size).astype(np.float64)
            sums = [np.bincount(cell, weights=residual[:, i], minlength=n_folds * size) for i in range(t)]
            stacked: Doubles = np.stack(sums, axis=-1).astype(np.float64).reshape(n_folds, size, t)
            parts.append((stacked, counts.reshape(n_folds, size, 1)))
        tables = [self._smooth(sums.sum(axis=0), counts.sum(axis=0)) for sums, counts in parts]
        self.table_ = np.concatenate(tables) if tables else np.zeros((0, t), dtype=np.float32)
        suffixes = [""] if t == 1 else [f" {i}" for i in range(t)]
        self.feature_names_ = tuple(f"{name} (target{suffix})" for name in names for suffix in suffixes)
        return parts

    def _smooth(self, sums: Doubles, counts: Doubles) -> Floats:
        smoothed: Doubles = self.average_ + sums / (counts + self.smoothing)
        return np.clip(smoothed, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)

    def transform_codes(self, codes: Codes) -> Floats:
        n, k = codes.shape
        cells: Floats = self.table_[codes + self.offsets_]
        return cells.reshape(n, k * self.table_.shape[1])

    def emit_codes(self, graph: Graph, codes: str) -> str:
        k, t = len(self.offsets_), self.table_.shape[1]
        rows = graph.op("Add", codes, graph.constant(self.offsets_[None, :]))
        if t == 1:
            return graph.op("Gather", graph.constant(self.table_[:, 0]), rows)
        cells = graph.op("Gather", graph.constant(self.table_), rows)
        return graph.op("Reshape", cells, graph.constant(np.array([-1, k * t], dtype=np.int64)))
