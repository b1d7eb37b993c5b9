"""A run's table and its encoded matrices as files in a scratch folder, for fits that run in other processes.

Numbers, times, targets and folds are ``.npy``; strings and texts are codes (``.npy``) with their vocabulary (JSON),
since a pickle is the only other form NumPy has for them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np

from artificer.graph import Fragment
from artificer.search.admission import available_mb
from artificer.search.latency import Price
from artificer.search.tasks import Encoded, FitOutcome, FitTask, TrainingData
from artificer.types import Blocks, Ints, Json, Kind, Strings, Task

KEEP_FREE = 20
"""A model is kept while there is room for this many of its size."""


def scratch_folder(bytes_needed: int, parent: Path | None = None) -> Path:
    """Make a private folder, in shared memory when that has room to spare, else where temporary files go."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp below gives a private, unguessable folder in it
    if parent is None and memory.is_dir() and os.access(memory, os.W_OK):
        free = shutil.disk_usage(memory).free
        if free > 8 * bytes_needed and bytes_needed < 2**28:
            parent = memory
    return Path(tempfile.mkdtemp(prefix="artificer-search-", dir=parent))


def write_data(folder: Path, data: TrainingData) -> None:
    """Lay a run's table out in `folder`."""
    np.save(folder / "numbers.npy", data.blocks.numbers)
    np.save(folder / "times.npy", data.blocks.times)
    np.save(folder / "y.npy", data.y)
    if data.weight is not None:
        np.save(folder / "weight.npy", data.weight)
    for name, values in (("groups", data.groups), ("moments", data.times)):
        if values is not None:
            np.save(folder / f"{name}.npy", values)
    codes, vocabulary = factorise(data.blocks.strings)
    np.save(folder / "codes.npy", codes)
    texts, sentences = factorise(data.blocks.texts)
    np.save(folder / "texts.npy", texts)
    for i, (train, valid) in enumerate(data.folds):
        np.save(folder / f"train-{i}.npy", np.asarray(train, dtype=np.int64))
        np.save(folder / f"valid-{i}.npy", np.asarray(valid, dtype=np.int64))
    meta = {
        "task": data.task.value,
        "n_classes": data.n_classes,
        "names": {kind.value: list(names) for kind, names in data.names.items()},
        "folds": len(data.folds),
        "center": data.center,
        "spread": data.spread,
        "vocabulary": vocabulary,
        "texts": sentences,
        "monotone": data.monotone,
        "levels": data.levels,
        "weighted": data.weight is not None,
        "grouped": data.groups is not None,
        "timed": data.times is not None,
        "class_weights": None if data.class_weights is None else data.class_weights.tolist(),
    }
    (folder / "data.json").write_text(json.dumps(meta), encoding="utf-8")


def read_data(folder: Path) -> TrainingData:
    """Read back what :func:`write_data` wrote; numbers stay on disk until touched."""
    meta = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    strings = _strings(np.load(folder / "codes.npy"), meta["vocabulary"])
    texts = _strings(np.load(folder / "texts.npy"), meta["texts"])
    return TrainingData(
        blocks=Blocks(np.load(folder / "numbers.npy", mmap_mode="r"), strings, np.load(folder / "times.npy"), texts),
        y=np.load(folder / "y.npy"),
        task=Task(meta["task"]),
        n_classes=meta["n_classes"],
        names={Kind(kind): names for kind, names in meta["names"].items()},
        folds=tuple(
            (np.load(folder / f"train-{i}.npy"), np.load(folder / f"valid-{i}.npy")) for i in range(meta["folds"])
        ),
        center=meta["center"],
        spread=meta["spread"],
        monotone=tuple(meta["monotone"]),
        levels=tuple(meta["levels"]),
        weight=np.load(folder / "weight.npy") if meta["weighted"] else None,
        groups=np.load(folder / "groups.npy") if meta["grouped"] else None,
        times=np.load(folder / "moments.npy") if meta["timed"] else None,
        class_weights=None if meta["class_weights"] is None else np.array(meta["class_weights"]),
    )


def factorise(strings: Strings) -> tuple[Ints, list[list[str]]]:
    """Codes (n, m) and each column's words in order of appearance."""
    codes = np.zeros(strings.shape, dtype=np.int64)
    vocabulary = []
    for j in range(strings.shape[1]):
        known: dict[str, int] = {}
        codes[:, j] = [known.setdefault(word, len(known)) for word in strings[:, j]]
        vocabulary.append(list(known))
    return codes, vocabulary


def _strings(codes: Ints, vocabulary: list[list[str]]) -> Strings:
    """What :func:`factorise` took apart."""
    strings = np.empty(codes.shape, dtype=object)
    for j, words in enumerate(vocabulary):
        strings[:, j] = np.array(words, dtype=object)[codes[:, j]] if words else ""
    return strings


