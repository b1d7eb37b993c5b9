"""The HTTP service as a plain ASGI callable: the hot routes, health, metrics and the status page.

What is not hot and wants a schema (the model's card and the API's documentation) is FastAPI's, built by the first
request for it, so that a start stays short.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from artificer.errors import ContractError, JournalError, UsageError
from artificer.journal.writer import Journal
from artificer.server.origin import Gate
from artificer.server.problems import JSON, Refusal, Response
from artificer.server.stats import Stats
from artificer.serving.champion import Champion
from artificer.serving.predictor import Answer, Predictor

_log = logging.getLogger("artificer.server")

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler: TypeAlias = Callable[[Scope, Receive], Awaitable[Response | None]]

LARGE_BODY: Final = 128 * 1024
"""Larger bodies are answered by a thread, so that they do not stand in the way of small ones."""
MAX_CELLS: Final = 5_000_000
"""More values in one body are refused unread: as Python objects they take many times the body's size."""
BODY_SECONDS: Final = 30.0
"""So long may a body stand still."""
MAX_WARNINGS: Final = 20

HTML: Final = (b"content-type", b"text/html; charset=utf-8")
METRICS_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
NO_STORE: Final = (b"cache-control", b"no-store")
DOCUMENTED: Final = frozenset({"/v1/model", "/docs", "/openapi.json"})


class _PredictRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    rows: list[Any]
    coverage: float | None = None


class _OutcomesRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    outcomes: list[Any]


_TOO_DEEP: Final = "the body is nested too deeply; send rows of plain values"
_encode = msgspec.json.Encoder().encode
_DECODE: Final = {
    "rows": msgspec.json.Decoder(_PredictRequest).decode,
    "outcomes": msgspec.json.Decoder(_OutcomesRequest).decode,
}
_SHAPES: Final = {"rows": _PredictRequest, "outcomes": _OutcomesRequest}


