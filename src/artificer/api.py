"""What Python programs call, and what the command line calls.

Each function opens a project, does one thing, and returns a documented, versioned document (or a :class:`Run`).
"""

from __future__ import annotations

import os
import tempfile
import time as _time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.errors import ArtificerError, UsageError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.bundle.conformal import Promise
    from artificer.bundle.model import Bundle
    from artificer.problem.project import Project

INIT_SCHEMA = "artificer.init/1"
PREDICT_SCHEMA = "artificer.predict/1"
MODELS_SCHEMA = "artificer.models/1"
CHANGE_SCHEMA = "artificer.change/1"
EXPORT_SCHEMA = "artificer.export/1"

Watch = Callable[[str, float | None, float | None], None]


def _silent(message: str, done: float | None, planned: float | None) -> None:
    """Nobody watches."""


def threads() -> int:
    """Threads that training may use, as the settings say; by default the cores this process may use."""
    from artificer.settings import load_settings

    return load_settings().threads


# Training from Python -----------------------------------------------------------------------------------------------


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
    requirements: Sequence[str] = (),
    seed: int = 0,
    folder: str | Path | None = None,
    watch: Watch = _silent,
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
    from artificer.training.request import TrainingRequest
    from artificer.training.train import save_record
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
            run_id=_run_id(),
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


# Projects ------------------------------------------------------------------------------------------------------------


def init(
    source: str,
    target: str,
    *,
    project: Path | None = None,
    time: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    force: bool = False,
) -> Json:
    """Look at a table and write ``artificer.toml`` with what was inferred, each line explained."""
    from artificer.problem.load import PROJECT_FILE, build_problem
    from artificer.problem.render import write_problem
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source
    from artificer.training.train import prepare_for

    folder = project if project is not None else Path(Path(source).stem)
    file = folder / PROJECT_FILE
    if file.exists() and not force:
        raise UsageError(f"{file} is there already; edit it, or replace it with --force")
    data: Json = {"target": target, "time": time, "group": group, "drop": list(drop)}
    wanted = build_problem({"data": {k: v for k, v in data.items() if v}}, "the command line")
    read = read_source(source, options=ReadOptions(max_reject_share=1.0))
    prepared = prepare_for(wanted, read.frame)
    contract = prepared.contract
    values = {
        "data": {
            "source": source if Path(source).is_absolute() else _beside(source, folder),
            "target": target,
            "task": contract.task.value,
            **({"positive": contract.positive} if contract.positive else {}),
            **({"time": time} if time else {}),
            **({"group": group} if group else {}),
            "id": [c.name for c in contract.columns if c.role.value == "id"],
            "drop": list(drop),
        }
    }
    reasons = {
        "data.source": f"{read.rows_read:,} rows, {len(contract.columns)} columns.",
        "data.task": f"Inferred: {prepared.task_reason}.",
        "data.id": "Inferred; " + "; ".join(f"{c.name}: {c.reason}" for c in contract.columns if c.role.value == "id")
        if values["data"]["id"]
        else "",
    }
    write_problem(folder, build_problem(values, str(file)), reasons, overwrite=force)
    return {
        "schema": INIT_SCHEMA,
        "path": str(file),
        "project": str(folder),
        "task": contract.task.value,
        "target": target,
        "positive": contract.positive,
        "rows": {"read": read.rows_read, "rejected": read.rows_rejected},
        "columns": [
            {"name": c.name, "role": c.role.value, "reason": c.reason, "dtype": c.dtype} for c in contract.columns
        ],
        "notes": [*read.notes, *prepared.notes],
    }


def _beside(source: str, folder: Path) -> str:
    """A relative path as seen from the project's folder, so that both can be moved together."""
    return os.path.relpath(Path(source).resolve(), folder.resolve())


def train_project(
    project: Path,
    *,
    budget: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    progress: Watch = _silent,
) -> Json:
    """Train a version of a project, register it, promote it when it deserves it, and write its report.

    Parameters
    ----------
    resume : go on with the newest run that was killed or interrupted: its finished fits are not repeated where the
        table is the same, and the budget counts anew. Where there is no such run this is a new one.
    """
    from artificer.loop import actions
    from artificer.problem.project import open_project
    from artificer.reports import run as reports

    started = _time.monotonic()
    opened = actions.with_overrides(open_project(project), **{"training.budget": budget, "training.seed": seed})
    opened.prepare()
    with opened.lock("training"):
        run_id = actions.unfinished_run(opened) if resume else None
        if resume:
            progress(f"resuming run {run_id}" if run_id else "there is no unfinished run: starting anew", None, None)
        document = actions.train_version(
            opened, run_id or _run_id(), watch=progress, threads=threads(), under_way=reports.warm
        )
        progress("writing the report", None, None)
        document |= _reported(opened, document)
    if resume and not run_id:
        document["notes"] = [*document["notes"], "there was no unfinished run to resume, so this one started anew"]
    document["seconds"] = round(_time.monotonic() - started, 3)
    return document


