"""Train on real tables and compare with the constant baseline and with LightGBM as it comes, on the same rows.

    python benchmarks/train_tables.py --data FOLDER --budget 60s --out benchmarks/results/train_tables.json

FOLDER holds ``catalogue.json`` and the tables it names (default: the environment variable ARTIFICER_DATA, else
``../shared/data`` beside the checkout). Each table is trained in a process of its own, as a user would. LightGBM gets
the very training rows of the run, text columns as categories, times as numbers, default parameters; both are scored on
the run's test rows. Columns that the catalogue marks as leaks or ids are left out for both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIX = ("credit_data", "online_shoppers", "penguins", "keystroke", "diamonds", "bike_sharing")
"""Two tables of each task, small to middling; two of them timed."""
DEFAULT_DATA = Path(os.environ.get("ARTIFICER_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def entry(data: Path, name: str) -> dict[str, Any]:
    catalogue = json.loads((data / "catalogue.json").read_text())
    return next(found for found in catalogue["datasets"] if found["name"] == name)


def train_one(data: Path, name: str, budget: str, seed: int) -> dict[str, Any]:
    """Train on one table, compare, and return a row of the result."""
    import polars as pl

    import artificer
    from artificer.api import threads
    from artificer.metrics.base import metric
    from artificer.tables.prepare import prepare

    found = entry(data, name)
    drop = [*found.get("leak_columns", ()), *found.get("id_columns", ())]
    frame = pl.read_parquet(data / found["file"]).drop(drop)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = artificer.train(
            frame, target=found["target"], budget=budget, time=found.get("time_column"), seed=seed, folder=folder
        )
        wall = time.perf_counter() - started
        test = pl.read_parquet(Path(folder) / "test.parquet")
        document = run.document
        prepared = prepare(frame, target=found["target"], time=found.get("time_column"))
        train_rows, test_rows = same_split(prepared, seed)
        assert prepared.frame[test_rows].equals(test), "the split was not repeated"
        contract = run.model.bundle.contract
        positive = contract.classes.index(contract.positive) if contract.positive in contract.classes else 1
        measure = metric(document["metric"], positive)
        plain, plain_seconds = lightgbm_scores(prepared, train_rows, test_rows, threads(), seed)
        y = prepared.y[test_rows]
        return {
            "table": name,
            "task": document["task"],
            "rows": document["rows"],
            "metric": document["metric"],
            "greater_is_better": document["greater_is_better"],
            "artificer": document["score"],
            "interval": document["interval"],
            "constant": document["baseline_score"],
            "lightgbm": measure.score(y, plain),
            "lightgbm_seconds": round(plain_seconds, 2),
            "expected": document["ensemble_score"],
            "gate": document["gate"],
            "members": {row["name"]: round(row["weight"], 3) for row in document["leaderboard"] if row["weight"]},
            "measured": document["measured"],
            "wall_seconds": round(wall, 2),
            "notes": document["notes"],
        }


def same_split(prepared: Any, seed: int) -> Any:
    from artificer.clock import derive_seed
    from artificer.splits.split import holdout

    return holdout(
        len(prepared.y),
        prepared.contract.task,
        prepared.y,
        0.2,
        derive_seed(seed, "holdout"),
        groups=prepared.groups,
        times=prepared.times,
    )


def lightgbm_scores(prepared: Any, train_rows: Any, test_rows: Any, threads: int, seed: int) -> Any:
    import lightgbm
    import polars as pl

    frame = prepared.frame.drop(prepared.contract.target)
    columns = []
    for series in frame:
        if series.dtype == pl.String or series.dtype == pl.Categorical:
            columns.append(series.cast(pl.Categorical))
        elif series.dtype.is_temporal():
            columns.append(series.cast(pl.Datetime("us")).cast(pl.Int64))
        else:
            columns.append(series)
    table = pl.DataFrame(columns).to_pandas()
    is_regression = prepared.contract.task == "regression"
    kind = lightgbm.LGBMRegressor if is_regression else lightgbm.LGBMClassifier
    started = time.perf_counter()
    model = kind(n_jobs=threads, random_state=seed, verbose=-1).fit(table.iloc[train_rows], prepared.y[train_rows])
    seconds = time.perf_counter() - started
    test = table.iloc[test_rows]
    return (model.predict(test)[:, None] if is_regression else model.predict_proba(test)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--tables", nargs="*", default=list(SIX))
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train_tables.json")
    parser.add_argument("--one", help="train this table in this process and print its row (used by the script itself)")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(train_one(given.data, given.one, given.budget, given.seed), default=str))
        return
    rows = []
    for name in given.tables:
        command = [sys.executable, __file__, "--data", given.data, "--budget", given.budget, "--seed", str(given.seed)]
        found = subprocess.run([*map(str, command), "--one", name], capture_output=True, text=True, check=False)
        if found.returncode:
            print(f"{name}: failed\n{found.stderr[-2000:]}", file=sys.stderr)
            continue
        rows.append(json.loads(found.stdout.splitlines()[-1]))
        print(line(rows[-1]), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    result = {"budget": given.budget, "seed": given.seed, "machine": machine(), "rows": rows}
    given.out.write_text(json.dumps(result, indent=1) + "\n")


def line(row: dict[str, Any]) -> str:
    better = (row["artificer"] > row["lightgbm"]) == row["greater_is_better"]
    low, high = row["interval"]
    return (
        f"{row['table']:16} {row['metric']:8} artificer {row['artificer']:.4f} [{low:.4f}, {high:.4f}] "
        f"lightgbm {row['lightgbm']:.4f} constant {row['constant']:.4f} "
        f"{'better' if better else 'not better'} than LightGBM, {row['wall_seconds']} s, gate {row['gate']}"
    )


def machine() -> dict[str, Any]:
    import importlib.metadata as metadata

    names = ("artificer", "lightgbm", "catboost", "xgboost-cpu", "scikit-learn", "onnxruntime", "numpy")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    main()
