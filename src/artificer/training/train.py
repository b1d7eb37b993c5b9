"""One training run, stage by stage: read, check, split, search, evaluate, package."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.clock import Clock, derive_seed
from artificer.errors import ConfigurationError, nearest
from artificer.evaluation.evaluate import Evaluation, evaluate
from artificer.evaluation.gate import GateReport, Verdict, gate
from artificer.evaluation.luck import chance_of_perfection
from artificer.metrics.base import Metric, default_metric, metric, metrics
from artificer.problem.model import Problem
from artificer.search.records import Budget, Progress, SearchRequest, SearchResult, balanced
from artificer.splits.order import infer_order
from artificer.splits.split import FEWEST_ROWS, fold_count, folds, holdout
from artificer.training.combine import combine
from artificer.training.lineage import lineage
from artificer.training.measure import measure
from artificer.training.promise import is_constant, promised
from artificer.training.record import Rows, TrainingRun, keep_test_rows
from artificer.training.request import TrainingRequest
from artificer.training.row_hashes import keep_hashes, row_hashes
from artificer.types import Doubles, Ints, Json, Kind, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.bundle.model import Bundle
    from artificer.search.processes import ProcessExecutor
    from artificer.sources.base import ReadResult
    from artificer.tables.contract import Contract
    from artificer.tables.prepare import Prepared

TAIL_SHARE = 0.05
"""Share of a budget of seconds that evaluating and packaging takes, at most `TAIL_MAX` seconds."""
TAIL_MAX = 4.0
SEARCH_LEAST = 0.5
"""Seconds of search in the shortest run: what a boosting fit on a small table takes."""
IMPORTANCE_SECONDS = 1.5
IMPORTANCE_SHARE = 0.04
"""Share of a short budget that the importance of columns may take."""
SHORT_SECONDS = 20.0
"""Under a shorter budget only the metrics that were asked for are estimated; their intervals take seconds."""
REFERENCE_ROWS = 1000
"""So many of the newest rows describe the present after a retraining, where there are so many."""
SLOWEST = 3.0
"""How many times the median the slowest of a hundred rows takes on a machine that does other things too."""
SMALL_BYTES = 30_000
SMALL_CELLS = 30_000
LUCK_MOST = 0.025
"""The one-sided level of the gate's intervals: where luck reaches a perfect score more often, nothing passes."""
TEST_FILE = "test.parquet"
"""The test rows in the order of time, kept so that a champion and a challenger can be compared on them."""


@dataclass
class Stages:
    """Seconds of each stage, in order."""

    clock: Clock
    started: float
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = self.clock.monotonic()
        try:
            yield
        finally:
            self.seconds.append((name, self.clock.monotonic() - start))

    @property
    def elapsed(self) -> float:
        return self.clock.monotonic() - self.started


def train(request: TrainingRequest) -> TrainingRun:
    """Run every stage and write the bundle; nothing is registered or promoted here.

    Raises
    ------
    SourceError, TargetError, DataError
        The data cannot serve.
    ConfigurationError
        The problem does not fit the data (a metric of another task, a column that is not there).
    ArtificerError
        The bundle cannot be written.
    """
    with closing(early_executor(request)) as executor:
        return _train(request, executor)