def predict_file(
    source: str,
    output: Path,
    *,
    project: Path = Path(),
    version: int | None = None,
    bundle: Path | None = None,
    coverage: float | None = None,
) -> Json:
    """Score a file; every row of the input is in the output, in its order.

    Parameters
    ----------
    coverage : how surely the truth is to lie in the intervals or sets that are added; none are when None.
    """
    from artificer.training.score import score_file

    started = _time.monotonic()
    if bundle is not None:
        from artificer.bundle.format import load_bundle

        loaded, number = load_bundle(bundle, threads=threads()), None
    else:
        loaded, number = _bundle_of(project, version)
    found = score_file(loaded, source, output, coverage)
    return {
        "schema": PREDICT_SCHEMA,
        "output": str(output),
        "version": number,
        **found,
        "seconds": round(_time.monotonic() - started, 3),
    }


def monitor(project: Path, *, since: str | None = None) -> Json:
    """The monitoring report of the champion, over the problem's window or since a moment."""
    from artificer.loop import actions
    from artificer.loop.observe import monitor_now
    from artificer.problem.project import open_project

    opened = open_project(project)
    now = _time.time()
    version, bundle = actions.champion_bundle(opened)
    return monitor_now(opened, bundle, version, now, since=None if since is None else _moment(since, now))


def models(project: Path) -> Json:
    """All model versions, newest first."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    versions = [_version(found.to_json()) for found in actions.registry_of(opened).versions()]
    return {"schema": MODELS_SCHEMA, "project": opened.name, "models": versions}


def _version(found: Json) -> Json:
    """A registry record with what people look for first brought to the top."""
    params = found["params"]
    metric = params.get("metric")
    first = {
        "metric": metric,
        "score": found["metrics"].get(metric),
        "gate": params.get("gate"),
        "cause": params.get("cause"),
    }
    return {**found, **first}


def promote(project: Path, version: int, *, reason: str) -> Json:
    """Make a version champion."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    # The registry's own lock suffices: a person need not wait until a training ends.
    return {"schema": CHANGE_SCHEMA, **actions.promote(opened, version, reason)}


def rollback(project: Path, *, reason: str) -> Json:
    """Give the champion's place back to the version before."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    return {"schema": CHANGE_SCHEMA, **actions.roll_back(opened, reason)}


def history(project: Path, *, limit: int | None = None) -> Json:
    """What was decided and done, newest first."""
    from artificer.loop import actions
    from artificer.problem.project import open_project

    return actions.history_of(open_project(project)).to_json(limit)


def export(project: Path, output: Path, *, version: int | None = None) -> Json:
    """Write a version as one ONNX file."""
    from artificer.bundle.exporters.onnx import export_onnx

    bundle, number = _bundle_of(project, version)
    if output.is_dir() or output.suffix.lower() != ".onnx":
        raise UsageError(f"{output} is no name for an ONNX file; name one that ends in .onnx")
    export_onnx(bundle, output)
    return {"schema": EXPORT_SCHEMA, "output": str(output), "version": number}


def server_command(
    project: Path, *, host: str | None = None, port: int | None = None, as_json: bool = False
) -> list[str]:
    """The command line that serves a project's champion.

    Raises
    ------
    MissingError
        No version has been promoted yet.
    """
    from artificer.bundle.pointer import read_pointer
    from artificer.loop.service import server_arguments
    from artificer.problem.project import open_project

    opened = open_project(project)
    read_pointer(opened.champion_file)
    return server_arguments(opened, host, port, as_json=as_json)


def run_project(
    project: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    interval: str | None = None,
    say: Callable[[str], None],
) -> Json:
    """Run a project by itself until it is told to stop."""
    from artificer.loop import actions
    from artificer.loop.supervisor import run_forever
    from artificer.problem.project import open_project

    opened = actions.with_overrides(open_project(project), **{"loop.interval": interval})

    def report(document: Json) -> None:
        found = _reported(opened, document)
        if found["report"] is None:
            say(found["notes"][-1])

    return run_forever(
        opened,
        host=host,
        port=port,
        say=say,
        watch=lambda message, done, planned: None,
        after_training=report,
        threads=threads(),
    )


def write_run_report(project: Project, document: Json) -> None:
    """Write a run's report beside its bundle."""
    _report(project, document)


def _reported(project: Project, document: Json) -> Json:
    """Where the report lies; the version stands even where its report cannot be written."""
    try:
        return {"report": str(_report(project, document))}
    except (ArtificerError, OSError) as error:
        return {"report": None, "notes": [*document["notes"], f"the report is missing: {error}"]}


def _report(project: Project, document: Json) -> Path:
    from artificer.loop import actions
    from artificer.reports.run import write_report

    return write_report(document, actions.run_folder(project, document["id"]) / "report.html")


def _bundle_of(project: Path, version: int | None) -> tuple[Bundle, int]:
    from artificer.bundle.format import load_bundle
    from artificer.bundle.pointer import read_pointer
    from artificer.loop import actions
    from artificer.problem.project import open_project

    opened = open_project(project)
    if version is None:
        pointer = read_pointer(opened.champion_file)
        path = pointer.bundle_path(opened.champion_file)
        return load_bundle(path, threads=threads(), sha256=pointer.sha256), pointer.version
    return load_bundle(actions.registry_of(opened).bundle_path(version), threads=threads()), version


def _moment(text: str, now: float) -> float:
    """A window ("24h") or an ISO time as unix seconds."""
    from datetime import UTC, datetime

    from artificer.problem.amounts import Duration

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - Duration.parse(text).seconds
        except ValueError:
            raise UsageError(
                f'--since takes a duration like "24h" or an ISO time like "2026-01-31", not "{text}"'
            ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _run_id() -> str:
    """Sorts by time; the process id keeps two starts of one moment apart."""
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid():x}"
