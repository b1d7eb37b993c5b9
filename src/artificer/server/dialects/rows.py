"""``/v1/predict``: ``{"rows": [{...}], "coverage": 0.9}`` in JSON."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from artificer.server.bodies import decoded
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.told import guards_of
from artificer.serving.predictor import Answer, Ask, Predictor

MAX_WARNINGS: Final = 20


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The body of a request."""

    rows: list[Any]
    coverage: float | None = None


_DECODER: Final = msgspec.json.Decoder(PredictRequest)
_encode = msgspec.json.Encoder().encode


def read(body: bytes, predictor: Predictor) -> Ask:
    """Read a body; Refusal where it is none."""
    request = decoded(_DECODER, "rows", body)
    return Ask(request.rows, request.coverage)


def write(predictor: Predictor, answer: Answer, ask: Ask) -> bytes:
    """Give the document a client gets for its rows."""
    classes = answer.classes
    document: dict[str, Any] = {
        "model": {"name": predictor.name, "version": predictor.version},
        "predictions": [
            {"id": e.id, "prediction": e.prediction, "probabilities": dict(zip(classes, e.scores, strict=True))}
            for e in answer.entries
        ]
        if classes
        else [{"id": e.id, "prediction": e.prediction} for e in answer.entries],
    }
    if answer.levels:
        for prediction, entry in zip(document["predictions"], answer.entries, strict=True):
            prediction["quantiles"] = dict(zip(answer.levels, entry.scores, strict=True))
    if answer.coverage is not None:
        document["coverage"] = answer.coverage
        for prediction, promised in zip(document["predictions"], answer.promised, strict=True):
            prediction["set" if classes else "interval"] = promised
    for row, told in enumerate(guards_of(answer)):
        if told:
            document["predictions"][row]["guards"] = told
    if answer.warnings:
        document["warnings"] = [warning[:300] for warning in answer.warnings[:MAX_WARNINGS]]
    return _encode(document)


ROWS: Final = Dialect("/v1/predict", frozenset({b"application/json"}), read, write)
