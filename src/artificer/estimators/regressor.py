"""The search for a number as a scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from artificer.errors import ConfigurationError
from artificer.estimators.base import SearchEstimator
from artificer.estimators.given import Answer
from artificer.tables.contract import are_levels
from artificer.types import Doubles, Task


class Regressor(RegressorMixin, SearchEstimator):  # type: ignore[misc]
    """Searches for the best model of a number, as a scikit-learn regressor.

    Tables, parameters and attributes are those of :class:`Classifier`, without classes; the metric is RMSE when None,
    the pinball loss where quantiles are wanted.

    Parameters
    ----------
    quantiles : levels between 0 and 1, rising: their quantiles are learnt [1]_, and `predict` gives the one nearest to
        the median; None for the mean.

    References
    ----------
    .. [1] Koenker, R., Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(120, 3))
    >>> model = Regressor("6 fits").fit(X, 3 * X[:, 0] - X[:, 1])
    >>> model.predict(X[:2]).shape, bool(model.score(X, 3 * X[:, 0] - X[:, 1]) > 0.9)
    ((2,), True)
    """

    def __init__(
        self,
        budget: str = "60s",
        *,
        metric: str | None = None,
        quantiles: Sequence[float] | None = None,
        random_state: Any = None,
        threads: int | None = None,
        split: str = "auto",
    ) -> None:
        super().__init__(budget, metric=metric, random_state=random_state, threads=threads, split=split)
        self.quantiles = quantiles

    def predict(self, X: Any) -> Doubles:
        """The value of each row, (n,), in the target's unit; of quantiles the one nearest to the median."""
        scores = self._scores(X)
        values: Doubles = scores[:, self._fitted.content.contract.middle].astype(np.float64)
        return values

    def predict_quantiles(self, X: Any) -> Doubles:
        """The quantiles of each row (n, q), rising, in the order of `quantiles`.

        Raises
        ------
        ValueError
            The regressor was fitted without `quantiles`.
        """
        scores = self._scores(X)
        if not self._fitted.content.contract.levels:
            raise ValueError("the regressor was fitted without quantiles; name them, like quantiles=(0.1, 0.5, 0.9)")
        return scores.astype(np.float64)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Doubles:
        """Low and high end (n, 2) of what holds the true value of each row with probability `coverage`.

        The promise holds on average over rows like those of `fit` (conformal prediction [2]_). Ends are infinite, with
        a warning, where rows were too few.

        Raises
        ------
        ValueError
            `coverage` does not lie between 0.5 and 0.99, nothing could be validated, or the model is of quantiles.

        References
        ----------
        .. [2] Barber, R. F., Candès, E. J., Ramdas, A., Tibshirani, R. J. (2021). Predictive inference with the
           jackknife+. Annals of Statistics 49, 486-507.
        """
        return self._promise(coverage).intervals(self._scores(X)[:, 0])

    def _answer(self, y: NDArray[Any]) -> Answer:
        values = np.asarray(y, dtype=np.float64)
        if self.quantiles is None:
            return Answer(Task.REGRESSION, values)
        levels = tuple(map(float, self.quantiles))
        if not levels or not are_levels(levels):
            raise ConfigurationError(
                f"quantiles takes rising numbers above 0 and below 1, like (0.1, 0.5, 0.9), not {self.quantiles!r}"
            )
        return Answer(Task.QUANTILE, values, levels=levels)