class FolderStore:
    """Encoded matrices as files, shared by every process of a run; writing is atomic, a full disk only costs time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Encoded | None:
        place = self.folder / f"features-{key}"
        if not (place / "meta.json").exists():
            return None
        meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
        return Encoded(
            train=np.load(place / "train.npy", mmap_mode="r"),
            valid=np.load(place / "valid.npy", mmap_mode="r"),
            fragment=read_fragment(place / "encoder") if meta["fragment"] else None,
            seconds=meta["seconds"],
            monotone=tuple(meta["monotone"]),
        )

    def put(self, key: str, encoded: Encoded) -> None:
        place = self.folder / f"features-{key}"
        if free_bytes(self.folder) < 4 * (encoded.train.nbytes + encoded.valid.nbytes) + 2**26:
            return
        building = Path(tempfile.mkdtemp(prefix="building-", dir=self.folder))
        try:
            np.save(building / "train.npy", encoded.train)
            np.save(building / "valid.npy", encoded.valid)
            if encoded.fragment is not None:
                write_fragment(building / "encoder", encoded.fragment)
            meta = {
                "seconds": encoded.seconds,
                "fragment": encoded.fragment is not None,
                "monotone": encoded.monotone,
            }
            (building / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
            building.rename(place)
        except OSError:  # the disk filled up, or another process was first: this fit still has its arrays
            shutil.rmtree(building, ignore_errors=True)


def write_outcome(place: Path, outcome: FitOutcome) -> None:
    """Arrays and fragments as files, the rest as JSON; the folder appears whole or not at all."""
    building = Path(tempfile.mkdtemp(prefix="unfinished-", dir=place.parent))
    meta: Json = {
        key: getattr(outcome, key)
        for key in ("ok", "reason", "rounds", "complete", "seconds", "encode_seconds", "features", "rows", "peak_mb")
    }
    if outcome.scores is not None:
        np.save(building / "scores.npy", outcome.scores)
    meta["model_price"] = astuple(outcome.model_price)
    meta["encoder_prices"] = {key: astuple(cost) for key, cost in outcome.encoder_prices.items()}
    write_model(building, outcome)
    (building / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    building.rename(place)


def read_outcome(place: Path, task: FitTask) -> FitOutcome:
    """What :func:`write_outcome` wrote; the model stays a file.

    Raises
    ------
    OSError, ValueError, KeyError
        The files are not there, or damaged.
    """
    meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
    meta["model_price"] = Price(*meta["model_price"])
    meta["encoder_prices"] = {key: Price(*cost) for key, cost in meta["encoder_prices"].items()}
    scores = np.load(place / "scores.npy") if (place / "scores.npy").exists() else None
    kept = place if (place / "model.json").exists() else None
    return FitOutcome(task=task, scores=scores, place=kept, **meta)


def write_model(place: Path, outcome: FitOutcome) -> None:
    """Put an outcome's fragments into `place`, unless the disk, or the memory that stands for it, is nearly full."""
    if outcome.model is None or outcome.representation is None:
        return
    size = len(outcome.model.model) + len(outcome.representation.model)
    if free_bytes(place) < KEEP_FREE * size + 2**26:
        return
    shared = place.parent / f"features-{outcome.task.features_key}" / "encoder.json"
    if not shared.exists():
        write_fragment(place / "representation", outcome.representation)
    write_fragment(place / "model", outcome.model)


def free_bytes(place: Path) -> int:
    """What may still be written: shared memory is no larger than the memory that is left, whatever it says."""
    free = shutil.disk_usage(place).free
    if str(place).startswith("/dev/shm"):  # noqa: S108 - only asks where the folder lies
        free = min(free, int(available_mb() * 2**20))
    return free


def with_model(outcome: FitOutcome) -> FitOutcome:
    """An outcome with its fragments in memory.

    Raises
    ------
    OSError, ValueError, KeyError
        The files are gone or damaged.
    """
    place = outcome.place
    if outcome.model is not None or place is None:
        return outcome
    own, shared = place / "representation", place.parent / f"features-{outcome.task.features_key}" / "encoder"
    encoder = read_fragment(own if own.with_suffix(".json").exists() else shared)
    return replace(outcome, representation=encoder, model=read_fragment(place / "model"), place=None)


def write_fragment(stem: Path, fragment: Fragment) -> None:
    stem.with_suffix(".onnx").write_bytes(fragment.model)
    edges = {"inputs": fragment.inputs, "outputs": fragment.outputs}
    stem.with_suffix(".json").write_text(json.dumps(edges), encoding="utf-8")


def read_fragment(stem: Path) -> Fragment:
    edges = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    return Fragment(stem.with_suffix(".onnx").read_bytes(), tuple(edges["inputs"]), tuple(edges["outputs"]))
