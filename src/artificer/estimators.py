"""The search as scikit-learn estimators, for pipelines, cross-validation and grid searches.

They split nothing off for a test: every row goes to the search, and whoever calls them splits as usual. A fitted model
is kept as what a bundle holds, data from which a session is made at the first prediction; so estimators can be pickled,
cloned and copied as scikit-learn wants it, while Artificer never unpickles anything: ``export`` writes a bundle.
"""

from __future__ import annotations

import platform
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted, validate_data

from artificer import __version__
from artificer.bundle.audit import audit_graph
from artificer.bundle.conformal import Promise
from artificer.bundle.format import BundleContent, write_bundle
from artificer.bundle.model import Bundle, open_session
from artificer.clock import derive_seed
from artificer.errors import ConfigurationError, DataError, UsageError
from artificer.metrics.base import Metric, default_metric, metric, metrics
from artificer.problem.amounts import Budget
from artificer.search.records import Budget as SearchBudget
from artificer.search.records import SearchRequest, SearchResult, balanced
from artificer.splits.evidence import Table
from artificer.splits.plan import SPLITS, Named, SplitPlan, plan_split
from artificer.splits.split import FEWEST_ROWS, fold_count, folds
from artificer.tables.contract import ColumnSpec, Contract, LabelKind, are_levels, canonical_text
from artificer.types import FLOAT32_MAX, Blocks, Doubles, Ints, Json, Kind, Role, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.tables.prepare import Prepared

SUREST = 1e-6
"""Where costs decide, no class counts as less likely than this: no model has seen rows enough to rule one out."""
TAIL_SHARE = 0.05
"""Share of a budget of seconds for what comes after the search."""


@dataclass(frozen=True)
class _Table:
    """What `fit` was given: the typed blocks and their columns; a table with types of its own as it was prepared."""

    blocks: Blocks
    columns: tuple[ColumnSpec, ...]
    prepared: Prepared | None
    target: str

    @property
    def typed(self) -> bool:
        return self.prepared is not None

    def without(self, entity: str) -> _Table:
        """The table without a column as a feature."""
        from artificer.tables.prepare import set_aside

        assert self.prepared is not None  # noqa: S101 - entities are found in typed tables
        prepared = set_aside(self.prepared, entity, "names entities, so its rows stay together")
        return _of_prepared(prepared, self.target)

    def names(self) -> Mapping[Kind, Sequence[str]]:
        return {kind: [c.name for c in self.columns if c.kind is kind] for kind in Kind}


@dataclass(frozen=True)
class _Answer:
    """The target as the search takes it, and what the contract says about it."""

    task: Task
    y: Ints | Doubles
    classes: tuple[str, ...] = ()
    label_kind: LabelKind = "float"
    weight: Doubles | None = None
    class_weights: Doubles | None = None
    levels: tuple[float, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.classes) or len(self.levels) or 1


@dataclass(frozen=True)
class _Fitted:
    """The model as data. The session is made when first needed and never leaves the process."""

    content: BundleContent
    created: datetime
    typed: bool
    threads: int

    @cached_property
    def bundle(self) -> Bundle:
        content = self.content
        inputs = tuple(Kind(edge.name) for edge in audit_graph(content.model).inputs)
        return Bundle(
            **{name: getattr(content, name) for name in content.__slots__},
            sha256="",
            bytes=len(content.model),
            created=self.created,
            artificer_version=__version__,
            inputs=inputs,
            session=open_session(content.model, content.contract, inputs, self.threads, Path(content.name)),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "bundle"}


