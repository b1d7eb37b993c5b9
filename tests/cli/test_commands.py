"""The main job, command by command, on a small project."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from artificer.problem.load import load_problem

TRAIN_KEYS = {
    *("task", "target", "metric", "score", "interval", "baseline_score", "gate", "version", "promoted", "seconds"),
    *("bundle", "rows", "leaderboard", "greater_is_better", "schema", "id", "report"),
}
ROW_KEYS = {"read", "used", "rejected", "train", "test"}
LEADERBOARD_KEYS = {"name", "algorithm", "score", "interval", "success_probability", "weight", "fit_seconds"}


def test_init_writes_a_file_that_loads_and_explains_itself(trained: Any) -> None:
    document = trained.init.done()
    assert document["schema"] == "artificer.init/1"
    assert document["task"] == "binary"
    assert document["rows"] == {"read": 300, "rejected": 0}
    assert {c["name"]: c["role"] for c in document["columns"]} == {
        "price": "numeric",
        "kind": "categorical",
        "returned": "target",
    }
    assert all(column["reason"] for column in document["columns"])
    problem = load_problem(trained.project)
    assert problem.data.target == "returned"
    assert (trained.project / problem.data.source).resolve() == trained.table.resolve()
    lines = (trained.project / "artificer.toml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if line and not line.startswith(("#", " ", "]")):
            assert before.startswith("# "), f"nothing explains {line!r}"
    assert tomllib.loads("\n".join(lines))["data"]["positive"] == "yes"


def test_init_does_not_replace_a_project_unless_told_to(trained: Any, artificer: Any, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    arguments = ("init", trained.table, "--target", "returned", "--project", project, "--json")
    assert artificer(*arguments).code == 0
    file = project / "artificer.toml"
    file.write_text("mine")
    assert "--force" in artificer(*arguments).failed(2)
    assert file.read_text() == "mine"
    assert artificer(*arguments, "--force", "--drop", "kind").code == 0
    assert load_problem(project).data.drop == ("kind",)


def test_train_gives_the_documented_document(trained: Any) -> None:
    document = trained.first.done()
    assert set(document) >= TRAIN_KEYS
    assert document["schema"] == "artificer.train/1"
    assert (document["task"], document["target"], document["metric"]) == ("binary", "returned", "roc_auc")
    assert document["greater_is_better"] is True
    low, high = document["interval"]
    assert 0.5 < low <= document["score"] <= high <= 1
    assert document["baseline_score"] == 0.5
    assert document["gate"] == "PASS"
    assert document["version"] == 1
    assert document["promoted"] is True
    assert document["seconds"] > 0
    assert Path(document["bundle"]).is_file()
    assert hashlib.sha256(Path(document["bundle"]).read_bytes()).hexdigest() == document["sha256"]
    rows = document["rows"]
    assert set(rows) >= ROW_KEYS
    assert rows["read"] == rows["used"] == rows["train"] + rows["test"] == 300
    assert rows["rejected"] == 0
    assert "<html" in Path(document["report"]).read_text()[:500].lower()


def test_the_leaderboard_gives_every_candidate_its_chances(trained: Any) -> None:
    board = trained.first.done()["leaderboard"]
    assert len(board) > 3
    for row in board:
        assert set(row) >= LEADERBOARD_KEYS
        assert 0 <= row["success_probability"] <= 1
        assert 0 <= row["weight"] <= 1
        if row["folds"] > 1 and row["algorithm"] != "constant":
            low, high = row["interval"]
            assert low <= row["score"] <= high
    assert math.isclose(sum(row["weight"] for row in board), 1, abs_tol=1e-6)
    assert any(row["algorithm"] == "constant" for row in board)


def test_progress_is_on_stderr_alone(trained: Any) -> None:
    lines = trained.first.err.splitlines()
    assert "train: reading the data" in lines
    assert all(line.startswith(("train:", "train [")) for line in lines), trained.first.err


def test_the_second_version_is_compared_and_its_fate_reasoned(trained: Any) -> None:
    document = trained.second.done()
    assert document["version"] == 2
    assert document["promoted"] in (True, False)
    assert document["promotion"]["reason"]


def test_models_lists_versions_newest_first(trained: Any, artificer: Any) -> None:
    document = artificer("models", "--project", trained.project, "--json").done()
    assert document["schema"] == "artificer.models/1"
    assert [model["version"] for model in document["models"]] == [2, 1]
    for model, run in zip(document["models"], (trained.second, trained.first), strict=True):
        assert model["metric"] == "roc_auc"
        assert model["score"] == pytest.approx(run.done()["score"])
        assert model["gate"] == run.done()["gate"]
        assert model["sha256"] == run.done()["sha256"]
    assert sum("champion" in model["aliases"] for model in document["models"]) == 1


def test_promote_and_roll_back(trained: Any, artificer: Any) -> None:
    place = ("--project", trained.project, "--json")
    start = _champion(trained.project)
    other = 3 - start
    change = artificer("promote", other, *place, "--reason", "a try").done()
    assert change == {"schema": "artificer.change/1", "version": other, "previous": start, "reason": "a try"}
    assert _champion(trained.project) == other
    back = artificer("rollback", *place).done()
    assert (back["version"], back["previous"]) == (start, other)
    assert _champion(trained.project) == start
    records = artificer("history", *place).done()
    assert records["schema"] == "artificer.history/1"
    newest = records["records"][:2]
    assert [(r["kind"], r["version"]) for r in newest] == [("rollback", start), ("promotion", other)]
    assert "a try" in newest[1]["summary"]
    assert all(record["when"] and record["actor"] for record in records["records"])
    assert len(artificer("history", *place, "--limit", 1).done()["records"]) == 1


def _champion(project: Path) -> int:
    return int(json.loads((project / ".artificer" / "champion.json").read_text())["version"])


def test_a_version_that_is_not_there_is_named_with_those_that_are(trained: Any, artificer: Any, tmp_path: Path) -> None:
    place = ("--project", trained.project, "--json")
    for arguments in (
        ("promote", 9, *place),
        ("predict", trained.table, "-o", tmp_path / "o.csv", "--version", 9, *place),
        ("export", tmp_path / "m.onnx", "--version", 9, *place),
    ):
        sentence = artificer(*arguments).failed(2)
        assert "no version 9" in sentence
        assert "1, 2" in sentence
    assert list(tmp_path.iterdir()) == []


READERS = {
    ".parquet": pl.read_parquet,
    ".csv": pl.read_csv,
    ".jsonl": pl.read_ndjson,
    ".arrow": pl.read_ipc,
}


@pytest.mark.parametrize("suffix", READERS)
def test_predict_keeps_the_rows_in_their_order(suffix: str, trained: Any, artificer: Any, tmp_path: Path) -> None:
    output = tmp_path / f"scored{suffix}"
    document = artificer("predict", trained.table, "--output", output, "--project", trained.project, "--json").done()
    assert document["schema"] == "artificer.predict/1"
    assert document["rows"] == 300
    assert document["version"] == _champion(trained.project)
    scored, given = READERS[suffix](output), pl.read_csv(trained.table)
    assert scored.columns == [*given.columns, "prediction", "probability_no", "probability_yes"]
    assert scored["price"].cast(pl.Float64).to_list() == given["price"].to_list()
    assert scored["kind"].to_list() == given["kind"].to_list()
    total = scored["probability_no"] + scored["probability_yes"]
    assert total.to_numpy() == pytest.approx(1, abs=1e-5)
    expected = ["yes" if p > 0.5 else "no" for p in scored["probability_yes"]]
    assert scored["prediction"].to_list() == expected
    assert (scored["prediction"] == given["returned"]).mean() > 0.7


def test_predict_answers_for_rows_without_the_target_and_odd_cells(
    trained: Any, artificer: Any, tmp_path: Path
) -> None:
    table, output = tmp_path / "new.csv", tmp_path / "scored.jsonl"
    table.write_text("kind,price\nshoes,80\nboots,much\n,20\n")
    document = artificer("predict", table, "-o", output, "--project", trained.project, "--json").done()
    assert document["rows"] == 3
    assert any("price" in note and "much" in note for note in document["notes"])
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["shoes", "boots", None]
    assert {row["prediction"] for row in rows} <= {"yes", "no"}


def test_predict_says_what_it_cannot_do_and_leaves_nothing(trained: Any, artificer: Any, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("kind\nshoes\nhats\n")
    place = ("--project", trained.project, "--json")
    assert "price" in artificer("predict", short, "-o", tmp_path / "o.csv", *place).failed(1)
    assert ".parquet" in artificer("predict", trained.table, "-o", tmp_path / "o.xlsx", *place).failed(2)
    assert "nowhere.csv" in artificer("predict", tmp_path / "nowhere.csv", "-o", tmp_path / "o.csv", *place).failed(1)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "file" in artificer("predict", trained.table, "-o", blocked / "o.csv", *place).failed(1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "short.csv"]


def test_predict_from_a_bundle_alone(trained: Any, artificer: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "moved.artificer"
    bundle.write_bytes(Path(trained.first.done()["bundle"]).read_bytes())
    output = tmp_path / "o.parquet"
    document = artificer("predict", trained.table, "-o", output, "--bundle", bundle, "--coverage", 0.9, "--json").done()
    assert document["version"] is None
    scored = pl.read_parquet(output)
    assert scored.height == 300
    assert [found[0] for found in scored["returned_set"]] == scored["prediction"].to_list()
    bundle.write_bytes(bundle.read_bytes()[:-100])
    assert "moved.artificer" in artificer("predict", trained.table, "-o", output, "--bundle", bundle, "--json").failed()


def test_monitor_before_there_is_traffic(trained: Any, artificer: Any) -> None:
    place = ("--project", trained.project, "--json")
    document = artificer("monitor", *place).done()
    assert document["schema"].startswith("artificer.monitor")
    assert document["alarms"] == []
    assert artificer("monitor", *place, "--since", "24h").code == 0
    assert artificer("monitor", *place, "--since", "2026-01-31").code == 0
    assert "24h" in artificer("monitor", *place, "--since", "yesterday").failed(2)


def test_export_writes_a_graph_that_scores(trained: Any, artificer: Any, tmp_path: Path) -> None:
    import numpy as np
    import onnxruntime

    output = tmp_path / "model.onnx"
    document = artificer("export", output, "--project", trained.project, "--version", 1, "--json").done()
    assert document == {"schema": "artificer.export/1", "output": str(output), "version": 1}
    session = onnxruntime.InferenceSession(output)
    inputs = {"numbers": np.array([[80.0]], np.float32), "strings": np.array([["shoes"]], object)}
    (scores,) = session.run(None, {edge.name: inputs[edge.name] for edge in session.get_inputs()})
    assert scores.shape == (1, 2)
    assert "file" in artificer("export", trained.table / "m.onnx", "--project", trained.project, "--json").sentence


def test_people_read_lines(trained: Any, artificer: Any, tmp_path: Path) -> None:
    """Without --json each command prints something for people, and no document."""
    place = ("--project", trained.project)
    for arguments in (
        ("models", *place),
        ("history", *place),
        ("monitor", *place),
        ("predict", trained.table, "-o", tmp_path / "o.csv", *place),
        ("export", tmp_path / "m.onnx", *place),
        ("init", trained.table, "--target", "returned", "--project", tmp_path / "other"),
    ):
        answer = artificer(*arguments)
        assert answer.code == 0, answer.err
        assert answer.out.strip()
        assert not answer.out.startswith("{")


def test_serve_needs_a_champion(artificer: Any, make_project: Any, orders: Any) -> None:
    shop = make_project(orders(30))
    assert "champion" in artificer("serve", "--project", shop.dir, "--json").failed(2)
