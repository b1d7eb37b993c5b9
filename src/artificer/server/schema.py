"""The service's OpenAPI document, its row schema made from the champion's contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from artificer.bundle.conformal import LEVELS
from artificer.tables.cells import LIST
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Json, Role

MAX_LISTED: Final = 50
"""So many categories of a column are listed as examples."""
_COVERAGE: Final = {
    "type": ["number", "null"],
    "minimum": LEVELS[0],
    "maximum": LEVELS[-1],
    "description": "How surely the truth is to lie in the `interval` or `set` that each prediction then carries.",
}
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_ROWS: Final = {"type": "array", "items": {"type": "array"}}
_EXAMPLE_ID: Final = "01936f3e-6f0a-7c31-9f53-0f6d4f3a8b11"


def paths(contract: Contract | None) -> Json:
    """Describe the routes that are not FastAPI's."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

    def refusals(**described: str) -> Json:
        return {code[1:]: {"description": text, "content": problem} for code, text in described.items()}

    taken = {
        "_400": "The body is not JSON.",
        "_403": "A web page of another origin sent it.",
        "_413": "The body is too large.",
        "_415": "The body is not declared as JSON.",
        "_421": "The request names another host than this machine.",
        "_503": "No model is serving, or the journal cannot be written; nothing was acknowledged.",
    }
    rows = {"rows": [] if contract is None else [example_row(contract)]}
    outcomes = {"outcomes": [{"id": _EXAMPLE_ID, "value": None if contract is None else example_label(contract)}]}
    return {
        "/v1/predict": {
            "post": {
                "summary": "Predict rows",
                "description": "Predictions come in the order of the rows, and are durably journalled before they are "
                "sent. Columns the model does not know are ignored and named in `warnings`. With a `coverage` each "
                "prediction carries what covers the truth that often: an `interval`, or a `set` of classes.",
                "operationId": "predict",
                "requestBody": _body("PredictRequest", rows),
                "responses": {
                    "200": _answer("The predictions.", "PredictResponse"),
                    **refusals(
                        _422="Rows break the contract; `violations` names row, column, value and rule. Or the model "
                        "cannot promise the coverage.",
                        **taken,
                    ),
                },
            }
        },
        "/v1/outcomes": {
            "post": {
                "summary": "Report what turned out to be true",
                "description": "Each outcome refers to a prediction by its id. Of several for one id the newest "
                "counts, and sending one again is harmless.",
                "operationId": "outcomes",
                "requestBody": _body("OutcomesRequest", outcomes),
                "responses": {
                    "200": _answer("They are durable.", "OutcomesResponse"),
                    **refusals(_422="Values that the target cannot have.", **taken),
                },
            }
        },
        **_others(contract, taken, refusals),
        "/health/live": {"get": _read("Is the process alive?", "Health")},
        "/health/ready": {
            "get": {
                **_read("Can it answer?", "Health"),
                "responses": {
                    "200": _answer("It can; `problems` says what is wrong all the same.", "Health"),
                    "503": _answer("It cannot.", "Health"),
                },
            }
        },
        "/metrics": {
            "get": {
                "summary": "Counts and latencies for Prometheus",
                "operationId": "metrics",
                "responses": {"200": {"description": "Prometheus text.", "content": {"text/plain": {}}}},
            }
        },
    }


def _others(contract: Contract | None, taken: dict[str, str], refusals: Callable[..., Json]) -> Json:
    """Describe the protocols of others, and the stream of events."""
    records = {"dataframe_records": [] if contract is None else [example_row(contract)]}
    answers = {"200": _answer("The predictions.", "InvocationsResponse"), **refusals(_422="See /v1/predict.", **taken)}
    stream = {"200": {"description": "Events named `champion`.", "content": {"text/event-stream": {}}}}
    full = refusals(_421=taken["_421"], _503="Too many streams are open.")
    return {
        "/invocations": {
            "post": {
                "summary": "Predict rows, as MLflow's scoring server does",
                "description": "One of `dataframe_split`, `dataframe_records`, `instances`, `inputs`; or CSV.",
                "operationId": "invocations",
                "requestBody": _body("InvocationsRequest", records),
                "responses": answers,
            }
        },
        "/v1/events": {
            "get": {
                "summary": "Hear of each version that becomes champion",
                "operationId": "events",
                "responses": {**stream, **full},
            }
        },
    }


