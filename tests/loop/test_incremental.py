"""Learning from outcomes as they come: it follows a changed world, survives a restart, and is promoted by the gate."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from artificer.bundle.format import load_bundle
from artificer.errors import BundleDamagedError
from artificer.journal.entries import OutcomeEntry, PredictionEntry
from artificer.journal.reader import predictions
from artificer.journal.writer import Journal
from artificer.loop import actions, cycle
from artificer.loop.incremental import follow, state_file
from artificer.loop.learner import Learner, new_learner, read_learner, write_learner
from artificer.problem.project import Project
from artificer.tables.arrays import to_blocks
from artificer.testing.bundles import CREATED, a_content
from artificer.training.measure import json_rows

Live = Callable[[int, float, int], pl.DataFrame]


@pytest.fixture
def launched(project: Project) -> Iterator[Project]:
    cycle.launch(project, threads=1)
    yield project
    cycle.shut_down()


def report(project: Project, frame: pl.DataFrame) -> None:
    """Answer rows with the champion and report their outcomes."""
    version = actions.champion_version(project)
    features, now = json_rows(frame.drop("y")), time.time()
    ids = [uuid.uuid4().hex for _ in features]
    with Journal(project.journal) as journal:
        journal.append(
            [PredictionEntry(i, now, str(version), row, [0.0], 0.0) for i, row in zip(ids, features, strict=True)]
        )
        # An outcome a millisecond, so that their order is the rows'.
        told = zip(ids, frame["y"].to_list(), strict=True)
        journal.append([OutcomeEntry(i, now + place / 1e3, y) for place, (i, y) in enumerate(told)])


def test_it_follows_a_changed_world_and_is_promoted_by_the_same_gate(launched: Project, live: Live) -> None:
    cycle.run_first_training("first")
    report(launched, live(160, 1.0, 1))
    quiet = cycle.run_increment("quiet")
    assert quiet["action"] == "wait", quiet
    assert actions.champion_version(launched) == 1
    report(launched, live(400, 3.0, 2))
    changed = cycle.run_increment("changed")
    assert changed["action"] == "incremental", changed
    assert changed["promotion"]["promoted"], changed["promotion"]
    version, bundle = actions.champion_bundle(launched)
    assert version == 2
    assert bundle.lineage["cause"] == "incremental"
    # The bundle is a graph like any other, and answers as the new world does.
    test = live(300, 3.0, 3)
    blocks, _ = to_blocks(test, bundle.contract, strict=False)
    error = np.sqrt(np.mean((bundle.predict_blocks(blocks)[:, 0] - test["y"].to_numpy()) ** 2))
    assert error < 0.8
    # It goes on from where it stood: what follows is held against version 2.
    report(launched, test)
    again = cycle.run_increment("again")
    assert "version 2" in again["reason"], again
    assert [r.kind for r in actions.history_of(launched).records()][:4] == ["train", "promotion", "train", "promotion"]
    found = read_learner(state_file(launched))
    assert found is not None
    assert found[0].rows == 860
    assert cycle.run_cycle("look")["action"] in {"wait", "alert", "refit"}


def test_no_outcome_is_learned_twice(launched: Project, live: Live) -> None:
    cycle.run_first_training("first")
    report(launched, live(120, 1.0, 1))
    assert follow(launched, time.time())["learned"] == 120
    assert follow(launched, time.time())["learned"] == 0
    report(launched, live(30, 1.0, 2))
    assert follow(launched, time.time())["learned"] == 30


def test_an_outcome_that_is_sent_again_is_not_learned_again_and_a_late_one_is(launched: Project, live: Live) -> None:
    cycle.run_first_training("first")
    report(launched, live(120, 1.0, 1))
    now = time.time()
    ids = [entry.id for entry in predictions(launched.journal)]
    assert follow(launched, now)["learned"] == 120
    late = PredictionEntry("late", now, "1", {"x": 0.5, "z": "a"}, [0.0], 0.0)
    with Journal(launched.journal) as journal:
        journal.append([OutcomeEntry(i, now + 3_600, 9.0) for i in ids[:40]])
        journal.append([late, OutcomeEntry("late", now - 600, 2.5)])
    assert follow(launched, now + 4_000)["learned"] == 1
    assert follow(launched, now + 4_000)["learned"] == 0


def test_a_learner_that_begins_in_the_journal_is_judged_on_rows_it_was_not_fitted_on(launched: Project) -> None:
    """Categories of many values that say nothing must not make the learner look better than the champion."""

    def noise(rows: int, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        names = {f"k{j}": [f"v{value}" for value in rng.integers(0, 120, rows)] for j in range(4)}
        x = rng.normal(size=rows)
        return pl.DataFrame({**names, "x": x, "y": 2 * x + rng.normal(size=rows)})

    noise(400, 0).write_parquet(launched.dir / "table.parquet")
    cycle.run_first_training("first")
    (actions.run_folder(launched, "first") / "test.parquet").unlink()  # so that it begins on the outcomes themselves
    for seed in (1, 2, 3):
        report(launched, noise(600, seed))
        facts = follow(launched, time.time())
        assert facts["learned"] == 600
        assert facts["rows"] == 300
        assert facts["look"] > 0
        assert facts["verdict"] != "better", facts
        found = read_learner(state_file(launched))
        assert found is not None
        assert found[0].rows == 600
        assert len(found[1]["y"]) == 300
        for file in (state_file(launched), *launched.journal.parent.glob(f"{launched.journal.name}*")):
            file.unlink()


def binary(rows: int, turned: bool, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "age": rng.integers(0, 90, rows),
            "city": rng.choice(["Rome", "Oslo"], rows),
            "member": rng.random(rows) < 0.5,
            "seen": ["2026-01-02T03:04:05"] * rows,
        }
    )
    y = (frame["age"].to_numpy() > 45) ^ turned
    return frame, y.astype(np.float64)


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    from artificer.bundle.format import write_bundle

    write_bundle(tmp_path / "a.artificer", a_content(), CREATED)
    bundle = load_bundle(tmp_path / "a.artificer")
    frame, y = binary(300, False, 0)
    blocks, _ = to_blocks(frame, bundle.contract, strict=False)
    made = new_learner(bundle, blocks, y)
    # Before it learned anything it says what its base says.
    said = made.follow(made.encode(blocks)[:50], y[:50])[1]
    assert said == pytest.approx(bundle.predict_blocks(blocks)[:50], abs=2e-3)
    return made


def test_a_learner_that_was_kept_goes_on_exactly_as_one_that_was_not(learner: Learner, tmp_path: Path) -> None:
    bundle = load_bundle(tmp_path / "a.artificer")
    frame, y = binary(400, True, 1)
    blocks, _ = to_blocks(frame, bundle.contract, strict=False)
    X = learner.encode(blocks)
    half, _ = learner.follow(X[:200], y[:200])
    write_learner(tmp_path / "state.npz", half, {"last": np.array(3.0)})
    found = read_learner(tmp_path / "state.npz")
    assert found is not None
    kept, extra = found
    assert float(extra["last"]) == 3.0
    _, straight = half.follow(X[200:], y[200:])
    _, resumed = kept.follow(kept.encode(blocks)[200:], y[200:])
    assert np.array_equal(straight, resumed)
    assert (resumed[100:].argmax(axis=1) == y[300:]).mean() > 0.85


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    place = tmp_path / "learner.npz"
    assert read_learner(place) is None
    place.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(BundleDamagedError, match="remove it"):
        read_learner(place)
