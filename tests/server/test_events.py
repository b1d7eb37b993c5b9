"""Server-sent events: a client hears of every champion, and an open stream does not hold up the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_a_stream_tells_of_each_champion_and_ends_with_the_service(
    serve: Callable[..., Any], promote: Callable[..., Path]
) -> None:
    promote(1)
    running = serve()
    with httpx.stream("GET", running.url + "/v1/events", timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        heard = events(answer.iter_lines())
        assert next(heard)["version"] == 1
        promote(2)
        assert next(heard)["version"] == 2
        ended = threading.Thread(target=running.process.terminate)
        ended.start()
        assert list(heard) == [], "the stream is closed, not cut"
        ended.join()
    assert running.process.wait(5) == 0


def test_a_stream_takes_no_post_and_a_head_ends_at_once(served: Any) -> None:
    assert served.client.post("/v1/events", content=b"").status_code in (405, 415)
    assert served.client.head("/v1/events").status_code == 200
