"""The search for a class as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from artificer.errors import ConfigurationError
from artificer.estimators.base import SearchEstimator
from artificer.estimators.given import Answer, label_texts
from artificer.search.records import balanced
from artificer.types import Doubles, Task


class Classifier(ClassifierMixin, SearchEstimator):  # type: ignore[misc]
    """Searches for the best model of a class label, as a scikit-learn classifier.

    A matrix is taken as numbers, every column of it, NaN for missing. Of a table (pandas, Polars, Arrow) each column is
    taken by what it holds: numbers, categories, times, texts that write numbers or times; columns without use (a
    constant, a key) are left aside.

    Parameters
    ----------
    budget : the time a fit may take, "60s" or "5m", or deterministic work units such as "40 fits". Small tables need
        less, and stop early.
    metric : what is optimised; ROC AUC for two classes and log loss for more when None. With two classes the second of
        `classes_` counts as positive.
    class_weight : how much the rows of each class count in learning and in choosing a label: "balanced" for as much as
        those of any other, a mapping from labels to numbers, or None. Probabilities stay those of the data [1]_.
    random_state : int, RandomState, or None for 0.
    threads : for learners and predictions; what the settings say when None.
    split : "auto" validates as the rows of a table show they are to be: newer rows, where they happen at a time; rows
        of other entities, where a column names such; no copies of rows that were learnt from. "time" and "group"
        follow that alone, "random" none of it. Rows of a matrix, which has no types, count as exchangeable.

    Attributes
    ----------
    classes_ : (c,) labels in the order of the probabilities.
    n_features_in_, feature_names_in_ : as in scikit-learn.
    leaderboard_ : the candidates, best first, with their success probabilities.
    validation_score_ : the ensemble's out-of-fold score of the metric, mean over folds; NaN where nothing could be
        validated.
    validation_interval_ : 95 % interval of that score; NaN where it is not known.
    notes_ : what was decided or left out, in sentences.

    Notes
    -----
    Cells that a column of a table cannot take (a text among numbers) count as missing when predicting. Under a budget
    of fits the same data and parameters give the same model; under one of seconds the clock has a say.

    References
    ----------
    .. [1] Elkan, C. (2001). The foundations of cost-sensitive learning. IJCAI.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(120, 3))
    >>> labels = np.where(X[:, 0] > 0, "up", "down")
    >>> model = Classifier("6 fits").fit(X, labels)
    >>> model.classes_.tolist(), model.predict_proba(X).shape, bool(model.score(X, labels) > 0.9)
    (['down', 'up'], (120, 2), True)
    """

    def __init__(
        self,
        budget: str = "60s",
        *,
        metric: str | None = None,
        class_weight: str | Mapping[Any, float] | None = None,
        random_state: Any = None,
        threads: int | None = None,
        split: str = "auto",
    ) -> None:
        super().__init__(budget, metric=metric, random_state=random_state, threads=threads, split=split)
        self.class_weight = class_weight

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each row, (n,); with class weights, that of the largest weighted probability."""
        scores = self._scores(X)
        labels: NDArray[Any] = self.classes_[self._fitted.content.contract.class_codes(scores)]
        return labels

    def predict_proba(self, X: Any) -> Doubles:
        """Class probabilities (n, c) in the order of `classes_`; every row sums to 1."""
        scores = self._scores(X).astype(np.float64)
        probabilities: Doubles = scores / scores.sum(axis=1, keepdims=True)
        return probabilities

    def predict_set(self, X: Any, coverage: float = 0.9) -> list[list[Any]]:
        """For each row the labels among which the true one is with probability `coverage`, likeliest first.

        The promise holds on average over rows like those of `fit` (conformal prediction [2]_). Sets hold every class,
        with a warning, where rows were too few. Class weights, which move the labels, do not move the sets.

        Raises
        ------
        ValueError
            `coverage` does not lie between 0.5 and 0.99, or nothing could be validated.

        References
        ----------
        .. [2] Sadinle, M., Lei, J., Wasserman, L. (2019). Least ambiguous set-valued classifiers with bounded error
           levels. JASA 114, 223-234.
        """
        return self._promise(coverage).sets(self._scores(X), self.classes_.tolist())

    def _class_weights(self, answer: Answer) -> Doubles | None:
        if self.class_weight is None:
            return None
        labels = self.classes_.tolist()
        if isinstance(self.class_weight, Mapping):
            unknown = [label for label in self.class_weight if label not in labels]
            numbers = np.array([self.class_weight.get(label, 1.0) for label in labels], dtype=np.float64)
            if unknown:
                raise ConfigurationError(
                    f"class_weight names {unknown[0]!r}, which is no class of y; they are {labels}"
                )
            if not (np.isfinite(numbers) & (numbers >= 0)).all() or not numbers.any():
                raise ConfigurationError("class_weight takes numbers of zero or more, one of them above zero")
            return numbers
        if self.class_weight == "balanced":
            return balanced(answer.y.astype(np.int64), answer.n_classes, answer.weight)
        raise ConfigurationError(
            f'class_weight must be "balanced", a mapping from labels to numbers, or None, not {self.class_weight!r}'
        )

    def _answer(self, y: NDArray[Any]) -> Answer:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds a single class, {self.classes_[0]!r}; give rows of at least two classes")
        kind, texts = label_texts(self.classes_)
        task = Task.BINARY if len(texts) == 2 else Task.MULTICLASS
        return Answer(task, codes.astype(np.int64).ravel(), texts, kind)
