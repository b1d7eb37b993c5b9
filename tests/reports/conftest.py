"""Run documents of the three tasks: what training writes, small and always the same."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from artificer.evaluation.conformal import fit_conformal
from artificer.evaluation.evaluate import evaluate
from artificer.metrics.base import metric
from artificer.types import Task

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})


class Page(HTMLParser):
    """An HTML file taken apart: elements, texts and unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> says an attribute twice: {names}")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes another element")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that is read, on one line."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def page() -> Callable[[str], Page]:
    return Page


def _evaluation(task: Task) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    n = 300
    if task is Task.REGRESSION:
        y = rng.normal(100, 20, n)
        names = ("rmse", "mae", "r2")
        scores, baseline, classes = (y + rng.normal(0, 5, n))[:, None], np.array([100.0]), ()
    else:
        c = 2 if task is Task.BINARY else 3
        y = np.arange(n) % c
        scores = rng.dirichlet(np.ones(c), n) + 1.5 * np.eye(c)[y]
        scores /= scores.sum(axis=1, keepdims=True)
        baseline, classes = np.full(c, 1 / c), ("bad", "fair", "good")[:c]
        names = ("roc_auc", "log_loss", "accuracy") if c == 2 else ("log_loss", "accuracy", "f1_macro")
    found = evaluate(
        y,
        scores,
        [metric(name) for name in names],
        task,
        baseline=baseline,
        classes=classes,
        conformal=fit_conformal(y, scores, task),
    )
    return found.to_json()


def _candidate(
    name: str, score: float | None, chance: float, weight: float, status: str = "finished"
) -> dict[str, Any]:
    return {
        "name": name,
        "algorithm": name.partition("-")[0],
        "params": {"learning_rate": 0.08, "num_leaves": 8} if "-" in name else {},
        "score": score,
        "interval": None if score is None else {"low": score - 0.02, "high": score + 0.02},
        "success_probability": chance,
        "weight": weight,
        "fit_seconds": 0.25,
        "folds": 0 if score is None else 5,
        "status": status,
        "reason": "" if status == "finished" else "no budget was left for it",
    }


def _document(task: Task) -> dict[str, Any]:
    evaluation = _evaluation(task)
    primary = evaluation["metrics"][0]
    sentence = f"{primary['name']} beats the constant baseline on 300 test rows."
    return {
        "schema": "artificer.train/1",
        "id": "20260102T030405000000-0001",
        "name": "loans",
        "created": "2026-01-02T03:04:05+00:00",
        "task": task.value,
        "target": "status",
        "positive": "good" if task is Task.BINARY else None,
        "metric": primary["name"],
        "greater_is_better": primary["greater_is_better"],
        "score": 0.84293,
        "interval": [0.81381, 0.86823],
        "baseline_score": 0.5,
        "gate": "PASS",
        "gate_reason": sentence,
        "requirements": [
            {
                "name": "beats_baseline",
                "op": ">",
                "bound": 0.0,
                "verdict": "PASS",
                "rows_needed": None,
                "reason": sentence,
            }
            | {"sentence": sentence}
        ],
        "version": None,
        "promoted": False,
        "seconds": 19.8,
        "budget": "20s",
        "bundle": "runs/1/model.artificer",
        "sha256": "ab" * 32,
        "rows": {"read": 1510, "used": 1500, "rejected": 4, "target_missing": 10, "train": 1200, "test": 300},
        "rejects": "runs/1/rejects.jsonl",
        "leaderboard": [
            _candidate("lightgbm-2", 0.85, 0.62, 0.7),
            _candidate("logistic", 0.84, 0.3, 0.3),
            _candidate("constant", 0.5, 0.0, 0.0),
            _candidate("catboost", None, 0.08, 0.0, "skipped"),
        ],
        "ensemble_score": 0.8519,
        "options": [
            {"members": ["catboost"], "models": 1, "score": 0.85, "row_us": 41.2, "mb": 0.4, "chosen": False},
            {"members": ["catboost"], "models": 5, "score": 0.85, "row_us": 141.4, "mb": 2.1, "chosen": True},
        ],
        "evaluation": evaluation,
        "importance": [
            {"column": "age", "kind": "numbers", "value": 0.02, "low": 0.01, "high": 0.03, "repeats": 5},
            {"column": "income", "kind": "numbers", "value": 0.051, "low": 0.03, "high": 0.071, "repeats": 5},
            {"column": "home", "kind": "strings", "value": 0.0, "low": -0.001, "high": 0.001, "repeats": 5},
        ],
        "columns": [
            {"name": "number", "role": "id", "reason": "numbers the rows", "dtype": "Int64"},
            {"name": "age", "role": "numeric", "reason": "holds numbers", "dtype": "Int64"},
            {"name": "income", "role": "numeric", "reason": "holds numbers", "dtype": "Float64"},
            {"name": "home", "role": "categorical", "reason": "6 different values", "dtype": "String"},
            {"name": "status", "role": "target", "reason": "the target", "dtype": "String"},
        ],
        "findings": [
            {"rule": "missing", "column": "income", "count": 150, "share": 0.1, "examples": [], "severity": "info"}
            | {"evidence": "10 % of the cells are empty.", "mend": "", "applied": False},
            {"rule": "duplicate_rows", "column": None, "count": 12, "share": 0.008, "examples": ["3", "9"]}
            | {
                "severity": "error",
                "evidence": "12 rows repeat another.",
                "mend": "Keep one of each.",
                "applied": True,
            },
        ],
        "notes": ["catboost was passed over"],
        "measured": {
            "model_mb": 0.054,
            "rows_timed": 200,
            "latency_p50_ms": 0.0463,
            "latency_p99_ms": 1.4,
            "rows_per_s": 724184,
        },
        "lineage": {
            "cause": "request",
            "data": {"source": "loans.csv", "fingerprint": "sha256:cd", "rows": 1510},
            "libraries": {"numpy": "2.4.6"},
        },
        "stages": [{"name": "read", "seconds": 0.827}, {"name": "search", "seconds": 16.95}],
    }


_MADE: dict[Task, dict[str, Any]] = {}


@pytest.fixture
def document() -> Callable[[str], dict[str, Any]]:
    """A fresh copy of a run's document for a task, as JSON would give it back."""
    import json

    def make(task: str) -> dict[str, Any]:
        known = _MADE.setdefault(Task(task), _document(Task(task)))
        copy: dict[str, Any] = json.loads(json.dumps(known))
        return copy

    return make
