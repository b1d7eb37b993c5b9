"""The loop on a small world: it notices, retrains, compares, promotes, rolls back; and survives kill -9 at any step."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from artificer.errors import ArtificerError
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.writer import Journal
from artificer.loop import actions, cycle
from artificer.loop.observe import observe
from artificer.problem.project import Project
from artificer.training.measure import json_rows

STAND_IN = Path(__file__).parent / "stand_in.py"
Live = Callable[[int, float, int], pl.DataFrame]


@pytest.fixture
def launched(project: Project) -> Iterator[Project]:
    cycle.launch(project, threads=1)
    yield project
    cycle.shut_down()


def serve_rows(project: Project, frame: pl.DataFrame) -> None:
    """Answer rows with the champion and report their outcomes, as a service would."""
    version, bundle = actions.champion_bundle(project)
    features = json_rows(frame.drop("y"))
    scores, _ = bundle.predict_rows(features)
    now = time.time()
    ids = [uuid.uuid4().hex for _ in features]
    with Journal(project.journal) as journal:
        journal.append(
            [
                PredictionEntry(i, now, str(version), row, score.tolist(), float(score[0]))
                for i, row, score in zip(ids, features, scores, strict=True)
            ]
        )
        journal.append([OutcomeEntry(i, now, y) for i, y in zip(ids, frame["y"].to_list(), strict=True)])


@pytest.mark.slow
def test_it_notices_a_changed_world_retrains_and_promotes_then_rolls_back_what_turns_out_worse(
    launched: Project, live: Live
) -> None:
    first = cycle.run_first_training("first")
    assert first["version"] == 1
    assert first["promotion"]["promoted"]

    serve_rows(launched, live(200, 1.0, 1))
    quiet = cycle.run_cycle("quiet")
    assert quiet["action"] == "wait", quiet

    serve_rows(launched, live(400, 3.0, 2))
    changed = cycle.run_cycle("changed")
    assert changed["action"] == "refit", changed
    assert "rmse" in changed["reason"]
    assert changed["comparison"]["verdict"] == "better"
    assert changed["promotion"]["promoted"]
    assert actions.champion_version(launched) == 2

    # The old world returns: the version before does better on the rows since the promotion.
    serve_rows(launched, live(200, 1.0, 3))
    back = cycle.run_cycle("back")
    assert back["action"] == "rollback", back
    assert back["change"]["version"] == 1
    assert actions.champion_version(launched) == 1

    kinds = [record.kind for record in actions.history_of(launched).records()]
    assert kinds == ["train", "promotion", "decision", "train", "promotion", "decision", "rollback"]
    assert cycle.run_cycle("changed") == changed, "a cycle that has run is not run again"


@pytest.mark.slow
def test_drift_without_labels_alerts_once(launched: Project, live: Live) -> None:
    cycle.run_first_training("first")
    frame = live(300, 1.0, 1).with_columns(pl.col("x") + 5.0)
    version, bundle = actions.champion_bundle(launched)
    features = json_rows(frame.drop("y"))
    scores, _ = bundle.predict_rows(features)
    with Journal(launched.journal) as journal:
        journal.append(
            [
                PredictionEntry(uuid.uuid4().hex, time.time(), str(version), row, s.tolist(), float(s[0]))
                for row, s in zip(features, scores, strict=True)
            ]
        )
    results = [cycle.run_cycle(f"look-{i}") for i in range(2)]
    assert [r["action"] for r in results] == ["alert", "alert"]
    assert "labelled rows" in results[0]["reason"]
    alerts = [r for r in actions.history_of(launched).records() if r.kind == "alert"]
    assert len(alerts) == 1, "the same alert is not repeated at every look"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_kill_9_after_every_step_neither_loses_nor_repeats_it(project: Project) -> None:
    def start(*action: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(STAND_IN), str(project.dir), "first", *action]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    for action in ("fit", "enter", "note_trained", "compare", "settle", "finish_document"):
        died = start(action)
        assert died.returncode == -signal.SIGKILL, (action, died.stderr[-2000:])
    finished = start()
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert json.loads(finished.stdout.splitlines()[-1]) == {"version": 1, "promoted": True}

    assert [v.version for v in actions.registry_of(project).versions()] == [1]
    assert [r.kind for r in actions.history_of(project).records()] == ["train", "promotion"]
    assert [folder.name for folder in project.runs.iterdir()] == ["first"], "one run, one folder"
    evaluations = [line for line in project.holdout_ledger.read_text().splitlines() if "evaluation" in line]
    assert len(evaluations) == 1, "the test set was read once for the evaluation"


@pytest.mark.slow
def test_a_new_process_finishes_what_a_killed_one_left(project: Project) -> None:
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(STAND_IN), str(project.dir), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert start("first", "fit").returncode == -signal.SIGKILL
    resumed = start("resume")
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert json.loads(resumed.stdout.splitlines()[-1]) == [1]
    assert json.loads(start("resume").stdout.splitlines()[-1]) == [], "nothing is left"
    assert [folder.name for folder in project.runs.iterdir()] == ["first"]


@pytest.mark.slow
def test_a_cycle_that_fails_is_one_sentence_and_counts_as_a_retraining(
    launched: Project, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle.run_first_training("first")
    serve_rows(launched, live(400, 3.0, 2))

    def fails(*args: object, **kwargs: object) -> None:
        raise ValueError("the disk went away")

    monkeypatch.setattr(actions, "fit", fails)
    with pytest.raises((ArtificerError, ValueError), match="the disk went away"):
        cycle.run_cycle("changed")
    found = observe(launched, time.time())
    assert len(found["retrained_at"]) == 1
    assert found["new_labels"] == 0, "the outcomes before the failed training are not new a second time"


@pytest.mark.slow
def test_a_promotion_whose_record_was_lost_is_recorded_when_it_is_settled_again(launched: Project) -> None:
    result = cycle.run_first_training("first")
    history = actions.history_of(launched)
    kept = [line for line in history.path.read_text().splitlines(keepends=True) if '"promotion"' not in line]
    history.path.write_text("".join(kept))
    run = actions.run_document(launched, "first")
    assert run is not None
    again = actions.settle(launched, run, result["version"], None, "loop")
    assert again["promoted"]
    assert [r.kind for r in history.records()] == ["train", "promotion"]
    assert len(actions.registry_of(launched).promotions()) == 1


@pytest.mark.slow
def test_a_look_is_evidence_in_plain_json(launched: Project, live: Live) -> None:
    cycle.run_first_training("first")
    serve_rows(launched, live(150, 1.0, 4))
    found = observe(launched, time.time())
    assert json.loads(json.dumps(found)) == found
    assert found["new_labels"] == 150
    assert found["performance"]["rows"] == 150
