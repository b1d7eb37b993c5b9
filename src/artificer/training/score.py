"""Score rows out of core: batches of the input go through contract and graph to the output, in the input's order.

Batches are scored side by side, and a batch's scores are kept in a folder beside the output until all of it is written:
what was killed and is started again computes only what is missing. The rows themselves are read again, which is cheap.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from artificer.durable import replacing
from artificer.errors import ArtificerError, DataError
from artificer.tables.arrays import Breach, to_blocks
from artificer.training.gathering import Widen
from artificer.training.request import Watch, silent
from artificer.training.sinks import check_output, is_database, opened
from artificer.types import Floats, Json

if TYPE_CHECKING:
    import polars as pl

    from artificer.bundle.conformal import Promise
    from artificer.bundle.model import Bundle
    from artificer.sources.base import Content, Reject

PREDICTION = "prediction"
PROBABILITY = "probability_"
BATCH_ROWS: Final = 65_536
NOTES: Final = 100
"""So many different notes are kept; a file may have a million odd cells."""


@dataclass
class _Account:
    """What was odd, added up over the batches."""

    rows: int = 0
    resumed: int = 0
    rejects: list[Reject] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    breaches: dict[tuple[str, str], Breach] = field(default_factory=dict)

    def note(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            if len(self.notes) < NOTES:
                self.notes.setdefault(sentence)

    def breach(self, found: Breach) -> None:
        """Count cells that broke a rule; the first ones stand for all."""
        key = found.column, found.rule
        known = self.breaches.get(key)
        if known is not None:
            self.breaches[key] = replace(known, count=known.count + found.count)
        else:
            self.breaches[key] = replace(found, rows=tuple(row + self.rows for row in found.rows))


def score_file(
    bundle: Bundle,
    source: str,
    output: str | Path,
    coverage: float | None = None,
    *,
    threads: int = 1,
    batch_rows: int = BATCH_ROWS,
    widen: Widen | None = None,
    watch: Watch = silent,
) -> Json:
    """Score `source` into `output`, which is whole at the end or as it was before.

    A cell that breaks the contract is scored as missing, counted and told; a line that cannot be parsed goes to the
    rejects file beside the output.

    Parameters
    ----------
    output : a file, or ``URL#table`` of a database for a new table.
    threads : so many batches are scored side by side.
    batch_rows : what is held in memory is a few times so many rows.
    widen : brings the columns of joined tables to the rows, see ``gathering.widening``.

    Raises
    ------
    UsageError
        The output's kind of file is unknown, or the model cannot promise `coverage`.
    ContractError
        A column that the model needs is not there.
    """
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_batches, write_rejects

    output = str(output)
    check_output(output, source)
    promise = None if coverage is None else bundle.promise(coverage)
    # Joined tables may have changed since the scores of a killed run were kept.
    work = _Work.open(output, bundle, source, batch_rows) if widen is None else _Work()
    account = _Account()
    options = ReadOptions(max_reject_share=1.0, batch_rows=batch_rows)
    started = time.monotonic()
    try:
        with opened(output) as sink:
            batches = _widened(read_batches(source, options=options), widen)
            for frame in _scored(bundle, batches, work, account, threads, promise):
                sink.write(frame)
                watch(f"{account.rows:,} rows scored", time.monotonic() - started, None)
    except ArtificerError:  # kept for who comes after a kill; a disk that is full is to be freed
        work.remove()
        raise
    if not account.rows and not account.rejects:
        raise DataError(f"{source} holds no rows; give rows to score")
    rejects = None
    if account.rejects:
        beside = output.rpartition("#")[2] if is_database(output) else output
        rejects = Path(f"{beside}.rejects.jsonl")
        write_rejects(rejects, account.rejects)
    work.remove()
    return {
        "rows": account.rows,
        "rejected": len(account.rejects),
        "rejects": str(rejects) if rejects else None,
        "resumed": account.resumed,
        "notes": [*account.notes, *map(_sentence, account.breaches.values())],
    }


def _widened(batches: Iterator[Content], widen: Widen | None) -> Iterator[Content]:
    for content in batches:
        if widen is None:
            yield content
        elif not content.frame.height:
            yield replace(content, frame=content.frame.select())
        else:
            frame, notes = widen(content.frame)
            yield replace(content, frame=frame, notes=(*content.notes, *notes))


def _scored(
    bundle: Bundle,
    batches: Iterator[Content],
    work: _Work,
    account: _Account,
    threads: int,
    promise: Promise | None,
) -> Iterator[pl.DataFrame]:
    """Give the batches with their predictions, in order; while one is written others are scored."""
    with ThreadPoolExecutor(threads, thread_name_prefix="artificer-score") as pool:
        waiting: deque[tuple[Content, Future[_Batch]]] = deque()
        number = 0

        def take() -> pl.DataFrame:
            content, future = waiting.popleft()
            batch = future.result()
            account.rejects += content.rejects
            account.note(content.notes)
            account.resumed += batch.resumed
            for found in batch.breaches:
                account.breach(found)
            account.note(batch.notes)
            account.rows += content.frame.height
            return batch.frame

        for content in batches:
            if not content.frame.width:
                account.rejects += content.rejects
                account.note(content.notes)
                continue
            waiting.append((content, pool.submit(_score, bundle, content.frame, work, number, promise)))
            number += 1
            if len(waiting) > threads:
                yield take()
        while waiting:
            yield take()


@dataclass(frozen=True)
class _Batch:
    frame: pl.DataFrame
    breaches: tuple[Breach, ...]
    notes: tuple[str, ...]
    resumed: int


def _score(bundle: Bundle, frame: pl.DataFrame, work: _Work, number: int, promise: Promise | None) -> _Batch:
    blocks, broken = to_blocks(frame, bundle.contract, strict=False)
    scores = work.load(number, frame.height, bundle.contract.width)
    resumed = 0 if scores is None else frame.height
    if scores is None:
        scores = bundle.predict_blocks(blocks)
        if not np.isfinite(scores).all():
            raise DataError("the model gave a score that is no number; report this with the rows that did it")
        work.keep(number, scores)
    scored, notes = with_predictions(bundle, frame, scores, promise)
    return _Batch(scored, broken, notes, resumed)


def score_frame(bundle: Bundle, frame: pl.DataFrame, promise: Promise | None = None) -> tuple[pl.DataFrame, list[str]]:
    """Add the predictions to a table, see :func:`with_predictions`; says what was odd."""
    blocks, broken = to_blocks(frame, bundle.contract, strict=False)
    scored, notes = with_predictions(bundle, frame, bundle.predict_blocks(blocks), promise)
    return scored, [*map(_sentence, broken), *notes]


def with_predictions(
    bundle: Bundle, frame: pl.DataFrame, scores: Floats, promise: Promise | None = None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Add ``prediction`` and, for classes, ``probability_<class>`` to a table.

    For quantiles come ``<target>_q<level>``.
    With a `promise` come ``<target>_low`` and ``<target>_high``, or ``<target>_set``.
    """
    import polars as pl

    contract = bundle.contract
    added = [_predictions(bundle, scores)]
    added += [
        pl.Series(PROBABILITY + name, scores[:, code].astype(np.float64)) for code, name in enumerate(contract.classes)
    ]
    added += [
        pl.Series(f"{contract.target}_q{level}", scores[:, j].astype(np.float64))
        for j, level in enumerate(contract.levels)
    ]
    if promise is not None:
        added += _promised(bundle, scores, promise)
    notes = [] if promise is None or promise.note is None else [promise.note]
    replaced = [series.name for series in added if series.name in frame.columns]
    if replaced:
        notes.append(f"the input's own columns {', '.join(replaced)} were replaced")
    return frame.with_columns(added), tuple(notes)