class _Estimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What both estimators share: reading tables, searching, scoring, exporting."""

    def __init__(
        self,
        budget: str = "60s",
        *,
        metric: str | None = None,
        random_state: Any = None,
        threads: int | None = None,
        split: str = "auto",
    ) -> None:
        self.budget = budget
        self.metric = metric
        self.split = split
        self.random_state = random_state
        self.threads = threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def export(self, path: str | Path) -> Path:
        """Write the model to a bundle file, which ``artificer.load`` and the service take; returns where.

        Raises
        ------
        ArtificerError
            The file cannot be written.
        """
        check_is_fitted(self)
        write_bundle(Path(path), self._fitted.content, self._fitted.created)
        return Path(path)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        started = time.monotonic()
        table, target = self._read(X, y)
        try:
            answer = replace(self._answer(target), weight=_row_weights(sample_weight, len(target)))
            answer = replace(answer, class_weights=self._class_weights(answer))
            measured_by = self._measured_by(answer)
            plan = self._plan(table, answer)
            table = table if plan.entity is None else table.without(plan.entity)
            found = self._search(table, answer, measured_by, plan, started)
        except (ConfigurationError, DataError) as error:
            raise ValueError(str(error)) from error
        self._keep(table, answer, found, plan)

    def _read(self, X: Any, y: Any) -> tuple[_Table, NDArray[Any]]:
        """Check X (n, p) and y (n,) as scikit-learn does, and bring X into blocks."""
        name = str(getattr(y, "name", None) or "target")
        if _is_frame(X):
            validate_data(self, X, y, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            assert_all_finite(y, input_name="y")
            return _typed_table(X, name), y
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=2,
            y_numeric=isinstance(self, RegressorMixin),
        )
        names = getattr(self, "feature_names_in_", None)
        return _matrix(X, [f"x{j}" for j in range(X.shape[1])] if names is None else list(map(str, names)), name), y

    @abstractmethod
    def _answer(self, y: NDArray[Any]) -> _Answer:
        """Turn labels or values as given into what the search takes."""

    def _class_weights(self, answer: _Answer) -> Doubles | None:
        """How much the rows of each class count in learning (c,), None where all count alike."""
        return None

    def _measured_by(self, answer: _Answer) -> Metric:
        task, levels = answer.task, answer.levels
        if self.metric is None:
            return default_metric(task, levels=levels)
        found = metric(self.metric, levels=levels)
        if task not in found.tasks:
            raise ConfigurationError(
                f"{found.name} does not measure a {task} task; use one of {', '.join(metrics(task))}"
            )
        if found.name == "interval_coverage":
            raise ConfigurationError("interval_coverage is no aim, as endless intervals cover all; use pinball_loss")
        return found

    def _threads(self) -> int:
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigurationError(
                    f"threads must be 1 or more, or None for what the settings say, not {self.threads}"
                )
            return int(self.threads)
        from artificer.settings import load_settings

        return load_settings().threads

    def _search(
        self, table: _Table, answer: _Answer, measured_by: Metric, plan: SplitPlan, started: float
    ) -> SearchResult:
        from artificer.search.search import run_search

        seed = self._seed()
        budget = _search_budget(self.budget, started)
        return run_search(
            SearchRequest(
                blocks=table.blocks,
                y=answer.y,
                task=answer.task,
                n_classes=answer.n_classes,
                names=table.names(),
                folds=_folds(answer, derive_seed(seed, "folds"), plan),
                metric=measured_by,
                groups=plan.groups,
                times=plan.times,
                grouped=plan.apart,
                weight=answer.weight,
                class_weights=answer.class_weights,
                levels=answer.levels,
                budget=budget,
                seed=seed,
                threads=self._threads(),
            )
        )

    def _plan(self, table: _Table, answer: _Answer) -> SplitPlan:
        """How candidates are validated."""
        if self.split not in SPLITS:
            raise ConfigurationError(f"split must be one of {', '.join(map(repr, SPLITS))}, not {self.split!r}")
        if table.prepared is None:
            return SplitPlan()
        prepared = table.prepared
        rows = Table(prepared.frame, prepared.contract, prepared.blocks, answer.y, answer.task)
        return plan_split(rows, Named(choice=self.split), derive_seed(self._seed(), "plan"))

    def _seed(self) -> int:
        """None means 0: the same call gives the same model."""
        if self.random_state is None:
            return 0
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _keep(self, table: _Table, answer: _Answer, found: SearchResult, plan: SplitPlan) -> None:
        """Assemble the model and remember it as what a bundle holds."""
        from artificer.bundle.assemble import assemble
        from artificer.drift.reference import summarise
        from artificer.training.promise import promised

        contract = Contract(
            columns=(*table.columns, ColumnSpec(table.target, Role.TARGET, "is predicted", str(answer.y.dtype))),
            target=table.target,
            task=answer.task,
            classes=answer.classes,
            positive=answer.classes[1] if answer.task is Task.BINARY else None,
            label_kind=answer.label_kind,
            levels=answer.levels,
        )
        board, created = found.leaderboard, datetime.now(UTC)
        content = BundleContent(
            name=table.target,
            model=assemble(found.graphs(), found.calibration, contract, found.pooling),
            contract=contract,
            # Out-of-fold scores: those of rows a model was fitted on are surer than production's will be.
            reference=summarise(
                table.blocks,
                table.names(),
                found.oof_scores if len(found.oof_scores) else None,
                task=answer.task,
                classes=answer.classes,
                y=answer.y,
            ),
            metrics={"validation": {"metric": board.metric, "score": board.score, "baseline": board.baseline_score}},
            recipe=found.recipe,
            lineage={
                "created": created.isoformat(),
                "cause": type(self).__name__,
                "rows": len(answer.y),
                "search_seconds": round(found.seconds, 3),
                "artificer": __version__,
                "python": platform.python_version(),
            },
        )
        draft = _Fitted(content, created, table.typed, self._threads())
        promise = promised(
            found,
            answer.y,
            answer.task,
            lambda: draft.bundle.predict_blocks(table.blocks.take(slice(1))),
            weight=answer.weight,
            ordered=plan.times is not None,
            seed=derive_seed(self._seed(), "conformal"),
        )
        self._fitted = replace(draft, content=replace(content, metrics={**content.metrics, **promise}))
        self.leaderboard_: list[Json] = board.to_json()["rows"]
        self.validation_score_ = float("nan") if board.score is None else float(board.score)
        stated = board.interval
        self.validation_interval_ = (float("nan"), float("nan")) if stated is None else (stated.low, stated.high)
        self.notes_ = [*plan.notes, *found.notes]

    def _promise(self, coverage: float) -> Promise:
        check_is_fitted(self)
        try:
            promise = self._fitted.bundle.promise(coverage)
        except UsageError as error:
            raise ValueError(str(error)) from error
        if promise.note is not None:
            warnings.warn(promise.note, stacklevel=3)
        return promise

    def _scores(self, X: Any) -> NDArray[np.float32]:
        """Scores of the rows of X (n, p): probabilities (n, c), values (n, 1), or quantiles (n, q)."""
        check_is_fitted(self)
        if not self._fitted.typed:
            X = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
            return self._fitted.bundle.predict_blocks(_blocks_of(X))
        from artificer.tables.arrays import to_blocks

        if _is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            frame = _to_polars(X)
        else:
            X = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
            names = [c.name for c in self._fitted.content.contract.columns if c.role is not Role.TARGET]
            frame = _to_polars({name: list(X[:, j]) for j, name in enumerate(names)})
        blocks, _ = to_blocks(frame, self._fitted.content.contract, strict=False)
        return self._fitted.bundle.predict_blocks(blocks)


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search a model for the labels `y` (n,) of the rows of `X` (n, p).

        Parameters
        ----------
        sample_weight : (n,) how much each row counts in learning and in the metric; all alike when None.

        Raises
        ------
        ValueError
            X, y or the weights cannot serve, a parameter is not valid, or y has a single class.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each row, (n,); with class weights, that of the largest weighted probability."""
        scores = self._scores(X)
        weighted = scores if self._costs is None else np.maximum(scores, SUREST) * self._costs
        labels: NDArray[Any] = self.classes_[weighted.argmax(axis=1)]
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

    def _class_weights(self, answer: _Answer) -> Doubles | None:
        self._costs: Doubles | None = None
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
            self._costs = numbers
        elif self.class_weight == "balanced":
            self._costs = balanced(answer.y.astype(np.int64), answer.n_classes, answer.weight)
        else:
            raise ConfigurationError(
                f'class_weight must be "balanced", a mapping from labels to numbers, or None, not {self.class_weight!r}'
            )
        return self._costs

    def _answer(self, y: NDArray[Any]) -> _Answer:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y holds a single class, {self.classes_[0]!r}; give rows of at least two classes")
        kind, texts = _labels(self.classes_)
        task = Task.BINARY if len(texts) == 2 else Task.MULTICLASS
        return _Answer(task, codes.astype(np.int64).ravel(), texts, kind)


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search a model for the values `y` (n,) of the rows of `X` (n, p).

        Parameters
        ----------
        sample_weight : (n,) how much each row counts in learning and in the metric; all alike when None.

        Raises
        ------
        ValueError
            X, y or the weights cannot serve, or a parameter is not valid.
        """
        self._fit(X, y, sample_weight)
        return self

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

    def _answer(self, y: NDArray[Any]) -> _Answer:
        values = np.asarray(y, dtype=np.float64)
        if self.quantiles is None:
            return _Answer(Task.REGRESSION, values)
        levels = tuple(map(float, self.quantiles))
        if not levels or not are_levels(levels):
            raise ConfigurationError(
                f"quantiles takes rising numbers above 0 and below 1, like (0.1, 0.5, 0.9), not {self.quantiles!r}"
            )
        return _Answer(Task.QUANTILE, values, levels=levels)


def _row_weights(given: Any, rows: int) -> Doubles | None:
    if given is None:
        return None
    weight = np.asarray(given, dtype=np.float64)
    if weight.shape != (rows,):
        raise DataError(f"sample_weight must hold one number for each of the {rows} rows, not shape {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise DataError("sample_weight takes numbers of zero or more, one of them above zero")
    return weight


def _is_frame(X: Any) -> bool:
    """Whether X has columns with types of their own: a pandas, Polars or Arrow table."""
    return hasattr(X, "__arrow_c_stream__") and hasattr(X, "columns")


def _to_polars(X: Any) -> pl.DataFrame:
    from artificer.tables.door import to_polars

    return to_polars(X)


def _typed_table(X: Any, target: str) -> _Table:
    """Each column by what it holds. A stand-in takes the target's place, as roles do not depend on its values."""
    import polars as pl

    from artificer.tables.prepare import prepare

    frame = _to_polars(X)
    if frame.height < 2:
        raise ValueError(f"Found array with {frame.height} sample(s) while a minimum of 2 is required.")
    while target in frame.columns:
        target += "_"
    stand_in = pl.Series(target, np.arange(frame.height) % 2)
    try:
        prepared = prepare(frame.with_columns(stand_in), target=target, task=Task.BINARY)
    except DataError as error:
        raise ValueError(str(error)) from error
    return _of_prepared(prepared, target)


