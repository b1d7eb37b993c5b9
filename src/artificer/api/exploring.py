"""A table looked at from all sides before anything is learnt from it."""

from __future__ import annotations

import time as _time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.api.common import Watch, silent, threads
from artificer.errors import DataError, SourceError, UsageError
from artificer.problem.places import mask
from artificer.types import Json, Task

if TYPE_CHECKING:
    import polars as pl

    from artificer.exploration.typed import Reader
    from artificer.problem.project import Project
    from artificer.profile.profile import Profile


PACKED, PLAIN = 20_000_000, 200_000_000
"""Bytes of a Parquet file, and of any other, from which on it is read some rows at a time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be looked at: batches of rows as the source has them, and what the columns are for."""

    name: str
    batches: Iterable[pl.DataFrame]
    source: Json
    target: str | None = None
    task: Task | None = None
    positive: Any = None
    time: str | None = None
    group: str | None = None
    leave_out: tuple[str, ...] = ()


def explore(
    source: Any = None,
    *,
    project: Path | None = None,
    target: str | None = None,
    time: str | None = None,
    group: str | None = None,
    output: Path | None = None,
    progress: Watch = silent,
) -> Json:
    """Profile a table, relate its columns to each other, to the target and to time, and write the report.

    Parameters
    ----------
    source : what ``read_source`` takes: a file, or a table object. None takes the project's own.
    project : of its table the training and the test rows are compared too.
    target, time, group : override what the project says.
    output : the HTML report to write; None writes none.

    Returns
    -------
    The document (schema ``artificer.explore/1``), with ``report``, the file that was written.

    Examples
    --------
    >>> found = explore({"x": [1.0, 2.0, 3.0] * 20, "sold": ["no", "no", "yes"] * 20}, target="sold")
    >>> found["rows"], found["associations"][0]["column"], found["associations"][0]["strength"] > 0.9
    (60, 'x', True)
    """
    from artificer.exploration.document import document
    from artificer.exploration.explore import FILE, PART
    from artificer.exploration.explore import explore as look

    if (source is None) == (project is None):
        raise UsageError("name a table or a project, one of the two; see artificer explore --help")
    started = _time.perf_counter()
    progress("reading and profiling", None, None)
    asked = _of_project(project) if project is not None else asked_of(source)
    target, time, group = target or asked.target, time or asked.time, group or asked.group
    profile, reader, unread = profiled(asked, target, time, group)
    lap = _time.perf_counter() - started
    progress("relating columns", None, None)
    found = look(
        profile,
        reader,
        target=target,
        task=asked.task if target == asked.target else None,
        positive=asked.positive if target == asked.target else None,
        time=time,
        group=group,
        leave_out=(*asked.leave_out, FILE, PART),
        unread=unread,
    )
    made = document(found, asked.name, asked.source)
    made["seconds"] = {"reading and profile": round(lap, 3), **made["seconds"]}
    made["report"] = None
    if output is not None:
        from artificer.reports.explore import write_exploration

        progress("drawing the report", None, None)
        made["report"] = str(write_exploration(made, output))
    made["seconds"]["whole"] = round(_time.perf_counter() - started, 3)
    return made


def profiled(
    asked: Asked, target: str | None = None, time: str | None = None, group: str | None = None
) -> tuple[Profile, Reader, dict[str, int]]:
    """The profile in one pass; what the columns are is told by the first batch."""
    from artificer.exploration.explore import FILE, PART
    from artificer.exploration.typed import learn_reader
    from artificer.profile.profile import profile

    batches = iter(asked.batches)
    first = next(batches, None)
    if first is None:
        raise DataError("there are no rows to look at; give a table with at least one")
    reader = learn_reader(first.drop(FILE, PART, strict=False), target, time=time, group=group)
    unread: Counter[str] = Counter()

    def typed() -> Iterator[pl.DataFrame]:
        batch: pl.DataFrame | None = first
        while batch is not None:
            rows, lost = reader.typed(batch)
            unread.update(lost)
            yield rows.with_columns(batch.select(name for name in (FILE, PART) if name in batch.columns))
            batch = next(batches, None)

    return profile(typed(), texts=reader.texts, threads=threads()), reader, dict(unread)


