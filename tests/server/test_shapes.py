"""Every route's shape, over the wire."""

from __future__ import annotations

import re
from typing import Any

import pytest

from artificer.journal.reader import labelled, predictions

ROW = {"age": 40, "city": "Rome", "member": True, "seen": "2026-01-01T00:00:00Z"}


def test_predictions_of_classes(served: Any) -> None:
    answer = served.predict(ROW, {**ROW, "age": 41})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert set(document) == {"model", "predictions"}
    assert document["model"] == {"name": "shop", "version": 3}
    for prediction in document["predictions"]:
        assert set(prediction) == {"id", "prediction", "probabilities"}
        assert prediction["prediction"] == 0
        assert prediction["probabilities"] == pytest.approx({"0": 0.75, "1": 0.25})
    kept = {entry.id: entry for entry in predictions(served.journal)}
    first, second = (prediction["id"] for prediction in document["predictions"])
    assert kept[first].row == ROW
    assert kept[second].row["age"] == 41
    assert kept[first].version == "3"


def test_predictions_of_values(regression: Any) -> None:
    document = regression.predict(ROW).json()
    assert [set(p) for p in document["predictions"]] == [{"id", "prediction"}]
    assert document["predictions"][0]["prediction"] == 43.0


def test_intervals_and_sets_when_asked(served: Any, regression: Any) -> None:
    found = regression.client.post("/v1/predict", json={"rows": [ROW, {**ROW, "age": 60}], "coverage": 0.9}).json()
    assert found["coverage"] == 0.9
    assert [p["interval"] for p in found["predictions"]] == [[40.0, 46.0], [59.0, 67.0]]
    assert set(found) == {"model", "predictions", "coverage"}
    found = served.client.post("/v1/predict", json={"rows": [ROW], "coverage": 0.9}).json()
    assert found["predictions"][0]["set"] == [0, 1]
    assert found["predictions"][0]["probabilities"] == pytest.approx({"0": 0.75, "1": 0.25})
    found = served.client.post("/v1/predict", json={"rows": [ROW], "coverage": 0.95}).json()
    assert "too few to promise 0.95" in found["warnings"][0]
    assert "coverage" not in served.client.post("/v1/predict", json={"rows": [ROW], "coverage": None}).json()


def test_no_rows_no_predictions(served: Any) -> None:
    answer = served.predict()
    assert (answer.status_code, answer.json()["predictions"]) == (200, [])


def test_ignored_columns_are_named(served: Any) -> None:
    document = served.predict({**ROW, "shoe": 1, "code": "known and unused"}).json()
    assert document["warnings"] == ['column "shoe" is not part of the model and was ignored']


def test_many_rows_keep_their_order(regression: Any) -> None:
    ages = [(i * 7919) % 5000 for i in range(5000)]
    document = regression.predict(*[{**ROW, "age": age} for age in ages]).json()
    assert [p["prediction"] for p in document["predictions"]] == [age + 3 for age in ages]
    kept = {entry.id: entry.row["age"] for entry in predictions(regression.journal)}
    assert [kept[p["id"]] for p in document["predictions"]] == ages


def test_outcomes_are_joined_with_their_predictions(served: Any) -> None:
    name = served.predict(ROW).json()["predictions"][0]["id"]
    body = {"outcomes": [{"id": name, "value": "1"}, {"id": "somebody else's", "value": 0}]}
    answer = served.client.post("/v1/outcomes", json=body)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
    assert [o.value for p, o in labelled(served.journal) if p.id == name] == [1]
    assert served.client.post("/v1/outcomes", json={"outcomes": []}).json() == {"accepted": 0}


def test_an_outcome_the_target_cannot_have(served: Any) -> None:
    body = {"outcomes": [{"id": "a", "value": 1}, {"id": "b", "value": "perhaps"}]}
    answer = served.client.post("/v1/outcomes", json=body)
    assert answer.status_code == 422
    document = answer.json()
    assert document["violations"] == [
        {"row": 1, "column": "value", "value": "perhaps", "rule": "must be a class of the target bought"}
    ]


def test_a_broken_contract_names_row_column_value_and_rule(served: Any) -> None:
    answer = served.predict(ROW, {**ROW, "age": "old"}, {**ROW, "age": None})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == "urn:artificer:problem:contract"
    assert (document["status"], document["instance"]) == (422, "/v1/predict")
    assert document["title"]
    assert 'row 1, column "age"' in document["detail"]
    assert document["violations"] == [
        {"row": 1, "column": "age", "value": "old", "rule": "must be a number"},
        {"row": 2, "column": "age", "value": None, "rule": "may not be missing"},
    ]


def test_the_card_of_the_model(served: Any) -> None:
    card = served.client.get("/v1/model").json()
    assert (card["name"], card["version"], card["target"], card["task"]) == ("shop", 3, "bought", "binary")
    assert card["classes"] == ["0", "1"]
    assert [column["name"] for column in card["columns"]] == ["age", "city", "member", "seen", "code"]
    assert card["columns"][0]["required"] is True
    assert card["metrics"]["roc_auc"] == 0.9


def test_the_documentation_describes_every_route_and_its_example_works(served: Any) -> None:
    document = served.client.get("/openapi.json").json()
    assert set(document["paths"]) >= {
        "/v1/predict", "/v1/outcomes", "/v1/model", "/health/live", "/health/ready", "/metrics"
    }  # fmt: skip
    schemas = document["components"]["schemas"]
    assert schemas["Row"]["required"] == ["age"]
    assert set(schemas["Row"]["properties"]) == {"age", "city", "member", "seen"}
    assert schemas["Outcome"]["properties"]["value"]["enum"] == [0, 1]
    for path in ("/v1/predict", "/v1/outcomes"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert served.client.post(path, json=content["example"]).status_code == 200
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(schemas)
    page = served.client.get("/docs").text
    assert "POST /v1/predict" in page
    assert "http://" not in page.replace(served.url, "")
    assert "https://" not in page


def test_health_and_status(served: Any) -> None:
    assert served.client.get("/health/live").json() == {"status": "live"}
    ready = served.client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "model": {"name": "shop", "version": 3}, "problems": []}
    page = served.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "shop, version 3" in page.text
    head = served.client.head("/health/live")
    assert (head.status_code, head.content) == (200, b"")
    assert served.client.head("/v1/model").status_code == 200


def test_metrics_count_what_happened(served: Any) -> None:
    def counts() -> dict[str, float]:
        lines = served.client.get("/metrics").text.splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    before = counts()
    served.predict(ROW, {**ROW, "city": "Atlantis"})
    served.predict({**ROW, "age": "old"})
    served.client.get("/nowhere")
    after = counts()

    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    assert grown('artificer_requests_total{route="/v1/predict",status="200"}') == 1
    assert grown('artificer_requests_total{route="/v1/predict",status="422"}') == 1
    assert grown('artificer_requests_total{route="other",status="404"}') == 1
    assert grown('artificer_request_seconds_count{route="/v1/predict"}') == 2
    assert grown('artificer_rows_total{version="3"}') == 2
    assert grown("artificer_unseen_categories_total") == 1
    assert grown('artificer_contract_violations_total{rule="must be a number"}') == 1
    assert grown("artificer_journal_entries_total") == 2
    assert after["artificer_ready"] == 1
    assert after["artificer_journal_waiting"] == 0
    assert after['artificer_model_info{name="shop",version="3"}'] == 1
