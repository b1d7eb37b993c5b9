"""Monitoring: a journal in, a report out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from artificer.drift.reference import summarise
from artificer.errors import JournalError
from artificer.evaluation.evaluate import evaluate
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.sealing import seal
from artificer.journal.writer import Journal
from artificer.metrics.base import metric
from artificer.monitoring.monitor import MonitoringReport, MonitorSettings, monitor
from artificer.monitoring.performance import boundary, compare_with_promise
from artificer.monitoring.window import label_reader, read_leniently
from artificer.tables.contract import ColumnSpec, Contract, RowReader
from artificer.types import Json, Kind, Role, Task

CONTRACT = Contract(
    (
        ColumnSpec("x", Role.NUMERIC, "numbers", "Float64"),
        ColumnSpec("age", Role.NUMERIC, "numbers", "Int64", nullable=False),
        ColumnSpec("city", Role.CATEGORICAL, "few texts", "String"),
        ColumnSpec("when", Role.DATETIME, "times", "Datetime"),
    ),
    "bought",
    Task.BINARY,
    ("no", "yes"),
    "yes",
)
NAMES = {kind: CONTRACT.names(kind) for kind in Kind}


def make(n: int, seed: int, shift: float = 0.0, noise: float = 0.0) -> tuple[list[Json], NDArray[Any], NDArray[Any]]:
    """Rows, their outcomes, and the scores of a model that knows the truth but for `shift` and `noise`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, n)
    p = 1 / (1 + np.exp(-1.5 * x))
    y = (rng.random(n) < p).astype(int)
    said = 1 / (1 + np.exp(-1.5 * x - noise * rng.normal(size=n)))
    rows: list[Json] = [
        {
            "x": float(x[i]),
            "age": int(rng.integers(18, 90)),
            "city": str(rng.choice(["Rome", "Oslo"])),
            "when": 1.7e9 + i,
        }
        for i in range(n)
    ]
    return rows, y, np.stack([1 - said, said], axis=1).astype(np.float32)


def bundle() -> tuple[Json, Json]:
    rows, y, scores = make(2_000, 0)
    blocks, _ = RowReader(CONTRACT).read(rows)
    reference = summarise(blocks, NAMES, scores, task=Task.BINARY, classes=CONTRACT.classes, y=y)
    names = [metric("roc_auc"), metric("log_loss")]
    metrics = {"evaluation": evaluate(y[:600], scores[:600], names, Task.BINARY).to_json()}
    return json.loads(json.dumps(reference)), json.loads(json.dumps(metrics))


REFERENCE, METRICS = bundle()


def write(
    path: Path,
    rows: list[Json],
    y: NDArray[Any],
    scores: NDArray[Any],
    *,
    start: float = 1_000.0,
    labels: float = 1.0,
    version: str = "1",
) -> None:
    with Journal(path) as journal:
        journal.append(
            [
                PredictionEntry(f"{version}-{start}-{i}", start + i, version, row, scores[i].tolist(), "yes")
                for i, row in enumerate(rows)
            ]
        )
        journal.append(
            [
                OutcomeEntry(f"{version}-{start}-{i}", start + i + 60, CONTRACT.classes[y[i]])
                for i in range(int(labels * len(rows)))
            ]
        )


def look(path: Path, **more: Any) -> MonitoringReport:
    return monitor(path, CONTRACT, REFERENCE, METRICS, **more)


def test_nothing_changed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, *make(800, 1))
    report = look(path, version="1")
    assert report.alarms == ()
    assert report.drift.verdict == "stable"
    assert report.performance is not None
    assert report.performance.verdict == "as promised"
    assert report.performance.low is not None
    assert report.performance.low < report.performance.promised < (report.performance.high or 0)
    assert (report.counts["predictions"], report.counts["labelled"], report.counts["labelled_share"]) == (800, 800, 1.0)
    assert len(report.trend) == 8
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert document["schema"] == "artificer.monitoring/1"
    assert document["drifted"] == []
    assert document["since"] is None


