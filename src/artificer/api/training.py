"""Training from Python: a table in, a model out."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.api.common import Watch, new_run_id, silent, threads
from artificer.errors import UsageError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.conformal import Promise
    from artificer.bundle.model import Bundle


@dataclass(frozen=True)
class Model:
    """A trained model that takes and returns the caller's own kind of table."""

    bundle: Bundle

    def predict(self, table: Any) -> Any:
        """Predict each row of a pandas, Polars or Arrow table; an array of labels or values, in the rows' order."""
        import numpy as np

        return np.asarray(self.bundle.labels(self.scores(table)))

    def predict_proba(self, table: Any) -> Any:
        """Class probabilities (n, c) in the order of :attr:`classes`.

        Raises
        ------
        UsageError
            The model is a regression.
        """
        if not self.bundle.contract.task.is_classification:
            raise UsageError("a regression has no class probabilities; use predict")
        return self.scores(table)

    def predict_quantiles(self, table: Any) -> Any:
        """The quantiles (n, q) of each row, rising, in the order of :attr:`levels`.

        Raises
        ------
        UsageError
            The model predicts no quantiles.
        """
        if not self.levels:
            raise UsageError('the model predicts no quantiles; train it with task = "quantile"')
        return self.scores(table)

    def predict_interval(self, table: Any, coverage: float = 0.9) -> Any:
        """Low and high end (n, 2) of what holds the true value of each row with probability `coverage`.

        They are infinite, with a warning, where the model kept too few rows to know.

        Raises
        ------
        UsageError
            The model has classes, or cannot promise this coverage.
        """
        if self.bundle.contract.task.is_classification:
            raise UsageError("classes have no intervals; use predict_set")
        return self._promise(coverage).intervals(self.scores(table)[:, 0])

    def predict_set(self, table: Any, coverage: float = 0.9) -> list[list[Any]]:
        """For each row the classes among which the true one is with probability `coverage`, likeliest first.

        They are all classes, with a warning, where the model kept too few rows to know.

        Raises
        ------
        UsageError
            The model is a regression, or cannot promise this coverage.
        """
        if not self.bundle.contract.task.is_classification:
            raise UsageError("a regression has no sets of classes; use predict_interval")
        return self._promise(coverage).sets(self.scores(table), self.classes)

    def _promise(self, coverage: float) -> Promise:
        promise = self.bundle.promise(coverage)
        if promise.note is not None:
            warnings.warn(promise.note, stacklevel=3)
        return promise

    @property
    def levels(self) -> list[float]:
        """Levels of the quantiles, rising; empty where the model predicts none."""
        return list(self.bundle.contract.levels)

    @property
    def classes(self) -> list[Any]:
        contract = self.bundle.contract
        return [contract.label(text) for text in contract.classes]

    def scores(self, table: Any) -> Any:
        from artificer.tables.arrays import to_blocks
        from artificer.tables.door import to_polars

        blocks, _ = to_blocks(to_polars(table), self.bundle.contract, strict=False)
        return self.bundle.predict_blocks(blocks)


@dataclass(frozen=True)
class Run:
    """A finished training: its document, its model, its report.

    Attributes
    ----------
    document : the same as ``artificer train --json`` prints.
    folder : bundle, record and report of the run.
    """

    document: Json = field(repr=False)
    folder: Path
    _keep: Any = field(default=None, repr=False)

    @cached_property
    def model(self) -> Model:
        from artificer.bundle.format import load_bundle

        return Model(load_bundle(Path(self.document["bundle"]), threads=threads()))

    @property
    def leaderboard(self) -> list[Json]:
        """The candidates, best first, with their success probabilities."""
        rows: list[Json] = self.document["leaderboard"]
        return rows

    @property
    def score(self) -> float:
        """On the test rows, in the metric's own direction."""
        return float(self.document["score"])

    @property
    def interval(self) -> tuple[float, float]:
        low, high = self.document["interval"]
        return low, high

    def save(self, path: str | Path) -> Path:
        """Copy the bundle to `path`."""
        from artificer.bundle.files import write_atomically

        write_atomically(Path(path), Path(self.document["bundle"]).read_bytes(), "the bundle")
        return Path(path)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the run's report as one HTML file; returns where."""
        from artificer.reports.run import write_report

        return write_report(self.document, Path(path) if path else self.folder / "report.html")


def train(
    source: Any,
    target: str,
    *,
    budget: str = "60s",
    task: str | None = None,
    metric: str | None = None,
    quantiles: Sequence[float] | None = None,
    positive: str | None = None,
    time: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    class_weights: str | Mapping[str, float] | None = None,
    monotone: Mapping[str, str] | None = None,
    ids: Sequence[str] = (),
    drop: Sequence[str] = (),
    as_is: Sequence[str] = (),
    requirements: Sequence[str] = (),
    seed: int = 0,
    folder: str | Path | None = None,
    watch: Watch = silent,
) -> Run:
    """Train a model on a table.

    Parameters
    ----------
    source : a file, or a pandas, Polars or Arrow table.
    target : the column to predict.
    budget : "60s", "5m", or deterministic work units such as "40 fits".
    task : "binary", "multiclass", "regression" or "quantile"; one of the first three, as the target shows, when None.
    quantiles : rising levels of the quantiles to predict where the task is "quantile"; 0.1, 0.5 and 0.9 when None.
    weight : the column that says how much each row counts.
    class_weights : "balanced", or how much the rows of each class count in learning.
    monotone : columns with which the prediction may only rise ("increasing") or only fall ("decreasing").
    as_is : columns in which no number or time is taken for a code of a missing cell, as -999 may be.
    folder : where the run's files go; a temporary folder that lives as long as the run when None.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"x": rng.normal(size=200)}).assign(y=lambda t: t.x > 0)
    >>> run = train(table, target="y", budget="3 fits")
    >>> run.model.predict(table.head(2)).shape
    (2,)
    """
    from artificer.problem.load import build_problem
    from artificer.splits.ledger import HoldoutLedger
    from artificer.training.record import save_record
    from artificer.training.request import TrainingRequest
    from artificer.training.train import train as run_training

    data = {
        "target": target,
        "task": task,
        "positive": positive,
        "time": time,
        "group": group,
        "weight": weight,
        "monotone": monotone,
        "id": list(ids),
        "drop": list(drop),
        "as_is": list(as_is),
    }
    training = {
        "budget": budget,
        "seed": seed,
        "metric": metric,
        "quantiles": None if quantiles is None else tuple(quantiles),
        "class_weights": class_weights,
    }
    problem = build_problem(
        {
            "data": {key: value for key, value in data.items() if value is not None},
            "training": {key: value for key, value in training.items() if value is not None},
            "requirements": list(requirements),
        },
        "the call of train",
    )
    keep = None if folder is not None else tempfile.TemporaryDirectory(prefix="artificer-")
    place = Path(folder) if folder is not None else Path(keep.name if keep else ".")
    place.mkdir(parents=True, exist_ok=True)
    run = run_training(
        TrainingRequest(
            run_id=new_run_id(),
            name=target,
            problem=problem,
            source=source,
            folder=place,
            ledger=HoldoutLedger(place / "holdout.jsonl"),
            threads=threads(),
            watch=watch,
        )
    )
    save_record(run, place)
    return Run(run.to_json(), place, keep)


def load(path: str | Path) -> Model:
    """Load a bundle file, after its audit."""
    from artificer.bundle.format import load_bundle

    return Model(load_bundle(Path(path), threads=threads()))
