"""``/v2/models/NAME/infer``: the Open Inference Protocol, in JSON and with its binary tensors.

A column of the table is an input of its name, of shape (n) or (n, 1). A single input of shape (n, p) is taken for the
model's p columns in their order, whatever its name. The outputs are ``prediction`` (n), ``id`` (n), and where the model
has them ``probabilities`` (n, c) or ``quantiles`` (n, q).

References
----------
KServe, "Open Inference Protocol (V2)", and Triton Inference Server, "Binary Tensor Data Extension".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from artificer.server.bodies import decoded
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.columns import feature_names, named, shape, turned
from artificer.server.dialects.told import guards_of
from artificer.server.problems import Refusal
from artificer.serving.predictor import Answer, Ask, Predictor
from artificer.tables.contract import ColumnSpec, Contract
from artificer.types import Json, Role

MEDIA: Final = frozenset({b"application/json", b"application/octet-stream", b""})
"""Triton's client declares nothing. A web page of another origin is known by its ``Origin`` all the same."""
PATH: Final = re.compile(r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<rest>/infer|/ready|)")
NUMPY: Final = {
    "BOOL": "?",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
LABELS: Final = {"string": "BYTES", "int": "INT64", "float": "FP64", "bool": "BOOL"}


class Tensor(msgspec.Struct, gc=False):
    """An input."""

    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] | None = None


class Wanted(msgspec.Struct, gc=False):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, gc=False):
    """The body of a request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Wanted] | None = None
    parameters: dict[str, Any] | None = None


class Echo(NamedTuple):
    """What the answer repeats: the request's own id, and which outputs it wants (None for all)."""

    id: str | None
    outputs: tuple[str, ...] | None


_DECODER: Final = msgspec.json.Decoder(InferRequest)
_encode = msgspec.json.Encoder().encode


def read(body: bytes, predictor: Predictor) -> Ask:
    """Read a body; Refusal where it is none."""
    contract = predictor.bundle.contract
    end = _end_of_json(body)
    request = decoded(_DECODER, "inputs", body[:end], nan=True)
    cells = _Cells(body[end:])
    given = {tensor.name: cells.of(tensor) for tensor in request.inputs}
    if len(given) < len(request.inputs):
        shape("two inputs have one name")
    cells.done()
    coverage = (request.parameters or {}).get("coverage")
    if coverage is not None and (isinstance(coverage, bool) or not isinstance(coverage, (int, float))):
        shape("parameters.coverage is a number")
    wanted = None if not request.outputs else tuple(output.name for output in request.outputs)
    known = outputs_of(contract)
    for name in wanted or ():
        if name not in known:
            shape(f'there is no output "{name[:100]}", but {", ".join(known)}')
    return Ask(_rows(given, contract), coverage, Echo(request.id, wanted))


def _end_of_json(body: bytes) -> int:
    """Where the JSON ends and binary tensors, if there are any, begin."""
    if body.rstrip().endswith(b"}") and b'"binary_data_size"' not in body:
        return len(body)
    try:  # every byte is a character of Latin-1, and JSON's own are the same in both
        return json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
    except (ValueError, RecursionError):
        return len(body)


class _Cells:
    """Cells of tensors, from JSON or from what comes after it, in turn."""

    def __init__(self, binary: bytes) -> None:
        self.binary, self.at = binary, 0

    def of(self, tensor: Tensor) -> list[Any]:
        """The cells of a column, or the rows of a matrix."""
        size = (tensor.parameters or {}).get("binary_data_size")
        if tensor.datatype != "BYTES" and tensor.datatype not in NUMPY:
            shape(f'input "{tensor.name[:100]}" has the unknown datatype "{tensor.datatype[:100]}"')
        if len(tensor.shape) not in (1, 2) or any(extent < 0 for extent in tensor.shape):
            shape(f'input "{tensor.name[:100]}" has the shape {tensor.shape}, and only (n), (n, p) are read')
        found = _flat(tensor.data) if size is None else self._binary(tensor, size)
        count = int(np.prod([float(extent) for extent in tensor.shape]))
        if len(found) != count:
            shape(f'input "{tensor.name[:100]}" has {len(found)} cells, and its shape {tensor.shape} wants {count}')
        width = tensor.shape[1] if len(tensor.shape) == 2 else 1
        return found if width == 1 else [found[i : i + width] for i in range(0, len(found), width or 1)]

    def _binary(self, tensor: Tensor, size: Any) -> list[Any]:
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(self.binary) - self.at:
            shape(f'input "{tensor.name[:100]}" wants {size} bytes, and {len(self.binary) - self.at} are left')
        part, self.at = self.binary[self.at : self.at + size], self.at + size
        if tensor.datatype == "BYTES":
            return _texts(part, tensor.name)
        kind = np.dtype(NUMPY[tensor.datatype])
        if size % kind.itemsize:
            shape(f'input "{tensor.name[:100]}" has {size} bytes, which are no whole number of {tensor.datatype}')
        return _without_nan(np.frombuffer(part, kind).tolist())

    def done(self) -> None:
        if self.at < len(self.binary):
            shape(f"{len(self.binary) - self.at} bytes belong to no input")


