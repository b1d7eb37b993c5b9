"""Both figures of a run whose split is not random, and the rows it leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from artificer.problem.model import Problem
from artificer.splits.ledger import HoldoutLedger
from artificer.training.record import TrainingRun
from artificer.training.request import TrainingRequest
from artificer.training.train import train


def run(frame: pl.DataFrame, folder: Path, **sections: Any) -> TrainingRun:
    wanted = {"data": {"target": "y"}, "training": {"budget": "10 fits"}, **sections}
    ledger = HoldoutLedger(folder / "holdout.jsonl")
    request = TrainingRequest("run", "name", Problem.model_validate(wanted), frame, folder, ledger)
    return train(request)


@pytest.fixture(scope="module")
def patients() -> pl.DataFrame:
    """Signs tell the patient and say nothing of the illness."""
    rng = np.random.default_rng(0)
    who = rng.permutation(np.repeat(np.arange(150), 4))
    signs = rng.normal(size=(150, 4))[who] + 0.1 * rng.normal(size=(600, 4))
    frame = pl.DataFrame({"patient_id": [f"P{w:04}" for w in who], "y": rng.integers(0, 2, 150)[who]})
    return frame.with_columns(pl.Series(f"sign{j}", signs[:, j]) for j in range(4))


def test_a_random_split_would_have_said_more(patients: pl.DataFrame, tmp_path: Path) -> None:
    found = run(patients, tmp_path)
    split = json.loads(json.dumps(found.to_json()))["split"]
    assert (split["kind"], split["evidence"][0]["column"]) == ("group", "patient_id")
    both = split["contrast"]
    assert both["random"] > 0.7 > 0.65 > both["honest"]
    assert both["sentence"] in found.notes
    assert both["rows"] == found.rows.train  # test rows are not looked at
    assert len(HoldoutLedger(tmp_path / "holdout.jsonl").entries()) == 1
    assert any(c["name"] == "patient_id" and c["role"] == "group" for c in found.columns)


def test_it_is_not_asked_where_the_split_is_random(patients: pl.DataFrame, tmp_path: Path) -> None:
    found = run(patients, tmp_path, training={"budget": "10 fits", "split": "random"})
    assert found.split == {"kind": "random", "gap": 0.0, "evidence": [], "contrast": None}


def test_a_short_budget_is_left_to_the_search(patients: pl.DataFrame, tmp_path: Path) -> None:
    found = run(patients, tmp_path, training={"budget": "3 fits"})
    assert found.split["kind"] == "group"
    assert found.split["contrast"] is None


def test_late_outcomes_leave_a_gap(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 400
    load = np.cumsum(rng.normal(size=n))
    at = pl.Series("at", 3_600_000 * np.arange(n)).cast(pl.Datetime("ms"))
    frame = pl.DataFrame({"x": rng.normal(size=n), "y": load}).with_columns(at)
    found = run(frame, tmp_path, monitoring={"delay": "24h"})
    rows = found.rows
    assert rows.left_out == 24
    assert rows.train + rows.test + rows.left_out == rows.used == n
    assert found.split["gap"] == 24 * 3600
    assert found.split["contrast"]["random"] < found.split["contrast"]["honest"]  # of an error