def _predictions(bundle: Bundle, scores: Floats) -> pl.Series:
    """The labels or values, without an object for each where there are classes."""
    import polars as pl

    contract = bundle.contract
    if not contract.classes:
        return pl.Series(PREDICTION, scores[:, contract.middle].astype(np.float64))
    labels = pl.Series(PREDICTION, [contract.label(text) for text in contract.classes])
    return labels.gather(pl.Series(contract.class_codes(scores).astype(np.uint32)))


def _promised(bundle: Bundle, scores: Floats, promise: Promise) -> list[pl.Series]:
    import polars as pl

    contract = bundle.contract
    if not contract.classes:
        ends = promise.intervals(scores[:, 0])
        return [pl.Series(f"{contract.target}_{end}", ends[:, j]) for j, end in enumerate(("low", "high"))]
    labels = [contract.label(c) for c in contract.classes]
    kind = pl.Series(labels).dtype
    return [pl.Series(f"{contract.target}_set", promise.sets(scores, labels), dtype=pl.List(kind))]


def _sentence(breach: Breach) -> str:
    if not breach.rows:
        return f'column "{breach.column}": {breach.rule}, so all of its cells were scored as missing'
    return (
        f'column "{breach.column}": {breach.count:,} cells break the rule ({breach.rule}) and were scored as missing '
        f"(row {breach.rows[0]}: {breach.examples[0]!r})"
    )


