"""Rows whose label is likely to be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from artificer.quality.base import Check, Checked, Finding, Mask
from artificer.types import MISSING_TIME, Doubles, Ints, Kind

LEAST_ROWS = 200
LEAST_OF_CLASS = 20
MOST_CLASSES = 50
MOST_FEATURES = 200
FOLDS = 4
TREES = 50
MOST_TREES = 250
"""Over all classes: a boosted model grows a tree for each in every round."""
MUCH = 0.01
SURE = 0.05
"""A label is suspected where the model gives it no more than this."""
CAN_TELL = 0.8
"""So much of what always answering the commonest class gets wrong must the model get right; else it is no judge."""


class LabelErrors(Check):
    """Labels that a model fitted on the other rows is sure are wrong: confident learning.

    Each class has a threshold, the mean probability that rows of that label get; a row whose probability of another
    class exceeds that class's threshold, while its own label gets next to none, is suspected (Northcutt, Jiang and
    Chuang 2021). Where classes overlap the model is no judge of labels, so it has to get most of them right.
    """

    name: ClassVar[str] = "label_errors"
    rows: ClassVar[int] = 10_000
    megabytes: ClassVar[int] = 256
    seconds: ClassVar[float] = 30.0
    deep: ClassVar[bool] = True

    def run(self, table: Checked) -> Iterator[Finding]:
        y, classes = table.y, table.contract.classes
        if y is None or not table.contract.task.is_classification or not 2 <= len(classes) <= MOST_CLASSES:
            return
        labels = y.astype(np.int64)
        sizes = np.bincount(labels, minlength=len(classes))
        kept = sizes[labels] >= LEAST_OF_CLASS
        if kept.sum() < LEAST_ROWS or (sizes >= LEAST_OF_CLASS).sum() < 2:
            return
        features = _features(table)
        if not features.shape[1]:
            return
        rows = np.flatnonzero(kept)
        known, codes = np.unique(labels[rows], return_inverse=True)
        scores = out_of_fold(features[rows], codes.astype(np.int64))
        if _told(scores, codes) < CAN_TELL:
            return
        suspected, better = suspects(scores, codes.astype(np.int64))
        count = int(suspected.sum())
        if not count:
            return
        order = np.flatnonzero(suspected)[np.argsort(scores[suspected, codes[suspected]])]
        named = [
            f'row {_place(table, rows[i])}: "{classes[known[codes[i]]]}" rather "{classes[known[better[i]]]}"'
            for i in order
        ]
        evidence = (
            f"{count:,} labels look wrong to a model that was fitted without them and gets {_right(scores, codes):.1%} "
            "of all right"
        )
        mend = "look at these rows, the surest first; nothing was changed"
        yield Finding(
            self.name,
            table.contract.target,
            count,
            table.share(count),
            tuple(named[:3]),
            "warning" if count >= MUCH * len(rows) else "info",
            evidence,
            mend,
            rows=tuple(int(rows[i]) for i in order[:10]),
        )


def suspects(scores: Doubles, labels: Ints) -> tuple[Mask, Ints]:
    """Which labels are suspected, and the class each row looks like.

    Parameters
    ----------
    scores : out-of-fold probabilities, (n, c).

    Examples
    --------
    >>> scores = np.array([[0.99, 0.01]] * 5 + [[0.02, 0.98]] * 5)
    >>> suspected, better = suspects(scores, np.array([0] * 4 + [1] * 6))
    >>> suspected.nonzero()[0].tolist(), int(better[4])
    ([4], 0)
    """
    count = scores.shape[1]
    threshold = np.array([scores[labels == k, k].mean() if (labels == k).any() else 1.0 for k in range(count)])
    over = np.where(scores >= threshold, scores, 0.0)
    better = np.argmax(over, axis=1).astype(np.int64)
    sure = over.max(axis=1) > 0
    own = scores[np.arange(len(labels)), labels]
    return sure & (better != labels) & (own <= SURE), better


def out_of_fold(features: Doubles, labels: Ints) -> Doubles:
    """Class probabilities (n, c) of each row by a small boosted model that was fitted without it."""
    import lightgbm

    count = int(labels.max()) + 1
    scores = np.zeros((len(labels), count))
    order = np.random.default_rng(0).permutation(len(labels))
    fold = np.empty(len(labels), dtype=np.int64)
    for k in range(count):  # each class evenly
        rows = order[labels[order] == k]
        fold[rows] = np.arange(len(rows)) % FOLDS
    for k in range(FOLDS):
        inside = fold != k
        model = lightgbm.LGBMClassifier(
            n_estimators=max(10, min(TREES, MOST_TREES // count)),
            num_leaves=15,
            learning_rate=0.1,
            min_child_samples=10,
            max_bin=63,
            reg_lambda=1.0,
            n_jobs=1,
            random_state=0,
            deterministic=True,
            verbose=-1,
        )
        scores[~inside] = model.fit(features[inside], labels[inside]).predict_proba(features[~inside])
    return scores


def _features(table: Checked) -> Doubles:
    """Numbers as they are, categories by their frequency's rank, times as seconds."""
    columns = []
    for _, block in table.features(Kind.NUMBERS):
        columns.append(block.astype(np.float64))
    for spec, block in table.features(Kind.STRINGS):
        place = {name: float(code) for code, name in enumerate(spec.categories)}
        columns.append(np.array([place.get(text, np.nan) for text in block]))
    for _, block in table.features(Kind.TIMES):
        columns.append(np.where(block == MISSING_TIME, np.nan, block.astype(np.float64)))
    return np.column_stack(columns[:MOST_FEATURES]) if columns else np.empty((table.frame.height, 0))


def _right(scores: Doubles, labels: Ints) -> float:
    return float((scores.argmax(axis=1) == labels).mean())


def _told(scores: Doubles, labels: Ints) -> float:
    """How much of what the commonest class gets wrong the model gets right."""
    base = float(np.bincount(labels).max() / len(labels))
    return (_right(scores, labels) - base) / (1 - base) if base < 1 else 0.0


def _place(table: Checked, row: np.int64) -> int:
    return int(row) if table.places is None else int(table.places[row])
