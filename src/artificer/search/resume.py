"""Finished fits on disk, so that a run that was killed is taken up where it stood.

A checkpoint is a folder of data: JSON, ``.npy`` and ONNX, nothing that could run when it is read. Every fit has a
folder named after what it depends on (the candidate, its hyperparameters and encoders, fold, rows, seed), so that a
second run of the same table finds what it would fit and goes on from there. A run that takes fits up has its whole
budget again: what was found costs it nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from artificer.search.executor import Handle, Session
from artificer.search.scratch import read_outcome, with_model, write_outcome
from artificer.search.tasks import FitOutcome, FitTask, TrainingData

TABLE_FILE = "table"
OWN_NAME = re.compile(r"[0-9a-f]{32}|unfinished-\w+")
NOT_OF_THE_FIT = ("id", "threads", "keep_model", "soft_seconds", "hard_seconds")
"""What a task says beside what its result depends on."""


@dataclass
class Checkpoint:
    """The finished fits of one table.

    Attributes
    ----------
    taken_up : fits that did not have to be done again so far.
    """

    folder: Path
    taken_up: int = 0

    @classmethod
    def open(cls, folder: Path, data: TrainingData) -> tuple[Checkpoint, str | None]:
        """Make the folder or go on with it, and say what was found; fits of another table are removed.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        note, known = None, folder / TABLE_FILE
        current = fingerprint(data)
        if known.exists():
            if known.read_text(encoding="ascii") == current:
                count = sum((each / "meta.json").exists() for each in folder.iterdir())
                note = f"{count} finished fits of the run that was interrupted were found and need not be repeated"
            else:
                remove_fits(folder)
                note = "the table is not the one of the run that was interrupted, so nothing of that run was used"
        folder.mkdir(parents=True, exist_ok=True)
        known.write_text(current, encoding="ascii")
        return cls(folder), note

    def find(self, task: FitTask) -> FitOutcome | None:
        """The outcome of an equal fit, its model included where that is asked for."""
        place = self.folder / key_of(task)
        try:
            outcome = read_outcome(place, task)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None
        if (task.keep_model or task.fold is None) and not outcome.has_model:
            return None
        self.taken_up += 1
        return outcome

    def keep(self, outcome: FitOutcome) -> None:
        """Write a fit down that ended as it should; a full disk only means that it is not there later."""
        if not outcome.ok or not outcome.complete:
            return
        place = self.folder / key_of(outcome.task)
        with suppress(OSError, ValueError, KeyError):
            if place.exists():
                shutil.rmtree(place)
            write_outcome(place, with_model(outcome))


class ResumedSession(Session):
    """Another session whose finished fits are written down, and are not done again when they are there already."""

    def __init__(self, inner: Session, checkpoint: Checkpoint) -> None:
        self.inner, self.checkpoint = inner, checkpoint
        self.slots, self.concurrent = inner.slots, inner.concurrent

    @property
    def loaded(self) -> Collection[str]:  # type: ignore[override]
        return self.inner.loaded

    def submit(self, task: FitTask) -> Handle:
        found = self.checkpoint.find(task)
        if found is not None:
            handle: Handle = Future()
            handle.set_result(found)
            return handle
        handle = self.inner.submit(task)
        handle.add_done_callback(lambda done: self.checkpoint.keep(done.result()))
        return handle

    def stop(self, handle: Handle) -> None:
        self.inner.stop(handle)

    def close(self) -> None:
        self.inner.close()


def key_of(task: FitTask) -> str:
    """Equal for tasks with equal results on one table."""
    told = {key: value for key, value in task.to_json().items() if key not in NOT_OF_THE_FIT}
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()


def remove_fits(folder: Path) -> None:
    """Take away what a checkpoint has written, finished or not, and nothing else that may lie beside it."""
    for place in folder.iterdir():
        if place.is_dir() and not place.is_symlink() and OWN_NAME.fullmatch(place.name):
            shutil.rmtree(place)


def fingerprint(data: TrainingData) -> str:
    """Equal for equal tables, targets, weights and folds under the same version of this package."""
    digest = hashlib.blake2b(version("artificer").encode(), digest_size=16)
    _feed(digest, data)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if is_dataclass(value):
        for each in fields(value):
            _feed(digest, each.name)
            _feed(digest, getattr(value, each.name))
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        if value.dtype == object:
            for column in value.reshape(len(value), -1).T:
                digest.update("\x1f".join(map(str, column)).encode("utf-8", "surrogatepass"))
        else:
            digest.update(np.ascontiguousarray(value).view(np.uint8).data if value.size else b"")
    elif isinstance(value, Mapping):
        _feed(digest, [*value.items()])
    elif isinstance(value, (list, tuple)):
        digest.update(b"[")
        for each in value:
            _feed(digest, each)
        digest.update(b"]")
    else:
        digest.update(repr(value).encode())


def resumed(session: Session, folder: Path | None, data: TrainingData, notes: list[str]) -> Session:
    """The session itself, or one with a checkpoint where there is a folder for it."""
    if folder is None:
        return session
    checkpoint, note = Checkpoint.open(folder, data)
    if note:
        notes.append(note)
    return ResumedSession(session, checkpoint)
