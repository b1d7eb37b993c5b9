"""A table cleaned, with an account of every cell, and the way back."""

from __future__ import annotations

import time as _time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artificer.errors import SourceError, UsageError
from artificer.problem.places import mask
from artificer.types import Json

if TYPE_CHECKING:
    import polars as pl

CLEAN_SCHEMA = "artificer.clean/1"
EXAMPLES = 3
FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet may take for a formula (OWASP, "CSV injection")."""
LOGS = (".parquet", ".jsonl")


def clean(
    source: Any = None,
    output: Path | str = Path("clean.parquet"),
    *,
    project: Path | None = None,
    log: Path | None = None,
    safe: bool = False,
    undo: bool = False,
    guard_formulas: bool = False,
) -> Json:
    """Write a cleaned copy of a table and the log of every change; the source itself is never written to.

    Parameters
    ----------
    source : a file, or a pandas, Polars or Arrow table; a project's own when None.
    output : a Parquet, CSV, JSON-lines or Arrow file.
    log : where the log goes (or comes from, with `undo`): Parquet or JSON lines; beside the output when None.
    safe : make only the mends that are right by construction.
    undo : `source` is a cleaned table; give the table back that it was made from.
    guard_formulas : in CSV, write an apostrophe before texts that a spreadsheet might run as a formula.

    Raises
    ------
    UsageError
        Output or log would overwrite the source or each other, or their kind is unknown.

    Examples
    --------
    >>> import polars as pl, tempfile
    >>> table = pl.DataFrame({"id": ["1", "2", "3"], "size": ["7", "N/A", "9"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = clean(table, Path(folder) / "clean.parquet")
    ...     print(pl.read_parquet(found["output"])["size"].to_list(), found["cells"])
    [7, None, 9] {'mended': 1, 'flagged': 0}
    """
    from artificer.sources.base import ReadOptions
    from artificer.sources.reading import read_source
    from artificer.training.sinks import check_output

    started = _time.monotonic()
    source, asked = _source(source, project)
    output = Path(output)
    place = _log_place(Path(source) if undo and isinstance(source, (str, Path)) else output, log)
    check_output(str(output), str(source) if isinstance(source, (str, Path)) else "")
    _check_log(place, output, source)
    rejects = output.with_name(f"{output.name}.rejects.jsonl")
    read = read_source(source, options=ReadOptions(rejects_path=rejects, table=asked[0], query=asked[1]))
    if undo:
        from artificer.quality.mending.account import undo as back

        _write(back(read.frame, _read_log(place)), output)
        return _document(source, output, place, started) | {"rows": {"read": read.rows_read}, "undone": True}
    from artificer.quality.mending.mend import mend
    from artificer.quality.mending.typing import typed

    found = typed(mend(read.frame, safe=safe))
    frame, notes = found.frame, [*read.notes, *found.notes]
    if read.rows_rejected:
        notes.append(f"{read.rows_rejected:,} lines of the source could not be read; they are in {read.rejects_path}")
    if output.suffix.lower() == ".csv":
        frame, note = _guarded(frame, guard_formulas)
        notes += note
    _write(frame, output)
    _write(found.log, place)
    actions = found.log["action"].value_counts()
    counts = dict(zip(actions["action"].to_list(), actions["count"].to_list(), strict=True))
    return _document(source, output, place, started) | {
        "undone": False,
        "rows": {
            "read": read.rows_read,
            "rejected": read.rows_rejected,
            "dropped": counts.get("dropped", 0),
            "written": frame.height,
        },
        "cells": {action: counts.get(action, 0) for action in ("mended", "flagged")},
        "causes": _causes(found.log),
        "notes": notes,
    }


def _source(source: Any, project: Path | None) -> tuple[Any, tuple[str | None, str | None]]:
    """The table, and the table and query that a project's database is asked for."""
    if source is not None:
        return source, (None, None)
    if project is None:
        raise UsageError("there is nothing to clean; name a table, or a project with --project")
    from artificer.problem.project import open_project

    opened = open_project(project)
    data = opened.problem.data
    return opened.source, (data.table, data.query)


def _document(source: Any, output: Path, log: Path, started: float) -> Json:
    return {
        "schema": CLEAN_SCHEMA,
        "source": mask(str(source)) if isinstance(source, (str, Path)) else None,
        "output": str(output),
        "log": str(log),
        "seconds": round(_time.monotonic() - started, 3),
    }


def _log_place(output: Path, log: Path | None) -> Path:
    place = output.with_name(f"{output.stem}.log.parquet") if log is None else log
    if place.suffix.lower() not in LOGS:
        raise UsageError(f"{place} has no known kind of log; end its name with {' or '.join(LOGS)}")
    return place


def _check_log(log: Path, output: Path, source: Any) -> None:
    taken = [output, Path(source)] if isinstance(source, (str, Path)) else [output]
    for other in taken:
        if log.resolve() == other.resolve():
            raise UsageError(f"{log} is named twice; give the log a file of its own")


def _read_log(place: Path) -> pl.DataFrame:
    import polars as pl

    from artificer.quality.mending.account import LOG

    if not place.is_file():
        raise SourceError(f'there is no log "{place}"; name it with --log')
    try:
        if place.suffix.lower() == ".parquet":
            return pl.read_parquet(place)
        return pl.read_ndjson(place, schema=LOG)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise SourceError(f'"{place}" cannot be read as a log ({reason}); give the one that was written') from error


def _write(frame: pl.DataFrame, place: Path) -> None:
    from artificer.training.sinks import opened

    with opened(str(place)) as sink:
        sink.write(frame)


def _guarded(frame: pl.DataFrame, guard: bool) -> tuple[pl.DataFrame, list[str]]:
    """Count texts that a spreadsheet may take for formulas, and put an apostrophe before them if that is wanted."""
    import polars as pl

    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    odd = {name: pl.col(name).str.contains(FORMULA) & ~pl.col(name).str.contains(r"^[+-]?[\d.,]+$") for name in texts}
    count = sum(int(frame.select(found.sum()).item() or 0) for found in odd.values())
    if not count:
        return frame, []
    if not guard:
        return frame, [
            f"{count:,} cells begin like a formula; a spreadsheet may run them, --guard-formulas writes ' before them"
        ]
    guarded = frame.with_columns(
        pl.when(found).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, found in odd.items()
    )
    return guarded, [f"{count:,} cells that begin like a formula were written with ' before them, which undo keeps"]


def _causes(log: pl.DataFrame) -> list[Json]:
    """Cells by column and cause, the most first, with examples."""
    import polars as pl

    found: list[Json] = []
    for column, cause, action in log.select("column", "cause", "action").unique().iter_rows():
        part = log.filter(
            pl.col("column").eq_missing(column) & (pl.col("cause") == cause) & (pl.col("action") == action)
        )
        examples = part.unique(["before", "after"], maintain_order=True).head(EXAMPLES)
        sure = part["confidence"].to_numpy().mean()
        found.append(
            {
                "column": column,
                "cause": cause,
                "action": action,
                "count": part.height,
                "confidence": round(float(sure), 3),
                "examples": [list(pair) for pair in examples.select("before", "after").iter_rows()],
            }
        )
    return sorted(found, key=lambda item: (-item["count"], str(item["column"]), item["cause"]))
