"""Refusals as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from artificer.errors import Violation
from artificer.serving.predictor import shown

JSON: Final = (b"content-type", b"application/json")
PROBLEM_JSON: Final = (b"content-type", b"application/problem+json")
Headers = list[tuple[bytes, bytes]]

_encode = msgspec.json.Encoder().encode


class Response:
    """A whole answer: status, headers (the length among them) and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, content_type: tuple[bytes, bytes] = JSON, *more: tuple[bytes, bytes]):
        self.status = status
        self.body = body
        self.headers: Headers = [content_type, (b"content-length", b"%d" % len(body)), *more]


class Refusal(Exception):  # noqa: N818 (a client's mistake is not this program's error)
    """Ends a request with a problem document.

    Parameters
    ----------
    status : HTTP status.
    kind : last part of the problem's type; what programs tell problems apart by.
    detail : one sentence: what, where, what to do.
    violations : cells that break the contract.
    headers : to add to the answer.

    References
    ----------
    M. Nottingham, E. Wilde, S. Dalal, "Problem Details for HTTP APIs", RFC 9457, 2023.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        violations: Sequence[Violation] = (),
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.violations = violations
        self.headers = headers

    def response(self, path: str) -> Response:
        document: dict[str, Any] = {
            "type": f"urn:artificer:problem:{self.kind}",
            "title": TITLES[self.kind],
            "status": self.status,
            "detail": self.detail,
            "instance": path,
        }
        if path.startswith("/v2"):
            document["error"] = self.detail  # where clients of the Open Inference Protocol look
        if self.violations:
            document["violations"] = [
                {"row": v.row, "column": shown(v.column), "value": shown(v.value), "rule": v.rule}
                for v in self.violations
            ]
        return Response(self.status, _encode(document), PROBLEM_JSON, *self.headers)


TITLES: Final = {
    "malformed": "The body is not readable JSON",
    "shape": "The request does not have the right shape",
    "contract": "Rows break the model's contract",
    "coverage": "The model cannot promise this coverage",
    "outcomes": "Outcomes do not fit the target",
    "too-large": "The body is too large",
    "too-many": "There are too many of them",
    "too-slow": "The body did not arrive in time",
    "media-type": "The body has another type than JSON",
    "host": "The request is meant for another host",
    "origin": "Pages of other origins may not post here",
    "token": "A token is needed",
    "scope": "The token is for something else",
    "rate": "Too many requests",
    "not-found": "There is nothing here",
    "method": "The method is not allowed here",
    "no-champion": "No model is serving",
    "journal": "The journal cannot be written",
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
}
