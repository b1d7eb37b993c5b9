"""What a learner has learned as a bundle like any other, with its evaluation and the gate's verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from artificer.loop.learner import MEMORIES, Learner
from artificer.metrics.base import Metric
from artificer.problem.model import Problem
from artificer.types import Blocks, Doubles, Json, Kind, Task

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle


@dataclass(frozen=True, slots=True)
class Packing:
    """What a bundle's papers say besides what was learned."""

    problem: Problem
    run_id: str
    parent: int
    now: datetime
    measured_by: Metric


def packed(
    packing: Packing,
    champion: Bundle,
    learner: Learner,
    answers: tuple[Doubles, Doubles],
    rows: tuple[Blocks, Doubles],
    folder: Path,
) -> Json:
    """Write the bundle into `folder`; returns the run's document.

    Parameters
    ----------
    answers : outcomes, and the scores that the learner gave before it knew them.
    rows : the newest labelled rows, which production is expected to resemble.
    """
    from artificer.bundle.format import SUFFIX, BundleContent, load_bundle, write_bundle
    from artificer.drift.reference import summarise
    from artificer.evaluation.evaluate import evaluate
    from artificer.training.judge import gate_of
    from artificer.training.measure import measure

    contract, (y, scores), (blocks, labels) = champion.contract, answers, rows
    facts = _lineage(packing, learner)
    content = BundleContent(champion.name, _graph(learner, champion), contract, {}, {}, champion.recipe, facts)
    path = folder / f"model{SUFFIX}"
    write_bundle(path, content, packing.now)  # unfinished: its speed is measured before it is stated
    draft = load_bundle(path)
    measured = measure(draft, blocks, len(draft.model))
    evaluation = evaluate(
        y,
        scores,
        [packing.measured_by],
        contract.task,
        baseline=_constant(contract.task, contract.width, y),
        classes=contract.classes,
        times=np.arange(len(y)),
        seed=packing.problem.training.seed,
    )
    verdict = gate_of(packing.problem, evaluation, measured)
    reference = summarise(
        blocks,
        {kind: contract.names(kind) for kind in Kind},
        draft.predict_blocks(blocks),
        task=contract.task,
        classes=contract.classes,
        y=labels,
        moving=(contract.time,) if contract.time else (),
        positive=contract.classes.index(contract.positive) if contract.positive in contract.classes else 1,
    )
    metrics = {"evaluation": evaluation.to_json(), "gate": verdict.to_json(), "measured": measured}
    content = BundleContent(champion.name, draft.model, contract, reference, metrics, champion.recipe, facts)
    digest = write_bundle(path, content, packing.now)
    score = evaluation.primary.score
    return {
        "schema": "artificer.learner/1",
        "id": packing.run_id,
        "metric": packing.measured_by.name,
        "score": score.value,
        "interval": [score.low, score.high],
        "gate": str(verdict.verdict),
        "gate_reason": verdict.reason,
        "rows": {"test": len(y), "learned": learner.rows},
        "leaderboard": [{"name": "dynamic_linear", "weight": 1.0}],
        "evaluation": metrics["evaluation"],
        "measured": measured,
        "lineage": facts,
        "seconds": 0.0,
        "bundle": str(path),
        "sha256": digest,
    }


def _graph(learner: Learner, champion: Bundle) -> bytes:
    from artificer.bundle.assemble import MemberGraph, assemble
    from artificer.bundle.calibration import Calibration

    regression = learner.task is Task.REGRESSION
    calibration = Calibration.affine(learner.spread, learner.center) if regression else Calibration.identity()
    member = MemberGraph(learner.features, "learner", learner.fragment())
    return assemble([member], calibration, champion.contract)


def _lineage(packing: Packing, learner: Learner) -> Json:
    return {
        "run": packing.run_id,
        "created": packing.now.isoformat(),
        "cause": "incremental",
        "parent_version": packing.parent,
        "incremental": {"base": learner.base, "rows": learner.rows, "memory": MEMORIES[learner.best]},
        "problem": packing.problem.to_json(),
    }


def _constant(task: Task, width: int, y: Doubles) -> Any:
    if not task.is_classification:
        return np.array([float(np.mean(y))])
    counts = np.bincount(y.astype(np.int64), minlength=width)
    return counts / counts.sum()