def _train(request: TrainingRequest, executor: ProcessExecutor) -> TrainingRun:
    stages = Stages(request.clock, request.clock.monotonic())
    watch, problem = request.watch, request.problem
    with stages.stage("read"):
        watch("reading the data", None, None)
        read = _read(request)
        combined = combine(read.frame, request.production_rows, problem.data.id, problem.data.weight)
        read = replace(read, notes=(*read.notes, *combined.notes))
    with stages.stage("check"):
        watch("checking the data", None, None)
        prepared = prepare_for(problem, combined.frame, combined.source)
        findings = _findings(prepared)
    with stages.stage("split"):
        train_rows, test_rows, times = _split(request, prepared)
        test_rows = _in_time(test_rows, times)
    measured_by = chosen_metric(problem, prepared)
    with stages.stage("search"):
        found = _search(request, prepared, train_rows, times, measured_by, stages, executor)
    with stages.stage("evaluate"):
        watch("evaluating on the test rows", None, None)
        request.ledger.record(request.run_id, "evaluation of the finished model", request.clock.now())
        draft = _draft(request, prepared, found, train_rows, ordered=times is not None)
        evaluation, importance, scores = _evaluate(draft, prepared, train_rows, test_rows, times, measured_by, request)
    with stages.stage("package"):
        watch("packaging the model", None, None)
        measured = measure(draft, prepared.blocks.take(test_rows), len(draft.model))
        luck = chance_of_perfection(prepared.y[test_rows], prepared.contract.task)
        verdict = gate_of(problem, evaluation, measured, is_constant=is_constant(found), luck=luck)
        facts = lineage(request, read, prepared, len(train_rows), len(test_rows), found.seconds)
        keep_test_rows(prepared.frame[test_rows], request.folder / TEST_FILE)
        hashes = row_hashes(prepared.frame, prepared.blocks, prepared.contract)
        keep_hashes(request.folder, hashes, train_rows, test_rows)
        path, digest = _write(
            request, draft, prepared, (train_rows, test_rows), scores, evaluation, verdict, measured, facts
        )
    run = _record(request, read, prepared, train_rows, test_rows, measured_by, found, evaluation, verdict)
    return TrainingRun(
        **run,
        importance=importance,
        findings=findings,
        measured=measured,
        lineage=facts,
        seconds=stages.elapsed,
        stages=tuple(stages.seconds),
        bundle=path,
        sha256=digest,
    )


def early_executor(request: TrainingRequest) -> ProcessExecutor:
    """Where fits will run; under a budget of seconds its libraries load while the table is read, unless it is small."""
    from artificer.search.processes import ProcessExecutor

    executor = ProcessExecutor()
    if request.problem.training.budget.fits is None and hasattr(os, "fork") and not _is_small(request.source):
        executor.prestart()
    return executor


def _is_small(source: Any) -> bool:
    """Whether fits will take less time than a process for them, as far as can be told before reading."""
    if isinstance(source, (str, Path)):
        place = Path(source)
        return place.is_file() and place.stat().st_size <= SMALL_BYTES
    shape = getattr(source, "shape", None)
    return shape is not None and math.prod(shape) <= SMALL_CELLS


def chosen_metric(problem: Problem, prepared: Prepared) -> Metric:
    """The metric that is optimised, told which class counts as positive."""
    contract = prepared.contract
    positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
    name = problem.training.metric
    if name is None:
        return default_metric(contract.task, positive, contract.levels)
    found = metric(name, positive, contract.levels)
    if contract.task not in found.tasks:
        raise ConfigurationError(
            f"{name} does not measure a {contract.task} task, which {contract.target} is; use one of "
            + ", ".join(metrics(contract.task))
        )
    return found


def prepare_for(problem: Problem, frame: Any, basis: pl.DataFrame | None = None) -> Prepared:
    """Type the table and give each column its role, as the problem says and as the rows of `basis`, if given, show."""
    from artificer.tables.prepare import prepare

    data = problem.data
    prepared = prepare(
        frame,
        target=data.target,
        task=data.task,
        time=data.time,
        ids=data.id,
        group=data.group,
        weight=data.weight,
        drop=data.drop,
        positive=data.positive,
        basis=basis,
    )
    prepared = replace(prepared, contract=replace(prepared.contract, levels=problem.levels))
    known = data.time is not None or data.group is not None or problem.training.split == "random"
    return prepared if known else in_order(prepared)


def in_order(prepared: Prepared) -> Prepared:
    """Take a table that is sorted by a time as one whose newest rows are its test."""
    blocks, contract = prepared.blocks, prepared.contract
    times = [(name, blocks.times[:, j]) for j, name in enumerate(contract.names(Kind.TIMES))]
    numbers = [(name, blocks.numbers[:, j]) for j, name in enumerate(contract.names(Kind.NUMBERS))]
    order = infer_order(times, numbers, prepared.y.astype(np.int64) if contract.task.is_classification else None)
    if order is None:
        return prepared
    note = f'{order.reason}, so the test is on the newest ones; training.split = "random" takes them as exchangeable'
    moments = order.times.astype(np.int64)
    contract = replace(contract, time=order.column)
    return replace(prepared, times=moments, contract=contract, notes=(*prepared.notes, note))


