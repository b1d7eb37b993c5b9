"""Requests that came in one turn of the event loop, answered together: one run of the graph, one entry in the journal.

No timer holds a request back to make company. While one group is scored and one commit runs, others arrive by
themselves, and they are the next group; a lone request is answered at once. So batches grow with load and are one row
without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from artificer.errors import ContractError, JournalError, UsageError
from artificer.server.bodies import TOO_DEEP
from artificer.server.dialects.base import Dialect
from artificer.server.problems import Refusal, Response
from artificer.serving.predictor import Answer, Ask, Predictor

if TYPE_CHECKING:
    from artificer.journal.writer import Journal
    from artificer.server.stats import Stats
    from artificer.serving.champion import Champion

_log = logging.getLogger("artificer.server")

TURN_REQUESTS: Final = 64
"""So many requests are answered together at the most: the first of them waits for the last."""
TURN_BYTES: Final = 256 * 1024
"""And bodies of so many bytes; what is over is the next turn's."""


class Waiting(NamedTuple):
    """A request that has arrived whole: its dialect and body, and who takes the answer."""

    dialect: Dialect
    body: bytes
    reply: Callable[[Response | Refusal], None]


class Turns:
    """Gathers requests and answers them.

    Parameters
    ----------
    champion : which version answers; one version answers a whole turn.
    journal : what is said is durable there before it is said.
    stats : counts rows and unseen categories.
    clock : seconds since 1970-01-01 UTC.
    """

    def __init__(self, champion: Champion, journal: Journal, stats: Stats, clock: Callable[[], float]) -> None:
        self._champion = champion
        self._journal = journal
        self._stats = stats
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._called = False

    def put(self, request: Waiting) -> None:
        """Have `request` answered by this turn of the running loop; its ``reply`` is called exactly once."""
        self._waiting.append(request)
        if not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        group, self._waiting = _some(self._waiting)
        self._called = bool(self._waiting)
        if self._called:
            asyncio.get_running_loop().call_soon(self._turn)
        refused: list[tuple[Waiting, Refusal]] = []
        try:
            self._answer(group, refused)
        except Exception:
            _log.exception("a turn of %d requests failed", len(group))
            known = {id(request) for request, _ in refused}
            refused += [(request, fault()) for request in group if id(request) not in known]
        for request, refusal in refused:
            request.reply(refusal)

    def _answer(self, group: list[Waiting], refused: list[tuple[Waiting, Refusal]]) -> None:
        """Answer `group` once its entries are durable; `refused` takes those to whom there is nothing to wait for."""
        try:
            predictor = serving(self._champion)
        except Refusal as refusal:
            refused += [(request, refusal) for request in group]
            return
        asked: list[Waiting] = []
        asks: list[Ask] = []
        for request in group:
            ask = read(request.dialect, request.body, predictor)
            if isinstance(ask, Refusal):
                refused.append((request, ask))
            else:
                asked.append(request)
                asks.append(ask)
        good: list[tuple[Waiting, Ask, Answer]] = []
        for request, ask, given in zip(asked, asks, predictor.answers(asks, self._clock()), strict=True):
            if isinstance(given, Answer):
                good.append((request, ask, given))
            else:
                refused.append((request, broken(given)))
        if good:
            self._keep(predictor, good, refused)

    def _keep(
        self, predictor: Predictor, good: list[tuple[Waiting, Ask, Answer]], refused: list[tuple[Waiting, Refusal]]
    ) -> None:
        """Journal what is said, and say it once it is durable."""
        entries = good[0][2].entries if len(good) == 1 else [entry for *_, answer in good for entry in answer.entries]
        try:
            durable = self._journal.append_async(entries)
        except JournalError as error:
            if len(good) == 1:
                refused.append((good[0][0], unwritten(error)))
                return
            for one in good:  # an entry without a form in the journal is one request's trouble
                self._keep(predictor, [one], refused)
            return
        # Written while the commit runs; nobody is told before it is over.
        told = [(request, _response(predictor, request.dialect, answer, ask)) for request, ask, answer in good]

        def say(done: asyncio.Future[None]) -> None:
            error = done.exception()
            if error is not None:
                for request, _ in told:
                    request.reply(unwritten(error))
                return
            self._stats.answered(predictor.version, len(entries), sum([answer.unseen for *_, answer in good]))
            for *_, answer in good:
                if answer.hits:
                    self._stats.caught(answer.hits)
            for request, response in told:
                request.reply(response)

        durable.add_done_callback(say)


def _some(waiting: list[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """Split off what one turn takes: one request at least."""
    size = 0
    for i, request in enumerate(waiting):
        size += len(request.body)
        if i and (size > TURN_BYTES or i >= TURN_REQUESTS):
            return waiting[:i], waiting[i:]
    return waiting, []


def read(dialect: Dialect, body: bytes, predictor: Predictor) -> Ask | Refusal:
    """Read a body for the model that answers, or say why it cannot be read."""
    try:
        return dialect.read(body, predictor)
    except Refusal as refusal:
        return refusal
    except RecursionError:
        return Refusal(400, "malformed", TOO_DEEP)
    except Exception:
        _log.exception("a body for %s could not be read", dialect.path)
        return fault()


def _response(predictor: Predictor, dialect: Dialect, answer: Answer, ask: Ask) -> Response | Refusal:
    try:
        return Response(200, dialect.write(predictor, answer, ask), dialect.content_type)
    except Exception:
        _log.exception("an answer for %s could not be written", dialect.path)
        return fault()


def serving(champion: Champion) -> Predictor:
    """The version that answers; Refusal while there is none."""
    predictor = champion.predictor
    if predictor is None:
        why = champion.state.problem or "no version has been promoted yet"
        raise Refusal(503, "no-champion", why, headers=[(b"retry-after", b"2")])
    return predictor


def broken(error: BaseException) -> Refusal:
    """Say what is wrong with one request."""
    if isinstance(error, ContractError):
        return Refusal(422, "contract", str(error), error.violations)
    if isinstance(error, UsageError):
        return Refusal(422, "coverage", str(error))
    if isinstance(error, RecursionError):
        return Refusal(400, "malformed", TOO_DEEP)
    _log.error("a prediction failed", exc_info=error)
    return fault()


def unwritten(error: BaseException) -> Refusal:
    """Say that the journal failed."""
    if not isinstance(error, JournalError):
        _log.error("the journal failed", exc_info=error)
        return fault()
    detail = f"{error} Nothing was acknowledged; send the request again later"
    return Refusal(503, "journal", detail, headers=[(b"retry-after", b"2")])


def fault() -> Refusal:
    """Say that the service itself is at fault."""
    detail = "the request could not be answered because of a fault in the service; its log says more"
    return Refusal(500, "internal", detail)
