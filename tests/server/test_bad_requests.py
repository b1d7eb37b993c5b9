"""Bad requests: each refused with a problem that says why, none with a 500, and the service answers on."""

from __future__ import annotations

import gzip
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from artificer.journal.reader import counts

ROW = {"age": 40, "city": "Rome", "member": True, "seen": "2026-01-01T00:00:00Z"}


def row_with(column: str, literal: str) -> bytes:
    """A request for one row in which `column` has the JSON text `literal`."""
    others = {name: value for name, value in ROW.items() if name != column}
    return f'{{"rows": [{json.dumps(others)[:-1]}, "{column}": {literal}}}]}}'.encode()


@pytest.fixture(autouse=True)
def still_answers(served: Any) -> Iterator[None]:
    yield
    assert served.predict(ROW).status_code == 200
    assert "Traceback" not in served.errors.read_text()


def refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in document["detail"]
    assert len(answer.content) < 100_000
    return document


MALFORMED = {
    "nothing": b"",
    "no JSON": b"rows",
    "cut short": b'{"rows": [{"age": 1',
    "a NaN literal": row_with("age", "NaN"),
    "an Infinity literal": row_with("age", "-Infinity"),
    "latin-1 bytes": '{"rows": [{"age": 1, "city": "K\xf6ln"}]}'.encode("latin-1"),
    "UTF-16": json.dumps({"rows": [ROW]}).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps({"rows": [ROW]}).encode(),
    "a raw null byte": b'{"rows": [{"age": 1, "city": "a\x00b"}]}',
    "only null bytes": b"\x00" * 100,
    "deep lists": b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"rows": [' + b'{"age":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
    "a lone surrogate": row_with("city", '"\\ud800"'),
    "two documents": b'{"rows": []} {"rows": []}',
    "a trailing comma": b'{"rows": [],}',
}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/outcomes"])
@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_json(served: Any, name: str, path: str) -> None:
    body = MALFORMED[name].replace(b'"rows"', b'"outcomes"' if path == "/v1/outcomes" else b'"rows"')
    refused(served.post(body, path), 400)


SHAPES = [b"null", b"[]", b"3", b'"rows"', b"{}", b'{"rows": null}', b'{"rows": {"age": 1}}', b'{"rows": "all"}',
          b'{"instances": []}', b'{"rows": [], "extra": 1}', b'{"ROWS": []}']  # fmt: skip


@pytest.mark.parametrize("body", SHAPES)
def test_json_of_another_shape(served: Any, body: bytes) -> None:
    assert "rows" in refused(served.post(body), 422)["detail"]
    refused(served.post(body.replace(b"rows", b"outcomes"), "/v1/outcomes"), 422)


CELLS = [
    ("city", json.dumps("é" * 20_000)), ("age", '"40"'), ("age", "true"),
    ("age", "[]"), ("age", "{}"), ("age", "null"), ("age", "1e400"), ("age", "-1e400"),
    ("age", '"NaN"'), ("city", "[1]"), ("city", '{"a": 1}'), ("city", json.dumps("x" * 10_000_000)), ("city", "1e400"),
    ("member", '"maybe"'), ("member", "2"), ("seen", '"soon"'), ("seen", "1e300"), ("seen", "true"), ("seen", "1e400"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "literal"), CELLS, ids=lambda text: text[:20])
def test_a_cell_that_breaks_the_contract_is_named(served: Any, column: str, literal: str) -> None:
    document = refused(served.post(row_with(column, literal)), 422)
    assert [(v["row"], v["column"]) for v in document["violations"]] == [(0, column)]
    assert all(set(v) == {"row", "column", "value", "rule"} for v in document["violations"])


FINE = [
    ("age", "1e38"), ("age", "1e300"), ("age", "123456789012345678901234567890"), ("age", "1e-400"), ("age", "-0"),
    ("city", '"\\u0000"'), ("city", '"a\\u0000b"'), ("city", '""'), ("city", "null"), ("city", "7"), ("city", "true"),
    ("city", '"Atlantis"'), ("city", "123456789012345678901234567890"), ("city", '"\\ud83d\\ude00"'), ("member", "0"),
    ("member", "null"), ("seen", "0"), ("seen", '"2026-01-01"'), ("seen", "null"), ("code", "[[[1]]]"),
    ("code", "123456789012345678901234567890"), ("code", "1e400"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "literal"), FINE, ids=lambda text: text[:20])
def test_a_strange_cell_that_the_contract_allows(served: Any, column: str, literal: str) -> None:
    answer = served.post(row_with(column, literal))
    assert answer.status_code == 200, answer.text


def test_integers_without_end(served: Any) -> None:
    refused(served.post(row_with("age", "9" * 5_000)), 422)
    refused(served.post(b'{"outcomes": [{"id": "a", "value": ' + b"9" * 5_000 + b"}]}", "/v1/outcomes"), 422)


def test_of_duplicate_keys_the_last_counts(regression: Any) -> None:
    answer = regression.post(b'{"rows": [{"age": 1, "age": 5}]}')
    assert answer.json()["predictions"][0]["prediction"] == 8.0


@pytest.mark.parametrize("literal", ["0", "1", "0.99", "-0.9", "1e400"])
def test_a_coverage_that_cannot_be_promised(served: Any, literal: str) -> None:
    before = counts(served.journal).predictions
    document = refused(served.post(f'{{"rows": [{json.dumps(ROW)}], "coverage": {literal}}}'.encode()), 422)
    assert document["type"] == "urn:artificer:problem:coverage"
    assert "from 0.8 to 0.95" in document["detail"]
    assert counts(served.journal).predictions == before


@pytest.mark.parametrize("literal", ['"0.9"', "true", "[0.9]", "{}", "9" * 400])
def test_a_coverage_that_is_no_number(served: Any, literal: str) -> None:
    assert "coverage" in refused(served.post(f'{{"rows": [], "coverage": {literal}}}'.encode()), 422)["detail"]


@pytest.mark.parametrize("row", ["3", '"a"', "null", "[]", "[1, 2]", "true"])
def test_a_row_that_is_no_object(served: Any, row: str) -> None:
    document = refused(served.post(f'{{"rows": [{row}]}}'.encode()), 422)
    assert document["violations"][0]["row"] == 0


def test_a_hundred_violations_are_enough(served: Any) -> None:
    document = refused(served.predict(*[{"age": "x"}] * 5_000), 422)
    assert len(document["violations"]) == 100


def test_columns_without_end_are_named_briefly(served: Any) -> None:
    answer = served.predict({**ROW, "k" * 1_000_000: 1, **{f"extra{i}": i for i in range(1_000)}})
    assert answer.status_code == 200
    assert len(answer.content) < 20_000


def test_nesting_in_a_column_that_is_not_used(served: Any) -> None:
    for depth in (10, 500, 900, 990, 2_000):
        answer = served.post(row_with("code", "[" * depth + "]" * depth))
        assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/tab-separated-values",
        "application/json; charset=latin-1",
        "json",
        ";",
    ],
)
def test_another_content_type(served: Any, content_type: str) -> None:
    refused(served.post(json.dumps({"rows": [ROW]}).encode(), content_type=content_type), 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
def test_json_said_differently(served: Any, content_type: str) -> None:
    assert served.post(json.dumps({"rows": [ROW]}).encode(), content_type=content_type).status_code == 200


def test_a_compressed_body(served: Any) -> None:
    body = gzip.compress(b"0" * 50_000_000)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    refused(served.client.post("/v1/predict", content=body, headers=headers), 415)


def test_nothing_there(served: Any) -> None:
    for path in ("/nowhere", "/v1", "/v1/predict/", "/v1/predict/..", "/%00", "/%ff", "/v1/modelx"):
        refused(served.client.get(path), 404)


def test_another_method(served: Any) -> None:
    answer = served.client.get("/v1/predict")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"
    answer = served.client.delete("/v1/model")
    refused(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"
    for method in ("PUT", "PATCH", "OPTIONS", "DELETE"):
        refused(served.client.request(method, "/v1/outcomes"), 405)
        refused(served.client.request(method, "/"), 405)


def test_a_body_of_100_mb_is_refused_by_its_length(served: Any) -> None:
    refused(served.post(b" " * 100_000_000), 413)


def test_a_body_without_a_length_is_refused_while_it_comes(served: Any) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000_000

    answer = served.client.post("/v1/predict", content=chunks(), headers={"content-type": "application/json"})
    refused(answer, 413)


def address(served: Any) -> tuple[str, int]:
    host, port = served.url.removeprefix("http://").split(":")
    return host, int(port)


def head_of(length: int) -> bytes:
    return (
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % length
    )


def test_a_length_of_a_gigabyte_is_refused_before_the_body(served: Any) -> None:
    with socket.create_connection(address(served), timeout=20) as connection:
        connection.sendall(head_of(length=2**30))
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_of_millions_of_values_is_refused_unread(served: Any) -> None:
    refused(served.post(b'{"rows": [' + b"{}," * 6_000_000 + b"{}]}"), 413)


def test_half_a_body_and_a_client_that_left(served: Any) -> None:
    before = counts(served.journal)
    for half in (b"", b'{"rows": [{"age"'):
        with socket.create_connection(address(served), timeout=20) as connection:
            connection.sendall(head_of(length=500) + half)
    assert served.client.get("/health/live").status_code == 200
    assert counts(served.journal) == before


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\x00" * 64, b"POST /v1/predict HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http(served: Any, junk: bytes) -> None:
    with socket.create_connection(address(served), timeout=20) as connection:
        connection.sendall(junk)
        connection.shutdown(socket.SHUT_WR)
        assert b" 500 " not in connection.recv(1000)


def test_a_large_valid_body_is_answered(served: Any) -> None:
    rows = [{**ROW, "code": "c" * 100}] * 20_000
    answer = served.predict(*rows)
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 20_000


def test_a_client_that_asks_first_is_invited_and_then_answered(served: Any) -> None:
    body = json.dumps({"rows": [ROW]}).encode()
    head = head_of(len(body)).replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n")
    with socket.create_connection(address(served), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"predictions"' in answer


def test_pipelined_requests_are_answered_in_their_order(served: Any) -> None:
    with socket.create_connection(address(served), timeout=20) as connection:
        head = b" HTTP/1.1\r\nhost: localhost\r\n"
        last = b"HEAD /health/live" + head + b"connection: close\r\n\r\n"
        connection.sendall(b"GET /health/live" + head + b"\r\nGET /nowhere" + head + b"\r\n" + last)
        text = b""
        while chunk := connection.recv(10_000):
            text += chunk
    assert re.findall(rb"HTTP/1\.1 (\d+)", text) == [b"200", b"404", b"200"]