def gate_of(
    problem: Problem, evaluation: Evaluation, measured: Json, *, is_constant: bool = False, luck: float = 0.0
) -> GateReport:
    """Hold the model to the problem's requirements; beating the constant baseline is always one.

    `is_constant` says that the model is a constant itself: it may differ from the baseline by its smoothing, and
    without noise any difference would look certain. `luck` is the chance that a model that knows nothing is perfect on
    these rows, see `chance_of_perfection`.
    """
    from artificer.evaluation.gate import RequirementVerdict

    numbers = {key: float(value) for key, value in measured.items() if isinstance(value, (int, float))}
    report = gate([(r.name, r.op, r.bound) for r in problem.requirements], evaluation, numbers)
    primary = evaluation.primary
    advantage = primary.advantage
    if advantage is None:
        return report
    shown = f"{primary.name} {primary.score.value:.4g}, {advantage.value:.4g} better than the constant baseline"
    interval = f"[{advantage.low:.4g}, {advantage.high:.4g}] on {evaluation.rows:,} test rows"
    if is_constant:
        verdict, reason = Verdict.FAIL, f"{shown} {interval}: the model is the constant baseline itself."
    elif advantage.low > 0 and luck > LUCK_MOST:
        verdict, reason = Verdict.UNDECIDABLE, f"{shown} {interval}, which luck alone may be; it takes more test rows."
    elif advantage.low > 0:
        verdict, reason = Verdict.PASS, f"{shown} {interval}."
    elif advantage.high <= 0:
        verdict, reason = Verdict.FAIL, f"{shown} {interval}: it is not better than a constant."
    else:
        verdict, reason = Verdict.UNDECIDABLE, f"{shown} {interval}: more test rows would tell it from a constant."
    baseline = RequirementVerdict(
        "beats_baseline", ">", 0.0, verdict, advantage.value, advantage.low, evaluation.rows, None, reason
    )
    everything = (baseline, *report.requirements)
    order = (Verdict.FAIL, Verdict.UNDECIDABLE, Verdict.PASS)
    worst = next(v for v in order if any(r.verdict is v for r in everything))
    return GateReport(worst, everything)


def _read(request: TrainingRequest) -> ReadResult:
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source

    source = request.source
    if source is None:
        raise ConfigurationError("data.source is not set; name the table in artificer.toml")
    share = request.problem.data.max_reject_share
    return read_source(
        source, options=ReadOptions(rejects_path=request.folder / "rejects.jsonl", max_reject_share=share)
    )


def _findings(prepared: Prepared) -> tuple[Json, ...]:
    from artificer.quality.run import check_table

    return tuple(finding.to_json() for finding in check_table(prepared.frame, prepared.contract))