class Service:
    """Answers HTTP requests from the champion, and journals what it says before it says it.

    Parameters
    ----------
    champion : started; which version answers.
    journal : open; where predictions and outcomes are kept.
    max_body : longest body accepted, bytes.
    gate : who may ask.
    clock : seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        champion: Champion,
        journal: Journal,
        *,
        max_body: int,
        gate: Gate,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.champion = champion
        self.journal = journal
        self.stats = Stats()
        self._max_body = max_body
        self._gate = gate
        self._clock = clock
        self._started = time.monotonic()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="artificer-batch")
        self._documented: Any = None
        self._building = asyncio.Lock()
        read = frozenset({"GET", "HEAD"})
        self._routes: dict[str, tuple[frozenset[str], Handler]] = {
            "/v1/predict": (frozenset({"POST"}), self._predict),
            "/v1/outcomes": (frozenset({"POST"}), self._outcomes),
            "/health/live": (read, self._live),
            "/health/ready": (read, self._ready),
            "/metrics": (read, self._metrics),
            "/": (read, self._page),
        }
        self._read = read
        self._counts = {path: self.stats.route(path) for path in ("/v1/predict", "/v1/outcomes")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        path, method = scope["path"], scope["method"]
        try:
            self._gate.check(scope["headers"], writes=method not in self._read)
            if path in DOCUMENTED and method in self._read:
                # FastAPI knows no HEAD; uvicorn, which keeps the scope it made, leaves the body out by itself.
                read = {**scope, "method": "GET"}
                await (await self._documentation())(read, receive, self._counting(path, started, send))
                return
            response = await self._route(path, method)(scope, receive)
        except Refusal as refusal:
            response = self._refused(refusal, path)
        except RecursionError:
            response = Refusal(400, "malformed", _TOO_DEEP).response(path)
        except Exception:
            _log.exception("a request to %s failed", path)
            detail = "the request could not be answered because of a fault in the service; its log says more"
            response = Refusal(500, "internal", detail).response(path)
        if response is None:  # the client went away
            return
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": response.body})
        self._count(path, response.status, started)

    def close(self) -> None:
        """End the threads; requests are over by then."""
        self._threads.shutdown()

    def _route(self, path: str, method: str) -> Handler:
        found = self._routes.get(path)
        allowed = self._read if found is None and path in DOCUMENTED else found[0] if found else None
        if allowed is None:
            raise Refusal(404, "not-found", f"there is nothing at {path[:200]}; /docs lists what there is")
        if found is None or method not in allowed:
            names = ", ".join(sorted(allowed))
            raise Refusal(
                405, "method", f"{path} takes {names}, not {method[:20]}", headers=[(b"allow", names.encode())]
            )
        return found[1]

    def _count(self, path: str, status: int, started: float) -> None:
        route = self._counts.get(path)
        if route is None:
            known = path in self._routes or path in DOCUMENTED
            route = self.stats.route(path if known else "other")
        route.add(status, time.perf_counter() - started)

    def _refused(self, refusal: Refusal, path: str) -> Response:
        for violation in refusal.violations:
            self.stats.violated(violation.rule)
        return refusal.response(path)

    # --- the hot routes -------------------------------------------------------------------------------------------

    async def _predict(self, scope: Scope, receive: Receive) -> Response | None:
        self._serving()
        body = await self._body(scope, receive)
        if body is None:
            return None
        predictor = self._serving()
        if len(body) > LARGE_BODY:
            loop = asyncio.get_running_loop()
            answer, out = await loop.run_in_executor(self._threads, self._predict_large, predictor, body)
        else:
            answer = self._answer(predictor, body)
            await self._keep(answer.entries)
            out = _encode(told(predictor, answer))
        stats = self.stats
        stats.rows[predictor.version] = stats.rows.get(predictor.version, 0) + len(answer.entries)
        stats.unseen += answer.unseen
        return Response(200, out)

    def _predict_large(self, predictor: Predictor, body: bytes) -> tuple[Answer, bytes]:
        answer = self._answer(predictor, body)
        try:
            self.journal.append(answer.entries)
        except JournalError as error:
            raise _unwritten(error) from error
        return answer, _encode(told(predictor, answer))

    def _answer(self, predictor: Predictor, body: bytes) -> Answer:
        request = _decoded("rows", body)
        try:
            return predictor.answer(request.rows, self._clock(), request.coverage)
        except ContractError as error:
            raise Refusal(422, "contract", str(error), error.violations) from error
        except UsageError as error:
            raise Refusal(422, "coverage", str(error)) from error

    async def _outcomes(self, scope: Scope, receive: Receive) -> Response | None:
        self._serving()
        body = await self._body(scope, receive)
        if body is None:
            return None
        predictor = self._serving()
        try:
            entries = predictor.outcomes(_decoded("outcomes", body).outcomes, self._clock())
        except ContractError as error:
            raise Refusal(422, "outcomes", str(error), error.violations) from error
        await self._keep(entries)
        self.stats.outcomes += len(entries)
        return Response(200, b'{"accepted":%d}' % len(entries))

    def _serving(self) -> Predictor:
        predictor = self.champion.predictor
        if predictor is None:
            why = self.champion.state.problem or "no version has been promoted yet"
            raise Refusal(503, "no-champion", why, headers=[(b"retry-after", b"2")])
        return predictor

    async def _keep(self, entries: Iterable[Any]) -> None:
        try:
            await self.journal.append_async(entries)  # type: ignore[arg-type]
        except JournalError as error:
            raise _unwritten(error) from error

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Read the body, or None when the client goes away before its end."""
        declared = False
        for name, value in scope["headers"]:
            if name == b"content-type":
                declared = True
                if value != b"application/json":
                    _check_media_type(value)
            elif name == b"content-length":
                if int(value) > self._max_body:
                    self._too_large()
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise Refusal(415, "media-type", "the body is compressed; send it as it is")
        if not declared:
            # A browser asks no leave for a body without a type, whichever page it is from.
            raise Refusal(415, "media-type", "the body is declared as nothing; send content-type: application/json")
        message = await receive()
        if message["type"] != "http.request":
            return None
        body: bytes = message["body"]
        if not message["more_body"]:
            if len(body) > self._max_body:
                self._too_large()
            return body
        return await self._rest_of_body(body, receive)

    async def _rest_of_body(self, first: bytes, receive: Receive) -> bytes | None:
        chunks, size, more = [first], len(first), True
        while more:
            if size > self._max_body:
                self._too_large()
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    message = await receive()
            except TimeoutError:
                detail = f"the body stood still for {BODY_SECONDS:.0f} s; send it again"
                raise Refusal(408, "too-slow", detail, headers=[(b"connection", b"close")]) from None
            if message["type"] != "http.request":
                return None
            chunks.append(message["body"])
            size += len(chunks[-1])
            more = message["more_body"]
        if size > self._max_body:
            self._too_large()
        return b"".join(chunks)

    def _too_large(self) -> NoReturn:
        detail = f"a body may have {self._max_body:,} bytes; send the rows in smaller batches"
        raise Refusal(413, "too-large", detail)

    # --- the others -----------------------------------------------------------------------------------------------

    async def _live(self, scope: Scope, receive: Receive) -> Response:
        return Response(200, b'{"status":"live"}', JSON, NO_STORE)

    async def _ready(self, scope: Scope, receive: Receive) -> Response:
        if self.journal.state.problem is not None:
            # Only a write can tell whether the trouble is over, and a service that is not ready gets no requests.
            try:
                await self.journal.probe_async()
            except JournalError:
                _log.debug("the journal still cannot be written")
        champion, journal = self.champion.state, self.journal.state
        ready = champion.predictor is not None and journal.problem is None
        problems = [problem for problem in (champion.problem, journal.problem) if problem is not None]
        predictor = champion.predictor
        document = {
            "status": "not ready" if not ready else "degraded" if problems else "ready",
            "model": None if predictor is None else {"name": predictor.name, "version": predictor.version},
            "problems": problems,
        }
        return Response(200 if ready else 503, _encode(document), JSON, NO_STORE)

    async def _metrics(self, scope: Scope, receive: Receive) -> Response:
        # Imported by the first scrape, in a thread, since others wait for predictions meanwhile.
        await asyncio.get_running_loop().run_in_executor(self._threads, import_module, "prometheus_client")
        text = self.stats.text(self.champion.state, self.journal.state, time.monotonic() - self._started)
        return Response(200, text, METRICS_TEXT, NO_STORE)

    async def _page(self, scope: Scope, receive: Receive) -> Response:
        from artificer.server.pages import status_page

        uptime = time.monotonic() - self._started
        text = status_page(self.champion.state, self.journal.state, self.stats, uptime)
        return Response(200, text.encode(), HTML, NO_STORE)

    async def _documentation(self) -> Any:
        async with self._building:
            if self._documented is None:
                loop = asyncio.get_running_loop()
                # FastAPI takes half a second to import: in a thread, since others wait for predictions meanwhile.
                face = await loop.run_in_executor(self._threads, import_module, "artificer.server.face")
                self._documented = face.build(self.champion)
        return self._documented

    def _counting(self, path: str, started: float, send: Send) -> Send:
        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._count(path, message["status"], started)
            await send(message)

        return counted


