"""One training run, stage by stage: read, check, split, search, evaluate, package."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.evaluation.evaluate import Evaluation
from artificer.evaluation.gate import GateReport
from artificer.evaluation.luck import chance_of_perfection
from artificer.metrics.base import Metric
from artificer.search.records import Budget, Progress, SearchRequest, SearchResult
from artificer.splits.plan import SplitPlan
from artificer.training.combine import combine
from artificer.training.contrast import allowance, contrast
from artificer.training.intake import findings_of, prepare_for, read_table
from artificer.training.judge import IMPORTANCE_SECONDS, evaluate_draft, gate_of
from artificer.training.lineage import lineage
from artificer.training.measure import measure
from artificer.training.mends import Proof, proven, without_proof
from artificer.training.packing import draft_of, write_draft
from artificer.training.parting import in_time, of_arrivals, planned, search_folds, split_rows
from artificer.training.promise import is_constant
from artificer.training.record import Rows, TrainingRun, keep_test_rows
from artificer.training.request import TrainingRequest
from artificer.training.row_hashes import hashes_under, keep_hashes, row_hashes
from artificer.training.stages import Stages
from artificer.training.wanted import chosen_metric, class_weights, directions, model_bound, row_ms
from artificer.types import Ints, Json, Kind

if TYPE_CHECKING:
    from artificer.search.processes import ProcessExecutor
    from artificer.sources.base import ReadResult
    from artificer.tables.prepare import Prepared

TAIL_SHARE = 0.05
"""Share of a budget of seconds that evaluating and packaging takes, at most `TAIL_MAX` seconds."""
TAIL_MAX = 4.0
SEARCH_LEAST = 0.5
"""Seconds of search in the shortest run: what a boosting fit on a small table takes."""
SMALL_BYTES = 30_000
SMALL_CELLS = 30_000
TEST_FILE = "test.parquet"
"""The test rows in the order of time, kept so that a champion and a challenger can be compared on them."""


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
    from artificer.search.search import refit, run_search

    watch, problem = request.watch, request.problem
    with stages.stage("read"):
        watch("reading the data", None, None)
        read, snapshots = read_table(request)
        combined = combine(read.frame, request.production_rows, problem.data.id, problem.data.weight)
        read = replace(read, notes=(*read.notes, *combined.notes))
    with stages.stage("check"):
        watch("checking the data", None, None)
        prepared = prepare_for(problem, combined.frame, combined.source)
    with stages.stage("split"):
        prepared, plan = planned(problem, prepared)
        if request.newest_test_rows is not None:
            plan = of_arrivals(plan, len(prepared.y))
        train_rows, test_rows = split_rows(request, prepared, plan)
        test_rows, times = in_time(test_rows, plan.times), plan.times
        findings = findings_of(problem, prepared, test_rows)
    measured_by = chosen_metric(problem, prepared)
    parted = plan.take(train_rows)

    def search_of(table: Prepared) -> SearchRequest:
        return _search_request(request, table, train_rows, parted, measured_by, stages, executor)

    with stages.stage("clean"):
        prepared, proof = _mended(request, prepared, train_rows, search_of)
    with stages.stage("search"):
        wanted = without_proof(search_of(prepared), proof)
        wanted, kept = allowance(wanted, parted) if request.recipe is None else (wanted, 0.0)
        found = run_search(wanted) if request.recipe is None else refit(request.recipe, wanted)
    with stages.stage("contrast"):
        both = contrast(wanted, parted, kept, problem.training.seed)
    with stages.stage("evaluate"):
        watch("evaluating on the test rows", None, None)
        request.ledger.record(request.run_id, "evaluation of the finished model", request.clock.now())
        draft = draft_of(request, prepared, found, train_rows, ordered=times is not None)
        evaluation, importance, scores = evaluate_draft(
            draft, prepared, train_rows, test_rows, times, measured_by, request
        )
    with stages.stage("package"):
        watch("packaging the model", None, None)
        measured = measure(draft, prepared.blocks.take(test_rows), len(draft.model))
        luck = chance_of_perfection(prepared.y[test_rows], prepared.contract.task)
        verdict = gate_of(problem, evaluation, measured, is_constant=is_constant(found), luck=luck)
        facts = lineage(request, read, snapshots, prepared, (len(train_rows), len(test_rows)), found.seconds)
        keep_test_rows(prepared.frame[test_rows], request.folder / TEST_FILE)
        hashes = row_hashes(prepared.frame, prepared.blocks, prepared.contract)
        as_champion = hashes_under(prepared.frame, request.champion) if request.champion else None
        keep_hashes(request.folder, hashes, train_rows, test_rows, as_champion)
        path, digest = write_draft(
            request, draft, prepared, (train_rows, test_rows), scores, evaluation, verdict, measured, facts
        )
    run = _record(request, read, prepared, train_rows, test_rows, measured_by, found, evaluation, verdict)
    told = () if both is None else (both.sentence,)
    return TrainingRun(
        **{**run, "notes": (*run["notes"], *told)},
        split={**plan.to_json(), "contrast": None if both is None else both.to_json()},
        importance=importance,
        findings=findings,
        measured=measured,
        lineage=facts,
        seconds=stages.elapsed,
        stages=tuple(stages.seconds),
        bundle=path,
        sha256=digest,
    )


def _mended(
    request: TrainingRequest, prepared: Prepared, train_rows: Ints, search_of: Callable[[Prepared], SearchRequest]
) -> tuple[Prepared, Proof | None]:
    """The table with what a paired cross-validation shows to be worth mending, and that."""
    if request.problem.cleaning.mode != "proven":
        return prepared, None
    request.watch("looking for cells to mend", None, None)
    prepared, proof, note = proven(prepared, train_rows, search_of)
    return (prepared if note is None else replace(prepared, notes=(*prepared.notes, note))), proof


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


def _search_request(
    request: TrainingRequest,
    prepared: Prepared,
    rows: Ints,
    plan: SplitPlan,
    measured_by: Metric,
    stages: Stages,
    executor: ProcessExecutor,
) -> SearchRequest:
    training, contract = request.problem.training, prepared.contract
    y, task = prepared.y[rows], contract.task
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

    return SearchRequest(
        blocks=prepared.blocks.take(rows),
        y=y,
        task=task,
        n_classes=contract.width,
        names={kind: contract.names(kind) for kind in Kind},
        folds=search_folds(plan, task, y, training.seed),
        metric=measured_by,
        groups=plan.groups,
        times=plan.times,
        grouped=plan.apart,
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
        model_mb=model_bound(request.problem, "model_mb"),
        row_ms=row_ms(request.problem),
    )


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
        left_out=len(prepared.y) - len(train_rows) - len(test_rows),
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