def _split(request: TrainingRequest, prepared: Prepared) -> tuple[Ints, Ints, NDArray[Any] | None]:
    """Training rows, test rows, and the times that order them (None where rows are exchangeable)."""
    training, task = request.problem.training, prepared.contract.task
    n = len(prepared.y)
    if request.newest_test_rows is not None:
        newest = min(request.newest_test_rows, n // 2)
        order = np.arange(n, dtype=np.int64)
        return order[: n - newest], order[n - newest :], order
    seed = derive_seed(training.seed, "holdout")
    train_rows, test_rows = holdout(
        n, task, prepared.y, training.test_share, seed, groups=prepared.groups, times=prepared.times
    )
    return train_rows, test_rows, prepared.times


def _in_time(rows: Ints, times: NDArray[Any] | None) -> Ints:
    """Rows in the order of time, else of the table: what depends on its neighbours is tested beside them."""
    rows = np.sort(rows)
    return rows if times is None else rows[np.argsort(times[rows], kind="stable")]


def _search(
    request: TrainingRequest,
    prepared: Prepared,
    rows: Ints,
    times: NDArray[Any] | None,
    measured_by: Metric,
    stages: Stages,
    executor: ProcessExecutor,
) -> SearchResult:
    from artificer.search.search import refit, run_search

    training, contract = request.problem.training, prepared.contract
    y, task = prepared.y[rows], contract.task
    groups = None if prepared.groups is None or request.newest_test_rows is not None else prepared.groups[rows]
    parts: Sequence[tuple[Ints, Ints]] = ()  # so few rows are the baseline's alone
    if len(rows) >= FEWEST_ROWS:
        parts = folds(
            len(rows),
            task,
            y,
            fold_count(len(rows)),
            derive_seed(training.seed, "folds"),
            groups=groups,
            times=None if times is None else times[rows],
        )
    wanted = training.budget
    if wanted.fits is not None:
        budget = Budget(fits=wanted.fits)
    else:
        total = wanted.seconds or 60.0
        tail = min(TAIL_MAX, TAIL_SHARE * total + IMPORTANCE_SECONDS / 2)
        budget = Budget(seconds=max(SEARCH_LEAST, total - stages.elapsed - tail - request.reserve_seconds))

    waiting = [request.under_way]

    def tell(progress: Progress) -> None:
        if waiting:
            waiting.pop()()
        request.watch(progress.message, progress.seconds, progress.budget_seconds)

    search = SearchRequest(
        blocks=prepared.blocks.take(rows),
        y=y,
        task=task,
        n_classes=contract.width,
        names={kind: contract.names(kind) for kind in Kind},
        folds=parts,
        metric=measured_by,
        grouped=groups is not None,
        weight=None if prepared.weight is None else prepared.weight[rows],
        class_weights=class_weights(request.problem, prepared, rows),
        monotone=directions(request.problem, prepared),
        levels=contract.levels,
        budget=budget,
        seed=training.seed,
        threads=request.threads,
        clock=request.clock,
        progress=tell,
        executor=executor if executor.started else None,
        checkpoint=request.checkpoint,
        model_mb=_bound(request.problem, "model_mb"),
        row_ms=_row_ms(request.problem),
    )
    return run_search(search) if request.recipe is None else refit(request.recipe, search)


def class_weights(problem: Problem, prepared: Prepared, rows: Ints) -> Doubles | None:
    """Weight of each class in learning (c,), None where all count alike.

    Raises
    ------
    ConfigurationError
        The target has no classes, or none of the name that a weight is given for.
    """
    wanted, classes = problem.training.class_weights, prepared.contract.classes
    if wanted is None:
        return None
    if not classes:
        raise ConfigurationError(
            f"training.class_weights are for classes, and {prepared.contract.target} holds values; remove them"
        )
    y = prepared.y[rows].astype(np.int64)
    if wanted == "balanced":
        weight = None if prepared.weight is None else prepared.weight[rows]
        return balanced(y, len(classes), weight)
    unknown = [name for name in wanted if name not in classes]
    if unknown:
        hint = nearest(unknown[0], classes) or "; its classes are " + ", ".join(classes[:8])
        raise ConfigurationError(
            f'training.class_weights names "{unknown[0]}", which is no class of {prepared.contract.target}{hint}'
        )
    found = np.array([wanted.get(name, 1.0) for name in classes])
    if not found[np.unique(y)].any():
        raise ConfigurationError("training.class_weights leaves every class without weight; give one more than zero")
    return found


def directions(problem: Problem, prepared: Prepared) -> dict[str, int]:
    """1 for columns with which the scores may only rise, -1 for those with which they may only fall.

    Raises
    ------
    ConfigurationError
        A column is absent or holds no numbers, or the target has more than two classes.
    """
    wanted, contract = problem.data.monotone or {}, prepared.contract
    if wanted and contract.task is Task.MULTICLASS:
        raise ConfigurationError(
            f"data.monotone is for values and two classes, and {contract.target} has {len(contract.classes)}; remove it"
        )
    numbers = contract.names(Kind.NUMBERS)
    for name in wanted:
        if name in numbers:
            continue
        column = next((c for c in contract.columns if c.name == name), None)
        if column is None:
            hint = nearest(name, numbers) or "; the columns of numbers are " + ", ".join(numbers[:8])
            raise ConfigurationError(f'data.monotone names "{name}", and there is no such column{hint}')
        raise ConfigurationError(
            f'data.monotone names "{name}", which feeds the model no numbers ({column.role}: {column.reason}); '
            "remove it there"
        )
    # Learners constrain the second class, whichever counts as positive.
    sign = -1 if contract.classes and contract.classes[0] == contract.positive else 1
    return {name: sign if direction == "increasing" else -sign for name, direction in wanted.items()}


def _bound(problem: Problem, name: str) -> float | None:
    bounds = [r.bound for r in problem.requirements if r.name == name and r.op.startswith("<")]
    return min(bounds) if bounds else None


def _row_ms(problem: Problem) -> float | None:
    """What half of the single rows may take; the slowest of a hundred take a multiple of it."""
    slowest = _bound(problem, "latency_p99_ms")
    bounds = [_bound(problem, "latency_p50_ms"), None if slowest is None else slowest / SLOWEST]
    return min((bound for bound in bounds if bound is not None), default=None)


def _draft(request: TrainingRequest, prepared: Prepared, found: SearchResult, rows: Ints, *, ordered: bool) -> Bundle:
    """The finished model in memory: what the test rows are scored with is what will be written."""
    from artificer.bundle.assemble import assemble
    from artificer.bundle.audit import audit_graph
    from artificer.bundle.model import Bundle, open_session

    model = assemble(found.graphs(), found.calibration, prepared.contract, found.pooling)
    inputs = tuple(Kind(edge.name) for edge in audit_graph(model).inputs)
    draft = Bundle(
        name=request.name,
        model=model,
        contract=prepared.contract,
        reference={},
        metrics={},
        recipe=found.recipe,
        lineage={},
        sha256="",
        bytes=len(model),
        created=request.clock.now(),
        artificer_version="",
        inputs=inputs,
        session=open_session(model, prepared.contract, inputs, request.threads, request.folder),
    )
    promise = promised(
        found,
        prepared.y[rows],
        prepared.contract.task,
        lambda: draft.predict_blocks(prepared.blocks.take(rows[:1])),
        weight=None if prepared.weight is None else prepared.weight[rows],
        ordered=ordered,
        seed=derive_seed(request.problem.training.seed, "conformal"),
    )
    return replace(draft, metrics=promise)


def _evaluate(
    draft: Bundle,
    prepared: Prepared,
    train_rows: Ints,
    test_rows: Ints,
    times: NDArray[Any] | None,
    measured_by: Metric,
    request: TrainingRequest,
) -> tuple[Evaluation, tuple[Json, ...], NDArray[Any]]:
    from artificer.evaluation.importance import permutation_importance

    contract, blocks = prepared.contract, prepared.blocks.take(test_rows)
    y, scores = prepared.y[test_rows], draft.predict_blocks(blocks)
    weight = None if prepared.weight is None else prepared.weight[test_rows]
    counts = None if prepared.weight is None else prepared.weight[train_rows]
    wanted = {measured_by.name} | {r.name for r in request.problem.requirements if not r.is_operational}
    if _has_time(request.problem):
        wanted |= set(USUAL[contract.task])
    others = [metric(name, measured_by.positive, contract.levels) for name in sorted(wanted - {measured_by.name})]
    seed = request.problem.training.seed
    evaluation = evaluate(
        y,
        scores,
        [measured_by, *others],
        contract.task,
        baseline=_constant(contract, prepared.y[train_rows], counts),
        classes=contract.classes,
        times=None if times is None else times[test_rows],
        weight=weight,
        conformal=draft.conformal,
        seed=seed,
    )
    importance = permutation_importance(
        draft.predict_blocks,
        blocks,
        y,
        measured_by,
        {kind: contract.names(kind) for kind in Kind},
        weight=weight,
        seconds=_importance_seconds(request.problem),
        seed=seed,
        clock=request.clock,
    )
    return evaluation, tuple(item.to_json() for item in importance), scores


def _has_time(problem: Problem) -> bool:
    """Whether the budget leaves time for more than was asked for."""
    seconds = problem.training.budget.seconds
    return seconds is None or seconds >= SHORT_SECONDS


def _importance_seconds(problem: Problem) -> float:
    seconds = problem.training.budget.seconds
    return IMPORTANCE_SECONDS if seconds is None else min(IMPORTANCE_SECONDS, IMPORTANCE_SHARE * seconds)


USUAL = {
    Task.BINARY: ("roc_auc", "log_loss", "average_precision", "accuracy", "balanced_accuracy", "brier"),
    Task.MULTICLASS: ("log_loss", "accuracy", "balanced_accuracy", "f1_macro"),
    Task.REGRESSION: ("rmse", "mae", "r2", "median_absolute_error"),
    Task.QUANTILE: ("pinball_loss", "interval_coverage"),
}
"""What people ask first, besides the metric that was optimised."""


def _constant(contract: Contract, y: NDArray[Any], weight: Doubles | None) -> Doubles:
    if contract.levels:
        from artificer.algorithms.constant import quantiles

        return quantiles(y, np.ones(len(y)) if weight is None else weight, contract.levels)
    if not contract.task.is_classification:
        return np.array([float(np.average(y, weights=weight))])
    counts = np.bincount(y.astype(np.int64), weight, len(contract.classes))
    shares: Doubles = counts / counts.sum()
    return shares


def _reference_rows(request: TrainingRequest, train_rows: Ints, test_rows: Ints) -> Ints:
    """Rows that production is expected to resemble: those trained on, or after a retraining the newest ones alone.

    Held against old rows and new ones together, the very world that a retraining was for would look drifted.
    """
    if request.newest_test_rows is None:
        return train_rows
    n = len(train_rows) + len(test_rows)
    newest = max(len(test_rows), min(REFERENCE_ROWS, len(request.production_rows)))
    return np.arange(n - newest, n, dtype=np.int64)


def _write(
    request: TrainingRequest,
    draft: Bundle,
    prepared: Prepared,
    parts: tuple[Ints, Ints],
    scores: NDArray[Any],
    evaluation: Evaluation,
    verdict: GateReport,
    measured: Json,
    facts: Json,
) -> tuple[Path, str]:
    from artificer.bundle.format import SUFFIX, BundleContent, write_bundle
    from artificer.drift.reference import summarise

    contract = draft.contract
    seen = _reference_rows(request, *parts)
    content = BundleContent(
        name=request.name,
        model=draft.model,
        contract=contract,
        # Scores of test rows: those of training rows are surer than production's will be, which would look like drift.
        reference=summarise(
            prepared.blocks.take(seen),
            {kind: contract.names(kind) for kind in Kind},
            scores,
            task=contract.task,
            classes=contract.classes,
            y=prepared.y[seen],
            moving=(contract.time,) if contract.time else (),
            positive=contract.classes.index(contract.positive) if contract.positive in contract.classes else 1,
        ),
        metrics={**draft.metrics, "evaluation": evaluation.to_json(), "gate": verdict.to_json(), "measured": measured},
        recipe=draft.recipe,
        lineage=facts,
    )
    path = request.folder / f"model{SUFFIX}"
    return path, write_bundle(path, content, request.clock.now())


def _record(
    request: TrainingRequest,
    read: ReadResult,
    prepared: Prepared,
    train_rows: Ints,
    test_rows: Ints,
    measured_by: Metric,
    found: SearchResult,
    evaluation: Evaluation,
    verdict: GateReport,
) -> dict[str, Any]:
    contract, primary = prepared.contract, evaluation.primary
    rows = Rows(
        read=prepared.rows.read,
        used=len(prepared.y),
        rejected=read.rows_rejected,
        target_missing=prepared.rows.dropped_target_missing,
        train=len(train_rows),
        test=len(test_rows),
    )
    return {
        "id": request.run_id,
        "name": request.name,
        "created": request.clock.now().isoformat(),
        "task": contract.task.value,
        "target": contract.target,
        "positive": contract.positive,
        "metric": measured_by.name,
        "greater_is_better": measured_by.greater_is_better,
        "score": primary.score.value,
        "interval": (primary.score.low, primary.score.high),
        "baseline_score": primary.baseline.value if primary.baseline else float("nan"),
        "gate": verdict.verdict.value,
        "gate_reason": verdict.reason,
        "requirements": tuple(
            {**item.to_json(), "verdict": item.verdict.value, "sentence": item.reason} for item in verdict.requirements
        ),
        "rows": rows,
        "leaderboard": {**found.leaderboard.to_json(), "options": [option.to_json() for option in found.options]},
        "evaluation": evaluation.to_json(),
        "columns": tuple(_column(column) for column in contract.columns),
        "notes": tuple(_unique([*read.notes, *prepared.notes, *found.notes, *evaluation.notes])),
        "recipe": found.recipe,
        "budget": str(request.problem.training.budget),
        "rejects": read.rejects_path,
    }


def _column(column: Any) -> Json:
    return {"name": column.name, "role": column.role.value, "reason": column.reason, "dtype": column.dtype}


def _unique(sentences: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def save_record(run: TrainingRun, folder: Path) -> Path:
    """Write the run's document beside its bundle."""
    from artificer.bundle.files import write_atomically

    path = folder / "run.json"
    write_atomically(path, json.dumps(run.to_json(), ensure_ascii=False, default=str).encode(), "the run's record")
    return path