def asked_of(source: Any) -> Asked:
    """A table to look at: a large file some rows at a time, anything else whole, with the file of each row."""
    import polars as pl

    from artificer.exploration.explore import FILE
    from artificer.profile.profile import batches_of
    from artificer.sources.reading import read_source

    named = isinstance(source, str | Path)
    if named and _is_large(Path(source)):
        facts: Json = {"path": mask(str(source)), "rejected": 0, "notes": []}
        return Asked(Path(source).name, _streamed(str(source), facts), facts)
    read = read_source(source)
    frame = read.frame
    if len(read.parts) > 1:
        names = pl.Series([part.name for part in read.parts], dtype=pl.String)
        frame = frame.with_columns(names.gather(read.part_of_row).alias(FILE))
    facts = {
        "path": mask(str(source)) if named else None,
        "rejected": read.rows_rejected,
        "fingerprint": read.fingerprint,
    }
    return Asked(Path(source).name if named else "table", batches_of(frame), {**facts, "notes": list(read.notes)})


def _is_large(path: Path) -> bool:
    """Whether a file is better read some rows at a time."""
    try:
        return path.is_file() and path.stat().st_size > (PACKED if path.suffix in (".parquet", ".pq") else PLAIN)
    except OSError:
        return False  # reading says what is wrong


def _streamed(place: str, facts: Json) -> Iterator[pl.DataFrame]:
    """Batches of a file, of which only a few are held at a time; what was refused goes into `facts`."""
    from artificer.profile.profile import batch_rows
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_batches

    width = next(read_batches(place)).frame.width
    options, rows = ReadOptions(batch_rows=batch_rows(width)), 0
    for content in read_batches(place, options=options):
        facts["rejected"] += len(content.rejects)
        facts["notes"] += content.notes
        rows += content.frame.height
        if content.frame.height:
            yield content.frame
    if facts["rejected"] > options.max_reject_share * (rows + facts["rejected"]):
        raise SourceError(
            f'{facts["rejected"]:,} of {rows + facts["rejected"]:,} lines of "{place}" cannot be read, more than the '
            f"allowed {options.max_reject_share:.0%}; mend them"
        )


def _of_project(folder: Path) -> Asked:
    """The project's table with each row's part, as a training would have it."""
    import numpy as np
    import polars as pl

    from artificer.clock import SystemClock
    from artificer.exploration.explore import PART
    from artificer.problem.project import open_project
    from artificer.profile.profile import batches_of
    from artificer.sources.base import ReadOptions
    from artificer.training.gathering import gather

    project = open_project(folder)
    data = project.problem.data
    read, _ = gather(data, project.source, project.dir, ReadOptions(), SystemClock().now())
    parts = np.full(read.frame.height, "unused", dtype=object)
    used, train_rows, test_rows = _parts(project, read.frame)
    parts[used[train_rows]], parts[used[test_rows]] = "train", "test"
    frame = read.frame.with_columns(pl.Series(PART, parts, dtype=pl.String))
    facts: Json = {"path": data.source, "rejected": read.rows_rejected, "fingerprint": read.fingerprint}
    return Asked(
        project.problem.name or folder.resolve().name,
        batches_of(frame),
        {**facts, "notes": list(read.notes)},
        data.target,
        data.task,
        data.positive,
        data.time,
        data.group,
        tuple(data.drop),
    )


def _parts(project: Project, frame: pl.DataFrame) -> tuple[Any, Any, Any]:
    """Rows with a target, and which of them are trained and tested on."""
    from artificer.training.intake import prepare_for
    from artificer.training.parting import holdout_of, planned

    prepared, plan = planned(project.problem, prepare_for(project.problem, frame))
    train_rows, test_rows = holdout_of(project.problem, prepared, plan)
    return prepared.rows_used, train_rows, test_rows
