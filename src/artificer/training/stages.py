"""How long each stage of a run took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from artificer.clock import Clock


@dataclass
class Stages:
    """Seconds of each stage, in order."""

    clock: Clock
    started: float
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = self.clock.monotonic()
        try:
            yield
        finally:
            self.seconds.append((name, self.clock.monotonic() - start))

    @property
    def elapsed(self) -> float:
        return self.clock.monotonic() - self.started
