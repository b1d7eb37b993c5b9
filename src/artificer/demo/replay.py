"""Live traffic out of a table: rows are posted in the order of their time, outcomes arrive later."""

from __future__ import annotations

import json
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from artificer.errors import ArtificerError
from artificer.types import Json

TIMEOUT = 30.0


@dataclass
class Traffic:
    """A client that asks for predictions and reports outcomes when they become known.

    Attributes
    ----------
    delay_rows : an outcome is known when so many later rows have been asked for.
    answered : (row position, prediction, version) of every answer, in order.
    """

    url: str
    rows: Sequence[Json]
    outcomes: Sequence[Any]
    delay_rows: int
    answered: list[tuple[int, Any, int]] = field(default_factory=list)
    _open: deque[tuple[int, str]] = field(default_factory=deque)

    def play(self, start: int, stop: int, batch: int) -> None:
        """Ask for the rows from `start` to `stop`, `batch` at a time, and report what has become known meanwhile."""
        for first in range(start, stop, batch):
            last = min(first + batch, stop)
            answer = post(f"{self.url}/v1/predict", {"rows": list(self.rows[first:last])})
            version = int(answer["model"]["version"])
            for position, made in zip(range(first, last), answer["predictions"], strict=True):
                self.answered.append((position, made["prediction"], version))
                self._open.append((position, made["id"]))
            self._report(last)

    def _report(self, now: int) -> None:
        known = list(self._known(now))
        if known:
            post(f"{self.url}/v1/outcomes", {"outcomes": known})

    def _known(self, now: int) -> Iterator[Json]:
        while self._open and self._open[0][0] + self.delay_rows < now:
            position, key = self._open.popleft()
            yield {"id": key, "value": self.outcomes[position]}


def post(url: str, document: Json) -> Json:
    """POST one JSON document and return the answer's.

    Raises
    ------
    ArtificerError
        The service refuses or does not answer.
    """
    data = json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 -- our own service
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
            answer: Json = json.loads(response.read())
            return answer
    except OSError as error:
        detail = error.read().decode(errors="replace")[:300] if hasattr(error, "read") else error
        raise ArtificerError(f"the service at {url} did not answer as it should ({detail}); see its log") from error
