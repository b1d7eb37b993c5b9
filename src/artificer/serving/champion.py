"""Which version answers now: follows the pointer that the registry writes."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from artificer.bundle.pointer import Pointer, read_pointer
from artificer.errors import ArtificerError, BundleDamagedError
from artificer.serving.guards import GuardPlan
from artificer.serving.ids import Ids
from artificer.serving.predictor import DEFAULT_PLAN, Predictor

_log = logging.getLogger("artificer.serving")

POLL_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 5.0
"""A version that was refused is tried again after so long: its file may have been on its way."""

Load: TypeAlias = Callable[[Path, Pointer, Ids], Predictor]
_Mark: TypeAlias = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class ChampionState:
    """What answers now, and why what should answer does not.

    Attributes
    ----------
    predictor : None before the first good champion.
    problem : why the pointer's version is not serving; None when it is.
    loads : how many versions were taken up since the start.
    """

    predictor: Predictor | None
    problem: str | None
    loads: int


def load(path: Path, pointer: Pointer, ids: Ids, plan: GuardPlan = DEFAULT_PLAN) -> Predictor:
    """Load the bundle that the pointer at `path` names, audited; another file in its place is refused."""
    from artificer.bundle.format import load_bundle

    place = pointer.bundle_path(path)
    bundle = load_bundle(place)
    if bundle.sha256 != pointer.sha256:
        raise BundleDamagedError(f"the bundle {place} is not the one that was promoted; promote a version again")
    _give_back()
    return Predictor(pointer.name, pointer.version, bundle, pointer.at, ids, plan)


def _give_back() -> None:
    """Let the system have what auditing and building the session took and freed; for an ensemble that is 80 MiB."""
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


class Champion:
    """Holds the version that answers, and exchanges it when the pointer changes.

    A new version is loaded and audited in a thread of its own and put in place by one assignment: a request that took
    the old one finishes with it, the next takes the new one, and none waits. A version that is refused changes nothing
    but :attr:`state`, whose ``problem`` says why.

    Parameters
    ----------
    pointer : the pointer file; it may be absent until a version is promoted.
    poll : seconds between two looks at it.
    loader : turns a pointer into a predictor.
    """

    def __init__(self, pointer: Path, *, poll: float = POLL_SECONDS, loader: Load = load) -> None:
        self.pointer = Path(pointer)
        self.predictor: Predictor | None = None
        self._poll = poll
        self._loader = loader
        self._ids = Ids()
        self._problem: str | None = None
        self._loads = 0
        self._mark: _Mark = None
        self._looked = False
        self._since_refusal = 0.0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> ChampionState:
        """How things stand, without waiting."""
        return ChampionState(self.predictor, self._problem, self._loads)

    def start(self) -> None:
        """Look once, so that a champion that is there answers from the first request on; then keep watching."""
        self.refresh()
        self._thread = threading.Thread(target=self._watch, name="artificer-champion", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; the version in place keeps answering."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> bool:
        """Take up what the pointer names if it has changed; whether another version answers now.

        Called by one thread at a time: by the watcher once it runs.
        """
        mark = self._look()
        retry = self._problem is not None and self._since_refusal >= RETRY_SECONDS
        if self._looked and mark == self._mark and not retry:
            return False
        self._looked, self._mark, self._since_refusal = True, mark, 0.0
        try:
            pointer = read_pointer(self.pointer)
            old = self.predictor
            if old is not None and (old.version, old.bundle.sha256) == (pointer.version, pointer.sha256):
                self._problem = None
                return False
            self.predictor = self._loader(self.pointer, pointer, self._ids)
        except ArtificerError as error:
            self._refused(str(error))
            return False
        except Exception as error:  # whatever a broken file sets off, the version in place must keep answering
            _log.debug("loading the champion failed", exc_info=True)
            self._refused(f"the champion of {self.pointer} cannot be loaded: {type(error).__name__}: {error}")
            return False
        self._loads += 1
        self._problem = None
        _log.info("version %s of %s answers now", pointer.version, pointer.name)
        return True

    def _refused(self, problem: str) -> None:
        if problem != self._problem:
            kept = self.predictor
            stays = "nothing answers" if kept is None else f"version {kept.version} keeps answering"
            _log.error("%s (%s)", problem, stays)
        self._problem = problem

    def _look(self) -> _Mark:
        try:
            found = os.stat(self.pointer)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _watch(self) -> None:
        while not self._end.wait(self._poll):
            self._since_refusal += self._poll
            self.refresh()
