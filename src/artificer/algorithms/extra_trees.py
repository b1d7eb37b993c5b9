"""Averaged trees with random thresholds."""

from __future__ import annotations

from typing import Any, ClassVar

from artificer.algorithms.forest import Forest
from artificer.types import Params, Task


class ExtraTrees(Forest):
    """Extremely randomised trees.

    References
    ----------
    Geurts, Ernst, Wehenkel: Extremely randomized trees. Machine Learning 63, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from artificer.algorithms.base import FitContext
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = ExtraTrees(trees=20).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "extra_trees"
    portfolio: ClassVar[tuple[Params, ...]] = (
        {"max_features": 0.5, "min_samples_leaf": 2},
        {"min_samples_leaf": 1},
    )
    per_row = 2.1e-8

    def estimator(self, settings: Params, task: Task) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        return (ExtraTreesClassifier if task.is_classification else ExtraTreesRegressor)(**settings)
