"""The protocols of others over the wire: each says of a row what /v1/predict says, and keeps it in the journal."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.journal.reader import predictions

ROWS = [
    {"age": 40, "city": "Rome", "member": True, "seen": "2026-01-01T00:00:00Z"},
    {"age": 7.5, "city": 'a "quoted", one', "member": False, "seen": None},
    {"age": 99, "city": None, "member": None, "seen": "1999-12-31T23:59:59Z"},
]
NAMES = list(ROWS[0])
VALUES = [43.0, 10.5, 102.0]
"""What the regression of the tests, age + 3, says of them."""


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in NAMES}


def post(service: Any, path: str, document: Any) -> Any:
    answer = service.post(json.dumps(document).encode(), path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(service: Any, ids: list[str]) -> list[Any]:
    found = {entry.id: entry for entry in predictions(service.journal)}
    return [found[name].prediction for name in ids]


INVOCATIONS = {
    "dataframe_split": {"columns": NAMES, "data": [list(row.values()) for row in ROWS], "index": [5, 6, 7]},
    "dataframe_records": ROWS,
    "instances": ROWS,
    "inputs": columns(),
}


@pytest.mark.parametrize("table", INVOCATIONS)
def test_invocations_take_every_table(table: str, regression: Any) -> None:
    document = post(regression, "/invocations", {table: INVOCATIONS[table]})
    assert document["predictions"] == VALUES
    assert kept(regression, document["ids"]) == VALUES


def test_invocations_without_names_are_the_models_columns_in_their_order(regression: Any) -> None:
    cells = [list(row.values()) for row in ROWS]
    assert post(regression, "/invocations", {"instances": cells})["predictions"] == VALUES
    assert post(regression, "/invocations", {"inputs": cells})["predictions"] == VALUES


def test_invocations_give_probabilities_and_what_is_promised_when_asked(served: Any) -> None:
    asked = {"dataframe_records": ROWS, "params": {"predict_method": "predict_proba", "coverage": 0.9}}
    document = post(served, "/invocations", asked)
    np.testing.assert_allclose(document["predictions"], [[0.75, 0.25]] * 3)
    assert document["sets"] == [[0, 1]] * 3
    assert post(served, "/invocations", {"dataframe_records": ROWS})["predictions"] == [0, 0, 0]


CSV = (
    'age,city,member,seen\n40,Rome,True,2026-01-01T00:00:00Z\n7.5,"a ""quoted"", one",false,\n'
    "99,,,1999-12-31T23:59:59Z\n"
)


def test_csv_is_answered_by_csv_and_by_json_where_mlflow_does(regression: Any, served: Any) -> None:
    answer = regression.post(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(), content_type="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    table = pl.read_csv(io.BytesIO(answer.content))
    assert table.columns == ["id", "prediction"]
    assert table["prediction"].to_list() == VALUES
    assert kept(regression, table["id"].to_list()) == VALUES
    assert regression.post(CSV.encode(), "/invocations", "text/csv").json()["predictions"] == VALUES
    classes = pl.read_csv(io.BytesIO(served.post(CSV.encode(), content_type="text/csv; charset=utf-8").content))
    assert classes.columns == ["id", "prediction", "probability_0", "probability_1"]
    assert classes["probability_0"].to_list() == pytest.approx([0.75] * 3)


def test_arrow_is_answered_by_arrow(regression: Any) -> None:
    frame = pl.DataFrame(ROWS, schema_overrides={"age": pl.Float64}).with_columns(
        pl.col("seen").str.to_datetime(time_zone="UTC"), pl.col("city").cast(pl.Categorical)
    )
    body = io.BytesIO()
    frame.write_ipc_stream(body)
    answer = regression.post(body.getvalue(), content_type="application/vnd.apache.arrow.stream")
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pl.read_ipc_stream(answer.content)
    assert table["prediction"].to_list() == VALUES
    ids = table["id"].to_list()
    found = {entry.id: entry for entry in predictions(regression.journal)}
    assert found[ids[0]].row["city"] == "Rome"
    assert found[ids[0]].row["seen"].startswith("2026-01-01T00:00:00")


def tensor(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "shape": [3], "datatype": datatype, "data": [row[name] for row in ROWS]}


TENSORS = [tensor("age", "FP64"), tensor("city", "BYTES"), tensor("member", "BOOL"), tensor("seen", "BYTES")]


def test_inference_takes_columns_or_one_matrix(regression: Any) -> None:
    path = "/v2/models/shop/infer"
    document = post(regression, path, {"id": "mine", "inputs": TENSORS})
    assert (document["model_name"], document["model_version"], document["id"]) == ("shop", "3", "mine")
    outputs = {output["name"]: output for output in document["outputs"]}
    assert outputs["prediction"] == {"name": "prediction", "shape": [3], "datatype": "FP64", "data": VALUES}
    assert kept(regression, outputs["id"]["data"]) == VALUES
    cells = [cell for row in ROWS for cell in row.values()]
    matrix = {"name": "input-0", "shape": [3, 4], "datatype": "BYTES", "data": cells}
    only = [{"name": "prediction"}]
    flat = post(regression, "/v2/models/shop/versions/3/infer", {"inputs": [matrix], "outputs": only})
    assert [output["data"] for output in flat["outputs"]] == [VALUES]
    nested = {**matrix, "data": [list(row.values()) for row in ROWS]}
    assert post(regression, path, {"inputs": [nested], "outputs": only})["outputs"] == flat["outputs"]


def test_inference_describes_the_model(served: Any) -> None:
    about = served.client.get("/v2/models/shop").json()
    assert about["versions"] == ["3"]
    assert {i["name"]: i["datatype"] for i in about["inputs"]} == {
        "age": "FP64",
        "city": "BYTES",
        "member": "BYTES",
        "seen": "BYTES",
    }
    assert {o["name"]: o["shape"] for o in about["outputs"]} == {
        "prediction": [-1],
        "id": [-1],
        "probabilities": [-1, 2],
    }
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/shop/ready", "/v2/models/shop/versions/3"):
        assert served.client.get(path).status_code == 200, path
    for path in ("/v2/models/other", "/v2/models/shop/versions/4", "/v2/models/shop/versions/4/ready", "/v2/nothing"):
        answer = served.client.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]
    assert served.client.get("/v2/models/shop/infer").status_code == 405


def test_clients_that_others_wrote_work_unchanged(regression: Any, served: Any) -> None:
    http = pytest.importorskip("tritonclient.http", reason="pip install 'tritonclient[http]'")
    client = http.InferenceServerClient(url=regression.url.removeprefix("http://"))
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("shop")
        assert client.get_model_metadata("shop")["name"] == "shop"
        for binary in (True, False):
            inputs = []
            for name, datatype, cells in (
                ("age", "FP32", np.array([40, 7.5, np.nan], dtype=np.float32)[:2]),
                ("city", "BYTES", np.array(["Rome", "Ōsaka"], dtype=object)),
                ("member", "BOOL", np.array([True, False])),
            ):
                given = http.InferInput(name, [2], datatype)
                given.set_data_from_numpy(cells, binary_data=binary)
                inputs.append(given)
            result = client.infer("shop", inputs)
            assert result.as_numpy("prediction").tolist() == VALUES[:2]
        with pytest.raises(Exception, match="no model other"):
            client.infer("other", inputs)
    finally:
        client.close()


def test_mlflows_own_client_works_unchanged(regression: Any) -> None:
    pandas = pytest.importorskip("pandas")
    scoring = pytest.importorskip("mlflow.pyfunc.scoring_server.client", reason="pip install mlflow-skinny requests")
    host, _, port = regression.url.removeprefix("http://").partition(":")
    client = scoring.ScoringServerClient(host, int(port))
    client.ping()
    assert client.get_version()
    frame = pandas.DataFrame({"age": [40, 99], "city": ["Rome", None], "member": [True, False]})
    told = client.invoke(frame).get_predictions()
    assert told.iloc[:, 0].tolist() == [43.0, 102.0]


def asked(path: str, document: Any, status: int = 422) -> tuple[str, str, bytes, int]:
    return path, "application/json", json.dumps(document).encode(), status


def csv(body: bytes, status: int = 422) -> tuple[str, str, bytes, int]:
    return "/v1/predict", "text/csv", body, status


def infer(after: bytes = b"", **changes: Any) -> tuple[str, str, bytes, int]:
    """One input, with something wrong about it."""
    one = {"name": "age", "shape": [1], "datatype": "FP32", "data": [1], **changes}
    return "/v2/models/shop/infer", "application/octet-stream", json.dumps({"inputs": [one]}).encode() + after, 422


ARROW = "application/vnd.apache.arrow.stream"


def test_a_literal_nan_is_a_missing_cell_where_clients_send_it(regression: Any) -> None:
    body = b'{"dataframe_records": [{"age": 1, "city": NaN}]}'
    assert regression.post(body, "/invocations").json()["predictions"] == [4.0]
    assert regression.post(body.replace(b"NaN", b"Infinity"), "/invocations").status_code == 400


BROKEN: dict[str, tuple[str, str, bytes, int]] = {
    "no table": asked("/invocations", {}),
    "two tables": asked("/invocations", {"instances": [], "inputs": []}),
    "unequal columns": asked("/invocations", {"inputs": {"age": [1, 2], "city": ["a"]}}),
    "a short row": asked("/invocations", {"instances": [[1, 2]]}),
    "a row that is none": asked("/invocations", {"instances": [[1], {}]}),
    "a column twice": asked("/invocations", {"dataframe_split": {"columns": ["age", "age"], "data": []}}),
    "an unknown parameter": asked("/invocations", {"instances": [], "params": {"x": 1}}),
    "a text among numbers": csv(b"age,city\nold,Rome\n"),
    "python's digits": csv(b"age,city\n1_0,Rome\n"),
    "a ragged line": csv(b"age,city\n1\n"),
    "names twice": csv(b"age,age\n1,2\n"),
    "no line": csv(b""),
    "an open quote": csv(b'age,city\n1,"Ro', 400),
    "latin-1": csv("age,city\n1,K\xf6ln\n".encode("latin-1"), 400),
    "no arrow": ("/v1/predict", ARROW, b"ARROW1 or not", 400),
    "nothing as arrow": ("/v1/predict", ARROW, b"", 400),
    "another type": ("/v1/predict", "text/plain", b"age\n1\n", 415),
    "a shape that lies": infer(shape=[3]),
    "a huge shape": infer(shape=[2**62, 4]),
    "a negative shape": infer(shape=[-1]),
    "a datatype of none": infer(datatype="FP7"),
    "bytes that are not there": infer(b"1234", parameters={"binary_data_size": 400}),
    "bytes of nobody": infer(b"12345", parameters={"binary_data_size": 4}),
    "an output of none": asked("/v2/models/shop/infer", {"inputs": [], "outputs": [{"name": "x"}]}),
    "another version": asked("/v2/models/shop/versions/9/infer", {"inputs": []}, 404),
    "deep nesting": (
        "/v2/models/shop/infer",
        "application/json",
        b'{"inputs": [], "id": null, "parameters": {"x": ' + b"[" * 200_000,
        400,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused_in_a_sentence(case: str, regression: Any) -> None:
    path, content_type, body, status = BROKEN[case]
    answer = regression.post(body, path, content_type)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert "Traceback" not in regression.errors.read_text()


def test_no_rows_are_no_predictions(regression: Any) -> None:
    assert post(regression, "/invocations", {"instances": []})["predictions"] == []
    empty = [{"name": "age", "shape": [0], "datatype": "FP32", "data": []}]
    assert post(regression, "/v2/models/shop/infer", {"inputs": empty})["outputs"][0]["data"] == []
    assert regression.post(b"age,city\n", content_type="text/csv").text.splitlines() == ["id,prediction"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)


@settings(max_examples=30, deadline=None)
@given(cells=st.lists(st.tuples(st.floats(0, 1e6, width=32), TEXTS), min_size=1, max_size=5))
def test_every_dialect_reads_a_cell_as_json_does(cells: list[tuple[float, str]], regression: Any) -> None:
    expected = [
        p["prediction"]
        for p in regression.predict(*({"age": a, "city": c or None} for a, c in cells)).json()["predictions"]
    ]
    table = pl.DataFrame({"age": [a for a, _ in cells], "city": [c or None for _, c in cells]})
    text = regression.post(table.write_csv(quote_style="always", null_value="").encode(), content_type="text/csv")
    assert pl.read_csv(io.BytesIO(text.content))["prediction"].to_list() == expected
    body = io.BytesIO()
    table.write_ipc_stream(body)
    arrow = regression.post(body.getvalue(), content_type="application/vnd.apache.arrow.stream")
    assert pl.read_ipc_stream(arrow.content)["prediction"].to_list() == expected
    texts = b"".join(struct.pack("<I", len(c.encode())) + c.encode() for _, c in cells)
    numbers = np.array([a for a, _ in cells], dtype="<f4").tobytes()
    inputs = [
        {"name": name, "shape": [len(cells)], "datatype": kind, "parameters": {"binary_data_size": len(part)}}
        for name, kind, part in (("age", "FP32", numbers), ("city", "BYTES", texts))
    ]
    whole = json.dumps({"inputs": inputs}).encode() + numbers + texts
    binary = regression.post(whole, "/v2/models/shop/infer", "application/octet-stream")
    assert binary.json()["outputs"][0]["data"] == expected
