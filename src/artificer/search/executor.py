"""The executor door: search hands fits in and takes outcomes out, and knows nothing of where they ran."""

from __future__ import annotations

import concurrent.futures
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeAlias

from artificer.clock import Clock, SystemClock
from artificer.search.libraries import load
from artificer.search.tasks import FitOutcome, FitTask, MemoryStore, TrainingData, attempt

Handle: TypeAlias = "Future[FitOutcome]"


class Session(ABC):
    """One run's table, put where its fits can reach it."""

    slots: int = 1
    """How many fits may be under way at once."""

    concurrent: bool = False
    """Whether :meth:`submit` returns before the fit has ended."""

    loaded: Collection[str] = ()
    """Algorithms whose libraries are known to be loaded where fits run; may grow at any time."""

    @abstractmethod
    def submit(self, task: FitTask) -> Handle:
        """Start a fit. The handle's result is always an outcome; a fit that raised, hung or died is one too."""

    def stop(self, handle: Handle) -> None:
        """End a fit early, as far as that is possible; its handle then resolves soon."""
        handle.cancel()

    @abstractmethod
    def close(self) -> None:
        """End what still runs and remove what was laid out. May be called twice."""


class Executor(ABC):
    """Where fits run. Implementations must be reusable: each :meth:`open` serves one run."""

    slots: int | None = 1
    """How many fits sessions run at once; None leaves it to the search, which sets it."""

    memory_mb: float | None = None
    """When fits together take more memory of their own than this, in MiB, the largest is ended where that is possible;
    None leaves it to the search, which says what its request does."""

    @abstractmethod
    def start(self, data: TrainingData) -> Session:
        """Lay the table out."""

    @contextmanager
    def open(self, data: TrainingData) -> Iterator[Session]:
        """A session that is closed whatever happens."""
        session = self.start(data)
        try:
            yield session
        finally:
            session.close()


class InlineExecutor(Executor):
    """Runs each fit at once in this process: nothing to start, nothing to copy, and nothing that could stop a fit.

    Right for small tables, where a fit takes less time than a process.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()

    def start(self, data: TrainingData) -> Session:
        return InlineSession(data, self.clock)


class InlineSession(Session):
    def __init__(self, data: TrainingData, clock: Clock) -> None:
        self.data = data
        self.clock = clock
        self.store = MemoryStore()

    def submit(self, task: FitTask) -> Handle:
        from threadpoolctl import threadpool_limits

        handle: Handle = Future()
        load(task.algorithm)
        # A second thread in the products of a linear model's narrow matrices costs ten times what it saves.
        with threadpool_limits(1, user_api="blas"):
            handle.set_result(attempt(task, self.data, self.store, self.clock))
        return handle

    def close(self) -> None:
        self.store.kept.clear()


def wait_any(handles: list[Handle], timeout: float | None) -> list[Handle]:
    """Those of the handles that are done, after waiting for the first or for `timeout` seconds."""
    done = concurrent.futures.wait(handles, timeout, concurrent.futures.FIRST_COMPLETED).done
    return [handle for handle in handles if handle in done]
