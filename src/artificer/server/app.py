"""The HTTP service as a plain ASGI callable: the hot routes, health, metrics and the status page.

What is not hot and wants a schema (the model's card and the API's documentation) is FastAPI's, built by the first
request for it, so that a start stays short.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final, TypeAlias

import msgspec

from artificer import __version__
from artificer.access.tokens import Token
from artificer.errors import ArtificerError, ContractError, JournalError
from artificer.journal.writer import Journal
from artificer.server.admission import Admission, scope_of
from artificer.server.bodies import JSON_MEDIA, TOO_DEEP, Receive, check_headers, decoded, media_type, read_body
from artificer.server.dialects import inference
from artificer.server.dialects.arrow import ROWS_ARROW
from artificer.server.dialects.base import Dialect
from artificer.server.dialects.csv import ROWS_CSV
from artificer.server.dialects.invocations import INVOCATIONS, INVOCATIONS_CSV
from artificer.server.dialects.rows import ROWS
from artificer.server.events import Events
from artificer.server.origin import PREFLIGHT, Gate
from artificer.server.problems import JSON, Refusal, Response
from artificer.server.sharing import Sharing
from artificer.server.stats import Stats, merged
from artificer.server.turns import Turns, Waiting, broken, fault, read, serving, unwritten
from artificer.serving.champion import Champion
from artificer.serving.predictor import Answer, Predictor

_log = logging.getLogger("artificer.server")

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler: TypeAlias = Callable[[Scope, Receive], Awaitable[Response | None]]

LARGE_BODY: Final = 128 * 1024
"""Larger bodies are answered by a thread, so that they do not stand in the way of small ones."""

HTML: Final = (b"content-type", b"text/html; charset=utf-8")
METRICS_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
NO_STORE: Final = (b"cache-control", b"no-store")
DOCUMENTED: Final = frozenset({"/v1/model", "/docs", "/openapi.json"})
DIALECTS: Final[tuple[Dialect, ...]] = (ROWS, ROWS_CSV, ROWS_ARROW, INVOCATIONS, INVOCATIONS_CSV)
"""Of several at one path the first has the short way."""
EVENTS: Final = "/v1/events"
ASKER: Final = "artificer.asker"
"""Where a request's scope keeps whose token came with it."""


class _OutcomesRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    outcomes: list[Any]


_OUTCOMES: Final = msgspec.json.Decoder(_OutcomesRequest)
_encode = msgspec.json.Encoder().encode