def _of_prepared(prepared: Prepared, target: str) -> _Table:
    columns = tuple(c for c in prepared.contract.columns if c.name != target)
    return _Table(prepared.blocks, columns, prepared, target)


def _matrix(X: Doubles, names: Sequence[str], target: str) -> _Table:
    """All columns as numbers, whatever they hold."""
    while target in names:
        target += "_"
    columns = tuple(ColumnSpec(name, Role.NUMERIC, "a column of a matrix", "float64") for name in names)
    columns = tuple(_with_range(spec, X[:, j]) for j, spec in enumerate(columns))
    return _Table(_blocks_of(X), columns, None, target)


def _with_range(spec: ColumnSpec, values: Doubles) -> ColumnSpec:
    present = values[~np.isnan(values)]
    return replace(spec, low=float(present.min()), high=float(present.max())) if len(present) else spec


def _blocks_of(X: Doubles) -> Blocks:
    n = len(X)
    numbers = np.clip(X, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    return Blocks(numbers, np.empty((n, 0), dtype=object), np.empty((n, 0), dtype=np.int64))


def _folds(answer: _Answer, seed: int, plan: SplitPlan) -> Sequence[tuple[Ints, Ints]]:
    """Five folds, three where each is large enough to rank candidates by itself; none where rows are too few."""
    n = len(answer.y)
    if n < FEWEST_ROWS:
        return ()
    try:
        return folds(n, answer.task, answer.y, fold_count(n), seed, groups=plan.groups, times=plan.times)
    except DataError:  # every class has a single row: the baseline is all that can be had
        return ()


def _search_budget(text: str, started: float) -> SearchBudget:
    try:
        budget = Budget.parse(text)
    except (ValueError, AttributeError) as error:
        raise ValueError(f'budget must be "60s", "5m", "1h30m" or "40 fits", not {text!r}') from error
    if budget.fits is not None:
        return SearchBudget(fits=budget.fits)
    seconds = budget.seconds or 0.0
    return SearchBudget(seconds=max((1 - TAIL_SHARE) * seconds - (time.monotonic() - started), 0.1))


def _labels(classes: NDArray[Any]) -> tuple[LabelKind, tuple[str, ...]]:
    """The labels' JSON type, and the texts under which a contract knows them."""
    values = classes.tolist()
    kinds: list[tuple[LabelKind, Any]] = [("bool", bool), ("int", int), ("float", float)]
    for kind, cls in kinds:
        if all(type(value) is cls for value in values):
            return kind, tuple(canonical_text(value) for value in values)
    return "string", tuple(str(value) for value in values)
