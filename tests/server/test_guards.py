"""Guards over the wire: flags in the answer, refusals as problems, counts among the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROW = {"age": 40, "city": "Rome", "member": True, "seen": None}


def test_flags_refusals_and_counts(serve: Callable[..., Any], promote: Callable[..., Path]) -> None:
    promote(1)
    plan = {"out_of_contract": "flag", "low_confidence": "refuse", "confidence": 0.5}
    running = serve("--guards", json.dumps(plan))
    document = running.predict(ROW, {**ROW, "member": "perhaps"}).json()
    assert "guards" not in document["predictions"][0]
    (told,) = document["predictions"][1]["guards"]
    assert (told["guard"], told["action"]) == ("out_of_contract", "flag")
    assert '"member" must be true or false' in told["why"]
    metrics = running.client.get("/metrics").text
    assert 'artificer_guarded_rows_total{action="flag",guard="out_of_contract"} 1.0' in metrics


def test_low_confidence_is_refused_where_wanted(serve: Callable[..., Any], promote: Callable[..., Path]) -> None:
    promote(1)
    running = serve("--guards", json.dumps({"low_confidence": "refuse", "confidence": 0.9}))
    answer = running.predict(ROW)
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["rule"].startswith("is refused by a guard")