class Service:
    """Answers HTTP requests from the champion, and journals what it says before it says it.

    Parameters
    ----------
    champion : started; which version answers.
    journal : open; where predictions and outcomes are kept.
    max_body : longest body accepted, bytes.
    gate : which hosts and pages may ask.
    admission : which tokens may ask for what, and how often; without one, anybody.
    sharing : what other workers count, where there are any.
    clock : seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        champion: Champion,
        journal: Journal,
        *,
        max_body: int,
        gate: Gate,
        admission: Admission | None = None,
        sharing: Sharing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.champion = champion
        self.journal = journal
        self.stats = Stats()
        self.turns = Turns(champion, journal, self.stats, clock)
        self.dialects = {dialect.path.encode(): dialect for dialect in reversed(DIALECTS)}
        self.events = Events(champion)
        self._max_body = max_body
        self._gate = gate
        self._sharing = sharing
        self.admission = admission or Admission()
        self._clock = clock
        self._started = time.monotonic()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="artificer-batch")
        self._documented: Any = None
        self._building = asyncio.Lock()
        read = frozenset({"GET", "HEAD"})
        self._routes: dict[str, tuple[frozenset[str], Handler]] = {
            "/v1/outcomes": (frozenset({"POST"}), self._outcomes),
            "/health/live": (read, self._live),
            "/health/ready": (read, self._ready),
            "/metrics": (read, self._metrics),
            "/": (read, self._page),
            # What clients of MLflow's scoring server ask before they send anything.
            "/ping": (read, self._ready),
            "/health": (read, self._ready),
            "/version": (read, self._version),
        }
        for path in dict.fromkeys(dialect.path for dialect in DIALECTS):
            spoken = [dialect for dialect in DIALECTS if dialect.path == path]
            self._routes[path] = (frozenset({"POST"}), self._predicting(spoken))
        self._read = read
        self._counts = {dialect.path: self.stats.route(dialect.path) for dialect in DIALECTS}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        path, method = scope["path"], scope["method"]
        response: Response | None
        try:
            self._gate.check(scope["headers"], writes=method not in self._read)
            if method == "OPTIONS" and self._gate.allowed_origin(scope["headers"]) is not None:
                response = Response(204, b"", JSON, *PREFLIGHT)  # a browser asks before it sends a token
            else:
                scope[ASKER] = self.admission.admit(scope["headers"], scope_of(path, method))
                if path in DOCUMENTED and method in self._read:
                    # FastAPI knows no HEAD; uvicorn, which keeps the scope it made, leaves the body out by itself.
                    read = {**scope, "method": "GET"}
                    await (await self._documentation())(read, receive, self._counting(scope, started, send))
                    return
                if path == EVENTS and method in self._read:
                    await self.events.stream(receive, self._counting(scope, started, send), body=method == "GET")
                    return
                response = await self._route(path, method)(scope, receive)
        except Refusal as refusal:
            response = self._refused(refusal, path)
        except RecursionError:
            response = Refusal(400, "malformed", TOO_DEEP).response(path)
        except Exception:
            _log.exception("a request to %s failed", path)
            response = fault().response(path)
        if response is None:  # the client went away
            return
        headers = [*response.headers, *self._gate.shared(scope["headers"])]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
        self._count(path, response.status, started)

    def admits(self, dialect: Dialect, headers: Iterable[tuple[bytes, bytes]]) -> Token | None:
        """Who asks for a prediction that may take the short way: allowed, declared as it should be, and not long.

        None for any other, which is refused on the long way, where it is said why.
        """
        length = 0
        try:
            self._gate.check(headers, writes=True)
            token = self.admission.check(headers, "predict")
            check_headers(headers, dialect.media, self._max_body)
        except Refusal:
            return None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name in (b"transfer-encoding", b"origin"):
                return None
        return token if 0 < length <= LARGE_BODY else None

    def take(self, token: Token, request: Waiting) -> None:
        """Answer a request that :meth:`admits` let pass and that has arrived whole."""
        try:
            self.admission.spend(token)
        except Refusal as refusal:
            request.reply(refusal)
        else:
            self.turns.put(request)

    def said(self, path: str, answer: Response | Refusal, started: float) -> Response:
        """Give the answer to send, and count it."""
        response = self._refused(answer, path) if isinstance(answer, Refusal) else answer
        self._count(path, response.status, started)
        return response

    def close(self) -> None:
        """End the threads; requests are over by then."""
        self._threads.shutdown()

    def _route(self, path: str, method: str) -> Handler:
        found = self._routes.get(path) or self._of_inference(path)
        allowed = self._read if found is None and path in (*DOCUMENTED, EVENTS) else found[0] if found else None
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
            known = path in self._routes or path in DOCUMENTED or path == EVENTS
            route = self.stats.route(path if known else "/v2" if path.startswith("/v2") else "other")
        route.add(status, time.perf_counter() - started)

    def _refused(self, refusal: Refusal, path: str) -> Response:
        for violation in refusal.violations:
            self.stats.violated(violation.rule)
        return refusal.response(path)

    # --- the hot routes -------------------------------------------------------------------------------------------

    def _predicting(self, spoken: Sequence[Dialect]) -> Handler:
        """The handler of a path at which one dialect is spoken for each type of body."""
        media = frozenset().union(*(dialect.media for dialect in spoken))

        async def predict(scope: Scope, receive: Receive) -> Response | None:
            serving(self.champion)
            body = await self._body(scope, receive, media)
            declared = media_type(scope["headers"])
            dialect = next((one for one in spoken if declared in one.media), spoken[0])
            if body is None:
                return None
            loop = asyncio.get_running_loop()
            if len(body) > LARGE_BODY:
                predictor = serving(self.champion)
                answer, out = await loop.run_in_executor(self._threads, self._predict_large, predictor, dialect, body)
                self.stats.answered(predictor.version, len(answer.entries), answer.unseen)
                self.stats.caught(answer.hits)
                return Response(200, out, dialect.content_type)
            answered: asyncio.Future[Response | Refusal] = loop.create_future()
            self.turns.put(Waiting(dialect, body, lambda answer: _settle(answered, answer)))
            told = await answered
            if isinstance(told, Refusal):
                raise told
            return told

        return predict

    def _predict_large(self, predictor: Predictor, dialect: Dialect, body: bytes) -> tuple[Answer, bytes]:
        ask = read(dialect, body, predictor)
        if isinstance(ask, Refusal):
            raise ask
        try:
            answer = predictor.answer(ask.rows, self._clock(), ask.coverage)
        except (ArtificerError, RecursionError) as error:
            raise broken(error) from error
        try:
            self.journal.append(answer.entries)
        except JournalError as error:
            raise unwritten(error) from error
        return answer, dialect.write(predictor, answer, ask)

    async def _outcomes(self, scope: Scope, receive: Receive) -> Response | None:
        serving(self.champion)
        body = await self._body(scope, receive, JSON_MEDIA)
        if body is None:
            return None
        predictor = serving(self.champion)
        try:
            entries = predictor.outcomes(decoded(_OUTCOMES, "outcomes", body).outcomes, self._clock())
        except ContractError as error:
            raise Refusal(422, "outcomes", str(error), error.violations) from error
        try:
            await self.journal.append_async(entries)
        except JournalError as error:
            raise unwritten(error) from error
        self.stats.outcomes += len(entries)
        self.admission.audit.note("outcomes.taken", scope[ASKER].name, durable=False, count=len(entries))
        return Response(200, b'{"accepted":%d}' % len(entries))

    async def _body(self, scope: Scope, receive: Receive, media: frozenset[bytes]) -> bytes | None:
        check_headers(scope["headers"], media, self._max_body)
        return await read_body(receive, self._max_body)

    def _of_inference(self, path: str) -> tuple[frozenset[str], Handler] | None:
        """The routes of the Open Inference Protocol, in whose paths the model stands."""
        if not path.startswith("/v2"):
            return None
        fixed = {"/v2": self._server, "/v2/health/live": self._live, "/v2/health/ready": self._ready}
        if path in fixed:
            return self._read, fixed[path]
        found = inference.PATH.fullmatch(path)
        if found is None:
            return None
        name, version, rest = found["name"], found["version"], found["rest"]
        if rest == "/infer":
            return frozenset({"POST"}), self._predicting([inference.infer(path, name, version)])

        async def about(scope: Scope, receive: Receive) -> Response:
            predictor = serving(self.champion)
            inference.check(predictor, name, version)
            if rest == "/ready":
                return await self._ready(scope, receive)
            return Response(200, _encode(inference.metadata(predictor)), JSON, NO_STORE)

        return self._read, about

    # --- the others -----------------------------------------------------------------------------------------------

    async def _live(self, scope: Scope, receive: Receive) -> Response:
        return Response(200, b'{"status":"live"}', JSON, NO_STORE)

    async def _server(self, scope: Scope, receive: Receive) -> Response:
        document = {"name": "artificer", "version": __version__, "extensions": ["binary_tensor_data"]}
        return Response(200, _encode(document), JSON, NO_STORE)

    async def _version(self, scope: Scope, receive: Receive) -> Response:
        return Response(200, __version__.encode(), (b"content-type", b"text/plain; charset=utf-8"), NO_STORE)

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
        text = self._counted().text(self.champion.state, self.journal.state, time.monotonic() - self._started)
        return Response(200, text, METRICS_TEXT, NO_STORE)

    async def _page(self, scope: Scope, receive: Receive) -> Response:
        from artificer.server.pages import status_page

        uptime = time.monotonic() - self._started
        text = status_page(self.champion.state, self.journal.state, self._counted(), uptime)
        return Response(200, text.encode(), HTML, NO_STORE)

    async def _documentation(self) -> Any:
        async with self._building:
            if self._documented is None:
                loop = asyncio.get_running_loop()
                # FastAPI takes half a second to import: in a thread, since others wait for predictions meanwhile.
                face = await loop.run_in_executor(self._threads, import_module, "artificer.server.face")
                self._documented = face.build(self.champion)
        return self._documented

    def _counting(self, scope: Scope, started: float, send: Send) -> Send:
        async def counted(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._count(scope["path"], message["status"], started)
                message = {**message, "headers": [*message["headers"], *self._gate.shared(scope["headers"])]}
            await send(message)

        return counted

    def share(self) -> None:
        """Let the other workers read what this one has counted."""
        if self._sharing is not None:
            self._sharing.leave(self._own())

    def _own(self) -> Stats:
        journal = self.journal.state
        stats = self.stats
        stats.entries, stats.groups, stats.loads = journal.entries, journal.groups, self.champion.state.loads
        return stats

    def _counted(self) -> Stats:
        """What all workers have counted."""
        others = [] if self._sharing is None else self._sharing.others()
        return self._own() if not others else merged([self._own(), *others])


def _settle(waiting: asyncio.Future[Response | Refusal], answer: Response | Refusal) -> None:
    if not waiting.done():  # cancelled: its client went away
        waiting.set_result(answer)