def _texts(part: bytes, name: str) -> list[Any]:
    """Texts, each behind its length in four bytes."""
    found, at = [], 0
    while at < len(part):
        length = int.from_bytes(part[at : at + 4], "little")
        at += 4 + length
        if at > len(part):
            shape(f'input "{name[:100]}" ends within a text')
        found.append(_text(part[at - length : at], name))
    return found


def _text(cell: bytes, name: str) -> str:
    try:
        return cell.decode()
    except UnicodeDecodeError as error:
        detail = f'input "{name[:100]}" holds a text that is not UTF-8 ({error}); send UTF-8'
        raise Refusal(422, "shape", detail) from None


def _flat(data: Any) -> list[Any]:
    """Cells of JSON, nested by rows or not."""
    if not isinstance(data, list):
        shape("an input's data is a list")
    if data and isinstance(data[0], list):
        return [cell for row in data for cell in (row if isinstance(row, list) else [row])]
    return data


def _without_nan(cells: list[Any]) -> list[Any]:
    """JSON has null where a binary number can only be NaN: a missing cell."""
    return [None if cell != cell else cell for cell in cells]


def _rows(given: dict[str, list[Any]], contract: Contract) -> list[dict[str, Any]]:
    """Rows of the columns; an input that is a matrix brings all of them."""
    names = feature_names(contract)
    if len(given) == 1:
        (name, cells), *_ = given.items()
        if cells and isinstance(cells[0], list):
            return named(cells, names)
        if name not in {column.name for column in contract.columns} and len(names) == 1:
            return named([[cell] for cell in cells], names)
    for name, cells in given.items():
        if cells and isinstance(cells[0], list):
            shape(f'input "{name[:100]}" is a matrix; send one matrix of all columns, or each column by itself')
    return turned(given)


def write(predictor: Predictor, answer: Answer, ask: Ask) -> bytes:
    """Give the outputs, in JSON also where inputs came as bytes."""
    contract, entries, n = predictor.bundle.contract, answer.entries, len(answer.entries)
    cells: dict[str, tuple[list[int], Sequence[Any]]] = {
        "prediction": ([n], [e.prediction for e in entries]),
        "id": ([n], [e.id for e in entries]),
    }
    for name in ("probabilities", "quantiles"):
        width = len(answer.classes if name == "probabilities" else answer.levels)
        cells[name] = ([n, width], [score for e in entries for score in e.scores])
    known = outputs_of(contract)
    document: dict[str, Any] = {
        "model_name": predictor.name,
        "model_version": str(predictor.version),
        "outputs": [
            {"name": name, "shape": cells[name][0], "datatype": known[name], "data": cells[name][1]}
            for name in (ask.echo.outputs or known)
        ],
    }
    if ask.echo.id is not None:
        document["id"] = ask.echo.id
    if answer.coverage is not None:
        promised = "sets" if answer.classes else "intervals"
        document["parameters"] = {"coverage": answer.coverage, promised: json.dumps(answer.promised)}
    guards = guards_of(answer)
    if guards:  # a parameter of the protocol is a text, a number or a boolean
        document.setdefault("parameters", {})["guards"] = json.dumps(guards)
    return _encode(document)


def outputs_of(contract: Contract) -> dict[str, str]:
    """The model's outputs and their datatypes."""
    found = {"prediction": LABELS[contract.label_kind] if contract.classes else "FP64", "id": "BYTES"}
    if contract.classes:
        found["probabilities"] = "FP64"
    if contract.levels:
        found["quantiles"] = "FP64"
    return found


def metadata(predictor: Predictor) -> Json:
    """Describe the model as the protocol wants it."""
    contract = predictor.bundle.contract
    widths = {"probabilities": len(contract.classes), "quantiles": len(contract.levels)}
    return {
        "name": predictor.name,
        "versions": [str(predictor.version)],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": column.name, "datatype": _datatype(column), "shape": [-1]}
            for column in contract.columns
            if column.kind is not None
        ],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, widths[name]] if name in widths else [-1]}
            for name, datatype in outputs_of(contract).items()
        ],
    }


def _datatype(column: ColumnSpec) -> str:
    native = column.format is None
    if column.role is Role.NUMERIC and native:
        return "FP64"
    return "BOOL" if column.role is Role.BOOLEAN and native and not column.nullable else "BYTES"


def check(predictor: Predictor, name: str, version: str | None) -> None:
    """Refuse a model or a version that is not the one that answers."""
    if name != predictor.name or version not in (None, str(predictor.version)):
        asked = name[:100] if version is None else f"{name[:100]}, version {version[:20]}"
        detail = f"there is no model {asked}; version {predictor.version} of {predictor.name} is the champion"
        raise Refusal(404, "not-found", detail)


def infer(path: str, name: str, version: str | None) -> Dialect:
    """The dialect as it is spoken at the path of a model; of a version, should another one be promoted meanwhile."""

    def read_for(body: bytes, predictor: Predictor) -> Ask:
        check(predictor, name, version)
        return read(body, predictor)

    return Dialect(path, MEDIA, read_for, write)
