"""Averaged trees on bootstrap samples."""

from __future__ import annotations

from typing import Any, ClassVar

from artificer.algorithms.forest import Forest
from artificer.types import Params, Task


class RandomForest(Forest):
    """Random forest.

    References
    ----------
    Breiman: Random forests. Machine Learning 45, 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from artificer.algorithms.base import FitContext
    >>> X = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    >>> fitted = RandomForest(trees=20).fit(X, (X[:, 0] > 0.5).astype(float), FitContext(Task.BINARY, 2))
    >>> fitted.predict(np.float32([[0.1], [0.9]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "random_forest"
    portfolio: ClassVar[tuple[Params, ...]] = (
        {"min_samples_leaf": 2},
        {"max_features": 0.5, "min_samples_leaf": 5},
    )
    per_row = 8.5e-8

    def estimator(self, settings: Params, task: Task) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        return (RandomForestClassifier if task.is_classification else RandomForestRegressor)(**settings)