def components(contract: Contract | None) -> Json:
    """Give the schemas that :func:`paths` refers to."""
    label = {} if contract is None else label_schema(contract)
    prediction: Json = {
        "type": "object",
        "required": ["id", "prediction"],
        "properties": {"id": {"type": "string"}, "prediction": label},
    }
    if contract is not None and contract.classes:
        prediction["required"].append("probabilities")
        prediction["properties"]["probabilities"] = {
            "type": "object",
            "required": list(contract.classes),
            "properties": {name: {"type": "number", "minimum": 0, "maximum": 1} for name in contract.classes},
        }
        prediction["properties"]["set"] = {
            "type": "array",
            "items": label,
            "minItems": 1,
            "description": "With a `coverage`: classes that cover the true one that often, likeliest first.",
        }
    elif contract is not None and contract.levels:
        levels = list(map(str, contract.levels))
        prediction["required"].append("quantiles")
        prediction["properties"]["quantiles"] = {
            "type": "object",
            "required": levels,
            "properties": {level: {"type": "number"} for level in levels},
            "description": "By level, rising; `prediction` is the one nearest to the median.",
        }
    elif contract is not None:
        prediction["properties"]["interval"] = {
            "type": "array",
            "items": {"type": ["number", "null"]},
            "minItems": 2,
            "maxItems": 2,
            "description": "With a `coverage`: low and high end, null where there is none.",
        }
    return {
        "Row": {"type": "object"} if contract is None else row_schema(contract),
        "PredictRequest": _with(_object(rows=_list("Row")), coverage=_COVERAGE),
        "Prediction": prediction,
        "PredictResponse": {
            **_with(
                _object(
                    model=_object(name={"type": "string"}, version={"type": "integer"}),
                    predictions=_list("Prediction"),
                ),
                coverage={"type": "number", "description": "What is promised; at least what was asked for."},
                warnings={"type": "array", "items": {"type": "string"}},
            ),
            "description": "`warnings` is present when columns were ignored, or rows were too few for the coverage.",
        },
        "InvocationsRequest": {
            "type": "object",
            "properties": {
                "dataframe_split": _object(columns={"type": "array", "items": {"type": "string"}}, data=_ROWS),
                "dataframe_records": _list("Row"),
                "instances": {"type": "array"},
                "inputs": {},
                "params": {
                    "type": "object",
                    "properties": {"coverage": _COVERAGE, "predict_method": {"enum": ["predict", "predict_proba"]}},
                    "additionalProperties": False,
                },
            },
            "minProperties": 1,
            "additionalProperties": False,
        },
        "InvocationsResponse": _object(predictions={"type": "array"}, ids=_TEXTS),
        "Outcome": {**_object(id={"type": "string", "minLength": 1}, value=label), "additionalProperties": False},
        "OutcomesRequest": _object(outcomes=_list("Outcome")),
        "OutcomesResponse": _object(accepted={"type": "integer"}),
        "Health": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}},
        "Violation": _object(row={"type": "integer"}, column={"type": "string"}, value={}, rule={"type": "string"}),
        "Problem": {
            **_object(
                type={"type": "string"},
                title={"type": "string"},
                status={"type": "integer"},
                detail={"type": "string"},
                instance={"type": "string"},
            ),
            "description": "RFC 9457 problem details; `violations` is present when cells break the contract.",
        },
    }


def row_schema(contract: Contract) -> Json:
    """Describe a row; columns that do not feed the model are accepted and need not be sent."""
    used = [column for column in contract.columns if column.kind is not None]
    return {
        "type": "object",
        "required": [column.name for column in used if not column.nullable],
        "properties": {column.name: column_schema(column) for column in used},
        "example": example_row(contract),
    }


def column_schema(column: ColumnSpec) -> Json:
    """Describe the values of a column that feeds the model."""
    types: list[str]
    schema: Json = {}
    if column.role is Role.NUMERIC:
        types = ["number"] if column.format is None else ["number", "string"]
        if column.low is not None and column.high is not None:
            schema["description"] = f"From {column.low:g} to {column.high:g} at training; others are accepted."
    elif column.role is Role.BOOLEAN:
        types = ["boolean", "number", "string"]
    elif column.role is Role.DATETIME:
        types = ["string", "number"]
        schema["description"] = "ISO 8601, or seconds since 1970" + (
            f", or as {column.format}." if column.format is not None else "."
        )
    elif column.format == LIST:
        types = ["array"]
        schema["items"] = {"type": ["string", "number", "boolean", "null"]}
    elif column.role is Role.TEXT:
        types = ["string", "number", "boolean"]
        schema["description"] = "Text; its words count, in lower case and without punctuation."
    else:
        types = ["string", "number", "boolean"]
        schema["examples"] = list(column.categories[:MAX_LISTED])
    if column.nullable:
        types.append("null")
    return {"type": types if len(types) > 1 else types[0], **schema}


def example_row(contract: Contract) -> Json:
    """Make a row that the contract accepts."""
    return {column.name: _example(column) for column in contract.columns if column.kind is not None}


def example_label(contract: Contract) -> Any:
    """Make a value that the target can have."""
    return contract.label(contract.classes[-1]) if contract.classes else 1.0


def label_schema(contract: Contract) -> Json:
    """Describe the target's values."""
    if not contract.classes:
        return {"type": "number"}
    kind = {"string": "string", "int": "integer", "float": "number", "bool": "boolean"}[contract.label_kind]
    return {"type": kind, "enum": [contract.label(text) for text in contract.classes]}


def _example(column: ColumnSpec) -> Any:
    low, high = column.low, column.high
    middle = 0.0 if low is None or high is None else low / 2 + high / 2
    if column.role is Role.NUMERIC:
        return round(middle) if column.dtype.lower().startswith(("int", "uint")) else float(f"{middle:.6g}")
    if column.role is Role.BOOLEAN:
        return True
    if column.role is Role.DATETIME:
        return datetime.fromtimestamp(middle, UTC).replace(microsecond=0).isoformat()
    if column.role is Role.TEXT:
        return ["a", "b"] if column.format == LIST else "a few words"
    return column.categories[0] if column.categories else "a"


def _object(**properties: Any) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _with(schema: Json, **optional: Any) -> Json:
    return {**schema, "properties": {**schema["properties"], **optional}}


def _list(name: str) -> Json:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _body(name: str, example: Any) -> Json:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


def _answer(description: str, name: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _read(summary: str, name: str) -> Json:
    return {
        "summary": summary,
        "operationId": summary.split()[-1].rstrip("?"),
        "responses": {"200": _answer("Yes.", name)},
    }