class _Work:
    """The scores of finished batches, in a folder of their own until the output is whole.

    They belong to one bundle, one state of the input and one size of batch: for anything else they are begun anew.
    """

    def __init__(self, folder: Path | None = None, identity: str = "") -> None:
        self._folder = folder
        self._identity = identity
        """Written down with the first scores, so that what fails before it has any leaves nothing behind."""

    @classmethod
    def open(cls, output: str, bundle: Bundle, source: str, batch_rows: int) -> _Work:
        state = _state_of(source)
        if is_database(output) or state is None:  # nothing may lie beside the output, or nothing tells what it is of
            return cls()
        identity: Json = {"bundle": bundle.sha256, "source": state, "batch_rows": batch_rows}
        work = cls(Path(output).with_name(f".{Path(output).name}.scores"), json.dumps(identity, sort_keys=True))
        if not work._is_of_this():
            work.remove()
        return work

    @property
    def _manifest(self) -> Path:
        assert self._folder is not None  # noqa: S101 - asked for where there is one
        return self._folder / "manifest.json"

    def _is_of_this(self) -> bool:
        return self._manifest.is_file() and self._manifest.read_text(encoding="utf-8") == self._identity

    def load(self, number: int, rows: int, width: int) -> Floats | None:
        """Scores of a batch that was finished before, or None."""
        if self._folder is None:
            return None
        path = self._folder / f"{number:06d}.npy"
        try:
            scores: Floats = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return scores if scores.shape == (rows, width) and scores.dtype == np.float32 else None

    def keep(self, number: int, scores: Floats) -> None:
        if self._folder is not None and len(scores):
            if not self._manifest.is_file():
                with replacing(self._manifest) as part:
                    part.write_text(self._identity, encoding="utf-8")
            with replacing(self._folder / f"{number:06d}.npy") as part, part.open("wb") as file:
                np.save(file, scores, allow_pickle=False)

    def remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _state_of(source: str) -> str | None:
    """What changes when the files of a source do: names, sizes and times; None where no file can tell."""
    if "://" in source:
        return None
    path = Path(source).expanduser()
    if not path.exists():  # a table behind a file's name, or a pattern of files
        path = Path(source.rpartition("#")[0]).expanduser() if "#" in source else path
    if path.is_dir():
        files = sorted(found for found in path.rglob("*") if found.is_file())
    else:
        files = [path] if path.is_file() else sorted(map(Path, glob.glob(str(path), recursive=True)))
    if not files:
        return None
    states = [(str(found), found.stat().st_size, found.stat().st_mtime_ns) for found in files if found.is_file()]
    return hashlib.sha256(json.dumps([source, states]).encode()).hexdigest()
