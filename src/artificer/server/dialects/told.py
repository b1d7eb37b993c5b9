"""What was told, as columns: for formats that are tables. The names are those that ``artificer predict`` writes."""

from __future__ import annotations

from typing import Any

from artificer.serving.predictor import Answer, Predictor


def columns_of(predictor: Predictor, answer: Answer) -> dict[str, list[Any]]:
    """The id and the prediction of every row, and its probabilities or quantiles."""
    entries, target = answer.entries, predictor.bundle.contract.target
    found = {"id": [e.id for e in entries], "prediction": [e.prediction for e in entries]}
    names = [f"probability_{name}" for name in answer.classes] or [f"{target}_q{level}" for level in answer.levels]
    for j, name in enumerate(names):
        found[name] = [e.scores[j] for e in entries]
    return found