def test_drift_and_a_worse_model_raise_alarms(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, *make(600, 2), start=1_000)
    rows, y, scores = make(900, 3, shift=1.0, noise=6.0)
    for row in rows[:200]:
        row["city"] = "Lima"
    write(path, rows, y, scores, start=5_000)
    report = look(path, since=5_000.0)
    assert {"x", "city"} <= set(report.drift.drifted)
    assert report.performance is not None
    assert report.performance.worse
    assert report.alarms[0].kind == "performance"
    assert {alarm.subject for alarm in report.alarms if alarm.kind == "drift"} == set(report.drift.drifted)
    assert report.unseen[0]["column"] == "city"
    assert report.unseen[0]["rows"] == 200
    whole = look(path)
    assert whole.performance is not None
    assert whole.performance.worse
    assert whole.performance.changed_at is not None
    assert 4_900 < whole.performance.changed_at < 5_400
    assert json.loads(json.dumps(whole.to_json(), allow_nan=False))["performance"]["worse"] is True


def test_windows_and_versions(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, *make(300, 4), version="1", start=0)
    write(path, *make(250, 5), version="2", start=1_000)
    report = look(path, version="2")
    assert report.counts["by_version"] == {"1": 300, "2": 250}
    assert report.counts["predictions"] == 250
    assert look(path, since=100.0, until=200.0).counts["predictions"] == 100
    newest = look(path, settings=MonitorSettings(max_rows=200))
    assert newest.counts["predictions"] == 200
    assert newest.counts["limit_reached"]
    assert newest.counts["first_at"] == 1_050.0


