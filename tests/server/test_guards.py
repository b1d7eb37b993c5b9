"""Guards over the wire: flags in the answer, refusals as problems, counts among the metrics."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

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


def test_every_protocol_marks_a_prediction_that_a_guard_replaced(
    serve: Callable[..., Any], promote: Callable[..., Path]
) -> None:
    promote(1)
    plan = {"out_of_contract": "override", "far_outside": "log", "low_confidence": "log", "default": 1}
    running = serve("--guards", json.dumps(plan))
    rows = [ROW, {**ROW, "member": "perhaps"}]
    why = {"guard": "out_of_contract", "action": "override", "why": '"member" must be true or false'}

    def invoked(*of: Any) -> Any:
        return running.post(json.dumps({"dataframe_records": of}).encode(), "/invocations").json()

    assert invoked(*rows)["guards"] == [[], [why]]
    assert invoked(*rows)["predictions"] == [0, 1]
    assert "guards" not in invoked(ROW)

    def csv(*members: str) -> Any:
        body = "age,city,member,seen\n" + "".join(f"40,Rome,{member},\n" for member in members)
        return pl.read_csv(running.post(body.encode(), content_type="text/csv").content)

    told = csv("true", "perhaps")["guards"].to_list()
    assert told[0] is None
    assert json.loads(told[1]) == [why]
    assert "guards" not in csv("true").columns

    def arrow(*members: str) -> Any:
        body = io.BytesIO()
        table = {"age": 40.0, "city": "Rome", "member": list(members), "seen": None}
        pl.DataFrame(table, schema_overrides={"seen": pl.String}).write_ipc_stream(body)
        return pl.read_ipc_stream(
            running.post(body.getvalue(), content_type="application/vnd.apache.arrow.stream").content
        )

    told = arrow("perhaps", "perhaps")["guards"].to_list()
    assert [json.loads(text) for text in told] == [[why], [why]]

    def inferred(*members: Any) -> Any:
        cells = {"age": ("FP64", 40.0), "city": ("BYTES", "Rome"), "seen": ("BYTES", None)}
        inputs = [
            {"name": name, "shape": [len(members)], "datatype": kind, "data": [cell] * len(members)}
            for name, (kind, cell) in cells.items()
        ]
        member = {"name": "member", "shape": [len(members)], "datatype": "BYTES", "data": list(members)}
        document = {"inputs": [*inputs, member]}
        return running.post(json.dumps(document).encode(), "/v2/models/shop/infer").json()

    assert json.loads(inferred(True, "perhaps")["parameters"]["guards"]) == [[], [why]]
    assert "parameters" not in inferred(True)
