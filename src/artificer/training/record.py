"""The record of a training run: what the command line prints, the report shows, the registry keeps."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl

SCHEMA = "artificer.train/1"


@dataclass(frozen=True, slots=True)
class Rows:
    """Where every row went: ``read + rejected`` is what the source held.

    Attributes
    ----------
    read : rows that could be parsed.
    used : rows with a target; train + test + left_out.
    rejected : lines that could not be parsed; they lie in the rejects file.
    target_missing : rows without a target, dropped.
    left_out : rows that stand between training and test: within the gap before it, or of entities on the other side.
    """

    read: int
    used: int
    rejected: int
    target_missing: int
    train: int
    test: int
    left_out: int = 0

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One finished training run. ``bundle`` is the path of the bundle file it wrote.

    Attributes
    ----------
    score, interval : on the test rows, in the metric's own direction; the interval is at 95 %.
    gate : "PASS", "FAIL" or "UNDECIDABLE" over all requirements.
    stages : seconds of each stage, in order.
    split : how rows were split, with the evidence, and what a random split would have promised.
    """

    id: str
    name: str
    created: str
    task: str
    target: str
    positive: str | None
    metric: str
    greater_is_better: bool
    score: float
    interval: tuple[float, float]
    baseline_score: float
    gate: str
    gate_reason: str
    requirements: tuple[Json, ...]
    rows: Rows
    leaderboard: Json
    evaluation: Json
    importance: tuple[Json, ...]
    columns: tuple[Json, ...]
    findings: tuple[Json, ...]
    notes: tuple[str, ...]
    measured: Json
    lineage: Json
    recipe: Json
    budget: str
    seconds: float
    stages: tuple[tuple[str, float], ...]
    bundle: Path
    sha256: str
    rejects: Path | None = None
    split: Json = field(default_factory=dict)
    extra: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        """The documented document of ``train --json``; `extra` holds what the registry and the report added."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "name": self.name,
            "created": self.created,
            "task": self.task,
            "target": self.target,
            "positive": self.positive,
            "metric": self.metric,
            "greater_is_better": self.greater_is_better,
            "score": self.score,
            "interval": list(self.interval),
            "baseline_score": self.baseline_score,
            "gate": self.gate,
            "gate_reason": self.gate_reason,
            "requirements": list(self.requirements),
            "version": None,
            "promoted": False,
            "seconds": self.seconds,
            "budget": self.budget,
            "bundle": str(self.bundle),
            "sha256": self.sha256,
            "rows": self.rows.to_json(),
            "split": self.split,
            "rejects": str(self.rejects) if self.rejects else None,
            "leaderboard": [_pair_interval(row) for row in self.leaderboard["rows"]],
            "ensemble_score": self.leaderboard["score"],
            "ensemble_interval": _pair_interval(self.leaderboard)["interval"],
            "options": self.leaderboard["options"],
            "evaluation": self.evaluation,
            "importance": list(self.importance),
            "columns": list(self.columns),
            "findings": list(self.findings),
            "notes": list(self.notes),
            "measured": self.measured,
            "lineage": self.lineage,
            "stages": [{"name": name, "seconds": round(seconds, 3)} for name, seconds in self.stages],
            **self.extra,
        }


def _pair_interval(row: Json) -> Json:
    """A leaderboard row with its interval as everywhere in the document: [low, high]."""
    interval = row["interval"]
    return {**row, "interval": [interval["low"], interval["high"]] if isinstance(interval, dict) else interval}


def keep_test_rows(rows: pl.DataFrame, path: Path) -> None:
    """Write the test rows as Parquet, whole or not at all."""
    from artificer.bundle.files import write_atomically

    data = io.BytesIO()
    rows.write_parquet(data)
    write_atomically(path, data.getvalue(), "the test rows")


def save_record(run: TrainingRun, folder: Path) -> Path:
    """Write the run's document beside its bundle."""
    from artificer.bundle.files import write_atomically

    path = folder / "run.json"
    write_atomically(path, json.dumps(run.to_json(), ensure_ascii=False, default=str).encode(), "the run's record")
    return path
