"""``/invocations``: the scoring protocol of MLflow, in JSON and CSV.

References
----------
MLflow, "Deploy MLflow Model as a Local Inference Server": the formats ``dataframe_split``, ``dataframe_records``,
``instances`` and ``inputs``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from artificer.server.bodies import decoded
from artificer.server.dialects import csv
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.columns import feature_names, named, shape, turned
from artificer.server.dialects.told import guards_of
from artificer.serving.predictor import Answer, Ask, Predictor
from artificer.tables.contract import Contract

METHODS: Final = ("predict", "predict_proba")
PARAMETERS: Final = ("coverage", "predict_method")


class Split(msgspec.Struct, gc=False):
    """A table as pandas splits it; the index is nobody's business here."""

    columns: list[str]
    data: list[Any]
    index: Any = None


class InvocationRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The body of a request; exactly one of the tables."""

    dataframe_split: Split | None = None
    dataframe_records: list[Any] | None = None
    instances: list[Any] | None = None
    inputs: Any = None
    params: dict[str, Any] | None = None


_DECODER: Final = msgspec.json.Decoder(InvocationRequest)
_encode = msgspec.json.Encoder().encode


def read(body: bytes, predictor: Predictor) -> Ask:
    """Read a body; Refusal where it is none."""
    contract = predictor.bundle.contract
    request = decoded(_DECODER, "dataframe_records", body, nan=True)
    given = [name for name in _TABLES if getattr(request, name) is not None]
    if len(given) != 1:
        shape(f"send one of {', '.join(_TABLES)}, not {' and '.join(given) or 'none of them'}")
    rows = _TABLES[given[0]](getattr(request, given[0]), contract)
    parameters = request.params or {}
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        shape(f'params knows no "{unknown[0][:100]}", but {" and ".join(PARAMETERS)}')
    method, coverage = parameters.get("predict_method", "predict"), parameters.get("coverage")
    if method not in METHODS or (method == "predict_proba" and not contract.classes):
        shape("params.predict_method is predict, or predict_proba of a model of classes")
    if coverage is not None and (isinstance(coverage, bool) or not isinstance(coverage, (int, float))):
        shape("params.coverage is a number")
    return Ask(rows, coverage, method)


def _split(table: Split, contract: Contract) -> list[dict[str, Any]]:
    if len(set(table.columns)) < len(table.columns):
        shape("dataframe_split names a column twice")
    return named(table.data, table.columns)


def _records(table: list[Any], contract: Contract) -> list[Any]:
    return table


def _instances(table: list[Any], contract: Contract) -> list[Any]:
    """Rows with names, or lists of the model's columns in their order."""
    return table if all(isinstance(row, dict) for row in table) else named(table, feature_names(contract))


def _inputs(table: Any, contract: Contract) -> list[Any]:
    """Columns by name, a list for each; else as instances."""
    if isinstance(table, dict):
        cells = {name: column if isinstance(column, list) else [column] for name, column in table.items()}
        return turned({name: [_only(cell) for cell in column] for name, column in cells.items()})
    if not isinstance(table, list):
        shape("inputs is a table of columns, or a list of rows")
    return _instances(table, contract)


def _only(cell: Any) -> Any:
    """Columns of one number come as (n, 1), too."""
    return cell[0] if isinstance(cell, list) and len(cell) == 1 else cell


_TABLES: Final[dict[str, Callable[[Any, Contract], list[Any]]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}


def write(predictor: Predictor, answer: Answer, ask: Ask) -> bytes:
    """Give ``predictions``; beside them their ids, by which outcomes are reported, what was promised, and guards."""
    entries = answer.entries
    document: dict[str, Any] = {
        "predictions": [e.scores for e in entries]
        if ask.echo == "predict_proba" or answer.levels
        else [e.prediction for e in entries],
        "ids": [e.id for e in entries],
    }
    if answer.coverage is not None:
        document["coverage"] = answer.coverage
        document["sets" if answer.classes else "intervals"] = answer.promised
    guards = guards_of(answer)
    if guards:
        document["guards"] = guards
    return _encode(document)


def read_csv(body: bytes, predictor: Predictor) -> Ask:
    """Read a table of CSV; Refusal where it is none."""
    return Ask(csv.rows_of(body, predictor.bundle.contract))


INVOCATIONS: Final = Dialect("/invocations", frozenset({b"application/json"}), read, write)
INVOCATIONS_CSV: Final = Dialect("/invocations", csv.MEDIA, read_csv, write)
