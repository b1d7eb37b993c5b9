"""The finished model as a bundle: in memory to be judged, then on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artificer.bundle.bounds import BOUNDS, learn_bounds
from artificer.clock import derive_seed
from artificer.evaluation.evaluate import Evaluation
from artificer.evaluation.gate import GateReport
from artificer.search.records import SearchResult
from artificer.training.promise import promised
from artificer.training.request import TrainingRequest
from artificer.types import Ints, Json, Kind

if TYPE_CHECKING:
    from artificer.bundle.model import Bundle
    from artificer.tables.prepare import Prepared

REFERENCE_ROWS = 1000
"""So many of the newest rows describe the present after a retraining, where there are so many."""


def draft_of(request: TrainingRequest, prepared: Prepared, found: SearchResult, rows: Ints, *, ordered: bool) -> Bundle:
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


def write_draft(
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
        metrics={
            **draft.metrics,
            "evaluation": evaluation.to_json(),
            "gate": verdict.to_json(),
            "measured": measured,
            BOUNDS: learn_bounds(prepared.blocks.take(parts[0]), contract, prepared.y[parts[0]], scores).to_json(),
        },
        recipe=draft.recipe,
        lineage=facts,
    )
    path = request.folder / f"model{SUFFIX}"
    return path, write_bundle(path, content, request.clock.now())


def _reference_rows(request: TrainingRequest, train_rows: Ints, test_rows: Ints) -> Ints:
    """Rows that production is expected to resemble: those trained on, or after a retraining the newest ones alone.

    Held against old rows and new ones together, the very world that a retraining was for would look drifted.
    """
    if request.newest_test_rows is None:
        return train_rows
    n = len(train_rows) + len(test_rows)
    newest = max(len(test_rows), min(REFERENCE_ROWS, len(request.production_rows)))
    return np.arange(n - newest, n, dtype=np.int64)
