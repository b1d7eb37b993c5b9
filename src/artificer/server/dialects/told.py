"""What was told, in the forms that several dialects share: as columns, named as ``artificer predict`` writes them."""

from __future__ import annotations

import json
from typing import Any

from artificer.serving.guards import TOLD
from artificer.serving.predictor import Answer, Predictor


def columns_of(predictor: Predictor, answer: Answer) -> dict[str, list[Any]]:
    """The id and the prediction of every row, its probabilities or quantiles, and what guards did about it.

    Guards have a column, JSON where a row was caught and empty elsewhere, only if clients are to be told of any.
    """
    entries, target = answer.entries, predictor.bundle.contract.target
    found = {"id": [e.id for e in entries], "prediction": [e.prediction for e in entries]}
    names = [f"probability_{name}" for name in answer.classes] or [f"{target}_q{level}" for level in answer.levels]
    for j, name in enumerate(names):
        found[name] = [e.scores[j] for e in entries]
    guards = guards_of(answer)
    if guards:
        found["guards"] = [json.dumps(of) if of else None for of in guards]
    return found


def guards_of(answer: Answer) -> list[list[dict[str, str]]]:
    """What clients are told of guards, for each row; empty where there is nothing to tell of any."""
    told: list[list[dict[str, str]]] = [[] for _ in answer.entries] if answer.hits else []
    for row, of in answer.hits.items():
        told[row] = [{"guard": hit.guard, "action": hit.action, "why": hit.why} for hit in of if hit.action in TOLD]
    return told if any(told) else []