def test_few_rows_raise_no_alarm(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows, y, scores = make(60, 6, shift=5.0)
    write(path, rows, y, 1 - scores, labels=0.5)
    report = look(path)
    assert report.alarms == ()
    assert report.drift.verdict == "too few rows"
    assert report.performance is not None
    assert report.performance.verdict == "too few outcomes"
    assert "too few to judge" in report.summary[1]
    assert "too few to judge" in report.summary[2]


def test_no_journal_and_no_predictions(tmp_path: Path) -> None:
    report = look(tmp_path / "absent.db")
    assert report.counts["predictions"] == 0
    assert report.counts["labelled_share"] is None
    json.dumps(report.to_json(), allow_nan=False)
    Journal(tmp_path / "journal.db").close()
    assert look(tmp_path / "journal.db").alarms == ()
    (tmp_path / "text").write_text("not a journal")
    with pytest.raises(JournalError):
        look(tmp_path / "text")


def test_young_predictions_wait_for_their_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    write(path, *make(500, 7), start=0)
    report = look(path, until=500.0, settings=MonitorSettings(delay=200.0))
    assert report.counts["labelled"] == 500
    assert report.counts["matured"] == 301
    assert report.performance is not None
    assert report.performance.rows == 301


def test_rows_that_break_the_contract_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows, y, scores = make(1_200, 8)
    for row in rows[:300]:
        row["age"] = None
    rows[500]["x"] = "many"
    write(path, rows, y, scores)
    report = look(path)
    assert report.counts["kept_aside"] == 301
    assert report.counts["compared"] == 899
    assert report.kept_aside[0]["column"] == "age"
    assert report.kept_aside[0]["rows"] == 300
    alarm = next(alarm for alarm in report.alarms if alarm.kind == "contract")
    assert '301 journalled rows break the contract and were kept aside; most often column "age"' in alarm.sentence
    assert report.performance is not None
    assert report.performance.rows == 899


def test_outcomes_that_are_no_label(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows, y, scores = make(300, 9)
    write(path, rows, y, scores)
    with Journal(path) as journal:
        journal.append([OutcomeEntry("1-1000.0-5", 9_999.0, "maybe"), OutcomeEntry("1-1000.0-6", 9_999.0, None)])
    report = look(path)
    assert report.counts["labelled"] == 298
    assert report.counts["outcomes_not_understood"] == 2
    assert report.alarms[0].kind == "outcomes"


def test_scores_of_another_width_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows, y, _ = make(50, 10)
    write(path, rows, y, np.ones((50, 3), np.float32))
    assert look(path).counts["kept_aside"] == 50


def test_a_sealed_journal_is_seen_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    rows, y, scores = make(700, 3, shift=0.5)
    rows[33]["city"], rows[39]["age"], rows[41] = 7, "old", {"age": 30}
    write(path, rows, y, scores, labels=0.7)
    write(path, *make(60, 4), start=90_000, version="2")
    plain = MonitorSettings(max_rows=750)
    looks = [{"settings": plain}, {"version": "1"}, {"since": 1_200.0, "until": 90_010.0}]
    before = [look(path, **asked).to_json() for asked in looks]
    assert seal(path, 86_400.0 * 9, lambda version: CONTRACT if version == "1" else None).entries
    assert [look(path, **asked).to_json() for asked in looks] == before
    assert before[0]["counts"]["kept_aside"] == 1
    write(path, *make(60, 4), start=91_000, version="2")
    assert look(path).counts["by_version"] == {"1": 700, "2": 120}


def test_lenient_reading_keeps_order() -> None:
    rows: list[Any] = [{"x": float(i), "age": 1} for i in range(1_100)]
    for index in range(0, 1_100, 3):
        rows[index] = {"x": "no"} if index % 2 else 7
    kept, blocks, broken = read_leniently(RowReader(CONTRACT), rows)
    assert kept == [i for i in range(1_100) if i % 3]
    assert blocks.numbers[:, 0].tolist() == [float(i) for i in kept]
    assert len({violation.rule for _, violation in broken}) == 3


def test_numbers_as_outcomes() -> None:
    read = label_reader(Contract((), "y", Task.REGRESSION))
    assert read(3) == 3.0
    assert read("2.5") == 2.5
    assert [read(value) for value in ("x", None, True, math.nan, [1])] == [None] * 5


def test_repeated_looks_keep_their_promise() -> None:
    """A model as good as promised, looked at after each of 4,000 outcomes: how often is it ever called worse?"""
    alpha, runs, tested, served = 0.05, 400, 1_000, 4_000
    rng = np.random.default_rng(0)
    promised, losses = rng.gamma(1.0, 1.0, (runs, tested)), rng.gamma(1.0, 1.0, (runs, served))
    rows = np.arange(1, served + 1)
    mean = np.cumsum(losses, axis=1) / rows
    variance = np.cumsum(losses**2, axis=1) / rows - mean**2
    stderr = np.sqrt(variance / rows + promised.var(axis=1)[:, None] / tested)
    distance = (mean - promised.mean(axis=1)[:, None]) / stderr
    limits = np.array([boundary(int(count), alpha) for count in rows])
    ever = (distance > limits)[:, 100:].any(axis=1).mean()
    once = (distance > 1.645)[:, 100:].any(axis=1).mean()
    assert ever <= 0.08  # four binomial standard errors above alpha are 0.094
    assert once > 0.15  # what the boundary is there for


def test_the_verdict_follows_the_boundary() -> None:
    rng = np.random.default_rng(1)
    found = metric("mae")
    promised = evaluate(np.zeros(2_000), rng.gamma(1, 1, (2_000, 1)), [found], Task.REGRESSION).primary.score
    for factor, verdict in ((1.0, "as promised"), (1.3, "worse"), (0.75, "better")):
        result = compare_with_promise(
            found,
            promised,
            np.zeros(1_000),
            factor * rng.gamma(1, 1, (1_000, 1)),
            np.arange(1_000.0),
            alpha=0.01,
            min_rows=100,
            time_ordered=False,
        )
        assert result.verdict == verdict
        assert result.distance is not None
        assert (result.distance > result.boundary) == result.worse


def test_boundary_is_wider_than_a_single_test() -> None:
    assert all(boundary(rows, 0.01) > 2.33 for rows in (50, 500, 5_000, 10**6))
    assert boundary(500, 0.001) > boundary(500, 0.01)


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
def test_other_tasks(tmp_path: Path, task: Task) -> None:
    rng = np.random.default_rng(11)
    classes = ("a", "b", "c") if task is Task.MULTICLASS else ()
    contract = Contract(CONTRACT.columns, "y", task, classes)
    rows, _, _ = make(600, 12)
    blocks, _ = RowReader(contract).read(rows)
    if task is Task.MULTICLASS:
        scores = rng.dirichlet([2, 2, 2], 600)
        y: NDArray[Any] = np.array([rng.choice(3, p=p) for p in scores])
        values: list[Any] = [classes[code] for code in y]
    else:
        y = rng.normal(size=600)
        scores = (y + 0.3 * rng.normal(size=600))[:, None]
        values = y.tolist()
    measured_by = metric("log_loss" if classes else "rmse")
    reference = summarise(blocks, NAMES, scores, task=task, classes=classes, y=y)
    metrics = {"evaluation": evaluate(y, scores, [measured_by], task).to_json()}
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        journal.append([PredictionEntry(str(i), float(i), "1", rows[i], scores[i].tolist(), None) for i in range(600)])
        journal.append([OutcomeEntry(str(i), float(i), values[i]) for i in range(600)])
    report = monitor(path, contract, reference, metrics)
    assert report.alarms == ()
    assert report.performance is not None
    assert report.performance.verdict == "as promised"
    json.dumps(report.to_json(), allow_nan=False)
