"""Every operation of the OpenAPI document, with bodies made from it and broken on purpose: never a fault."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any
from unittest import SkipTest

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (pip install 'artificer[dev]')")

STREAMS = {"/v1/events"}
"""Answers that do not end."""


def walk(url: str, operation: Any, mode: Any) -> set[int]:
    """Send a dozen requests of an operation; gives the statuses that came back."""
    statuses: set[int] = set()

    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        answer = case.call(base_url=url, session=session)
        assert answer.status_code < 500, f"{case.formatted_path}: {answer.status_code} {answer.text[:300]}"
        statuses.add(answer.status_code)

    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # An operation without parameters or body cannot be broken.
        with suppress(Unsatisfiable, SkipTest):
            send()
    return statuses


@pytest.mark.parametrize("broken", [False, True], ids=["as it says", "broken"])
def test_nothing_in_the_document_makes_a_fault(served: Any, broken: bool) -> None:
    mode = schemathesis.GenerationMode.NEGATIVE if broken else schemathesis.GenerationMode.POSITIVE
    schema = schemathesis.openapi.from_dict(served.client.get("/openapi.json").json())
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path not in STREAMS:
            seen[f"{operation.method.upper()} {operation.path}"] = walk(served.url, operation, mode)
    assert {"POST /v1/predict", "POST /v1/outcomes"} <= set(seen)
    if broken:
        assert any(400 <= status < 500 for status in seen["POST /v1/predict"])
    else:
        assert 200 in seen["GET /v1/model"]
    assert "Traceback" not in served.errors.read_text()
