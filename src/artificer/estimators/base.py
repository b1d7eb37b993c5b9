"""What both estimators share: reading tables, searching, scoring, exporting."""

from __future__ import annotations

import platform
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted, validate_data

from artificer import __version__
from artificer.bundle.audit import audit_graph
from artificer.bundle.conformal import Promise
from artificer.bundle.format import BundleContent, write_bundle
from artificer.bundle.model import Bundle, open_session
from artificer.clock import derive_seed
from artificer.errors import ConfigurationError, DataError, UsageError
from artificer.estimators.given import (
    Answer,
    GivenTable,
    blocks_of,
    frame_of,
    is_frame,
    matrix,
    row_weights,
    search_budget,
    typed_table,
)
from artificer.metrics.base import Metric, default_metric, metric, metrics
from artificer.search.records import SearchRequest, SearchResult
from artificer.splits.evidence import Table
from artificer.splits.plan import SPLITS, Named, SplitPlan, plan_split
from artificer.splits.split import FEWEST_ROWS, fold_count, folds
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Doubles, Ints, Json, Kind, Role, Task


@dataclass(frozen=True)
class Fitted:
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


class SearchEstimator(BaseEstimator, ABC):  # type: ignore[misc]
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search a model for the labels or values `y` (n,) of the rows of `X` (n, p).

        Parameters
        ----------
        sample_weight : (n,) how much each row counts in learning and in the metric; all alike when None.

        Raises
        ------
        ValueError
            X, y or the weights cannot serve, a parameter is not valid, or y has a single class.
        """
        started = time.monotonic()
        table, target = self._read(X, y)
        try:
            answer = replace(self._answer(target), weight=row_weights(sample_weight, len(target)))
            answer = replace(answer, class_weights=self._class_weights(answer))
            measured_by = self._measured_by(answer)
            plan = self._plan(table, answer)
            table = table if plan.entity is None else table.without(plan.entity)
            found = self._search(table, answer, measured_by, plan, started)
        except (ConfigurationError, DataError) as error:
            raise ValueError(str(error)) from error
        self._keep(table, answer, found, plan)
        return self

    def _read(self, X: Any, y: Any) -> tuple[GivenTable, NDArray[Any]]:
        """Check X (n, p) and y (n,) as scikit-learn does, and bring X into blocks."""
        name = str(getattr(y, "name", None) or "target")
        if is_frame(X):
            validate_data(self, X, y, skip_check_array=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
            assert_all_finite(y, input_name="y")
            return typed_table(X, name), y
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
        return matrix(X, [f"x{j}" for j in range(X.shape[1])] if names is None else list(map(str, names)), name), y

    @abstractmethod
    def _answer(self, y: NDArray[Any]) -> Answer:
        """Turn labels or values as given into what the search takes."""

    def _class_weights(self, answer: Answer) -> Doubles | None:
        """How much the rows of each class count in learning (c,), None where all count alike."""
        return None

    def _measured_by(self, answer: Answer) -> Metric:
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
        self, table: GivenTable, answer: Answer, measured_by: Metric, plan: SplitPlan, started: float
    ) -> SearchResult:
        from artificer.search.search import run_search

        seed = self._seed()
        budget = search_budget(self.budget, started)
        return run_search(
            SearchRequest(
                blocks=table.blocks,
                y=answer.y,
                task=answer.task,
                n_classes=answer.n_classes,
                names=table.names(),
                folds=folds_of(answer, derive_seed(seed, "folds"), plan),
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

    def _plan(self, table: GivenTable, answer: Answer) -> SplitPlan:
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

    def _keep(self, table: GivenTable, answer: Answer, found: SearchResult, plan: SplitPlan) -> None:
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
            costs=() if answer.class_weights is None else tuple(answer.class_weights.tolist()),
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
        draft = Fitted(content, created, table.typed, self._threads())
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
            return self._fitted.bundle.predict_blocks(blocks_of(X))
        from artificer.tables.arrays import to_blocks

        if is_frame(X):
            validate_data(self, X, reset=False, skip_check_array=True)
            frame = frame_of(X)
        else:
            X = validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False)
            names = [c.name for c in self._fitted.content.contract.columns if c.role is not Role.TARGET]
            frame = frame_of({name: list(X[:, j]) for j, name in enumerate(names)})
        blocks, _ = to_blocks(frame, self._fitted.content.contract, strict=False)
        return self._fitted.bundle.predict_blocks(blocks)


def folds_of(answer: Answer, seed: int, plan: SplitPlan) -> Sequence[tuple[Ints, Ints]]:
    """Five folds, three where each is large enough to rank candidates by itself; none where rows are too few."""
    n = len(answer.y)
    if n < FEWEST_ROWS:
        return ()
    try:
        return folds(n, answer.task, answer.y, fold_count(n), seed, groups=plan.groups, times=plan.times)
    except DataError:  # every class has a single row: the baseline is all that can be had
        return ()