def told(predictor: Predictor, answer: Answer) -> dict[str, Any]:
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
    if answer.warnings:
        document["warnings"] = [warning[:300] for warning in answer.warnings[:MAX_WARNINGS]]
    return document


def _decoded(field: str, body: bytes) -> Any:
    """Read ``{field: [...]}`` and what may stand beside it."""
    if len(body) > MAX_CELLS and body.count(b",") > MAX_CELLS:
        detail = f"the body holds more than {MAX_CELLS:,} values; send the rows in smaller batches"
        raise Refusal(413, "too-large", detail)
    try:
        return _DECODE[field](body)
    except msgspec.ValidationError as error:
        return _decoded_slowly(field, body, error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "malformed", f"the body is not JSON in UTF-8: {error}; send one JSON object") from error
    except RecursionError:
        raise Refusal(400, "malformed", _TOO_DEEP) from None


def _decoded_slowly(field: str, body: bytes, error: msgspec.ValidationError) -> Any:
    """Read once more what msgspec refused: a number such as 1e400 is JSON, and the contract names the cell it is in."""
    if "out of range" in str(error):
        with suppress(ValueError, RecursionError, msgspec.ValidationError):
            return msgspec.convert(json.loads(body), _SHAPES[field])
    message = str(error).replace("`", '"')
    raise Refusal(422, "shape", f'{message}; send {{"{field}": [...]}}, as /docs shows') from error


def _check_media_type(value: bytes) -> None:
    main, *parameters = (part.strip() for part in value.lower().split(b";"))
    given = value[:100].decode("latin-1")
    if main != b"application/json":
        raise Refusal(415, "media-type", f'the body is declared as "{given}"; send application/json')
    for parameter in parameters:
        name, _, setting = parameter.partition(b"=")
        if name.strip() == b"charset" and setting.strip(b' "') not in (b"utf-8", b"utf8", b"us-ascii"):
            raise Refusal(415, "media-type", f'the body is declared as "{given}"; send JSON in UTF-8')


def _unwritten(error: JournalError) -> Refusal:
    detail = f"{error} Nothing was acknowledged; send the request again later"
    return Refusal(503, "journal", detail, headers=[(b"retry-after", b"2")])
