"""``/v1/events``: which version answers, told when it changes (server-sent events).

References
----------
WHATWG, "HTML Living Standard", section 9.2, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from artificer.server.problems import Refusal
from artificer.serving.champion import Champion

if TYPE_CHECKING:
    from artificer.server.bodies import Receive
    from artificer.serving.predictor import Predictor

LOOK_SECONDS: Final = 0.25
BEAT_SECONDS: Final = 15.0
"""So often a comment is sent where nothing changes, for proxies that end silent connections."""
MOST: Final = 100
"""Streams at once."""
HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

_encode = msgspec.json.Encoder().encode


class Events:
    """Streams of what answers.

    Attributes
    ----------
    ending : set when the service ends, so that open streams end with it.
    """

    def __init__(self, champion: Champion) -> None:
        self.ending = False
        self._champion = champion
        self._open = 0

    async def stream(
        self, receive: Receive, send: Callable[[MutableMapping[str, Any]], Awaitable[None]], body: bool = True
    ) -> None:
        """Tell of the version that answers now, and of each that follows, until the client goes or the service ends."""
        if self._open >= MOST:
            detail = f"there are {MOST} streams open; close some, or ask /v1/model now and then"
            raise Refusal(503, "too-many", detail, headers=[(b"retry-after", b"5")])
        self._open += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            if body:
                await self._tell(receive, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._open -= 1

    async def _tell(self, receive: Receive, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        told: Predictor | None = None
        silent = 0.0
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
        while not self.ending:
            predictor = self._champion.predictor
            if predictor is not told and predictor is not None:
                told, silent = predictor, 0.0
                await send({"type": "http.response.body", "body": event(predictor), "more_body": True})
            elif silent >= BEAT_SECONDS:
                silent = 0.0
                await send({"type": "http.response.body", "body": b": nothing new\n\n", "more_body": True})
            if await _gone(receive):
                return
            silent += LOOK_SECONDS


async def _gone(receive: Receive) -> bool:
    """Whether the client goes within one look."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                continue
    except TimeoutError:
        return False
    return True


def event(predictor: Predictor) -> bytes:
    """Give the event of a version that answers from now on."""
    document = {"name": predictor.name, "version": predictor.version, "since": predictor.since}
    return b"event: champion\nid: %d\ndata: %s\n\n" % (predictor.version, _encode(document))
