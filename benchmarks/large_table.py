"""One million rows of 28 numbers: train within ten minutes, and compare with a tuned LightGBM on the same test rows.

    python benchmarks/large_table.py --rows 1000000 --budget 10m --out benchmarks/results/large_table.json

The table is generated, in the manner of particle-collision data: 21 measured quantities, many without a signal of their
own, and seven derived from them. LightGBM is tuned by trying a few settings of leaves and learning rate with early
stopping on a tenth of the training rows; it gets no time limit. Memory is the whole process tree's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
TEST_ROWS = 200_000
TUNED = (
    {"num_leaves": 15, "learning_rate": 0.1},
    {"num_leaves": 31, "learning_rate": 0.05},
    {"num_leaves": 63, "learning_rate": 0.05},
    {"num_leaves": 127, "learning_rate": 0.05},
    {"num_leaves": 255, "learning_rate": 0.05, "min_child_samples": 100},
)
MOST_ROUNDS = 1500


def table(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (rows, 28) float32 and labels (rows,)."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(rows, 21))
    energy = np.exp(0.5 * Z[:, :7])
    masses = [np.sqrt(np.abs(energy[:, i] * energy[:, (i + 1) % 7] * (1 - np.cos(Z[:, 7 + i])))) for i in range(7)]
    M = np.column_stack(masses)
    logit = 1.2 * np.log1p(M[:, 0] * M[:, 1]) - 0.8 * M[:, 2] + np.sin(2 * M[:, 3]) * M[:, 4] / 2
    logit += 0.5 * Z[:, 14] * Z[:, 15] - 0.4 * np.abs(Z[:, 16]) + 0.3 * np.tanh(Z[:, 17] * energy[:, 5])
    y = (rng.random(rows) < 1 / (1 + np.exp(-(logit - np.median(logit))))).astype(np.int64)
    X = np.column_stack([energy, Z[:, 7:], M + 0.1 * rng.normal(size=M.shape)]).astype(np.float32)
    return X, y


class Peak(threading.Thread):
    """Highest resident memory in MiB of this process and its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mib = 0.0
        self.start()

    def run(self) -> None:
        import psutil

        while True:
            total = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            self.mib = max(self.mib, total / 2**20)
            time.sleep(0.2)


def tuned(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Probabilities of the tuned LightGBM for the test rows, and how it got there."""
    import lightgbm

    cut = len(y) * 9 // 10
    data = lightgbm.Dataset(X[:cut], y[:cut])
    valid = lightgbm.Dataset(X[cut:], y[cut:], reference=data)
    best: tuple[float, Any, Any] = (-1.0, None, None)
    started = time.perf_counter()
    for settings in TUNED:
        params = {**settings, "objective": "binary", "metric": "auc", "seed": seed, "verbosity": -1}
        stop = lightgbm.early_stopping(30, verbose=False)
        booster = lightgbm.train(params, data, MOST_ROUNDS, valid_sets=[valid], callbacks=[stop])
        score = booster.best_score["valid_0"]["auc"]
        if score > best[0]:
            best = (score, booster, settings)
    seconds = time.perf_counter() - started
    found = {"settings": best[2], "rounds": best[1].best_iteration, "seconds": round(seconds, 1)}
    return best[1].predict(X_test), found


def ours(rows: int, budget: str, seed: int) -> dict[str, Any]:
    """Train in a process of its own, so that memory is Artificer's alone."""
    from sklearn.metrics import roc_auc_score

    import artificer

    X, y = table(rows + TEST_ROWS, seed)
    peak = Peak()
    started = time.perf_counter()
    model = artificer.Classifier(budget, random_state=seed).fit(X[:rows], y[:rows])
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    auc = roc_auc_score(y[rows:], model.predict_proba(X[rows:])[:, 1])
    return {
        "roc_auc": auc,
        "fit_seconds": round(seconds, 1),
        "rows_per_second": round(TEST_ROWS / (time.perf_counter() - started)),
        "peak_mib": round(peak.mib),
        "expected": model.validation_score_,
        "members": {row["name"]: round(row["weight"], 3) for row in model.leaderboard_ if row["weight"]},
        "notes": model.notes_,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "large_table.json")
    parser.add_argument("--only-ours", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only_ours:
        print(json.dumps(ours(asked.rows, asked.budget, asked.seed)))
        return 0
    command = [sys.executable, __file__, "--only-ours", "--rows", str(asked.rows), "--budget", asked.budget]
    done = subprocess.run([*command, "--seed", str(asked.seed)], capture_output=True, text=True, check=True)
    result: dict[str, Any] = {"artificer": json.loads(done.stdout.splitlines()[-1])}
    from sklearn.metrics import roc_auc_score

    X, y = table(asked.rows + TEST_ROWS, asked.seed)
    scores, found = tuned(X[: asked.rows], y[: asked.rows], X[asked.rows :], asked.seed)
    result["lightgbm"] = {"roc_auc": roc_auc_score(y[asked.rows :], scores), **found}
    result["difference"] = result["artificer"]["roc_auc"] - result["lightgbm"]["roc_auc"]
    result |= {"rows": asked.rows, "columns": 28, "budget": asked.budget, "seed": asked.seed}
    result["machine"] = {"cores": os.cpu_count(), "python": platform.python_version()}
    result["date"] = time.strftime("%Y-%m-%d")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
